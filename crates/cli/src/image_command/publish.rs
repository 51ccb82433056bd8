//! `image publish`. On stdout stands the digest alone, so that a script can take it.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use fargate_image_builder::{
    PublishFailure, PublishReport, PublishRequest, PublishSource, find_image, publish_image,
};
use fargate_image_manifest::VersionStatus;
use fargate_model::text::{bytes, duration, escape};
use fargate_terminal::StateMark;
use serde_json::json;

use super::ImageNameArgs;
use super::image_site::{ImageSite, VerbFailure, surroundings};
use super::manifest_offer::{self, ManifestOfferArgs};
use crate::exit::CommandExit;
use crate::status::capabilities;
use crate::streams::tell;

/// `image publish`.
#[derive(Debug, Args)]
pub struct ImagePublishArgs {
    #[command(flatten)]
    pub image: ImageNameArgs,
    /// Publish the image in this folder, which has the OCI image layout. No engine is needed, but only an
    /// image that an engine has run a job in can be promoted
    #[arg(long, value_name = "FOLDER", conflicts_with = "no_cache")]
    pub from: Option<PathBuf>,
    /// Publish although the manifest lists a version of the same content
    #[arg(long)]
    pub again: bool,
    /// Do every step of the Dockerfile again, also where the engine has its result
    #[arg(long)]
    pub no_cache: bool,
    #[command(flatten)]
    pub offer: ManifestOfferArgs,
}

/// Publishes one image.
pub fn run(site: &ImageSite, args: &ImagePublishArgs) -> CommandExit {
    let begun = Instant::now();
    let source = match &args.from {
        Some(folder) => PublishSource::Layout(folder.clone()),
        None => PublishSource::Build { without_cache: args.no_cache },
    };
    // Told after the result, when no progress is shown any more.
    let (done, opened) = (RefCell::new(None), RefCell::new(None));
    let exit = site.run(async |run| {
        let image = &find_image(site.config(), &args.image.name)?;
        let (profile, surroundings) = (&site.profile(image)?, &surroundings());
        let target = manifest_offer::target(&args.offer, image)?;
        let source = &source;
        let request = PublishRequest { image, profile, source, again: args.again, surroundings };
        match publish_image(&request, &run).await {
            Ok(report) => {
                let given = (image, profile);
                let offered =
                    manifest_offer::offer(&args.offer, target.as_ref(), given, &report, &run);
                let (change, words) = offered.await.map_err(|failure| {
                    VerbFailure::with(failure, format!("{} is published", report.tag))
                })?;
                *opened.borrow_mut() = words;
                let mut result = json!(report);
                result["change"] = change;
                let result = (result, report.digest.to_string());
                *done.borrow_mut() = Some(report);
                Ok(result)
            }
            Err(PublishFailure { failure, left }) => Err(VerbFailure::with(failure, left)),
        }
    });
    if let (Some(report), false) = (done.into_inner(), site.is_quiet()) {
        tell_result(&report, begun);
        if let Some(opened) = opened.into_inner() {
            tell!("{opened}");
        }
    }
    exit
}

fn tell_result(report: &PublishReport, begun: Instant) {
    let mark = StateMark::Passed.symbol(capabilities().unicode);
    let (name, version) = (escape(&report.image), &report.version);
    let (size, took) = (bytes(version.size_bytes), duration(begun.elapsed()));
    tell!("{mark} {name}  {}  {size}  {took}", report.digest);
    if !report.published {
        tell!("{} has the same content; `--again` publishes it once more", escape(&report.tag));
    }
    match version.status {
        VersionStatus::Tested => tell!(
            "next: fargate-runner image promote {name} {} --to stable",
            &report.digest.short()[..8]
        ),
        _ if version.dirty => tell!(
            "next: commit what was changed and publish again; this version can never be promoted"
        ),
        _ => tell!(
            "next: fargate-runner image publish {name} on a host with a Docker Engine, which tests it"
        ),
    }
}
