//! Reads the manifest of a stored image: sizes, compression, the images of an index, the subject.
//!
//! Source: OCI image format specification, "Image Manifest" and "Image Index"; Docker, "Image Manifest
//! Version 2, Schema 2".

use std::collections::BTreeSet;

use fargate_image_manifest::ImageDigest;
use serde::Deserialize;

use super::drift_facts::StoredImage;

/// Beginnings of the media types of layers. Others are papers, such as those of a builder.
const OF_LAYERS: [&str; 2] =
    ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."];

#[derive(Deserialize)]
struct StoredManifestForm {
    #[serde(default, rename = "mediaType")]
    media_type: String,
    config: Option<StoredDescriptor>,
    #[serde(default)]
    layers: Vec<StoredDescriptor>,
    #[serde(default)]
    manifests: Vec<StoredDescriptor>,
    subject: Option<StoredDescriptor>,
}

#[derive(Deserialize)]
struct StoredDescriptor {
    #[serde(default, rename = "mediaType")]
    media_type: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    size: u64,
}

impl StoredImage {
    /// What these bytes say. One that cannot be read is not understood, and then it is never deleted.
    pub fn parse(bytes: &[u8]) -> Self {
        let Ok(form) = serde_json::from_slice::<StoredManifestForm>(bytes) else {
            return Self::default();
        };
        let children: Option<BTreeSet<ImageDigest>> =
            form.manifests.iter().map(|child| child.digest.parse().ok()).collect();
        let subject = form.subject.as_ref().map(|subject| subject.digest.parse());
        let (Some(children), Ok(subject)) = (children, subject.transpose()) else {
            return Self::default();
        };
        let parts = form.config.iter().chain(&form.layers);
        let size = parts.fold(bytes.len() as u64, |sum, part| sum.saturating_add(part.size));
        Self {
            is_understood: form.config.is_some() || !children.is_empty(),
            size_bytes: size,
            compressions: form.layers.iter().filter_map(compression).collect(),
            is_docker: form.media_type.starts_with("application/vnd.docker."),
            children,
            subject,
        }
    }

    /// The digests that an index lists; none for bytes that are no index.
    pub fn listed_by(index: &[u8]) -> BTreeSet<ImageDigest> {
        Self::parse(index).children
    }
}

fn compression(layer: &StoredDescriptor) -> Option<&'static str> {
    let kind = layer.media_type.as_str();
    if !OF_LAYERS.iter().any(|start| kind.starts_with(start)) {
        return None;
    }
    Some(match kind {
        _ if kind.ends_with("zstd") => "zstd",
        _ if kind.ends_with("gzip") => "gzip",
        _ => "uncompressed",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(letter: &str) -> String {
        format!("sha256:{}", letter.repeat(64))
    }

    #[test]
    fn sizes_kinds_and_relations_are_read() {
        let layer = |kind: &str| json!({ "mediaType": kind, "digest": digest("a"), "size": 100 });
        let image = json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "digest": digest("c"), "size": 10 },
            "layers": [
                layer("application/vnd.oci.image.layer.v1.tar+zstd"),
                layer("application/vnd.docker.image.rootfs.diff.tar.gzip"),
                layer("application/vnd.in-toto+json"),
            ],
            "subject": { "digest": digest("b") },
        })
        .to_string();
        let read = StoredImage::parse(image.as_bytes());
        assert!(read.is_understood && !read.is_docker);
        assert_eq!(read.size_bytes, 310 + image.len() as u64);
        assert_eq!(read.compressions, BTreeSet::from(["gzip", "zstd"]));
        assert_eq!(read.subject, Some(digest("b").parse().unwrap()));
        let index = json!({ "manifests": [{ "digest": digest("d") }] }).to_string();
        assert_eq!(
            StoredImage::parse(index.as_bytes()).children,
            BTreeSet::from([digest("d").parse().unwrap()])
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_understood() {
        for odd in [
            "",
            "[]",
            "{}",
            r#"{"manifests":[{"digest":"sha512:00"}]}"#,
            r#"{"config":{},"subject":{"digest":"no"}}"#,
        ] {
            assert!(!StoredImage::parse(odd.as_bytes()).is_understood, "{odd}");
        }
    }
}
