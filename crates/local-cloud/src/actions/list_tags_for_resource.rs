//! `ListTagsForResource`.

use serde_json::json;

use super::tag_resource::{Missing, tags_of};
use super::{Outcome, Scene, required};
use crate::wire::member::{Member, shapes};

shapes! {
    ListTagsForResource { resource_arn: String = "resourceArn", }
}

impl ListTagsForResource {
    pub fn perform(self, scene: &Scene<'_>) -> Outcome {
        let arn = required(self.resource_arn.as_ref(), "resourceArn")?;
        let mut state = scene.cloud.state();
        let region = state.region(scene.region, scene.now);
        let tags = tags_of(region, arn, Missing::Parameter)?;
        Ok(json!({ "tags": tags.to_vec().write() }))
    }
}
