//! `UntagResource`.

use serde_json::json;

use super::tag_resource::{MissingArnError, tags_of};
use super::{ActionResult, RequestContext, required};
use crate::wire::member::shapes;

shapes! {
    UntagResource {
        resource_arn: String = "resourceArn",
        tag_keys: Vec<String> = "tagKeys",
    }
}

impl UntagResource {
    pub fn perform(self, scene: &RequestContext<'_>) -> ActionResult {
        let arn = required(self.resource_arn.as_ref(), "resourceArn")?;
        let mut state = scene.cloud.state();
        let region = state.region(scene.region, scene.now);
        let keys = self.tag_keys.unwrap_or_default();
        tags_of(region, arn, MissingArnError::Resource)?.remove(&keys);
        Ok(json!({}))
    }
}
