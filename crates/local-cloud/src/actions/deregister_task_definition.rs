//! `DeregisterTaskDefinition`. Running tasks are not touched.

use serde_json::json;

use super::{ActionResult, RequestContext, required};
use crate::state::definition::DefinitionStatus;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

shapes! {
    DeregisterTaskDefinition { task_definition: String = "taskDefinition", }
}

impl DeregisterTaskDefinition {
    pub fn perform(self, scene: &RequestContext<'_>) -> ActionResult {
        let reference = required(self.task_definition.as_ref(), "taskDefinition")?;
        let mut state = scene.cloud.state();
        let region = state.region(scene.region, scene.now);
        if let Some((_, None)) = region.names.family_and_revision(reference) {
            return Err(ServiceException::client("Revision is missing."));
        }
        let definition = region
            .definition_mut(reference)
            .ok_or_else(|| ServiceException::client("Unable to describe task definition."))?;
        if definition.status == DefinitionStatus::Active {
            definition.status = DefinitionStatus::Inactive;
            definition.deregistered_at = Some(scene.now);
        }
        Ok(json!({ "taskDefinition": definition.view() }))
    }
}
