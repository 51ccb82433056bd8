//! `DeregisterTaskDefinition`. Running tasks continue.

use serde_json::json;

use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::state::definition::DefinitionStatus;
use crate::services::member_checks::required;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

shapes! {
    DeregisterTaskDefinition { task_definition: String = "taskDefinition", }
}

impl JsonRequest for DeregisterTaskDefinition {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let reference = required(self.task_definition.as_ref(), "taskDefinition")?;
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        if let Some((_, None)) = region.names.family_and_revision(reference) {
            return Err(ServiceException::client("Revision is missing."));
        }
        let definition = region
            .definition_mut(reference)
            .ok_or_else(|| ServiceException::client("Unable to describe task definition."))?;
        if definition.status == DefinitionStatus::Active {
            definition.status = DefinitionStatus::Inactive;
            definition.deregistered_at = Some(context.now);
        }
        Ok(json!({ "taskDefinition": definition.view() }))
    }
}
