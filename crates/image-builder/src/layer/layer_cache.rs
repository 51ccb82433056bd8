//! What became of layers before: from the engine's `diff_id` to the compressed blob, for one way of rewriting
//! and compressing. With it an image that did not change is neither exported nor compressed again.
//!
//! An entry says nothing about a registry: whoever uses one asks the registry for the blob first. A cache
//! that cannot be read or written only costs time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::compressed_layer::CompressedLayer;
use super::layer_index::REWRITE_VERSION;
use super::{LayerFormat, LayerRules, image_config};
use crate::content_digest::{digest_of, is_digest};
use crate::failure::ImageFailure;
use crate::oci_layout::{BlobDescriptor, ConfigLayers, OciLayout};

/// Most layers that are remembered; the whole file is forgotten above that.
const MAX_ENTRIES: usize = 5_000;

/// A folder with what is known.
#[derive(Clone, Debug)]
pub struct LayerCache {
    folder: PathBuf,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct KnownLayers {
    layers: BTreeMap<String, KnownLayer>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KnownLayer {
    diff_id: String,
    blob: BlobDescriptor,
}

impl LayerCache {
    /// The cache in this folder, which belongs to this user alone.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The layout of the image with this id, without its layers' bytes; `None` if a layer is not known.
    /// The id is the digest of the engine's configuration of the image.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if `folder` cannot be written.
    pub fn layout_of(
        &self,
        image_id: &str,
        rules: &LayerRules,
        folder: &Path,
    ) -> Result<Option<OciLayout>, ImageFailure> {
        let Some((config, layers)) = self.known(image_id, rules) else { return Ok(None) };
        let diff_ids: Vec<_> = layers.iter().map(|layer| layer.diff_id.clone()).collect();
        let Ok(config) = image_config::normalised_config(&config, &diff_ids, rules.latest_time)
        else {
            return Ok(None);
        };
        let blobs = layers.into_iter().map(|layer| layer.blob).collect();
        OciLayout::create(folder, &config, blobs).map(Some)
    }

    fn known(&self, image_id: &str, rules: &LayerRules) -> Option<(Vec<u8>, Vec<KnownLayer>)> {
        if !is_digest(image_id) {
            return None;
        }
        let config = fargate_files::read(&self.config_path(image_id)).ok()??;
        if digest_of(&config) != image_id {
            return None;
        }
        let read: ConfigLayers = serde_json::from_slice(&config).ok()?;
        let known = self.layers();
        let layers = read.rootfs.diff_ids.iter();
        let layers = layers.map(|diff_id| known.layers.get(&key(diff_id, rules)).cloned());
        Some((config, layers.collect::<Option<Vec<_>>>()?))
    }

    /// Remembers an image that was normalised.
    pub(super) fn remember(
        &self,
        config: &[u8],
        rules: &LayerRules,
        layers: &[&CompressedLayer],
        blobs: &[BlobDescriptor],
    ) {
        let Ok(read) = serde_json::from_slice::<ConfigLayers>(config) else { return };
        if read.rootfs.diff_ids.len() != layers.len()
            || std::fs::create_dir_all(&self.folder).is_err()
        {
            return;
        }
        let path = self.folder.join("layers.json");
        // Another process that writes at this moment remembers its own layers.
        let Ok(_lock) = fargate_files::FileLock::take_now(&path.with_extension("lock")) else {
            return;
        };
        let mut known = self.layers();
        if known.layers.len() > MAX_ENTRIES {
            known.layers.clear();
        }
        for ((diff_id, layer), blob) in read.rootfs.diff_ids.iter().zip(layers).zip(blobs) {
            let entry = KnownLayer { diff_id: layer.diff_id.clone(), blob: blob.clone() };
            known.layers.insert(key(diff_id, rules), entry);
        }
        let written = serde_json::to_vec(&known).map(|bytes| fargate_files::write(&path, &bytes));
        if matches!(written, Ok(Ok(()))) {
            let _ = fargate_files::write(&self.config_path(&digest_of(config)), config);
        }
    }

    fn layers(&self) -> KnownLayers {
        let bytes = fargate_files::read(&self.folder.join("layers.json")).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn config_path(&self, image_id: &str) -> PathBuf {
        self.folder.join(format!("{}.config", image_id.replacen(':', "-", 1)))
    }
}

/// Never without format and level: an entry of another one names another blob.
fn key(diff_id: &str, rules: &LayerRules) -> String {
    let format = match rules.format {
        LayerFormat::Zstd { level } => format!("zstd-{level}"),
        LayerFormat::Gzip { level } => format!("gzip-{level}"),
    };
    format!(
        "{diff_id} {REWRITE_VERSION} {} {} {format}",
        rules.reproducible.as_str(),
        rules.latest_time
    )
}
