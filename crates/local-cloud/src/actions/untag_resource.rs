//! `UntagResource`.

use serde_json::json;

use super::tag_resource::{Missing, tags_of};
use super::{Outcome, Scene, required};
use crate::wire::member::shapes;

shapes! {
    UntagResource {
        resource_arn: String = "resourceArn",
        tag_keys: Vec<String> = "tagKeys",
    }
}

impl UntagResource {
    pub fn perform(self, scene: &Scene<'_>) -> Outcome {
        let arn = required(self.resource_arn.as_ref(), "resourceArn")?;
        let mut state = scene.cloud.state();
        let region = state.region(scene.region, scene.now);
        let keys = self.tag_keys.unwrap_or_default();
        tags_of(region, arn, Missing::Resource)?.remove(&keys);
        Ok(json!({}))
    }
}
