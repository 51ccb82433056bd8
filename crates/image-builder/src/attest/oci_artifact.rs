//! What is pushed beside an image: a manifest with one small blob that names the image as its subject, and
//! the list of such manifests that stands under a tag where the registry has no referrers API.
//!
//! It sends nothing.
//!
//! Source: OCI image specification 1.1, "Guidelines for Artifact Usage"; OCI distribution specification 1.1,
//! "Referrers Tag Schema".

use fargate_image_manifest::ImageDigest;
use fargate_model::text::escape_within;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The kind of an image's manifest.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The kind of a list of manifests.
pub const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// The kind of the blob `{}`.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";

/// What names a blob or a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactDescriptor {
    /// Its kind.
    #[serde(rename = "mediaType")]
    pub media_type: String,
    /// Its digest.
    pub digest: ImageDigest,
    /// Its bytes.
    pub size: u64,
}

impl ArtifactDescriptor {
    /// That of these bytes.
    #[must_use]
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { media_type: media_type.to_owned(), digest: sha256_of(bytes), size }
    }
}

/// The SHA-256 of these bytes.
#[must_use]
pub fn sha256_of(bytes: &[u8]) -> ImageDigest {
    let hash = hex::encode(digest(&SHA256, bytes).as_ref());
    format!("sha256:{hash}").parse().expect("64 hexadecimal digits")
}

/// A manifest and the blobs that it names, ready to be pushed. The blobs go first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OciArtifact {
    /// What each blob is, and its bytes.
    pub blobs: Vec<(ArtifactDescriptor, Vec<u8>)>,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// What names the manifest.
    pub descriptor: ArtifactDescriptor,
    /// The kind of its content.
    pub artifact_type: String,
}

impl OciArtifact {
    /// A manifest that says something about `subject`: `content` is one blob of the kind `artifact_type`.
    #[must_use]
    pub fn about(subject: &ArtifactDescriptor, artifact_type: &str, content: Vec<u8>) -> Self {
        let empty = ArtifactDescriptor::of(EMPTY_TYPE, EMPTY);
        let layer = ArtifactDescriptor::of(artifact_type, &content);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": artifact_type,
            "config": empty,
            "layers": [layer],
            "subject": subject,
        });
        let manifest = manifest.to_string().into_bytes();
        let descriptor = ArtifactDescriptor::of(MANIFEST_TYPE, &manifest);
        Self {
            blobs: vec![(empty, EMPTY.to_vec()), (layer, content)],
            manifest,
            descriptor,
            artifact_type: artifact_type.to_owned(),
        }
    }
}

/// The tag under which a registry without the referrers API keeps the list of what is about `subject`.
#[must_use]
pub fn referrers_tag(subject: &ImageDigest) -> String {
    subject.as_str().replacen(':', "-", 1)
}

/// The list that stands under [`referrers_tag`]. Members that are not known here are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferrersIndex {
    #[serde(rename = "schemaVersion")]
    schema_version: u32,
    #[serde(rename = "mediaType", default = "index_type")]
    media_type: String,
    #[serde(default)]
    manifests: Vec<ReferrerEntry>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// One manifest that is about the image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferrerEntry {
    /// What names it.
    #[serde(flatten)]
    pub descriptor: ArtifactDescriptor,
    /// The kind of its content.
    #[serde(rename = "artifactType", default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Members that are not known here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn index_type() -> String {
    INDEX_TYPE.to_owned()
}

impl ReferrersIndex {
    /// A list without entries.
    #[must_use]
    pub fn empty() -> Self {
        let (media_type, other) = (index_type(), Map::new());
        Self { schema_version: 2, media_type, manifests: Vec::new(), other }
    }

    /// Reads the list of a registry.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words for people.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(bytes)
            .map_err(|error| escape_within(&format!("it is no list of referrers: {error}"), 200))?;
        match read.media_type.as_str() {
            INDEX_TYPE => Ok(read),
            other => Err(format!("it is of the kind {}", escape_within(other, 100))),
        }
    }

    /// What it lists.
    #[must_use]
    pub fn entries(&self) -> &[ReferrerEntry] {
        &self.manifests
    }

    /// Whether it lists this manifest.
    #[must_use]
    pub fn lists(&self, digest: &ImageDigest) -> bool {
        self.manifests.iter().any(|entry| entry.descriptor.digest == *digest)
    }

    /// Adds what is not listed yet. Says whether it changed.
    pub fn add(&mut self, artifact: &OciArtifact) -> bool {
        self.add_entry(ReferrerEntry {
            descriptor: artifact.descriptor.clone(),
            artifact_type: Some(artifact.artifact_type.clone()),
            other: Map::new(),
        })
    }

    /// The same with an entry of another list.
    pub fn add_entry(&mut self, entry: ReferrerEntry) -> bool {
        let is_new = !self.lists(&entry.descriptor.digest);
        if is_new {
            self.manifests.push(entry);
        }
        is_new
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("text and numbers are JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> ArtifactDescriptor {
        ArtifactDescriptor::of(MANIFEST_TYPE, b"image")
    }

    #[test]
    fn an_artifact_names_its_subject_and_the_empty_configuration_of_the_specification() {
        let artifact = OciArtifact::about(&subject(), "application/x", b"content".to_vec());
        let manifest: Value = serde_json::from_slice(&artifact.manifest).unwrap();
        assert_eq!(manifest["subject"]["digest"], subject().digest.as_str());
        // The digest that the specification gives for the empty descriptor.
        assert_eq!(
            manifest["config"]["digest"],
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        assert_eq!(artifact.descriptor.digest, sha256_of(&artifact.manifest));
        let again = OciArtifact::about(&subject(), "application/x", b"content".to_vec());
        assert_eq!(again, artifact);
    }

    #[test]
    fn the_list_keeps_what_others_wrote_and_takes_each_manifest_once() {
        let artifact = OciArtifact::about(&subject(), "application/x", b"content".to_vec());
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX_TYPE}","annotations":{{"a":"b"}},"manifests":[
               {{"mediaType":"m","digest":"{}","size":3,"annotations":{{"c":"d"}}}}]}}"#,
            sha256_of(b"other")
        );
        let mut index = ReferrersIndex::parse(text.as_bytes()).unwrap();
        assert!(index.add(&artifact));
        assert!(!index.add(&artifact));
        let written: Value = serde_json::from_slice(&index.to_bytes()).unwrap();
        assert_eq!(written["annotations"]["a"], "b");
        assert_eq!(written["manifests"][0]["annotations"]["c"], "d");
        assert_eq!(written["manifests"][1]["artifactType"], "application/x");
        assert_eq!(written["manifests"].as_array().unwrap().len(), 2);
        assert!(ReferrersIndex::parse(b"<html>").is_err());
        let image = format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}"}}"#);
        assert!(ReferrersIndex::parse(image.as_bytes()).is_err());
        assert_eq!(referrers_tag(&sha256_of(b"x")).len(), "sha256-".len() + 64);
    }
}
