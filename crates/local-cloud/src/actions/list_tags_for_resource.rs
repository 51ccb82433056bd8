//! `ListTagsForResource`.

use serde_json::json;

use super::tag_resource::{MissingArnError, tags_of};
use super::{ActionResult, RequestContext, required};
use crate::wire::member::{ShapeMember, shapes};

shapes! {
    ListTagsForResource { resource_arn: String = "resourceArn", }
}

impl ListTagsForResource {
    pub fn perform(self, scene: &RequestContext<'_>) -> ActionResult {
        let arn = required(self.resource_arn.as_ref(), "resourceArn")?;
        let mut state = scene.cloud.state();
        let region = state.region(scene.region, scene.now);
        let tags = tags_of(region, arn, MissingArnError::Parameter)?;
        Ok(json!({ "tags": tags.to_vec().write() }))
    }
}
