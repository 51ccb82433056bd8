//! `image check`: everything that can be known to be wrong before slow work begins. It changes nothing: the
//! upload that it begins, to learn whether it may push, is ended at once.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use fargate_config::{JobProfile, ManagedImage, RunnerConfig, TaskArchitecture};
use fargate_model::text::{bytes, count};
use serde::Serialize;

use crate::blocking_work::blocking;
use crate::build_surroundings::{BuildSurroundings, build_arguments};
use crate::context::{ContextError, ContextFolder, ContextSummary, content_time};
use crate::dockerfile::{BaseImage, LintSeverity, MAX_DOCKERFILE_BYTES, ParsedDockerfile};
use crate::dockerfile::{base_images, final_base, lint};
use crate::engine::{BuildEngineFacts, BuildRequest, BuildSecrets, ImageEngine, LineRedaction};
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_push::open_target;
use crate::image_run::ImageRun;
use crate::replica_check::check_replicas;
use crate::secret_scan::{SecretScanner, SecretWaivers};

/// What `image check` found.
#[derive(Clone, Debug, Serialize)]
pub struct ImageCheckReport {
    /// The image's name.
    pub image: String,
    /// Where it is pushed.
    pub repository: String,
    /// The engine that would build it.
    pub engine: BuildEngineFacts,
    /// How many files and links would be sent.
    pub context_files: u64,
    /// Bytes of these files.
    pub context_bytes: u64,
    /// The SHA-256 of the context.
    pub context_digest: String,
    /// The images that it builds on.
    pub bases: Vec<String>,
}

/// A context that may be built.
#[derive(Debug)]
pub struct CheckedContext {
    /// The folder.
    pub folder: Arc<ContextFolder>,
    /// Its size and digest.
    pub summary: ContextSummary,
    /// The time of its entries, in seconds since 1970.
    pub time_s: u64,
    /// The images that it builds on.
    pub bases: Vec<BaseImage>,
    /// The one of them below everything that the last stage adds; none for `scratch`.
    pub base: Option<BaseImage>,
    /// The Dockerfile uses what only BuildKit knows.
    pub needs_buildkit: bool,
    /// The rules by which it was searched.
    pub scanner: SecretScanner,
}

/// The image with this name.
///
/// # Errors
///
/// [`ImageFailure::UnknownImage`] if the configuration has none.
pub fn find_image(config: &RunnerConfig, given: &str) -> Result<ManagedImage, ImageFailure> {
    config.managed_images().find(|image| image.name == given).ok_or_else(|| {
        let known = config.managed_images().map(|image| format!("`{}`", image.name)).collect();
        ImageFailure::UnknownImage { given: given.to_owned(), known }
    })
}

/// Checks everything that can be checked before an image is built: engine, context, Dockerfile, and whether
/// the logins may push to the image's repository and to its replicas.
///
/// # Errors
///
/// The first thing that is wrong.
pub async fn check_image(
    image: &ManagedImage,
    profile: &JobProfile,
    surroundings: &BuildSurroundings,
    run: &ImageRun,
) -> Result<ImageCheckReport, ImageFailure> {
    let engine = preflight(surroundings, run).await?;
    let context = check_context(image, surroundings, run).await?;
    open_target(image, profile, run).await?;
    check_replicas(image, profile, run).await?;
    Ok(ImageCheckReport {
        image: image.name.clone(),
        repository: image.repository.clone(),
        engine: engine.facts().clone(),
        context_files: context.summary.files,
        context_bytes: context.summary.bytes,
        context_digest: context.summary.digest,
        bases: context.bases.into_iter().map(|base| base.image).collect(),
    })
}

/// Connects to the engine, and looks whether it has room.
///
/// # Errors
///
/// [`ImageFailure::EngineUnusable`].
pub async fn preflight(
    surroundings: &BuildSurroundings,
    run: &ImageRun,
) -> Result<ImageEngine, ImageFailure> {
    run.step(ImageStep::Preflight, async {
        let engine = ImageEngine::connect(surroundings.docker_host.as_deref()).await?;
        engine.require_room()?;
        let facts = engine.facts();
        let room = facts.free_bytes.map(|free| format!(", {} free", bytes(free)));
        let summary =
            format!("engine {} (API {}){}", facts.version, facts.api, room.unwrap_or_default());
        Ok((engine, summary))
    })
    .await
}

/// Reads Dockerfile and context, and tells what is wrong with them.
///
/// # Errors
///
/// [`ImageFailure::Context`], [`ImageFailure::Dockerfile`] and [`ImageFailure::LintRefused`]; and
/// [`ImageFailure::SecretsFound`] if a file of the context holds a secret that no waiver excuses.
pub async fn check_context(
    image: &ManagedImage,
    surroundings: &BuildSurroundings,
    run: &ImageRun,
) -> Result<CheckedContext, ImageFailure> {
    run.step(ImageStep::Context, async {
        let time_s = content_time(&image.context, surroundings.source_date_epoch.as_deref()).await;
        let (root, dockerfile) = (image.context.clone(), image.dockerfile.clone());
        let waivers = image.waivers.as_deref().map(SecretWaivers::read).transpose()?;
        let (folder, content, summary) = blocking(move || {
            let folder = ContextFolder::read(&root, &dockerfile)?;
            let content = folder.dockerfile(&dockerfile, MAX_DOCKERFILE_BYTES as u64 + 1)?;
            let summary = folder.summary(time_s)?;
            Ok::<_, ContextError>((folder, content, summary))
        })
        .await??;
        let folder = Arc::new(folder);
        let waivers = waivers.unwrap_or_default();
        let scanner = search_context(Arc::clone(&folder), waivers, run.clone()).await?;
        let file = ParsedDockerfile::parse(&image.dockerfile, &content)?;
        let arguments = build_arguments(image);
        let pairs: Vec<_> = arguments.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        refuse_findings(image, &file, &pairs, &folder, run)?;
        let (bases, base) = (base_images(&file, &pairs), final_base(&file, &pairs));
        let words = format!(
            "{} files, {}, {} instructions",
            count(summary.files),
            bytes(summary.bytes),
            file.instructions.len()
        );
        let needs_buildkit = file.needs_buildkit();
        Ok((
            CheckedContext { folder, summary, time_s, bases, base, needs_buildkit, scanner },
            words,
        ))
    })
    .await
}

/// Searches what would be sent for secrets, before a byte of it leaves this host. Gives the rules, compiled.
async fn search_context(
    folder: Arc<ContextFolder>,
    waivers: SecretWaivers,
    run: ImageRun,
) -> Result<SecretScanner, ImageFailure> {
    let report = blocking(move || {
        let scanner = SecretScanner::new();
        let paths = folder.entries().iter().map(|entry| Path::new(&entry.path));
        let report = scanner.scan_files(folder.root(), paths, &run)?;
        Ok::<_, ImageFailure>((scanner, report))
    });
    let (scanner, mut report) = report.await??;
    waivers.apply(&mut report, SystemTime::now());
    report.gate().map(|()| scanner)
}

/// Tells warnings, and fails with all errors of the Dockerfile.
fn refuse_findings(
    image: &ManagedImage,
    file: &ParsedDockerfile,
    arguments: &[(&str, &str)],
    folder: &ContextFolder,
    run: &ImageRun,
) -> Result<(), ImageFailure> {
    let mut errors = Vec::new();
    for finding in lint(file, arguments, folder) {
        let place = match finding.line {
            Some(line) => format!("{}:{line}", file.file),
            None => format!("image.{}.build_args", image.name),
        };
        let text = format!("{place}: {}\nhint: {}", finding.what, finding.hint);
        match finding.severity {
            LintSeverity::Warning => run.events.warn(ImageStep::Context, text),
            LintSeverity::Error => errors.push(text),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(ImageFailure::LintRefused { findings: errors }) }
}

/// What the engine is asked to build.
pub(crate) fn build_request(
    image: &ManagedImage,
    context: &CheckedContext,
    secrets: BuildSecrets,
) -> BuildRequest {
    let scanner = context.scanner.clone();
    BuildRequest {
        context: Arc::clone(&context.folder),
        dockerfile: image.dockerfile.clone(),
        time_s: context.time_s,
        arguments: build_arguments(image),
        architecture: match image.architecture {
            TaskArchitecture::X86_64 => "amd64",
            TaskArchitecture::Arm64 => "arm64",
        }
        .to_owned(),
        tag: format!("fargate-runner/{}:local", image.name),
        network: image.build_network,
        without_cache: false,
        needs_buildkit: context.needs_buildkit,
        secrets: Arc::new(secrets),
        redaction: LineRedaction::by(move |line| match scanner.redacted(line) {
            Cow::Borrowed(_) => None,
            Cow::Owned(redacted) => Some(redacted),
        }),
    }
}
