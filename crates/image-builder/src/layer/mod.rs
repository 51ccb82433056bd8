//! From an engine's export to an OCI layout whose layers are normalised and compressed, byte for byte the
//! same for the same content.
//!
//! The export streams into one file per layer; as soon as a file is whole, a worker sorts, rewrites, hashes
//! and compresses it, beside others. Nothing holds a layer in memory. It talks to no registry.

mod compressed_layer;
mod engine_export;
mod export_archive;
mod export_stream;
mod image_config;
mod layer_cache;
mod layer_index;
mod spool;
mod tar_reader;
mod tar_writer;

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use fargate_config::{LayerCompression, ManagedImage, ReproducibleBuild};
use fargate_model::text::escape;

pub use export_stream::ExportStream;
pub use layer_cache::LayerCache;
pub use spool::SpoolFolder;

use crate::event::{ImageEvent, ImageStep};
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::oci_layout::{BlobDescriptor, GZIP_LAYER_TYPE, OciLayout, ZSTD_LAYER_TYPE};
use compressed_layer::{CompressedLayer, LayerSink};
use export_archive::{ExportedImage, SpooledLayer, take_apart};
use layer_index::{LayerIndex, RewriteRules};

/// Layers that are compressed at the same time. Each takes up to 60 MB of memory.
const WORKERS: usize = 2;
/// How many bytes of a layer pass between two events.
const TOLD_EVERY: u64 = 4 * 1024 * 1024;

/// How layers are compressed. All layers of an image are compressed in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerFormat {
    /// zstd, as an OCI media type.
    Zstd {
        /// 1 to 19.
        level: u32,
    },
    /// gzip.
    Gzip {
        /// 1 to 9.
        level: u32,
    },
}

/// How an image is normalised.
#[derive(Clone, Copy, Debug)]
pub struct LayerRules {
    /// The latest time that files and history may have, in seconds since 1970: the time of the last commit,
    /// or `SOURCE_DATE_EPOCH`.
    pub latest_time: i64,
    /// Whether volatile files are left out.
    pub reproducible: ReproducibleBuild,
    /// How layers are compressed.
    pub format: LayerFormat,
}

impl LayerRules {
    /// Those of an image. `takes_zstd` says whether everything that will pull the image can read zstd;
    /// engines from version 23 on can.
    #[must_use]
    pub fn of(image: &ManagedImage, latest_time: i64, takes_zstd: bool) -> Self {
        let level = image.compression_level;
        let format = match image.compression {
            LayerCompression::Auto if takes_zstd => LayerFormat::Zstd { level },
            LayerCompression::Zstd => LayerFormat::Zstd { level },
            LayerCompression::Auto | LayerCompression::Gzip => {
                LayerFormat::Gzip { level: level.min(9) }
            }
        };
        Self { latest_time, reproducible: image.reproducible, format }
    }

    fn media_type(&self) -> &'static str {
        match self.format {
            LayerFormat::Zstd { .. } => ZSTD_LAYER_TYPE,
            LayerFormat::Gzip { .. } => GZIP_LAYER_TYPE,
        }
    }

    fn rewrite(&self) -> RewriteRules {
        RewriteRules { latest_time: self.latest_time, reproducible: self.reproducible }
    }
}

/// Reads an engine's export and writes the layout into `folder`, which must be new or empty. It blocks its
/// thread until everything is written. The original configuration and layers go into `cache`, if there is
/// one.
///
/// # Errors
///
/// [`ImageFailure::BuildFailed`] if the export is no whole image, [`ImageFailure::Unusable`] if the disk
/// refuses, [`ImageFailure::Interrupted`].
pub fn normalise_export(
    source: impl Read,
    folder: &Path,
    rules: LayerRules,
    cache: Option<&LayerCache>,
    run: &ImageRun,
) -> Result<OciLayout, ImageFailure> {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).map_err(|error| failed(folder, &error))?;
    let work = LayerWork { blobs: &blobs, rules, run };
    let (image, done) = work.all(source).map_err(|error| failed(folder, &error))?;
    let layers: Vec<&CompressedLayer> = image.layers.iter().map(|number| &done[number]).collect();
    let diff_ids: Vec<String> = layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let config = image_config::normalised_config(&image.config, &diff_ids, rules.latest_time);
    let config = config.map_err(|what| failed(folder, &io::Error::other(what)))?;
    let descriptor = |layer: &&CompressedLayer| {
        BlobDescriptor::new(rules.media_type(), layer.digest.clone(), layer.size)
    };
    let descriptors: Vec<_> = layers.iter().map(descriptor).collect();
    if let Some(cache) = cache {
        cache.remember(&image.config, &rules, &layers, &descriptors);
    }
    OciLayout::create(folder, &config, descriptors)
}

/// What all workers share.
struct LayerWork<'a> {
    blobs: &'a Path,
    rules: LayerRules,
    run: &'a ImageRun,
}

impl LayerWork<'_> {
    /// Takes the export apart and compresses its layers meanwhile.
    fn all(
        &self,
        source: impl Read,
    ) -> io::Result<(ExportedImage, HashMap<usize, CompressedLayer>)> {
        let (sender, layers) = sync_channel::<SpooledLayer>(crate::oci_layout::MAX_LAYERS);
        let layers = Arc::new(Mutex::new(layers));
        thread::scope(|scope| {
            let worker = |_| {
                let layers = Arc::clone(&layers);
                scope.spawn(move || self.worker(&layers))
            };
            let workers: Vec<_> = (0..WORKERS).map(worker).collect();
            let taken = take_apart(source, self.blobs, |layer| {
                let gone = |_| io::Error::other("no worker is left");
                sender.send(layer).map_err(gone)
            });
            drop(sender);
            let mut done = HashMap::new();
            let mut first_error = None;
            for worker in workers {
                match worker.join().expect("a worker does not panic") {
                    Ok(own) => done.extend(own),
                    Err(error) => first_error = first_error.or(Some(error)),
                }
            }
            match first_error {
                Some(error) => Err(error),
                None => Ok((taken?, done)),
            }
        })
    }

    fn worker(
        &self,
        layers: &Mutex<Receiver<SpooledLayer>>,
    ) -> io::Result<Vec<(usize, CompressedLayer)>> {
        let mut done = Vec::new();
        loop {
            let next = layers.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(layer) = next else { return Ok(done) };
            done.push((layer.number, self.one(&layer)?));
            std::fs::remove_file(&layer.path)?;
        }
    }

    fn one(&self, layer: &SpooledLayer) -> io::Result<CompressedLayer> {
        let index = LayerIndex::read(&layer.path, self.rules.rewrite())?;
        let path = self.blobs.join(format!("new-{}", layer.number));
        let threads = thread::available_parallelism().map_or(1, |n| n.get().min(4));
        let threads = u32::try_from(threads).unwrap_or(1);
        let mut sink = LayerSink::begin(&path, self.rules.format, threads)?;
        let (of_bytes, mut done_bytes, mut told) = (index.content_bytes(), 0, 0);
        index.write(&layer.path, &mut sink, |count| {
            done_bytes += count;
            if done_bytes - told >= TOLD_EVERY || done_bytes == of_bytes {
                told = done_bytes;
                self.tell(layer.number, done_bytes, of_bytes);
            }
            match self.run.is_cancelled() {
                true => Err(io::ErrorKind::Interrupted.into()),
                false => Ok(()),
            }
        })?;
        let made = sink.finish()?;
        let name = made.digest.trim_start_matches("sha256:");
        std::fs::rename(&path, self.blobs.join(name))?;
        Ok(made)
    }

    fn tell(&self, number: usize, done_bytes: u64, of_bytes: u64) {
        self.run.events.tell(ImageEvent::LayerProgress {
            step: ImageStep::Export,
            id: format!("layer {}", number + 1),
            name: "compress".to_owned(),
            done_bytes,
            of_bytes,
            note: None,
        });
    }
}

fn failed(folder: &Path, error: &io::Error) -> ImageFailure {
    let words = escape(&error.to_string());
    match error.kind() {
        io::ErrorKind::Interrupted => ImageFailure::Interrupted {
            during: ImageStep::Export.label(),
            left: "the temporary folder is removed".to_owned(),
        },
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::Other => {
            ImageFailure::BuildFailed {
                what: format!("reading the engine's export of the image: {words}"),
                hint: "build the image again; if this repeats, restart the engine".to_owned(),
            }
        }
        _ => ImageFailure::Unusable {
            what: format!("writing layers into {}: {words}", folder.display()),
            hint: "set TMPDIR to a folder with room for three times the image".to_owned(),
        },
    }
}
