//! What became of layers before: from the engine's `diff_id` to the compressed blob, for one way of rewriting
//! and compressing. With it an image that did not change is neither exported nor compressed again. A layer whose
//! members are all older than the latest time that they may have is the same blob for every such time.
//!
//! An entry says nothing about a registry: whoever uses one asks the registry for the blob first. A cache
//! that cannot be read or written only costs time. How much room it takes is the business of [`CacheFolder`].

use std::path::{Path, PathBuf};

use fargate_config::ManagedImage;
use serde::{Deserialize, Serialize};

use super::cache_folder::CacheFolder;
use super::compressed_layer::CompressedLayer;
use super::image_config;
use super::layer_index::REWRITE_VERSION;
use super::layer_rules::{LayerFormat, LayerRules};
use super::merged_layer::source_ids;
use crate::content_digest::{digest_of, is_digest};
use crate::failure::ImageFailure;
use crate::oci_layout::{BlobDescriptor, ConfigLayers, OciLayout};

const MIB: u64 = 1024 * 1024;

/// What is known, in a folder.
#[derive(Clone, Debug)]
pub struct LayerCache {
    folder: CacheFolder,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct KnownLayer {
    diff_id: String,
    blob: BlobDescriptor,
    /// The latest time of a member before it was rewritten, in seconds since 1970.
    newest: i64,
    /// The latest time that members could have.
    latest_time: i64,
}

impl KnownLayer {
    /// Whether the layer would become this blob also with `latest_time`.
    fn is_of(&self, latest_time: i64) -> bool {
        self.latest_time == latest_time || self.newest <= self.latest_time.min(latest_time)
    }
}

impl LayerCache {
    /// The cache in this folder, which holds nothing else and at most so many bytes.
    #[must_use]
    pub fn at(folder: PathBuf, most_bytes: u64) -> Self {
        Self { folder: CacheFolder { path: folder, most_bytes } }
    }

    /// The cache of this user, as large as the image allows; `None` if the user has no folder for caches.
    ///
    /// Source: XDG Base Directory Specification.
    #[must_use]
    pub fn of_this_user(image: &ManagedImage) -> Option<Self> {
        let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        let folder = named.filter(|folder| folder.is_absolute()).or_else(home)?;
        Some(Self::at(folder.join("fargate-runner/layers"), u64::from(image.cache_mib) * MIB))
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
        let Ok(config) = image_config::normalised_config(&config, &diff_ids, rules) else {
            return Ok(None);
        };
        let blobs = layers.into_iter().map(|layer| layer.blob).collect();
        OciLayout::create(folder, &config, blobs).map(Some)
    }

    fn known(&self, image_id: &str, rules: &LayerRules) -> Option<(Vec<u8>, Vec<KnownLayer>)> {
        if !is_digest(image_id) {
            return None;
        }
        let config = self.folder.read(&config_name(image_id))?;
        if digest_of(&config) != image_id {
            return None;
        }
        let read: ConfigLayers = serde_json::from_slice(&config).ok()?;
        let sources = source_ids(&read.rootfs.diff_ids, rules.squash_above);
        let layers = sources.iter().map(|source| {
            let entry = self.folder.read(&layer_name(source, rules))?;
            let layer: KnownLayer = serde_json::from_slice(&entry).ok()?;
            layer.is_of(rules.latest_time).then_some(layer)
        });
        let layers = layers.collect::<Option<Vec<_>>>()?;
        Some((config, layers))
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
        let sources = source_ids(&read.rootfs.diff_ids, rules.squash_above);
        if sources.len() != layers.len() {
            return;
        }
        for ((source, layer), blob) in sources.iter().zip(layers).zip(blobs) {
            let entry = KnownLayer {
                diff_id: layer.diff_id.clone(),
                blob: blob.clone(),
                newest: layer.newest,
                latest_time: rules.latest_time,
            };
            let entry = serde_json::to_vec(&entry).expect("texts and numbers only");
            self.folder.write(&layer_name(source, rules), &entry);
        }
        self.folder.write(&config_name(&digest_of(config)), config);
        self.folder.keep_small();
    }

    /// Remembers that an image, by its text with the digest, was read back from its registry.
    pub fn remember_read_back(&self, image: &str) {
        self.folder.write(&read_back_name(image), b"");
        self.folder.keep_small();
    }

    /// Whether an image was read back from its registry before.
    #[must_use]
    pub fn was_read_back(&self, image: &str) -> bool {
        self.folder.read(&read_back_name(image)).is_some()
    }
}

fn config_name(image_id: &str) -> String {
    format!("{}.config", image_id.replacen(':', "-", 1))
}

fn read_back_name(image: &str) -> String {
    format!("{}.read-back", digest_of(image.as_bytes()).replacen(':', "-", 1))
}

/// Never without format and level: an entry of another one names another blob.
fn layer_name(source: &str, rules: &LayerRules) -> String {
    let format = match rules.format {
        LayerFormat::Zstd { level } => format!("zstd-{level}"),
        LayerFormat::Gzip { level } => format!("gzip-{level}"),
    };
    let key = format!("{source} {REWRITE_VERSION} {} {format}", rules.reproducible.as_str());
    format!("{}.layer", digest_of(key.as_bytes()).replacen(':', "-", 1))
}

#[cfg(test)]
mod tests {
    use fargate_config::ReproducibleBuild;

    use super::*;
    use crate::oci_layout::ZSTD_LAYER_TYPE;

    #[test]
    fn a_layer_is_known_for_another_latest_time_only_if_no_member_was_made_older() {
        let folder = tempfile::tempdir().unwrap();
        let cache = LayerCache::at(folder.path().to_owned(), MIB);
        let diff_id = digest_of(b"layer");
        let config = format!(r#"{{"rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#);
        let id = digest_of(config.as_bytes());
        let rules = |latest_time| LayerRules {
            latest_time,
            reproducible: ReproducibleBuild::Times,
            format: LayerFormat::Zstd { level: 3 },
            squash_above: None,
        };
        let remember = |newest, latest_time| {
            let digest = digest_of(b"blob");
            let layer = CompressedLayer { diff_id: diff_id.clone(), digest, size: 4, newest };
            let blob = BlobDescriptor::new(ZSTD_LAYER_TYPE, layer.digest.clone(), layer.size);
            cache.remember(config.as_bytes(), &rules(latest_time), &[&layer], &[blob]);
        };
        let is_known = |latest_time| cache.known(&id, &rules(latest_time)).is_some();
        remember(50, 100);
        assert_eq!([100, 200, 50, 49].map(is_known), [true, true, true, false]);
        remember(150, 100);
        assert_eq!([100, 200, 150, 99].map(is_known), [true, false, false, false]);
    }

    #[test]
    fn what_was_used_lately_outlives_a_thousand_newer_images() {
        let folder = tempfile::tempdir().unwrap();
        let cache = LayerCache::at(folder.path().to_owned(), MIB);
        cache.remember_read_back("registry.example/ci@sha256:used");
        cache.remember_read_back("registry.example/ci@sha256:unused");
        for number in 0..1000 {
            cache.remember_read_back(&format!("registry.example/ci@sha256:{number}"));
            assert!(cache.was_read_back("registry.example/ci@sha256:used"), "{number}");
        }
        assert!(!cache.was_read_back("registry.example/ci@sha256:unused"));
        assert!(cache.was_read_back("registry.example/ci@sha256:999"));
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert!((200..=256).contains(&left), "{left} files of a block each in 1 MiB");
    }
}
