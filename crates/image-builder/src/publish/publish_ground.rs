//! What must stand before slow work begins: the engine, the repository with the right to push, the manifest,
//! room, and a clock that goes forward. And what manifest and registry know of the same image already.

use std::path::Path;
use std::time::Duration;

use fargate_config::ManagedImage;
use fargate_image_manifest::{
    ManifestFile, ManifestTime, RecordedBase, RecordedImage, RecordedVersion,
};
use fargate_model::text::bytes;
use nix::unistd::{AccessFlags, access};

use super::manifest_entry::{entry_of, require_not_revoked};
use super::publish_request::{PublishRequest, PublishSource};
use crate::candidate_tag::CandidateSource;
use crate::engine::ImageEngine;
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::oci_layout::OciLayout;
use crate::push::PushTarget;
use crate::smoke_test::sweep_smoke_tests;

/// How far this host's clock may be behind the newest version.
const CLOCK_SLACK: Duration = Duration::from_secs(300);
/// Room that is needed, in sizes of the last version: its layers as they are, and compressed.
const SPOOL_SIZES: u64 = 3;

/// What a publication stands on.
pub(super) struct PublishGround {
    /// The repository.
    pub target: PushTarget,
    /// The engine; none if there is none, which is allowed for a layout.
    pub engine: Option<ImageEngine>,
    image: ManagedImage,
    /// What the manifest says of the image.
    known: Option<RecordedImage>,
}

impl PublishGround {
    /// Checks everything, as the step "preflight".
    pub async fn prepare(
        request: &PublishRequest<'_>,
        run: &ImageRun,
    ) -> Result<Self, ImageFailure> {
        let PublishRequest { image, profile, .. } = request;
        run.step(ImageStep::Preflight, async {
            let known = known(image)?;
            let engine = engine(request, run).await?;
            let is_build = matches!(request.source, PublishSource::Build { .. });
            let versions = known.iter().flat_map(|known| &known.versions);
            if let (Some(last), true) = (versions.last(), is_build) {
                require_spool_room(&std::env::temp_dir(), last.size_bytes)?;
            }
            let target = PushTarget::open(image, profile, &run.masker).await?;
            target.preflight().await?;
            if let Some(warning) = target.tag_warning(false).await {
                run.events.warn(ImageStep::Preflight, warning);
            }
            let version = engine.as_ref().map(|engine| &engine.facts().version);
            let version = version.map_or("no engine".to_owned(), |it| format!("engine {it}"));
            let summary = format!("{version}, {}, may push", image.repository);
            let image = ManagedImage::clone(image);
            Ok((Self { target, engine, image, known }, summary))
        })
        .await
    }

    /// The newest good version of the same inputs, if the registry still has it.
    pub async fn with_inputs(
        &self,
        source: &CandidateSource,
        base: Option<&RecordedBase>,
    ) -> Result<Option<RecordedVersion>, ImageFailure> {
        let versions = self.known.iter().flat_map(|known| known.versions.iter().rev());
        let mut same = versions.filter(|it| source.has_inputs_of(&self.image.name, &it.tag));
        let Some(same) = same.find(|version| self.is_as_good(version, source)) else {
            return Ok(None);
        };
        let digests = same.base.as_ref().zip(base);
        let digests = digests.and_then(|(old, new)| old.digest.as_ref().zip(new.digest.as_ref()));
        if digests.is_some_and(|(old, new)| old != new) {
            return Ok(None);
        }
        let found = self.target.tagged(same.digest.as_str()).await?;
        Ok(found.is_some().then(|| same.clone()))
    }

    /// The version with the same bytes, if it is as good as what would be published.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Conflict`] if it is revoked.
    pub fn with_digest(
        &self,
        layout: &OciLayout,
        source: &CandidateSource,
    ) -> Result<Option<RecordedVersion>, ImageFailure> {
        let Some(known) = &self.known else { return Ok(None) };
        let digest = super::manifest_entry::digest_of(layout)?;
        let Some(version) = known.version(&digest) else { return Ok(None) };
        require_not_revoked(known, version)?;
        Ok(self.is_as_good(version, source).then(|| version.clone()))
    }

    /// Whether publishing would add nothing to this version: it was tested, if that is possible here, and
    /// comes from files of a commit, if the new one does.
    fn is_as_good(&self, version: &RecordedVersion, source: &CandidateSource) -> bool {
        let is_tested = version.smoke.as_ref().is_some_and(|smoke| smoke.ok);
        !version.is_revoked()
            && (is_tested || self.engine.is_none())
            && (!version.dirty || source.dirty)
    }

    /// The tag that the image gets. A run that ended after it had tagged the same image has left its tag, which
    /// is taken over.
    pub async fn tag(
        &self,
        source: &CandidateSource,
        layout: &OciLayout,
    ) -> Result<String, ImageFailure> {
        let name = &self.image.name;
        for tag in self.target.tags().await? {
            if source.made(name, &tag)
                && self.target.tagged(&tag).await?.as_deref() == Some(layout.manifest_digest())
            {
                return Ok(tag);
            }
        }
        source.tag(name, ManifestTime::now()).ok_or_else(|| ImageFailure::Unusable {
            what: format!("tagging `{name}`: the name is too long for a candidate tag"),
            hint: "give `[image.NAME]` a name of at most 80 characters".to_owned(),
        })
    }
}

/// What the manifest says of the image, after it was checked that it can be written.
fn known(image: &ManagedImage) -> Result<Option<RecordedImage>, ImageFailure> {
    let path = &image.manifest;
    let folder = path.parent().unwrap_or(Path::new("/"));
    access(folder, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|error| {
        ImageFailure::Unusable {
            what: format!(
                "looking at the manifest {}: its folder: {}",
                path.display(),
                error.desc()
            ),
            hint: "make the folder, and let this user write there".to_owned(),
        }
    })?;
    let file = ManifestFile::read_or_empty(path)?;
    let known = entry_of(&file, image)?.cloned();
    let now = ManifestTime::now();
    let newest = known.iter().flat_map(|known| &known.versions).map(|it| it.created).max();
    match newest.filter(|newest| newest.since(now) > CLOCK_SLACK) {
        None => Ok(known),
        Some(newest) => Err(ImageFailure::Unusable {
            what: format!(
                "looking at the clock: it says {now}, and the newest version of `{}` is of {newest}",
                image.name
            ),
            hint: "set this host's clock, or correct `created` in the manifest".to_owned(),
        }),
    }
}

/// The engine. A layout can do without, unless somebody named an engine.
async fn engine(
    request: &PublishRequest<'_>,
    run: &ImageRun,
) -> Result<Option<ImageEngine>, ImageFailure> {
    let named = request.surroundings.docker_host.as_deref().filter(|named| !named.is_empty());
    let is_needed = matches!(request.source, PublishSource::Build { .. }) || named.is_some();
    match ImageEngine::connect(named).await {
        Ok(engine) => {
            engine.require_room()?;
            match sweep_smoke_tests(&engine).await? {
                0 => {}
                count => run.events.warn(
                    ImageStep::Preflight,
                    format!("{count} remnants of smoke tests that were killed are removed"),
                ),
            }
            Ok(Some(engine))
        }
        Err(failure) if is_needed => Err(failure),
        Err(failure) => {
            let what = failure.to_string().lines().next().unwrap_or_default().to_owned();
            run.events.warn(ImageStep::Preflight, what);
            Ok(None)
        }
    }
}

fn require_spool_room(folder: &Path, last: u64) -> Result<(), ImageFailure> {
    let Ok(found) = nix::sys::statvfs::statvfs(folder) else { return Ok(()) };
    let free = found.blocks_available().saturating_mul(found.fragment_size());
    let needed = last.saturating_mul(SPOOL_SIZES);
    match free >= needed {
        true => Ok(()),
        false => Err(ImageFailure::Unusable {
            what: format!(
                "looking for room in {}: it has {}; {} are needed, {SPOOL_SIZES} times the last version",
                folder.display(),
                bytes(free),
                bytes(needed)
            ),
            hint: "free some, or set TMPDIR to a folder with more room".to_owned(),
        }),
    }
}
