//! `PutImage`: a manifest, under a tag if there is one. Layers are not looked for.

use std::sync::Arc;

use serde_json::json;

use super::create_repository::CreateRepository;
use super::errors;
use super::image_repository::RegistryImage;
use super::repository_store::RepositoryStore;
use crate::account::ACCOUNT;
use crate::cloud::CloudInstance;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::exception::ServiceException;
use crate::wire::member::{shapes, without_nulls};

shapes! {
    PutImage {
        registry_id: String = "registryId",
        repository_name: String = "repositoryName",
        image_manifest: String = "imageManifest",
        image_manifest_media_type: String = "imageManifestMediaType",
        image_tag: String = "imageTag",
        image_digest: String = "imageDigest",
    }
}

impl JsonRequest for PutImage {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let place = (self.registry_id.as_ref(), self.repository_name.as_ref());
        let manifest = self.image_manifest.filter(|manifest| !manifest.is_empty());
        let manifest = manifest
            .ok_or_else(|| errors::parameter("imageManifest", "Member must not be null"))?;
        RepositoryStore::with_repository(context, "ecr:PutImage", place, |repository| {
            let (media_type, pushed) = (self.image_manifest_media_type.clone(), context.now);
            let image = RegistryImage { manifest: manifest.clone(), media_type, pushed };
            if let Some(told) = self.image_digest.filter(|told| *told != image.digest()) {
                return Err(errors::other_digest(&told, &image.digest()));
            }
            let digest = repository.put(image, self.image_tag.as_deref())?;
            Ok(without_nulls(json!({ "image": {
                "registryId": ACCOUNT,
                "repositoryName": repository.name,
                "imageId": { "imageDigest": digest, "imageTag": self.image_tag },
                "imageManifest": manifest,
                "imageManifestMediaType": self.image_manifest_media_type,
            } })))
        })
    }
}

/// Takes an image in as the cloud's owner, into a repository that is made if it is not there.
pub fn put(
    cloud: &Arc<CloudInstance>,
    region: &str,
    (repository, tag): (&str, &str),
    manifest: &str,
) -> Result<(), ServiceException> {
    let context = RequestContext::of_owner(cloud, region);
    let create =
        CreateRepository { repository_name: Some(repository.to_owned()), ..Default::default() };
    match create.perform(&context) {
        Err(refusal) if refusal.code != "RepositoryAlreadyExistsException" => return Err(refusal),
        _ => {}
    }
    let put = PutImage {
        repository_name: Some(repository.to_owned()),
        image_manifest: Some(manifest.to_owned()),
        image_tag: Some(tag.to_owned()),
        ..Default::default()
    };
    put.perform(&context).map(drop)
}
