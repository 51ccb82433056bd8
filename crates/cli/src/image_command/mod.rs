//! `image`: the images that `[image.NAME]` describes. Data on stdout, progress and words on stderr.
//!
//! One file for each verb. What a verb does belongs to the library.

mod build;
mod channel_verbs;
mod check;
mod clean_up;
mod drift;
mod event_lines;
mod event_view;
mod image_site;
mod list;
mod manifest_offer;
mod publish;
mod push;
mod reconcile;
mod scan;
mod test;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::GlobalFlags;
use crate::exit::CommandExit;
use image_site::ImageSite;

/// `image`.
#[derive(Debug, Args)]
pub struct ImageArgs {
    #[command(flatten)]
    pub output: ImageOutputArgs,
    #[command(subcommand)]
    pub action: ImageAction,
}

/// In which form progress and result are printed.
#[derive(Clone, Copy, Debug, Args)]
pub struct ImageOutputArgs {
    /// Print the result as one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// Print each event on standard output in this format, instead of progress for people
    #[arg(long, global = true, value_name = "FORMAT")]
    pub events: Option<EventFormat>,
    /// Tell errors alone
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// In which format events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventFormat {
    /// One JSON object for each line
    Ndjson,
}

/// What to do with an image.
#[derive(Debug, Subcommand)]
pub enum ImageAction {
    /// Check engine, context, Dockerfile and the right to push; change nothing
    Check(ImageNameArgs),
    /// Build the image on the Docker Engine of `DOCKER_HOST`, and print the engine's id of it
    Build(ImageBuildArgs),
    /// Search an image for secrets: each layer, deleted files, configuration, history and labels
    Scan(ImageScanArgs),
    /// Build, search, test and push an image, and list it in the manifest; print its digest
    Publish(publish::ImagePublishArgs),
    /// Run a job in the image over SSH, as the driver would; push nothing, keep nothing
    Test(ImageTestArgs),
    /// List the versions that the manifests know, and the channels that have them
    List(list::ImageListArgs),
    /// Give a channel a tested version; change the manifest alone
    Promote(channel_verbs::PromoteArgs),
    /// Give a channel the version that it had before; change the manifest alone
    Rollback(channel_verbs::RollbackArgs),
    /// Forbid a version for ever; change the manifest alone
    Revoke(channel_verbs::RevokeArgs),
    /// Make the tags of registries and the task definitions follow the manifest
    Reconcile(reconcile::ReconcileArgs),
    /// Compare manifest, registries and what is in use; change nothing
    Drift(drift::DriftArgs),
    /// Delete old images that nobody needs
    Gc(clean_up::CleanUpArgs),
    /// Push an image of the engine or of a folder, read it back, and print it with its digest
    Push(ImagePushArgs),
    /// Read an image of the registry back and compare every digest
    Verify(ImageVerifyArgs),
}

/// The image that is meant.
#[derive(Debug, Args)]
pub struct ImageNameArgs {
    /// The image: the NAME of `[image.NAME]` of the configuration file
    pub name: String,
}

/// `image build`.
#[derive(Debug, Args)]
pub struct ImageBuildArgs {
    #[command(flatten)]
    pub image: ImageNameArgs,
    /// Do every step again, also where the engine has its result
    #[arg(long)]
    pub no_cache: bool,
}

/// `image scan`.
#[derive(Debug, Args)]
pub struct ImageScanArgs {
    /// A folder in the OCI image layout, a tar of `docker save`, or the name of an image that the Docker
    /// Engine of `DOCKER_HOST` has
    pub target: String,
    /// Excuse the findings that the waivers of `[image.NAME]` list
    #[arg(long, value_name = "NAME", conflicts_with = "waivers")]
    pub image: Option<String>,
    /// Excuse the findings that this file lists
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    /// Write the report to this file, as JSON, whatever it says
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print what was skipped, and why, on standard output
    #[arg(long)]
    pub skipped: bool,
}

/// `image test`.
#[derive(Debug, Args)]
pub struct ImageTestArgs {
    #[command(flatten)]
    pub image: ImageNameArgs,
    #[command(flatten)]
    pub source: TestedSourceArgs,
    /// How long the container may take to end after SIGTERM: `stopTimeout` of the task definition
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub stop_timeout: std::time::Duration,
}

/// What is tested.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct TestedSourceArgs {
    /// Take this version from the registry: its tag or its digest
    pub version: Option<String>,
    /// Take this image of the Docker Engine: an id or a name, as `image build` prints it
    #[arg(long, value_name = "IMAGE")]
    pub image_id: Option<String>,
    /// Take the image in this folder, which has the OCI image layout
    #[arg(long, value_name = "FOLDER")]
    pub from: Option<PathBuf>,
}

/// `image push`.
#[derive(Debug, Args)]
pub struct ImagePushArgs {
    #[command(flatten)]
    pub image: ImageNameArgs,
    #[command(flatten)]
    pub source: ImageSourceArgs,
    /// Push under this tag; without it, under the image's name and the first characters of the digest
    #[arg(long)]
    pub tag: Option<String>,
}

/// What is pushed.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ImageSourceArgs {
    /// Take this image of the Docker Engine: an id or a name, as `image build` prints it
    #[arg(long, value_name = "IMAGE")]
    pub image_id: Option<String>,
    /// Take the image in this folder, which has the OCI image layout; to push it, no engine is needed
    #[arg(long, value_name = "FOLDER")]
    pub from: Option<PathBuf>,
}

/// `image verify`.
#[derive(Debug, Args)]
pub struct ImageVerifyArgs {
    #[command(flatten)]
    pub image: ImageNameArgs,
    /// The tag or the digest
    pub version: String,
}

/// Runs one verb.
pub fn run(global: &GlobalFlags, args: &ImageArgs) -> CommandExit {
    if let ImageAction::Drift(args) = &args.action
        && args.schedule
    {
        return drift::print_schedule(global, args);
    }
    let site = match ImageSite::open(global, args.output) {
        Ok(site) => site,
        Err(exit) => return exit,
    };
    match &args.action {
        ImageAction::Check(image) => check::run(&site, image),
        ImageAction::Build(args) => build::run(&site, args),
        ImageAction::Scan(args) => scan::run(&site, args),
        ImageAction::Publish(args) => publish::run(&site, args),
        ImageAction::Test(args) => test::run(&site, args),
        ImageAction::List(args) => list::run(&site, args),
        ImageAction::Promote(args) => channel_verbs::run_promote(&site, args),
        ImageAction::Rollback(args) => channel_verbs::run_rollback(&site, args),
        ImageAction::Revoke(args) => channel_verbs::run_revoke(&site, args),
        ImageAction::Reconcile(args) => reconcile::run(&site, args),
        ImageAction::Drift(args) => drift::run(&site, args),
        ImageAction::Gc(args) => clean_up::run(&site, args),
        ImageAction::Push(args) => push::run(&site, args),
        ImageAction::Verify(args) => verify::run(&site, args),
    }
}
