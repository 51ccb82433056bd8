//! One repository: its images by digest, its tags, and whether tags can be moved.

use std::collections::BTreeMap;
use std::time::SystemTime;

use fargate_model::region::AwsPartition;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::errors;
use crate::account::ACCOUNT;
use crate::clock::epoch_seconds;
use crate::wire::exception::ServiceException;
use crate::wire::member::{shapes, without_nulls};

/// The settings of tags that ECR knows. Source: Amazon ECR API Reference, `PutImageTagMutability`.
pub const MUTABILITIES: [&str; 4] =
    ["MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"];
/// Most filters. Source: the same.
const MAX_FILTERS: usize = 5;

shapes! {
    /// Tags that are treated the other way.
    TagExclusionFilter {
        filter: String = "filter",
        filter_type: String = "filterType",
    }
    /// An image by its digest, its tag, or both.
    ImageIdentifier {
        image_digest: String = "imageDigest",
        image_tag: String = "imageTag",
    }
}

/// An image.
#[derive(Clone, Debug)]
pub struct RegistryImage {
    pub manifest: String,
    pub media_type: Option<String>,
    pub pushed: SystemTime,
}

/// Whether tags can be moved, and which ones are treated the other way.
#[derive(Clone, Debug, Default)]
pub struct TagSettings {
    pub mutability: Option<String>,
    pub filters: Vec<TagExclusionFilter>,
}

/// A repository.
#[derive(Clone, Debug)]
pub struct RegistryRepository {
    pub name: String,
    pub created: SystemTime,
    pub tag_settings: TagSettings,
    /// By digest.
    pub images: BTreeMap<String, RegistryImage>,
    /// The digest of each tag.
    pub tags: BTreeMap<String, String>,
}

impl RegistryImage {
    /// The digest of its bytes.
    pub fn digest(&self) -> String {
        format!("sha256:{}", hex::encode(Sha256::digest(&self.manifest)))
    }
}

impl TagSettings {
    /// Checks what a request asks for.
    pub fn read(
        mutability: Option<String>,
        filters: Option<Vec<TagExclusionFilter>>,
    ) -> Result<Self, ServiceException> {
        let filters = filters.unwrap_or_default();
        if mutability.as_deref().is_some_and(|given| !MUTABILITIES.contains(&given)) {
            let rule = format!("Member must satisfy enum value set: [{}]", MUTABILITIES.join(", "));
            return Err(errors::parameter("imageTagMutability", &rule));
        }
        let wants = mutability.as_deref().is_some_and(|given| given.ends_with("_WITH_EXCLUSION"));
        if wants == filters.is_empty() || filters.len() > MAX_FILTERS {
            let rule = "1 to 5 filters with exclusion, none without";
            return Err(errors::parameter("imageTagMutabilityExclusionFilters", rule));
        }
        Ok(Self { mutability, filters })
    }

    fn name(&self) -> &str {
        self.mutability.as_deref().unwrap_or(MUTABILITIES[0])
    }

    /// Whether this tag may get another image.
    fn allows_move(&self, tag: &str) -> bool {
        let fits =
            |filter: &TagExclusionFilter| matches(filter.filter.as_deref().unwrap_or(""), tag);
        self.name().starts_with("MUTABLE") != self.filters.iter().any(fits)
    }
}

/// Whether a text fits a pattern in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(before) else { return false };
    (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(after, &rest[at..]))
}

impl RegistryRepository {
    /// Takes an image in, under a tag if there is one. Gives its digest.
    pub fn put(
        &mut self,
        image: RegistryImage,
        tag: Option<&str>,
    ) -> Result<String, ServiceException> {
        let digest = image.digest();
        if let Some(tag) = tag {
            match self.tags.get(tag) {
                Some(found) if *found == digest => {
                    return Err(errors::image_exists(&self.name, &digest, tag));
                }
                Some(_) if !self.tag_settings.allows_move(tag) => {
                    return Err(errors::tag_is_immutable(&self.name, tag));
                }
                _ => self.tags.insert(tag.to_owned(), digest.clone()),
            };
        }
        self.images.entry(digest.clone()).or_insert(image);
        Ok(digest)
    }

    /// The digest of the image that an identifier names.
    pub fn find(&self, id: &ImageIdentifier) -> Option<String> {
        let of_tag = id.image_tag.as_ref().map(|tag| self.tags.get(tag));
        let digest = match (of_tag, &id.image_digest) {
            (Some(found), None) => found?,
            (Some(found), Some(digest)) => found.filter(|found| *found == digest)?,
            (None, digest) => digest.as_ref()?,
        };
        self.images.contains_key(digest).then(|| digest.clone())
    }

    /// The tags of a digest.
    pub fn tags_of(&self, digest: &str) -> Vec<&str> {
        let tags = self.tags.iter().filter(|(_, of)| *of == digest);
        tags.map(|(tag, _)| tag.as_str()).collect()
    }

    /// The repository as answers show it.
    pub fn shown(&self, region: &str) -> Value {
        let (partition, name) = (AwsPartition::of(region).name(), &self.name);
        let filters: Vec<Value> = self
            .tag_settings
            .filters
            .iter()
            .map(|one| json!({ "filter": one.filter, "filterType": one.filter_type }))
            .collect();
        without_nulls(json!({
            "repositoryArn": format!("arn:{partition}:ecr:{region}:{ACCOUNT}:repository/{name}"),
            "registryId": ACCOUNT,
            "repositoryName": name,
            "repositoryUri": format!("{}/{name}", host(region)),
            "createdAt": epoch_seconds(self.created),
            "imageTagMutability": self.tag_settings.name(),
            "imageTagMutabilityExclusionFilters":
                Some(filters).filter(|filters| !filters.is_empty()),
            "imageScanningConfiguration": { "scanOnPush": false },
            "encryptionConfiguration": { "encryptionType": "AES256" },
        }))
    }

    /// An image as `DescribeImages` shows it.
    pub fn image_shown(&self, digest: &str) -> Option<Value> {
        let image = self.images.get(digest)?;
        let manifest: Value = serde_json::from_str(&image.manifest).unwrap_or_default();
        let layers = manifest["layers"].as_array().into_iter().flatten();
        let size: u64 = layers.filter_map(|layer| layer["size"].as_u64()).sum();
        let tags = Some(self.tags_of(digest)).filter(|tags| !tags.is_empty());
        Some(without_nulls(json!({
            "registryId": ACCOUNT,
            "repositoryName": self.name,
            "imageDigest": digest,
            "imageTags": tags,
            "imageSizeInBytes": size,
            "imagePushedAt": epoch_seconds(image.pushed),
            "imageManifestMediaType": image.media_type,
            "artifactMediaType": manifest["config"]["mediaType"],
        })))
    }
}

/// The registry of the account in a Region.
pub fn host(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{ACCOUNT}.dkr.ecr.{region}.{suffix}")
}
