//! The JSON of an OCI image: descriptors, manifest and index, with the members that are needed.
//!
//! Source: OCI image format specification 1.1, "Descriptor", "Image Manifest" and "Image Index".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Media types.
pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const ZSTD_LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
pub(crate) const GZIP_LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const PLAIN_LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// Names one blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobDescriptor {
    /// What the blob is.
    pub media_type: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// Facts for people.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// For which machines it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<serde_json::Value>,
}

impl BlobDescriptor {
    /// A descriptor without annotations.
    #[must_use]
    pub fn new(media_type: &str, digest: String, size: u64) -> Self {
        let annotations = BTreeMap::new();
        Self { media_type: media_type.to_owned(), digest, size, annotations, platform: None }
    }
}

/// One image: its configuration and its layers, the lowest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OciManifest {
    /// Always 2.
    pub schema_version: u32,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The configuration.
    pub config: BlobDescriptor,
    /// The layers.
    pub layers: Vec<BlobDescriptor>,
}

/// The file `index.json` of a layout.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LayoutIndex {
    pub schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    pub manifests: Vec<BlobDescriptor>,
}

/// What is read of an image's configuration.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ConfigLayers {
    pub rootfs: ConfigRootFs,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ConfigRootFs {
    pub diff_ids: Vec<String>,
}
