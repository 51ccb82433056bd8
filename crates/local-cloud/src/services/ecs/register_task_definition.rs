//! `RegisterTaskDefinition`: keeps a definition that ECS accepts as the next revision of its family.

use std::sync::Arc;

use serde_json::{Value, json};

use super::access_questions::{may_pass, may_tag_on_creation};
use super::definition_checks::check;
use super::state::arns::RegionArns;
use super::state::tags::ResourceTags;
use crate::cloud::CloudInstance;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::shape::definition::RegisterTaskDefinition;
use crate::wire::exception::ServiceException;
use crate::wire::member::{ShapeMember, without_nulls};

impl JsonRequest for RegisterTaskDefinition {
    fn perform(mut self, context: &RequestContext<'_>) -> ActionResult {
        check(&mut self)?;
        let tags = ResourceTags::checked(self.tags.take())?;
        if !tags.to_vec().is_empty() {
            // To add tags needs a right of its own. Source: Amazon ECS Developer Guide, "Grant permission
            // to tag resources on creation".
            let names = RegionArns { region: context.region.to_owned() };
            let family = self.family.as_deref().unwrap_or_default();
            let any = format!("{}:*", names.definition(family, 0).trim_end_matches(":0"));
            let tags = serde_json::json!({ "tags": tags.to_vec().write() });
            may_tag_on_creation(context, "RegisterTaskDefinition", &any, &tags)?;
        }
        may_pass(context, self.task_role_arn.iter().chain(&self.execution_role_arn))?;
        let shown = tags.to_vec();
        let shown = (!shown.is_empty()).then(|| shown.write());
        let mut resources = context.cloud.ecs();
        let region = resources.region(context.region, context.now);
        let definition = region.register(self, tags, context.now);
        let body = json!({ "taskDefinition": definition.view(), "tags": shown });
        Ok(without_nulls(body))
    }
}

/// Registers a definition without a request over the wire. Returns its ARN.
pub(crate) fn register(
    cloud: &Arc<CloudInstance>,
    region: &str,
    body: Value,
) -> Result<String, ServiceException> {
    let request = RegisterTaskDefinition::read(body)?;
    let answer = request.perform(&RequestContext::of_owner(cloud, region))?;
    let arn = answer["taskDefinition"]["taskDefinitionArn"].as_str();
    Ok(arn.expect("every definition has an ARN").to_owned())
}
