//! `image reconcile`: makes registries and task definitions follow the manifest. Without `apply`, it only says
//! what it would do.
//!
//! The tag of a channel gets the exact bytes of the version's manifest, so the digest stays the same. Each
//! repository is done by itself, and what is right already is left alone, so a run that was cut is simply
//! run again. The manifest is never changed here.

use fargate_config::{ManagedImage, RunnerConfig};
use fargate_driver::task::ChannelProfile;
use fargate_fail_point::FailPoint;
use fargate_image_manifest::{ChannelName, ImageDigest, ManifestFile, RecordedImage};
use fargate_model::cause::CauseReport;
use fargate_model::text::error_chain;
use fargate_registry::RepositoryRights;
use fargate_task_definition::{DefinitionSite, RevisionOrigin};
use serde::Serialize;
use tokio::time::Instant;

use super::channel_commands::recorded;
use super::replica_copy;
use super::repository_access::{ImageRepositories, ImageRepository};
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;

/// How many times longer than one call the look at one task definition may take.
const CALLS: u32 = 10;

/// What a reconciliation found and did.
#[derive(Clone, Debug, Serialize)]
pub struct ReconcileReport {
    /// The image.
    pub image: String,
    /// Whether anything was allowed to change.
    pub applied: bool,
    /// The tags of the channels, in each repository.
    pub tags: Vec<TagAlignment>,
    /// The task definitions of profiles that name a channel of the image.
    pub definitions: Vec<DefinitionAlignment>,
}

/// The tag of one channel in one repository.
#[derive(Clone, Debug, Serialize)]
pub struct TagAlignment {
    /// Registry and repository.
    pub repository: String,
    /// The AWS Region, if it is one of ECR.
    pub region: Option<String>,
    /// The channel, which is the tag.
    pub channel: ChannelName,
    /// The digest that it had; `None` if there was no such tag, or if nobody could ask.
    pub found: Option<String>,
    /// The digest of the manifest.
    pub wanted: ImageDigest,
    /// What became of it.
    pub state: TagState,
    /// Bytes that were copied to this repository.
    pub copied_bytes: u64,
    /// Why it failed.
    pub error: Option<String>,
}

/// What became of one tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TagState {
    /// It was right already.
    Right,
    /// It is to be moved.
    ToMove,
    /// The image is to be copied here first, then the tag is to be moved.
    ToCopy,
    /// It was moved.
    Moved,
    /// It could not be looked at or moved.
    Failed,
}

/// The task definition of one profile.
#[derive(Clone, Debug, Serialize)]
pub struct DefinitionAlignment {
    /// The profile; `None` for `[defaults]`.
    pub profile: Option<String>,
    /// The image by its digest.
    pub image: Option<String>,
    /// The revision that has it; `None` if it is to be registered.
    pub revision: Option<String>,
    /// Whether it was registered just now.
    pub registered: bool,
    /// Why it failed.
    pub error: Option<String>,
}

impl ReconcileReport {
    /// Whether everything is as the manifest says.
    #[must_use]
    pub fn is_aligned(&self) -> bool {
        let tags =
            self.tags.iter().all(|tag| matches!(tag.state, TagState::Right | TagState::Moved));
        tags && self.definitions.iter().all(|one| one.error.is_none() && one.revision.is_some())
    }

    /// One sentence for each thing that failed.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let tags = self.tags.iter().filter_map(|tag| {
            Some(format!("{}:{}: {}", tag.repository, tag.channel, tag.error.as_ref()?))
        });
        let definitions = self.definitions.iter().filter_map(|one| {
            let profile = one.profile.as_deref().unwrap_or("[defaults]");
            Some(format!("task definition of {profile}: {}", one.error.as_ref()?))
        });
        tags.chain(definitions).collect()
    }
}

/// Compares registries and task definitions with the manifest, and corrects them if `apply` says so.
///
/// # Errors
///
/// [`ImageFailure::Conflict`] if the manifest gives a channel a revoked version, or if two images share a
/// repository; nothing is changed then. What fails in one repository stands in the report, and the others
/// are done.
pub async fn reconcile(
    config: &RunnerConfig,
    image: &ManagedImage,
    apply: bool,
    run: &ImageRun,
) -> Result<ReconcileReport, ImageFailure> {
    let work = async {
        let file = ManifestFile::read(&image.manifest)?;
        let entry = recorded(&file, image)?;
        refuse_unsafe(config, image, entry)?;
        let access = ImageRepositories::open(config, image, &run.masker).await?;
        let mut tags = Vec::new();
        let names = std::iter::once(&image.repository).chain(&image.replicas);
        for name in names {
            tags.extend(repository_tags(&access, image, entry, name, apply).await);
        }
        let definitions = definitions(config, image, apply, run).await;
        let report =
            ReconcileReport { image: image.name.clone(), applied: apply, tags, definitions };
        let summary = summary(&report);
        Ok((report, summary))
    };
    run.step(ImageStep::Reconcile, work).await
}

/// What must not be carried to a registry.
fn refuse_unsafe(
    config: &RunnerConfig,
    image: &ManagedImage,
    entry: &RecordedImage,
) -> Result<(), ImageFailure> {
    let mut others = config.managed_images().filter(|other| other.name != image.name);
    if let Some(other) = others.find(|other| other.repository == image.repository) {
        return Err(ImageFailure::Conflict {
            what: format!(
                "`[image.{}]` and `[image.{}]` are both in {}, so both would move the same tags",
                image.name, other.name, image.repository
            ),
            hint: "give each image a repository of its own".to_owned(),
        });
    }
    let revoked = entry.channels.keys().find_map(|channel| {
        entry
            .version_of(channel)
            .filter(|version| version.is_revoked())
            .map(|found| (channel, found))
    });
    let Some((channel, version)) = revoked else { return Ok(()) };
    Err(ImageFailure::Conflict {
        what: format!("channel `{channel}` has {}, which is revoked", version.tag),
        hint: format!(
            "promote another version, or `fargate-runner image rollback {} --channel {channel}`",
            image.name
        ),
    })
}

/// The tags of all channels in one repository.
async fn repository_tags(
    access: &ImageRepositories,
    image: &ManagedImage,
    entry: &RecordedImage,
    name: &str,
    apply: bool,
) -> Vec<TagAlignment> {
    let rights = if apply { RepositoryRights::PullAndPush } else { RepositoryRights::Pull };
    let opened = access.repository(name, rights).await;
    let mut tags = Vec::new();
    for (channel, assigned) in &entry.channels {
        let mut tag = TagAlignment {
            repository: name.to_owned(),
            region: opened.as_ref().ok().and_then(|opened| opened.region.clone()),
            channel: channel.clone(),
            found: None,
            wanted: assigned.digest.clone(),
            state: TagState::Failed,
            copied_bytes: 0,
            error: None,
        };
        let aligned = match &opened {
            Ok(repository) => align(access, image, repository, &mut tag, apply).await,
            Err(error) => Err(first_line(error)),
        };
        tag.error = aligned.err();
        if tag.error.is_some() {
            tag.state = TagState::Failed;
        }
        tags.push(tag);
    }
    tags
}

/// Looks at one tag, and moves it if it may.
async fn align(
    access: &ImageRepositories,
    image: &ManagedImage,
    repository: &ImageRepository,
    tag: &mut TagAlignment,
    apply: bool,
) -> Result<(), String> {
    let words = |error: ImageFailure| first_line(&error);
    tag.found = repository.digest_of_tag(tag.channel.as_str()).await.map_err(words)?;
    let is_replica = repository.name != image.repository;
    if tag.found.as_deref() == Some(tag.wanted.as_str()) {
        tag.state = TagState::Right;
        if is_replica && apply {
            // A version that was promoted again may have another signature.
            tag.copied_bytes = referrers(access, image, repository, &tag.wanted).await?;
        }
        return Ok(());
    }
    let here = repository.by_digest(&tag.wanted).await.map_err(words)?;
    let manifest = match here {
        Some(manifest) => manifest,
        None if !is_replica => {
            return Err(format!("the registry does not have {} any more", tag.wanted));
        }
        None => {
            tag.state = TagState::ToCopy;
            let first = access.repository(&image.repository, RepositoryRights::Pull);
            let first = first.await.map_err(words)?;
            let found = first.by_digest(&tag.wanted).await.map_err(words)?;
            let manifest = found.ok_or_else(|| format!("{} does not have it", first.name))?;
            if apply {
                let copied = replica_copy::copy(&first, repository, &manifest).await;
                tag.copied_bytes = copied.map_err(words)?;
            }
            manifest
        }
    };
    if !apply {
        if tag.state != TagState::ToCopy {
            tag.state = TagState::ToMove;
        }
        return Ok(());
    }
    if is_replica {
        // Whoever verifies a signature never meets the tag without it.
        tag.copied_bytes += referrers(access, image, repository, &tag.wanted).await?;
    }
    repository.put(tag.channel.as_str(), &manifest).await.map_err(words)?;
    FailPoint::ChannelTagMoved.reached();
    let now = repository.digest_of_tag(tag.channel.as_str()).await.map_err(words)?;
    if now.as_deref() != Some(tag.wanted.as_str()) {
        return Err(
            "the registry gives another digest for the tag that was just written".to_owned()
        );
    }
    tag.state = TagState::Moved;
    Ok(())
}

/// Copies what is said about a version to a replica. Gives the bytes that were sent.
async fn referrers(
    access: &ImageRepositories,
    image: &ManagedImage,
    replica: &ImageRepository,
    digest: &ImageDigest,
) -> Result<u64, String> {
    let words = |error: ImageFailure| first_line(&error);
    let first = access.repository(&image.repository, RepositoryRights::Pull);
    let first = first.await.map_err(words)?;
    replica_copy::copy_referrers(&first, replica, digest).await.map_err(words)
}

/// The task definitions of every profile that names a channel of this image.
async fn definitions(
    config: &RunnerConfig,
    image: &ManagedImage,
    apply: bool,
    run: &ImageRun,
) -> Vec<DefinitionAlignment> {
    let names = config.profile_names().into_iter().map(Some).chain([None]);
    let profiles = names.filter_map(|name| config.profile(name).ok());
    let ours = profiles.filter(|profile| {
        profile.channel.as_ref().is_some_and(|channel| channel.image == image.name)
    });
    let mut aligned: Vec<DefinitionAlignment> = Vec::new();
    for profile in ours {
        let name = profile.name.clone();
        let mut one = DefinitionAlignment {
            profile: name,
            image: None,
            revision: None,
            registered: false,
            error: None,
        };
        let done = match ChannelProfile::of(&profile) {
            Ok(ChannelProfile { profile, .. }) => {
                one.image = profile.image.clone();
                align_definition(config, profile, &mut one, apply, run).await
            }
            Err(why) => Err(in_words(&why)),
        };
        one.error = done.err();
        aligned.push(one);
    }
    aligned
}

async fn align_definition(
    config: &RunnerConfig,
    profile: fargate_config::JobProfile,
    one: &mut DefinitionAlignment,
    apply: bool,
    run: &ImageRun,
) -> Result<(), String> {
    let deadline = Instant::now() + profile.timeouts.aws_call * CALLS;
    let site = DefinitionSite::open(profile, &config.state_dir, &run.masker).await;
    let site = site.map_err(|error| error_chain(&error))?;
    if apply {
        let registered = site.register(deadline).await.map_err(|error| error_chain(&error))?;
        one.registered = registered.origin == RevisionOrigin::Registered;
        one.revision = Some(registered.arn);
        return Ok(());
    }
    let listed = site.list(deadline).await.map_err(|error| error_chain(&error))?;
    let current = listed.into_iter().find(|listed| listed.is_current);
    one.revision = current.map(|listed| listed.revision.name());
    Ok(())
}

fn in_words(why: &CauseReport) -> String {
    let evidence = why.evidence.iter().map(ToString::to_string);
    std::iter::once(why.headline()).chain(evidence).collect::<Vec<_>>().join(": ")
}

/// Without the hint: it stands among other lines.
fn first_line(error: &ImageFailure) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

fn summary(report: &ReconcileReport) -> String {
    let count = |state: TagState| report.tags.iter().filter(|tag| tag.state == state).count();
    let right = count(TagState::Right);
    let failed = count(TagState::Failed)
        + report.definitions.iter().filter(|one| one.error.is_some()).count();
    let done = match report.applied {
        true => format!("{} tags moved", count(TagState::Moved)),
        false => format!("{} tags to move", count(TagState::ToMove) + count(TagState::ToCopy)),
    };
    format!("{right} tags right, {done}, {failed} failed")
}
