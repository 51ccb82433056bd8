//! `BatchDeleteImage`: by digest with all tags, or one tag. What is not there is a failure in the answer.
//!
//! Source: Amazon ECR API Reference, `BatchDeleteImage`.

use serde_json::json;

use super::errors;
use super::image_repository::{ImageIdentifier, RegistryRepository};
use super::repository_store::RepositoryStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::{shapes, without_nulls};

/// Images of one request.
const MAX_IMAGES: usize = 100;

shapes! {
    BatchDeleteImage {
        registry_id: String = "registryId",
        repository_name: String = "repositoryName",
        image_ids: Vec<ImageIdentifier> = "imageIds",
    }
}

impl JsonRequest for BatchDeleteImage {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let place = (self.registry_id.as_ref(), self.repository_name.as_ref());
        let wanted = self.image_ids.unwrap_or_default();
        if !(1..=MAX_IMAGES).contains(&wanted.len()) {
            let rule = "Member must have length between 1 and 100";
            return Err(errors::parameter("imageIds", rule));
        }
        RepositoryStore::with_repository(context, "ecr:BatchDeleteImage", place, |repository| {
            let (mut deleted, mut failures) = (Vec::new(), Vec::new());
            for id in &wanted {
                match repository.find(id) {
                    Some(digest) => deleted.extend(delete(repository, id, &digest)),
                    None => failures.push(json!({
                        "imageId": { "imageDigest": id.image_digest, "imageTag": id.image_tag },
                        "failureCode": "ImageNotFound",
                        "failureReason": "Requested image not found",
                    })),
                }
            }
            Ok(without_nulls(json!({ "imageIds": deleted, "failures": failures })))
        })
    }
}

/// Deletes a tag, or the image with all of its tags; the image goes with its last tag. Gives what is gone.
fn delete(
    repository: &mut RegistryRepository,
    id: &ImageIdentifier,
    digest: &str,
) -> Vec<serde_json::Value> {
    let all: Vec<String> = repository.tags_of(digest).into_iter().map(str::to_owned).collect();
    let gone: Vec<String> = match &id.image_tag {
        Some(tag) => vec![tag.clone()],
        None => all.clone(),
    };
    gone.iter().for_each(|tag| drop(repository.tags.remove(tag)));
    if gone.len() == all.len() {
        repository.images.remove(digest);
    }
    match gone.is_empty() {
        true => vec![json!({ "imageDigest": digest })],
        false => {
            let shown = |tag: &String| json!({ "imageDigest": digest, "imageTag": tag });
            gone.iter().map(shown).collect()
        }
    }
}
