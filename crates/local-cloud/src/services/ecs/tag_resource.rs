//! `TagResource`, and how an ARN finds the tags of its resource.

use serde_json::json;

use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::shape::common::Tag;
use crate::services::ecs::state::arns::TaggedResource;
use crate::services::ecs::state::region::CloudRegion;
use crate::services::ecs::state::tags::ResourceTags;
use crate::services::member_checks::required;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

shapes! {
    TagResource {
        resource_arn: String = "resourceArn",
        tags: Vec<Tag> = "tags",
    }
}

impl JsonRequest for TagResource {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let arn = required(self.resource_arn.as_ref(), "resourceArn")?;
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let tags = tags_of(region, arn, MissingArnError::Resource)?;
        *tags = tags.clone().with(self.tags)?;
        Ok(json!({}))
    }
}

/// Which error an operation gives for an ARN of a resource that does not exist.
#[derive(Clone, Copy)]
pub enum MissingArnError {
    /// `ResourceNotFoundException`.
    Resource,
    /// `InvalidParameterException`, for an operation that has no other error.
    Parameter,
}

/// The tags of a resource, to read or change them.
pub fn tags_of<'a>(
    region: &'a mut CloudRegion,
    arn: &str,
    missing: MissingArnError,
) -> Result<&'a mut ResourceTags, ServiceException> {
    let inactive = || {
        ServiceException::parameter(
            "The specified resource is inactive. Specify an active resource and try again.",
        )
    };
    let absent = move || match missing {
        MissingArnError::Resource => ServiceException::new(
            "ResourceNotFoundException",
            "The specified resource was not found. Specify a valid ARN and try again.",
        ),
        MissingArnError::Parameter => ServiceException::parameter(
            "The specified resource was not found. Specify a valid ARN and try again.",
        ),
    };
    let tagged = region.names.tagged(arn).ok_or_else(|| {
        ServiceException::parameter("Invalid identifier: the ARN names no resource of this Region.")
    })?;
    match tagged {
        TaggedResource::Cluster(name) => match region.clusters.get_mut(name) {
            None => Err(ServiceException::no_cluster()),
            Some(cluster) if cluster.deleted => Err(inactive()),
            Some(cluster) => Ok(&mut cluster.tags),
        },
        TaggedResource::Definition(family, revision) => region
            .definition_mut(&format!("{family}:{revision}"))
            .map(|definition| &mut definition.tags)
            .ok_or_else(absent),
        TaggedResource::Task(id) => match region.tasks.get_mut(id).filter(|task| !task.forgotten) {
            None => Err(absent()),
            Some(task) if !task.is_live() => Err(inactive()),
            Some(task) => Ok(&mut task.tags),
        },
    }
}
