//! `DescribeImages`, in the order of digests, also of images without a tag.

use serde_json::json;

use super::errors;
use super::image_repository::ImageIdentifier;
use super::repository_store::RepositoryStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::list_page::{ListPage, page};
use crate::wire::member::{shapes, without_nulls};

/// Images of one page. Source: Amazon ECR API Reference, `DescribeImages`.
const MAX_RESULTS: usize = 1000;

shapes! {
    ImagesFilter {
        tag_status: String = "tagStatus",
        image_status: String = "imageStatus",
    }
    DescribeImages {
        filter: ImagesFilter = "filter",
        registry_id: String = "registryId",
        repository_name: String = "repositoryName",
        image_ids: Vec<ImageIdentifier> = "imageIds",
        next_token: String = "nextToken",
        max_results: i32 = "maxResults",
    }
}

impl JsonRequest for DescribeImages {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let place = (self.registry_id.as_ref(), self.repository_name.as_ref());
        RepositoryStore::with_repository(context, "ecr:DescribeImages", place, |repository| {
            let mut digests = Vec::new();
            for id in self.image_ids.iter().flatten() {
                let (digest, tag) = (id.image_digest.as_deref(), id.image_tag.as_deref());
                let missing = || errors::no_image(&repository.name, digest, tag);
                digests.push(repository.find(id).ok_or_else(missing)?);
            }
            if self.image_ids.is_none() {
                digests.extend(repository.images.keys().cloned());
            }
            let status = self.filter.as_ref().and_then(|filter| filter.tag_status.as_deref());
            digests.retain(|digest| match status {
                Some("TAGGED") => !repository.tags_of(digest).is_empty(),
                Some("UNTAGGED") => repository.tags_of(digest).is_empty(),
                _ => true,
            });
            let token = self.next_token.as_deref();
            let ListPage { items, next_token } =
                page(digests, self.max_results, token, MAX_RESULTS)
                    .map_err(|_| errors::parameter("nextToken", "of this listing"))?;
            let shown: Vec<_> =
                items.iter().filter_map(|digest| repository.image_shown(digest)).collect();
            Ok(without_nulls(json!({ "imageDetails": shown, "nextToken": next_token })))
        })
    }
}
