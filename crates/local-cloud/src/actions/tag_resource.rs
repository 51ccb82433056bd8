//! `TagResource`, and how an ARN finds the tags of its resource.

use serde_json::json;

use super::{Outcome, Scene, required};
use crate::state::names::Tagged;
use crate::state::region::Region;
use crate::state::tags::Tags;
use crate::wire::member::shapes;
use crate::wire::refusal::Refusal;
use crate::wire::shape::common::Tag;

shapes! {
    TagResource {
        resource_arn: String = "resourceArn",
        tags: Vec<Tag> = "tags",
    }
}

impl TagResource {
    pub fn perform(self, scene: &Scene<'_>) -> Outcome {
        let arn = required(self.resource_arn.as_ref(), "resourceArn")?;
        let mut state = scene.cloud.state();
        let region = state.region(scene.region, scene.now);
        let tags = tags_of(region, arn, Missing::Resource)?;
        *tags = tags.clone().with(self.tags)?;
        Ok(json!({}))
    }
}

/// Which error an operation has for an ARN that names nothing here.
#[derive(Clone, Copy)]
pub enum Missing {
    /// `ResourceNotFoundException`.
    Resource,
    /// `InvalidParameterException`, where the operation knows no other.
    Parameter,
}

/// The tags of a resource, to read or change them.
pub fn tags_of<'a>(
    region: &'a mut Region,
    arn: &str,
    missing: Missing,
) -> Result<&'a mut Tags, Refusal> {
    let inactive = || {
        Refusal::parameter(
            "The specified resource is inactive. Specify an active resource and try again.",
        )
    };
    let absent = move || match missing {
        Missing::Resource => Refusal::new(
            "ResourceNotFoundException",
            "The specified resource was not found. Specify a valid ARN and try again.",
        ),
        Missing::Parameter => Refusal::parameter(
            "The specified resource was not found. Specify a valid ARN and try again.",
        ),
    };
    let tagged = region.names.tagged(arn).ok_or_else(|| {
        Refusal::parameter("Invalid identifier: the ARN names no resource of this Region.")
    })?;
    match tagged {
        Tagged::Cluster(name) => match region.clusters.get_mut(name) {
            None => Err(Refusal::no_cluster()),
            Some(cluster) if cluster.deleted => Err(inactive()),
            Some(cluster) => Ok(&mut cluster.tags),
        },
        Tagged::Definition(family, revision) => region
            .definition_mut(&format!("{family}:{revision}"))
            .map(|definition| &mut definition.tags)
            .ok_or_else(absent),
        Tagged::Task(id) => match region.tasks.get_mut(id).filter(|task| !task.forgotten) {
            None => Err(absent()),
            Some(task) if !task.is_live() => Err(inactive()),
            Some(task) => Ok(&mut task.tags),
        },
    }
}
