//! A folder in the OCI image layout that holds one image: what passes between the steps after the build.
//!
//! It is read with suspicion, because it may come from another tool: a digest is checked before it becomes
//! a path, and [`OciLayout::check`] checks every byte. It holds one image for one platform, no index of
//! several.
//!
//! Source: OCI image format specification 1.1, "Image Layout Specification".

mod oci_manifest;

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

pub use oci_manifest::{BlobDescriptor, OciManifest};
pub(crate) use oci_manifest::{
    CONFIG_TYPE, ConfigLayers, GZIP_LAYER_TYPE, INDEX_TYPE, LayoutIndex, MANIFEST_TYPE,
    PLAIN_LAYER_TYPE, ZSTD_LAYER_TYPE,
};

use crate::content_digest::{digest_of, digest_of_all, is_digest};
use crate::failure::ImageFailure;

/// Longest manifest, index or configuration, in bytes. Registries take at least 4 MiB.
const LONGEST_JSON: u64 = 4 * 1024 * 1024;
/// Most layers of an image. Source: overlayfs takes 128 folders, of which one is the container's own.
pub(crate) const MAX_LAYERS: usize = 127;
/// The content of `oci-layout`.
const MARKER: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// One image in a folder.
#[derive(Clone, Debug)]
pub struct OciLayout {
    folder: PathBuf,
    manifest_digest: String,
    manifest_bytes: Vec<u8>,
    manifest: OciManifest,
    config_bytes: Vec<u8>,
    diff_ids: Vec<String>,
}

impl OciLayout {
    /// Reads the small files of a layout and checks their digests. The layers are not read.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if the folder holds no such image, and [`ImageFailure::NotVerified`] if a
    /// file has not the digest that names it.
    pub fn open(folder: &Path) -> Result<Self, ImageFailure> {
        let marker = small_file(&folder.join("oci-layout"))?;
        let marker: Option<serde_json::Value> = serde_json::from_slice(&marker).ok();
        if !marker.is_some_and(|marker| marker["imageLayoutVersion"] == "1.0.0") {
            return Err(unusable(&folder.join("oci-layout"), "it names no layout version 1.0.0"));
        }
        let path = folder.join("index.json");
        let index: LayoutIndex = serde_json::from_slice(&small_file(&path)?)
            .map_err(|error| unusable(&path, &format!("it is no image index: {error}")))?;
        let [named] = index.manifests.as_slice() else {
            let count = index.manifests.len();
            return Err(unusable(&path, &format!("it names {count} images; one is allowed")));
        };
        if named.media_type == INDEX_TYPE {
            return Err(unusable(&path, "it names an index of several images; one is allowed"));
        }
        let manifest_bytes = small_blob(folder, named)?;
        let manifest: OciManifest = serde_json::from_slice(&manifest_bytes)
            .map_err(|error| unusable(&path, &format!("its manifest cannot be read: {error}")))?;
        let config_bytes = small_blob(folder, &manifest.config)?;
        let config: ConfigLayers = serde_json::from_slice(&config_bytes).map_err(|error| {
            unusable(&path, &format!("the image's configuration cannot be read: {error}"))
        })?;
        let layout = Self {
            folder: folder.to_owned(),
            manifest_digest: named.digest.clone(),
            manifest_bytes,
            manifest,
            config_bytes,
            diff_ids: config.rootfs.diff_ids,
        };
        layout.check_shape(&path)?;
        Ok(layout)
    }

    /// Writes the small files of a layout whose layers are in the folder already, or are known to be in the
    /// registry.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if the disk refuses.
    pub(crate) fn create(
        folder: &Path,
        config: &[u8],
        layers: Vec<BlobDescriptor>,
    ) -> Result<Self, ImageFailure> {
        let config_descriptor =
            BlobDescriptor::new(CONFIG_TYPE, digest_of(config), config.len() as u64);
        let manifest = OciManifest {
            schema_version: 2,
            media_type: Some(MANIFEST_TYPE.to_owned()),
            config: config_descriptor.clone(),
            layers,
        };
        let bytes = serde_json::to_vec(&manifest).expect("the type has text keys only");
        make_blob_folder(folder)?;
        write_file(&blob_path(folder, &config_descriptor.digest), config)?;
        Self::of_blobs(folder, MANIFEST_TYPE, &bytes)
    }

    /// Writes what makes a layout of blobs that are in the folder already: the manifest, and the index that
    /// names it.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if the disk refuses, and as [`Self::open`].
    pub(crate) fn of_blobs(
        folder: &Path,
        media_type: &str,
        manifest: &[u8],
    ) -> Result<Self, ImageFailure> {
        let named = BlobDescriptor::new(media_type, digest_of(manifest), manifest.len() as u64);
        make_blob_folder(folder)?;
        write_file(&blob_path(folder, &named.digest), manifest)?;
        write_file(&folder.join("oci-layout"), MARKER.as_bytes())?;
        let media_type = Some(INDEX_TYPE.to_owned());
        let index = LayoutIndex { schema_version: 2, media_type, manifests: vec![named] };
        let index = serde_json::to_vec(&index).expect("the type has text keys only");
        write_file(&folder.join("index.json"), &index)?;
        Self::open(folder)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The digest by which jobs name the image.
    #[must_use]
    pub fn manifest_digest(&self) -> &str {
        &self.manifest_digest
    }

    /// The exact bytes of the manifest.
    #[must_use]
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// The media type of the manifest.
    #[must_use]
    pub fn manifest_type(&self) -> &str {
        self.manifest.media_type.as_deref().unwrap_or(MANIFEST_TYPE)
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &OciManifest {
        &self.manifest
    }

    /// The exact bytes of the image's configuration.
    #[must_use]
    pub fn config_bytes(&self) -> &[u8] {
        &self.config_bytes
    }

    /// The digest of each layer without compression, the lowest first.
    #[must_use]
    pub fn diff_ids(&self) -> &[String] {
        &self.diff_ids
    }

    /// Where a blob is. The digest was checked when the layout was read.
    #[must_use]
    pub fn blob_path(&self, blob: &BlobDescriptor) -> PathBuf {
        blob_path(&self.folder, &blob.digest)
    }

    /// Bytes of all layers as they are stored.
    #[must_use]
    pub fn layer_bytes(&self) -> u64 {
        self.manifest.layers.iter().map(|layer| layer.size).sum()
    }

    /// The content of a layer: a tar stream without compression.
    ///
    /// # Errors
    ///
    /// Those of opening the file, or an unknown media type.
    pub fn open_layer(&self, layer: &BlobDescriptor) -> io::Result<Box<dyn Read + Send>> {
        decompressed(&layer.media_type, File::open(self.blob_path(layer))?)
    }

    /// Reads every layer: size, digest, and the digest without compression.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::NotVerified`] naming the first blob that is not what the manifest says.
    pub fn check(&self) -> Result<(), ImageFailure> {
        for (layer, diff_id) in self.manifest.layers.iter().zip(&self.diff_ids) {
            let path = self.blob_path(layer);
            let read = File::open(&path).and_then(digest_of_all);
            let (digest, size) = read.map_err(|error| unusable(&path, &error.to_string()))?;
            if (digest.as_str(), size) != (layer.digest.as_str(), layer.size) {
                return Err(differs(
                    &path,
                    &format!(
                        "the manifest says {} and {} bytes; found {digest} and {size} bytes",
                        layer.digest, layer.size
                    ),
                ));
            }
            let content = self.open_layer(layer).and_then(digest_of_all);
            let (found, _) = content.map_err(|error| differs(&path, &error.to_string()))?;
            if found != *diff_id {
                return Err(differs(
                    &path,
                    &format!("the configuration says diff_id {diff_id}; found {found}"),
                ));
            }
        }
        Ok(())
    }

    /// What can be wrong with a manifest without any blob being read.
    fn check_shape(&self, path: &Path) -> Result<(), ImageFailure> {
        let layers = &self.manifest.layers;
        if layers.len() > MAX_LAYERS {
            let count = layers.len();
            let what = format!("the image has {count} layers; at most {MAX_LAYERS} are allowed");
            return Err(unusable(path, &what));
        }
        if layers.len() != self.diff_ids.len() {
            return Err(differs(
                path,
                &format!(
                    "the manifest has {} layers and the configuration {} diff_ids",
                    layers.len(),
                    self.diff_ids.len()
                ),
            ));
        }
        if let Some(bad) = layers.iter().find(|layer| !is_digest(&layer.digest)) {
            let shown = fargate_model::text::escape_within(&bad.digest, 80);
            return Err(unusable(path, &format!("`{shown}` is no SHA-256 digest")));
        }
        let first = layers.first().map(|layer| layer.media_type.as_str());
        let mixed = layers.iter().find(|layer| Some(layer.media_type.as_str()) != first);
        match mixed {
            None => Ok(()),
            Some(layer) => Err(differs(
                path,
                &format!(
                    "layers have different types, `{}` and `{}`; Fargate refuses such images",
                    first.unwrap_or_default(),
                    layer.media_type
                ),
            )),
        }
    }
}

/// The content of a layer with this media type.
pub(crate) fn decompressed(
    media_type: &str,
    source: impl Read + Send + 'static,
) -> io::Result<Box<dyn Read + Send>> {
    match media_type.rsplit_once('+').map(|(_, suffix)| suffix) {
        Some("zstd") => Ok(Box::new(zstd::stream::read::Decoder::new(source)?)),
        Some("gzip") => Ok(Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(source)))),
        None if media_type == PLAIN_LAYER_TYPE => Ok(Box::new(source)),
        // Docker's older media type.
        None if media_type.ends_with(".tar.gzip") => {
            Ok(Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(source))))
        }
        _ => Err(io::Error::other(format!(
            "the layer's media type is `{}`; known are tar, tar+gzip and tar+zstd",
            fargate_model::text::escape_within(media_type, 100)
        ))),
    }
}

/// Makes the folder of the blobs of a layout.
pub(crate) fn make_blob_folder(folder: &Path) -> Result<(), ImageFailure> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(|error| unusable(&blobs, &error.to_string()))
}

fn write_file(path: &Path, content: &[u8]) -> Result<(), ImageFailure> {
    fs::write(path, content).map_err(|error| unusable(path, &error.to_string()))
}

/// Where a layout has the blob with this digest, which must be a checked one.
pub(crate) fn blob_path(folder: &Path, digest: &str) -> PathBuf {
    folder.join("blobs").join(digest.replacen(':', "/", 1))
}

fn small_blob(folder: &Path, blob: &BlobDescriptor) -> Result<Vec<u8>, ImageFailure> {
    if !is_digest(&blob.digest) {
        let shown = fargate_model::text::escape_within(&blob.digest, 80);
        return Err(unusable(folder, &format!("`{shown}` is no SHA-256 digest")));
    }
    let path = blob_path(folder, &blob.digest);
    let bytes = small_file(&path)?;
    let found = digest_of(&bytes);
    match found == blob.digest && bytes.len() as u64 == blob.size {
        true => Ok(bytes),
        false => Err(differs(&path, &format!("its digest is {found}, {} bytes", bytes.len()))),
    }
}

fn small_file(path: &Path) -> Result<Vec<u8>, ImageFailure> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(LONGEST_JSON + 1).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    match read() {
        Ok(bytes) if bytes.len() as u64 > LONGEST_JSON => {
            Err(unusable(path, &format!("it is longer than {LONGEST_JSON} bytes")))
        }
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(unusable(path, &error.to_string())),
    }
}

fn unusable(path: &Path, what: &str) -> ImageFailure {
    ImageFailure::Unusable {
        what: format!("reading the OCI image layout, {}: {what}", path.display()),
        hint: "give a folder that holds one image in the OCI image layout".to_owned(),
    }
}

fn differs(path: &Path, what: &str) -> ImageFailure {
    ImageFailure::NotVerified {
        what: format!("checking the OCI image layout, {}: {what}", path.display()),
        hint: "export the image again; the folder was damaged or changed".to_owned(),
    }
}
