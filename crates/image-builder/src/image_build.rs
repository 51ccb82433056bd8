//! `image build`: from the folder to an image that the engine has. Nothing is searched, tested or pushed.

use fargate_config::ManagedImage;
use serde::Serialize;

use crate::blocking_work::blocking;
use crate::build_surroundings::BuildSurroundings;
use crate::engine::{BuildRequest, BuildSecrets, BuiltImage};
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_check::{CheckedContext, build_request, check_context, preflight};
use crate::image_run::ImageRun;

/// What `image build` made.
#[derive(Clone, Debug, Serialize)]
pub struct ImageBuildReport {
    /// The image's name.
    pub image: String,
    /// What the engine has now.
    pub built: BuiltImage,
    /// The SHA-256 of the context that it was built from.
    pub context_digest: String,
    /// The images that it builds on.
    pub bases: Vec<String>,
}

/// Checks an image and builds it.
///
/// # Errors
///
/// What is wrong with the engine, the context or the Dockerfile; else what failed while it was built.
pub async fn build_image(
    image: &ManagedImage,
    surroundings: &BuildSurroundings,
    without_cache: bool,
    run: &ImageRun,
) -> Result<ImageBuildReport, ImageFailure> {
    let (given, masker) = (image.build_secrets.clone(), run.masker.clone());
    let secrets = blocking(move || BuildSecrets::read(&given, &masker)).await??;
    let engine = preflight(surroundings, run).await?;
    let context = check_context(image, surroundings, run).await?;
    let built = run
        .whole_step(ImageStep::Build, async {
            let request = BuildRequest { without_cache, ..build_request(image, &context, secrets) };
            let built = engine.build(&request, run).await?;
            let summary = format!("{} steps, {} from cache", built.steps, built.cached);
            Ok((built, summary))
        })
        .await?;
    let CheckedContext { summary, bases, .. } = context;
    Ok(ImageBuildReport {
        image: image.name.clone(),
        built,
        context_digest: summary.digest,
        bases: bases.into_iter().map(|base| base.image).collect(),
    })
}
