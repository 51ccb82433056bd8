//! `CreateRepository`. Tags, scanning and encryption are read and not played.

use std::collections::BTreeMap;

use serde_json::json;

use super::errors;
use super::image_repository::{RegistryRepository, TagExclusionFilter, TagSettings};
use super::repository_store::{RepositoryStore, arn, checked_name};
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    RepositoryTag {
        key: String = "Key",
        value: String = "Value",
    }
    ScanningConfiguration {
        scan_on_push: bool = "scanOnPush",
    }
    EncryptionConfiguration {
        encryption_type: String = "encryptionType",
        kms_key: String = "kmsKey",
    }
    CreateRepository {
        registry_id: String = "registryId",
        tags: Vec<RepositoryTag> = "tags",
        scanning: ScanningConfiguration = "imageScanningConfiguration",
        encryption: EncryptionConfiguration = "encryptionConfiguration",
        repository_name: String = "repositoryName",
        mutability: String = "imageTagMutability",
        filters: Vec<TagExclusionFilter> = "imageTagMutabilityExclusionFilters",
    }
}

impl JsonRequest for CreateRepository {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let name = checked_name(self.repository_name.as_ref())?.clone();
        context.allowed("ecr:CreateRepository", Some(&arn(context.region, &name)))?;
        let tag_settings = TagSettings::read(self.mutability, self.filters)?;
        RepositoryStore::with(context, |repositories| {
            if repositories.contains_key(&name) {
                return Err(errors::repository_exists(&name));
            }
            let repository = RegistryRepository {
                name: name.clone(),
                created: context.now,
                tag_settings,
                images: BTreeMap::new(),
                tags: BTreeMap::new(),
            };
            let shown = repository.shown(context.region);
            repositories.insert(name, repository);
            Ok(json!({ "repository": shown }))
        })
    }
}
