//! A small image in a folder with the OCI image layout, and ways to damage it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";

/// The folder. It is removed when this is dropped.
pub struct ImageLayout {
    folder: TempDir,
    /// The digest of the manifest.
    pub digest: String,
    /// The digest of each layer.
    pub layers: Vec<String>,
}

impl ImageLayout {
    /// An image whose layers have this many bytes. Different sizes are different images.
    pub fn with_layers(sizes: &[usize]) -> Self {
        // An empty tar stream may be followed by any number of empty blocks.
        let layers: Vec<_> = sizes.iter().map(|size| vec![0; *size]).collect();
        Self::of_layers(&layers)
    }

    /// An image of these layers, which are tars.
    pub fn of_layers(contents: &[Vec<u8>]) -> Self {
        let folder = tempfile::Builder::new().prefix("layout-").tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join("blobs/sha256")).expect("a writable folder");
        let write = |bytes: &[u8]| {
            let digest = digest_of(bytes);
            let name = digest.trim_start_matches("sha256:");
            let path = folder.path().join("blobs/sha256").join(name);
            fs::write(path, bytes).expect("a writable folder");
            digest
        };
        let layers: Vec<String> = contents.iter().map(|content| write(content)).collect();
        let config = json!({ "os": "linux", "architecture": "amd64",
            "rootfs": { "type": "layers", "diff_ids": layers } });
        let config = config.to_string();
        let config_digest = write(config.as_bytes());
        let descriptors: Vec<Value> = layers
            .iter()
            .zip(contents)
            .map(|(digest, content)| {
                json!({ "mediaType": LAYER_TYPE, "digest": digest, "size": content.len() })
            })
            .collect();
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "layers": descriptors,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config_digest, "size": config.len() } });
        let manifest = manifest.to_string();
        let digest = write(manifest.as_bytes());
        let index = json!({ "schemaVersion": 2, "manifests": [
            { "mediaType": MANIFEST_TYPE, "digest": digest, "size": manifest.len() }] });
        let file = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("a writable folder");
        };
        file("index.json", &index.to_string());
        file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        Self { folder, digest, layers }
    }

    pub fn path(&self) -> &str {
        self.folder.path().to_str().expect("UTF-8")
    }

    /// Changes one byte of a blob.
    pub fn damage(&self, digest: &str) {
        let path = Path::new(self.path()).join("blobs").join(digest.replacen(':', "/", 1));
        let mut bytes = fs::read(&path).expect("a blob");
        bytes[0] ^= 1;
        fs::write(&path, bytes).expect("a writable folder");
    }
}

pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
