//! `PutImageTagMutability`.

use serde_json::json;

use super::image_repository::{TagExclusionFilter, TagSettings};
use super::repository_store::RepositoryStore;
use crate::account::ACCOUNT;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::{shapes, without_nulls};

shapes! {
    PutImageTagMutability {
        registry_id: String = "registryId",
        repository_name: String = "repositoryName",
        mutability: String = "imageTagMutability",
        filters: Vec<TagExclusionFilter> = "imageTagMutabilityExclusionFilters",
    }
}

impl JsonRequest for PutImageTagMutability {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let place = (self.registry_id.as_ref(), self.repository_name.as_ref());
        let settings = TagSettings::read(self.mutability, self.filters)?;
        let right = "ecr:PutImageTagMutability";
        RepositoryStore::with_repository(context, right, place, |repository| {
            repository.tag_settings = settings;
            let shown = repository.shown(context.region);
            Ok(without_nulls(json!({
                "registryId": ACCOUNT,
                "repositoryName": repository.name,
                "imageTagMutability": shown["imageTagMutability"],
                "imageTagMutabilityExclusionFilters": shown["imageTagMutabilityExclusionFilters"],
            })))
        })
    }
}
