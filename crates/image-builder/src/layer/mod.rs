//! From an engine's export to an OCI layout whose layers are normalised and compressed, byte for byte the
//! same for the same content.
//!
//! The export streams into one file per layer; as soon as a file is whole, a worker sorts, rewrites, hashes
//! and compresses it, beside others. Nothing holds a layer in memory. It talks to no registry.

mod cache_folder;
mod compressed_layer;
mod engine_export;
mod engine_load;
mod export_archive;
mod export_stream;
mod image_config;
mod layer_cache;
mod layer_index;
mod layer_rules;
mod layer_tree;
mod merged_layer;
mod own_layers;
mod spool;
pub(crate) mod tar_reader;
mod tar_writer;

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use fargate_model::text::escape;

pub(crate) use engine_load::LOADED_REPOSITORY;
pub use engine_load::{LoadedImage, load_layout};
pub use export_stream::ExportStream;
pub use layer_cache::LayerCache;
pub use layer_rules::{LayerFormat, LayerRules};
pub(crate) use own_layers::squash_above;
pub use spool::SpoolFolder;

use crate::event::{ImageEvent, ImageStep};
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::oci_layout::{BlobDescriptor, OciLayout};
use compressed_layer::{CompressedLayer, LayerSink};
use export_archive::{ExportedImage, SpooledLayer, take_apart};
use layer_index::LayerIndex;
use merged_layer::{MergedLayer, merges};

/// Layers that are compressed at the same time. Each takes up to 60 MB of memory.
const WORKERS: usize = 2;
/// The number of the layer that several were merged into; the others have those of their files.
const MERGED: usize = usize::MAX;
/// How many bytes of a layer pass between two events.
const TOLD_EVERY: u64 = 4 * 1024 * 1024;

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
    let config = image_config::normalised_config(&image.config, &diff_ids, &rules);
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
    /// Takes the export apart and compresses its layers meanwhile. Layers that are to be merged wait until
    /// the order of all is known.
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
            let waits = self.rules.squash_above.is_some();
            let mut waiting = Vec::new();
            let mut send =
                |layer| sender.send(layer).map_err(|_| io::Error::other("no worker is left"));
            let taken = take_apart(source, self.blobs, |layer| match waits {
                true => {
                    waiting.push(layer);
                    Ok(())
                }
                false => send(layer),
            });
            let mut done = HashMap::new();
            let taken = taken.and_then(|image| self.merged(image, waiting, &mut send, &mut done));
            drop(sender);
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

    /// Sends the layers that waited, but merges those above the base into one here.
    fn merged(
        &self,
        image: ExportedImage,
        waiting: Vec<SpooledLayer>,
        send: &mut impl FnMut(SpooledLayer) -> io::Result<()>,
        done: &mut HashMap<usize, CompressedLayer>,
    ) -> io::Result<ExportedImage> {
        let Some(base) = merges(self.rules.squash_above, image.layers.len()) else {
            waiting.into_iter().try_for_each(send)?;
            return Ok(image);
        };
        let (below, own) = image.layers.split_at(base);
        let files = |numbers: &[usize]| -> Vec<_> {
            numbers.iter().map(|number| waiting[*number].path.clone()).collect()
        };
        let merged = MergedLayer::read(&files(below), &files(own), self.rules.rewrite())?;
        let made =
            self.compressed(MERGED, merged.content_bytes(), |sink, told| merged.write(sink, told))?;
        done.insert(MERGED, CompressedLayer { newest: merged.newest(), ..made });
        let layers = below.iter().copied().chain([MERGED]).collect();
        let is_below = |layer: &SpooledLayer| below.contains(&layer.number);
        let (keep, gone): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_below);
        gone.iter().try_for_each(|layer| std::fs::remove_file(&layer.path))?;
        keep.into_iter().try_for_each(send)?;
        Ok(ExportedImage { config: image.config, layers })
    }

    fn worker(
        &self,
        layers: &Mutex<Receiver<SpooledLayer>>,
    ) -> io::Result<Vec<(usize, CompressedLayer)>> {
        let mut done = Vec::new();
        loop {
            let next = layers.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(layer) = next else { return Ok(done) };
            let index = LayerIndex::read(&layer.path, self.rules.rewrite())?;
            let made = self.compressed(layer.number, index.content_bytes(), |sink, told| {
                index.write(&layer.path, sink, told)
            })?;
            done.push((layer.number, CompressedLayer { newest: index.newest(), ..made }));
            std::fs::remove_file(&layer.path)?;
        }
    }

    /// Compresses what `write` writes, under the name of its digest.
    fn compressed(
        &self,
        number: usize,
        of_bytes: u64,
        write: impl FnOnce(&mut LayerSink, &mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<()>,
    ) -> io::Result<CompressedLayer> {
        let path = self.blobs.join(format!("new-{number}"));
        let threads = thread::available_parallelism().map_or(1, |n| n.get().min(4));
        let threads = u32::try_from(threads).unwrap_or(1);
        let mut sink = LayerSink::begin(&path, self.rules.format, threads)?;
        let (mut done_bytes, mut told) = (0, 0);
        write(&mut sink, &mut |count| {
            done_bytes += count;
            if done_bytes - told >= TOLD_EVERY || done_bytes == of_bytes {
                told = done_bytes;
                self.tell(number, done_bytes, of_bytes);
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
        let id = match number {
            MERGED => "own layers".to_owned(),
            number => format!("layer {}", number + 1),
        };
        self.run.events.tell(ImageEvent::LayerProgress {
            step: ImageStep::Export,
            id,
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
