//! `image test`.

use fargate_config::{JobProfile, ManagedImage};
use fargate_image_builder::engine::ImageEngine;
use fargate_image_builder::{
    ImageFailure, ImageRun, OciLayout, SmokeExpectations, SmokeTestReport, SmokeTestRequest,
    SpoolFolder, find_image, load_layout, pull_image, run_smoke_test, verify_layout,
};
use serde_json::json;

use super::image_site::{ImageSite, surroundings};
use super::{ImageTestArgs, TestedSourceArgs};
use crate::exit::CommandExit;

/// Runs a job in one image. It is neither pushed nor kept.
pub fn run(site: &ImageSite, args: &ImageTestArgs) -> CommandExit {
    site.run(async |run| {
        let image = find_image(site.config(), &args.image.name)?;
        let profile = site.profile(&image)?;
        let engine = ImageEngine::connect(surroundings().docker_host.as_deref()).await?;
        let report = tested(args, &image, &profile, &engine, &run).await?;
        let lines = report.checks.iter().map(|check| format!("{}: {}", check.name, check.words));
        let text = lines.collect::<Vec<_>>().join("\n");
        Ok((json!(report), text))
    })
}

async fn tested(
    args: &ImageTestArgs,
    image: &ManagedImage,
    profile: &JobProfile,
    engine: &ImageEngine,
    run: &ImageRun,
) -> Result<SmokeTestReport, ImageFailure> {
    let expects =
        SmokeExpectations { stop_timeout: args.stop_timeout, ..SmokeExpectations::of(profile) };
    let TestedSourceArgs { version, image_id, from } = &args.source;
    match (version, from) {
        (Some(version), _) => {
            let spool = SpoolFolder::make(&std::env::temp_dir())?;
            let folder = spool.path().join("image");
            let layout = pull_image(image, profile, version, &folder, run).await?;
            test_layout(&layout, engine, expects, run).await
        }
        (None, Some(folder)) => {
            let layout = verify_layout(folder, run).await?;
            test_layout(&layout, engine, expects, run).await
        }
        (None, None) => {
            let image = image_id.as_deref().unwrap_or_default();
            run_smoke_test(run, SmokeTestRequest { engine, image, expects }).await
        }
    }
}

async fn test_layout(
    layout: &OciLayout,
    engine: &ImageEngine,
    expects: SmokeExpectations,
    run: &ImageRun,
) -> Result<SmokeTestReport, ImageFailure> {
    let loaded = load_layout(run, engine, layout).await?;
    let request = SmokeTestRequest { engine, image: loaded.id(), expects };
    let tested = run_smoke_test(run, request).await;
    let removed = loaded.remove().await;
    let report = tested?;
    removed?;
    Ok(report)
}
