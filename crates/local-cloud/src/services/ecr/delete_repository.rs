//! `DeleteRepository`. One with images is deleted by force alone.

use serde_json::json;

use super::errors;
use super::repository_store::RepositoryStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    DeleteRepository {
        registry_id: String = "registryId",
        repository_name: String = "repositoryName",
        force: bool = "force",
    }
}

impl JsonRequest for DeleteRepository {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let (right, place) =
            ("ecr:DeleteRepository", (self.registry_id.as_ref(), self.repository_name.as_ref()));
        let (name, shown) = RepositoryStore::with_repository(context, right, place, |found| {
            match found.images.is_empty() || self.force == Some(true) {
                true => Ok((found.name.clone(), found.shown(context.region))),
                false => Err(errors::not_empty(&found.name)),
            }
        })?;
        RepositoryStore::with(context, |repositories| repositories.remove(&name));
        Ok(json!({ "repository": shown }))
    }
}
