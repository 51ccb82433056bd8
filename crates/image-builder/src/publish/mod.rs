//! `image publish`: from a folder with a Dockerfile, or from an OCI layout, to a version that the manifest
//! lists: built, searched for secrets, tested by a job, pushed, read back, with its papers beside it.
//!
//! Nothing reaches the registry before search and test have passed. The image is in the registry by its
//! digest alone until it was read back; the tag comes after that, and the manifest last. No channel is changed.

mod manifest_entry;
mod publish_ground;
mod publish_material;
mod publish_report;
mod publish_request;
mod published_papers;
mod source_commit;

use fargate_image_manifest::{
    ManifestTime, RecordedVersion, ScanRecord, SmokeTestRecord, VersionStatus,
};

pub use publish_report::{PublishFailure, PublishReport};
pub use publish_request::{PublishRequest, PublishSource};

use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::layer::{SpoolFolder, load_layout};
use crate::oci_layout::OciLayout;
use crate::secret_scan::{ScanTarget, SecretScanner, SecretWaivers};
use crate::smoke_test::{SmokeExpectations, SmokeTestReport, SmokeTestRequest, run_smoke_test};
use manifest_entry::list_version;
use publish_ground::PublishGround;
use publish_material::{MadeLayout, PublishMaterial};
use publish_report::PublishReach;

/// Publishes one version of an image. If the manifest lists a good version of the same inputs, that one is
/// the result, and nothing is done.
///
/// # Errors
///
/// The failure of the first step that failed, and what is left in the registry.
pub async fn publish_image(
    request: &PublishRequest<'_>,
    run: &ImageRun,
) -> Result<PublishReport, PublishFailure> {
    let mut reach = PublishReach::NothingPushed;
    let done = published(request, &mut reach, run).await;
    done.map_err(|failure| PublishFailure { failure, left: reach.words(request.image) })
}

async fn published(
    request: &PublishRequest<'_>,
    reach: &mut PublishReach,
    run: &ImageRun,
) -> Result<PublishReport, ImageFailure> {
    let started = ManifestTime::now();
    let ground = PublishGround::prepare(request, run).await?;
    // Also if nothing is to be done: this removes what a killed process left.
    let spool = SpoolFolder::make(&std::env::temp_dir())?;
    let material = PublishMaterial::look(request, &ground, run).await?;
    if !request.again {
        let base = material.base(ground.engine.as_ref()).await;
        if let Some(same) = ground.with_inputs(&material.source, base.as_ref()).await? {
            return unchanged(request, same, run).await;
        }
    }
    let MadeLayout { layout, searched } = material.layout(request, &ground, &spool, run).await?;
    if let Some(same) = ground.with_digest(&layout, &material.source)?
        && !request.again
    {
        return unchanged(request, same, run).await;
    }
    let mut version = described(request, &ground, &material, &layout).await?;
    version.scan = Some(search(request, &searched, run).await?);
    let smoke = tested(request, &ground, &layout, run).await?;
    if let Some(smoke) = &smoke {
        note_test(&mut version, smoke);
    }

    *reach = PublishReach::Untagged;
    let stored = ground.target.store(&layout, run).await?;
    let verified = ground.target.verify(layout.manifest_digest(), run).await?;
    version.size_bytes = verified.bytes;
    version.tag = ground.tag(&material.source, &layout).await?;
    version.created = ManifestTime::now();
    *reach = PublishReach::Tagged(version.tag.clone());
    let papers =
        published_papers::write(request, &ground, &material, &layout, (&version, started), run);
    let papers = papers.await?;
    version.sbom = Some(papers.sbom.clone());
    version.provenance = Some(papers.provenance.clone());
    let listed = async {
        list_version(request.image, &version).await?;
        Ok(((), format!("{} is {}", version.tag, version.status.as_str())))
    };
    // It takes no time, and it must not be stopped in the middle.
    run.whole_step(ImageStep::Manifest, listed).await?;
    let report = PublishReport::of(request.image, version, true);
    let (sent_bytes, packages) = (stored.sent_bytes, papers.packages);
    Ok(PublishReport { sent_bytes, packages, smoke, ..report })
}

/// The manifest lists such a version already.
async fn unchanged(
    request: &PublishRequest<'_>,
    version: RecordedVersion,
    run: &ImageRun,
) -> Result<PublishReport, ImageFailure> {
    let told = async { Ok(((), format!("nothing changed since {}", version.tag))) };
    run.step(ImageStep::Manifest, told).await?;
    Ok(PublishReport::of(request.image, version, false))
}

/// What is known of the image before it is searched and tested.
async fn described(
    request: &PublishRequest<'_>,
    ground: &PublishGround,
    material: &PublishMaterial,
    layout: &OciLayout,
) -> Result<RecordedVersion, ImageFailure> {
    let digest = manifest_entry::digest_of(layout)?;
    let source = &material.source;
    Ok(RecordedVersion {
        git: source.commit.clone(),
        dirty: source.dirty,
        context: material.context_digest(),
        architecture: Some(request.image.architecture.as_str().to_owned()),
        base: material.base(ground.engine.as_ref()).await,
        layers: u32::try_from(layout.manifest().layers.len()).unwrap_or(u32::MAX),
        compression: manifest_entry::compression(layout).map(str::to_owned),
        ..RecordedVersion::candidate(digest, "", ManifestTime::now())
    })
}

/// A job ran in the version. One of files that no commit has stays a candidate for ever.
fn note_test(version: &mut RecordedVersion, smoke: &SmokeTestReport) {
    let (at, banner_ms) = (ManifestTime::now(), smoke.banner_ms);
    version.smoke = Some(SmokeTestRecord { at, banner_ms, ok: true, other: Default::default() });
    version.agent = agent_version(&smoke.peer);
    if !version.dirty {
        version.status = VersionStatus::Tested;
    }
}

/// The version of our agent, if that answered.
fn agent_version(peer: &str) -> Option<String> {
    let rest = peer.split_once("fargate-agent ")?.1;
    let version = rest.split([' ', ',', ')']).next()?;
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}

/// Searches the image. A finding ends the publication.
async fn search(
    request: &PublishRequest<'_>,
    target: &ScanTarget,
    run: &ImageRun,
) -> Result<ScanRecord, ImageFailure> {
    let waivers = request.image.waivers.as_deref().map(SecretWaivers::read).transpose()?;
    let waivers = waivers.unwrap_or_default();
    let engine = request.surroundings.docker_host.as_deref();
    let scanner = SecretScanner::new();
    let report = scanner.scan_step(target, engine, &waivers, run).await?;
    report.gate()?;
    let waived = report.findings.len();
    Ok(ScanRecord {
        rules: scanner.rules_version(),
        findings: 0,
        waived: u32::try_from(waived).unwrap_or(u32::MAX),
        waived_until: waivers.first_end(&report).map(ManifestTime::of),
        other: Default::default(),
    })
}

/// Runs a job in the image, if there is an engine.
async fn tested(
    request: &PublishRequest<'_>,
    ground: &PublishGround,
    layout: &OciLayout,
    run: &ImageRun,
) -> Result<Option<SmokeTestReport>, ImageFailure> {
    let Some(engine) = &ground.engine else {
        let text = format!(
            "no Docker Engine was found, so no job has run in `{}`: it stays a candidate",
            request.image.name
        );
        run.events.warn(ImageStep::SmokeTest, text);
        return Ok(None);
    };
    let loaded = load_layout(run, engine, layout).await?;
    let expects = SmokeExpectations::of(request.profile);
    let test = SmokeTestRequest { engine, image: loaded.id(), expects };
    let done = run_smoke_test(run, test).await;
    let removed = loaded.remove().await;
    let report = done?;
    removed?;
    Ok(Some(report))
}
