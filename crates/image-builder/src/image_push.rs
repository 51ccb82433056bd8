//! `image push` and `image verify`: from an image of the engine, or from an OCI layout, to a digest in the
//! registry that was read back.
//!
//! Nothing is searched or tested here, and the manifest of channels stays as it is.

use std::path::PathBuf;

use fargate_config::{JobProfile, ManagedImage};
use serde::Serialize;

use crate::build_surroundings::BuildSurroundings;
use crate::content_digest::is_digest;
use crate::context::content_time;
use crate::engine::ImageEngine;
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::layer::{LayerCache, LayerRules, SpoolFolder, squash_above};
use crate::oci_layout::OciLayout;
use crate::push::{PushTarget, PushedImage, VerifiedImage};

/// What is pushed.
#[derive(Clone, Debug)]
pub enum PushSource {
    /// An image of the Docker Engine, by its id or name.
    Engine(String),
    /// A folder in the OCI image layout.
    Layout(PathBuf),
}

/// What `image push` did.
#[derive(Clone, Debug, Serialize)]
pub struct ImagePushReport {
    /// The image's name.
    pub image: String,
    /// What went to the registry.
    pub pushed: PushedImage,
    /// Bytes that were read back and compared.
    pub verified_bytes: u64,
}

/// Pushes an image and reads it back. Without `tag`, the tag is the image's name and the first characters of
/// the digest.
///
/// # Errors
///
/// The first step that failed.
pub async fn push_image(
    image: &ManagedImage,
    profile: &JobProfile,
    source: &PushSource,
    tag: Option<&str>,
    surroundings: &BuildSurroundings,
    run: &ImageRun,
) -> Result<ImagePushReport, ImageFailure> {
    let target = open_target(image, profile, run).await?;
    let spool = SpoolFolder::make(&std::env::temp_dir())?;
    let layout = match source {
        PushSource::Layout(folder) => verify_layout(folder, run).await?,
        PushSource::Engine(name) => {
            let engine = ImageEngine::connect(surroundings.docker_host.as_deref()).await?;
            exported(image, &engine, name, &target, surroundings, &spool, run).await?
        }
    };
    let own = || {
        let hex = layout.manifest_digest().trim_start_matches("sha256:");
        format!("{}-{}", image.name, &hex[..12])
    };
    let tag = tag.map_or_else(own, str::to_owned);
    let pushed = target.push(&layout, &tag, run).await?;
    let verified_bytes = read_back(image, &target, &pushed, run).await?;
    Ok(ImagePushReport { image: image.name.clone(), pushed, verified_bytes })
}

/// Reads the image back, unless nothing was sent and this host read it back after an earlier push: then the
/// registry is only asked whether it still has each part. Gives the bytes that were read.
async fn read_back(
    image: &ManagedImage,
    target: &PushTarget,
    pushed: &PushedImage,
    run: &ImageRun,
) -> Result<u64, ImageFailure> {
    let cache = LayerCache::of_this_user(image);
    let was_read = cache.as_ref().is_some_and(|cache| cache.was_read_back(&pushed.image));
    if was_read && pushed.sent_bytes == 0 && target.is_still_there(&pushed.digest).await? {
        let summary = "read back after an earlier push; every part is still there".to_owned();
        run.step(ImageStep::Verify, async { Ok(((), summary)) }).await?;
        return Ok(0);
    }
    let verified = target.verify(&pushed.digest, run).await?;
    if let Some(cache) = cache {
        cache.remember_read_back(&pushed.image);
    }
    Ok(verified.bytes)
}

/// Reads an image of the repository back and checks all of it. `version` is a tag or a digest.
///
/// # Errors
///
/// [`ImageFailure::NotVerified`] if anything differs.
pub async fn verify_image(
    image: &ManagedImage,
    profile: &JobProfile,
    version: &str,
    run: &ImageRun,
) -> Result<VerifiedImage, ImageFailure> {
    let target = PushTarget::open(image, profile, &run.masker).await?;
    let digest = match is_digest(version) {
        true => version.to_owned(),
        false => target.digest_of(version).await?,
    };
    target.verify(&digest, run).await
}

/// Opens a layout and checks every byte of it.
///
/// # Errors
///
/// As [`OciLayout::open`] and [`OciLayout::check`].
pub async fn verify_layout(
    folder: &std::path::Path,
    run: &ImageRun,
) -> Result<OciLayout, ImageFailure> {
    let folder = folder.to_owned();
    run.step(ImageStep::Export, async {
        let checked = tokio::task::spawn_blocking(move || {
            let layout = OciLayout::open(&folder)?;
            layout.check()?;
            Ok(layout)
        });
        let layout = checked.await.unwrap_or_else(|error| {
            Err(ImageFailure::Unusable {
                what: format!("checking the layout: {error}"),
                hint: "report this as a fault of this program".to_owned(),
            })
        })?;
        let summary = format!("{} layers in the folder", layout.manifest().layers.len());
        Ok((layout, summary))
    })
    .await
}

/// The repository, after it was checked that this login may push there.
pub(crate) async fn open_target(
    image: &ManagedImage,
    profile: &JobProfile,
    run: &ImageRun,
) -> Result<PushTarget, ImageFailure> {
    run.step(ImageStep::Preflight, async {
        let target = PushTarget::open(image, profile, &run.masker).await?;
        target.preflight().await?;
        if let Some(warning) = target.tag_warning(false).await {
            run.events.warn(ImageStep::Preflight, warning);
        }
        Ok((target, format!("may push to {}", image.repository)))
    })
    .await
}

/// The engine's image as a layout; without its layers where the registry has all of them already.
async fn exported(
    image: &ManagedImage,
    engine: &ImageEngine,
    name: &str,
    target: &PushTarget,
    surroundings: &BuildSurroundings,
    spool: &SpoolFolder,
    run: &ImageRun,
) -> Result<OciLayout, ImageFailure> {
    let time = content_time(&image.context, surroundings.source_date_epoch.as_deref()).await;
    let time = i64::try_from(time).unwrap_or(0);
    let base = squash_above(image, engine, name).await?;
    let rules = LayerRules::of(image, time, engine.takes_zstd()).squashed_above(base);
    let cache = LayerCache::of_this_user(image);
    run.whole_step(ImageStep::Export, async {
        if let Some(cache) = &cache {
            let client = engine.client();
            let found =
                engine.ask(&format!("the image {name}"), client.inspect_image(name)).await?;
            let id = found.id.unwrap_or_default();
            if let Some(known) = cache.layout_of(&id, &rules, &spool.path().join("known"))?
                && target.missing_layers(&known).await? == 0
            {
                return Ok((known, "nothing changed since the last push".to_owned()));
            }
        }
        let folder = spool.path().join("image");
        let layout = engine.export_layout(name, &folder, rules, cache.clone(), run).await?;
        let size = fargate_model::text::bytes(layout.layer_bytes());
        let summary = format!("{} layers, {size}", layout.manifest().layers.len());
        Ok((layout, summary))
    })
    .await
}
