//! `ListTagsForResource`.

use serde_json::json;

use super::tag_resource::{MissingArnError, tags_of};
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::member_checks::required;
use crate::wire::member::{ShapeMember, shapes};

shapes! {
    ListTagsForResource { resource_arn: String = "resourceArn", }
}

impl JsonRequest for ListTagsForResource {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let arn = required(self.resource_arn.as_ref(), "resourceArn")?;
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let tags = tags_of(region, arn, MissingArnError::Parameter)?;
        Ok(json!({ "tags": tags.to_vec().write() }))
    }
}
