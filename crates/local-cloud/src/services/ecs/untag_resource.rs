//! `UntagResource`.

use serde_json::json;

use super::tag_resource::{MissingArnError, tags_of};
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::member_checks::required;
use crate::wire::member::shapes;

shapes! {
    UntagResource {
        resource_arn: String = "resourceArn",
        tag_keys: Vec<String> = "tagKeys",
    }
}

impl JsonRequest for UntagResource {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let arn = required(self.resource_arn.as_ref(), "resourceArn")?;
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let keys = self.tag_keys.unwrap_or_default();
        tags_of(region, arn, MissingArnError::Resource)?.remove(&keys);
        Ok(json!({}))
    }
}
