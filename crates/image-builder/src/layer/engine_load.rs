//! An OCI layout as an image of the Docker Engine: the layers go there as they are, in the archive of
//! `docker load`, so that what is tested is what is pushed. Nothing is run here.
//!
//! The image has a tag of ours while it is needed. The tag names this process, so that
//! [`sweep_smoke_tests`](crate::sweep_smoke_tests) finds what a killed one left.

use std::io::{self, Write};

use bollard::query_parameters::ImportImageOptions;
use bytes::Bytes;
use fargate_fail_point::FailPoint;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::tar_reader::TarMember;
use super::tar_writer;
use crate::content_digest::{CHUNK, short_digest};
use crate::engine::{EngineRemnant, ImageEngine, RemnantOwner};
use crate::event::{ImageEvent, ImageStep};
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::oci_layout::{BlobDescriptor, OciLayout};

/// The repository of the tags. No registry has it.
pub(crate) const LOADED_REPOSITORY: &str = "fargate-runner-loaded";
/// Pieces of the archive that wait for the engine.
const WAITING: usize = 4;
/// How long an engine may take for what it has received, without a word.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(600);

/// An image of the engine that goes again with [`remove`](Self::remove), and at the latest when this is
/// dropped.
#[derive(Debug)]
pub struct LoadedImage {
    id: String,
    /// `None` if the engine had the image before.
    tag: Option<EngineRemnant>,
}

impl LoadedImage {
    /// The engine's id of the image.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Removes the image, unless the engine had it before.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::EngineUnusable`].
    pub async fn remove(self) -> Result<(), ImageFailure> {
        match self.tag {
            Some(tag) => tag.remove().await,
            None => Ok(()),
        }
    }
}

/// Gives the engine the image of a layout. The engine's id of it is the digest of the configuration that is
/// pushed, where the engine names images in this way; else its layers and nothing else are compared.
///
/// # Errors
///
/// [`ImageFailure::EngineUnusable`] if the engine does not take it, [`ImageFailure::Unusable`] if a layer is
/// not in the folder, [`ImageFailure::NotVerified`] if the engine made something else of it,
/// [`ImageFailure::Interrupted`].
pub async fn load_layout(
    run: &ImageRun,
    engine: &ImageEngine,
    layout: &OciLayout,
) -> Result<LoadedImage, ImageFailure> {
    let config = layout.manifest().config.digest.clone();
    if engine.image_layers(&config).await?.is_some() {
        return Ok(LoadedImage { id: config, tag: None });
    }
    let owner = RemnantOwner::this_process()?;
    let name = format!("{LOADED_REPOSITORY}:{}", owner.new_label()?);
    let tag = EngineRemnant::image(engine, &name);
    let sent = run.unless_cancelled(ImageStep::SmokeTest, send(run, engine, layout, &name)).await;
    let found = match sent {
        Ok(()) => engine.image_layers(&name).await,
        Err(failure) => Err(failure),
    };
    match found.and_then(|found| checked(engine, layout, found)) {
        Ok(id) => {
            FailPoint::TestImageLoaded.reached();
            Ok(LoadedImage { id, tag: Some(tag) })
        }
        Err(failure) => {
            // The failure says more than that of the removal, and the next sweep tries again.
            let _ = tag.remove().await;
            Err(failure)
        }
    }
}

/// The id, if the engine has what was sent.
fn checked(
    engine: &ImageEngine,
    layout: &OciLayout,
    found: Option<(String, Vec<String>)>,
) -> Result<String, ImageFailure> {
    let config = &layout.manifest().config.digest;
    let differs = |what: String| ImageFailure::NotVerified {
        what: format!("loading the image {config} into the Docker Engine: {what}"),
        hint: "look at the log of dockerd; this engine changes images".to_owned(),
    };
    match found {
        None => Err(differs("it took the image, and has none of this name".to_owned())),
        Some((_, layers)) if layers != layout.diff_ids() => {
            Err(differs("its layers are others".to_owned()))
        }
        Some((id, _)) if id != *config && !engine.facts().names_images_by_manifest => {
            Err(differs(format!("its id is {id}")))
        }
        Some((id, _)) => Ok(id),
    }
}

async fn send(
    run: &ImageRun,
    engine: &ImageEngine,
    layout: &OciLayout,
    name: &str,
) -> Result<(), ImageFailure> {
    let (sender, pieces) = mpsc::channel(WAITING);
    let archive = LoadArchive {
        layout: layout.clone(),
        name: name.to_owned(),
        unpacks: !engine.reads_layers_of(layout),
        run: run.clone(),
    };
    let writing = tokio::task::spawn_blocking(move || {
        let mut to = LoadWriter { sender, piece: Vec::with_capacity(CHUNK) };
        archive.write(&mut to).and_then(|()| to.flush())
    });
    let body = stream::unfold(pieces, async |mut pieces| {
        pieces.recv().await.map(|piece| (Ok::<Bytes, io::Error>(piece), pieces))
    });
    let options = ImportImageOptions { quiet: true, ..ImportImageOptions::default() };
    let mut answers =
        std::pin::pin!(engine.client().import_image_stream(options, Box::pin(body), None));
    let mut refusal = None;
    loop {
        match timeout(SILENCE, answers.next()).await {
            Ok(None) => break,
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(error))) => {
                refusal = Some(engine.unusable("loading an image", &error));
                break;
            }
            Err(_) => {
                refusal = Some(ImageFailure::EngineUnusable {
                    what: format!(
                        "loading an image into the Docker Engine: no answer for {} s",
                        SILENCE.as_secs()
                    ),
                    hint: "look whether dockerd lives, and at its log".to_owned(),
                });
                break;
            }
        }
    }
    let written = writing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    match (written, refusal) {
        // A pipe that nobody reads is the engine's refusal, and that has its own words.
        (Err(error), None | Some(_)) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(ImageFailure::Unusable {
                what: format!("reading the layers in {}: {error}", layout.folder().display()),
                hint: "export the image again; the folder was damaged or changed".to_owned(),
            })
        }
        (_, Some(refusal)) => Err(refusal),
        (Err(_), None) => Err(ImageFailure::EngineUnusable {
            what: "loading an image into the Docker Engine: it ended the transfer".to_owned(),
            hint: "look whether its disk is full, and at the log of dockerd".to_owned(),
        }),
        (Ok(()), None) => Ok(()),
    }
}

impl ImageEngine {
    /// Whether `docker load` of this engine reads the layers as the layout has them.
    fn reads_layers_of(&self, layout: &OciLayout) -> bool {
        let is_zstd = |layer: &BlobDescriptor| layer.media_type.ends_with("+zstd");
        self.takes_zstd() || !layout.manifest().layers.iter().any(is_zstd)
    }
}

/// The archive of `docker load`.
struct LoadArchive {
    layout: OciLayout,
    name: String,
    /// Layers go without their compression.
    unpacks: bool,
    run: ImageRun,
}

impl LoadArchive {
    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let layers = self.layout.manifest().layers.iter();
        let mut names = Vec::new();
        let mut written = std::collections::HashSet::new();
        let count = self.layout.diff_ids().len();
        for (number, (layer, diff_id)) in layers.zip(self.layout.diff_ids()).enumerate() {
            let name = format!("{}/layer.tar", hex(diff_id));
            if written.insert(diff_id) {
                self.layer(layer, &name, to)?;
            }
            names.push(name);
            self.run.events.tell(ImageEvent::StepProgress {
                step: ImageStep::SmokeTest,
                summary: format!("loading layer {} of {count}", number + 1),
            });
        }
        let config = format!("{}.json", hex(&self.layout.manifest().config.digest));
        small(to, &config, self.layout.config_bytes())?;
        let manifest =
            serde_json::json!([{ "Config": config, "RepoTags": [self.name], "Layers": names }]);
        small(to, "manifest.json", manifest.to_string().as_bytes())?;
        tar_writer::finish(to)
    }

    fn layer(&self, layer: &BlobDescriptor, name: &str, to: &mut impl Write) -> io::Result<()> {
        let size = match self.unpacks {
            // The header says it, and only reading tells it.
            true => io::copy(&mut self.layout.open_layer(layer)?, &mut io::sink())?,
            false => layer.size,
        };
        tar_writer::write_header(to, &file(name, size))?;
        let copied = match self.unpacks {
            true => io::copy(&mut self.layout.open_layer(layer)?, to)?,
            false => io::copy(&mut std::fs::File::open(self.layout.blob_path(layer))?, to)?,
        };
        if copied != size {
            let short = short_digest(&layer.digest);
            return Err(io::Error::other(format!("the layer {short} changed while it was read")));
        }
        tar_writer::pad(to, size)
    }
}

fn hex(digest: &str) -> &str {
    digest.trim_start_matches("sha256:")
}

fn file(name: &str, size: u64) -> TarMember {
    TarMember { path: name.into(), kind: b'0', mode: 0o644, size, ..TarMember::default() }
}

fn small(to: &mut impl Write, name: &str, content: &[u8]) -> io::Result<()> {
    tar_writer::write_header(to, &file(name, content.len() as u64))?;
    to.write_all(content)?;
    tar_writer::pad(to, content.len() as u64)
}

/// Hands pieces to the event loop, and waits while enough of them wait.
struct LoadWriter {
    sender: mpsc::Sender<Bytes>,
    piece: Vec<u8>,
}

impl Write for LoadWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == CHUNK {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(CHUNK));
        self.sender.blocking_send(piece.into()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
