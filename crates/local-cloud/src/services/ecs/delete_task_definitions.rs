//! `DeleteTaskDefinitions`: INACTIVE revisions become `DELETE_IN_PROGRESS` and take no
//! new tasks.

use serde_json::{Value, json};

use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::state::definition::DefinitionStatus;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// Revisions of one request. Source: Amazon ECS API Reference, `DeleteTaskDefinitions`.
const MAX_DEFINITIONS: usize = 10;

shapes! {
    DeleteTaskDefinitions { task_definitions: Vec<String> = "taskDefinitions", }
}

impl JsonRequest for DeleteTaskDefinitions {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let references = self.task_definitions.unwrap_or_default();
        if references.is_empty() || references.len() > MAX_DEFINITIONS {
            return Err(ServiceException::parameter(format!(
                "taskDefinitions must have between 1 and {MAX_DEFINITIONS} items."
            )));
        }
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let (mut deleted, mut failures) = (Vec::<Value>::new(), Vec::<Value>::new());
        for reference in &references {
            let revision = region.names.family_and_revision(reference).and_then(|(_, rev)| rev);
            if revision.is_none() {
                return Err(ServiceException::parameter(
                    "Specify a revision of each task definition.",
                ));
            }
            let Some(definition) = region.definition_mut(reference) else {
                failures.push(json!({
                    "arn": reference,
                    "reason": "The specified task definition does not exist. Specify a valid \
                               account, family, revision and try again.",
                }));
                continue;
            };
            if definition.status == DefinitionStatus::Active {
                failures.push(json!({
                    "arn": definition.arn,
                    "reason": "The specified task definition is still in ACTIVE status. Please \
                               deregister the target and try again.",
                }));
                continue;
            }
            definition.status = DefinitionStatus::DeleteInProgress;
            definition.delete_requested_at.get_or_insert(context.now);
            deleted.push(definition.view());
        }
        Ok(json!({ "taskDefinitions": deleted, "failures": failures }))
    }
}
