//! `image build`: from the folder to an image that the engine has. Nothing is searched, tested or pushed.

use fargate_config::ManagedImage;
use serde::Serialize;

use crate::engine::BuiltImage;
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_check::{
    BuildSurroundings, CheckedContext, build_request, check_context, preflight,
};
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
    if let Some(secret) = image.build_secrets.first() {
        let id = secret.split('=').next().unwrap_or_default();
        return Err(ImageFailure::Unusable {
            what: format!(
                "building `{}` with the build secret `{id}`: the engine's first builder has no build \
                 secrets, and this version uses no other",
                image.name
            ),
            hint:
                "build it with `docker buildx build --secret`; a build argument is no place for a \
                   secret, because everybody who has the image can read it"
                    .to_owned(),
        });
    }
    let engine = preflight(surroundings, run).await?;
    let context = check_context(image, surroundings, run).await?;
    let built = run
        .step(ImageStep::Build, async {
            let request =
                crate::engine::BuildRequest { without_cache, ..build_request(image, &context) };
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
