//! `image gc`: deletes the images of one repository and its replicas that nobody needs. Without `apply`, it
//! only says what it would do.
//!
//! If anything could not be asked, nothing is deleted. Before each deletion the manifest is read again and the
//! tags of the image and of the channels are asked for again, because both may have changed since the look.
//! What is said about an image goes before it, so that a run that was cut leaves an image that the next run
//! finds.

use std::collections::BTreeSet;
use std::sync::Arc;

use fargate_config::{ManagedImage, RunnerConfig};
use fargate_image_manifest::ImageDigest;
use fargate_registry::RepositoryRights;
use serde::Serialize;

use super::drift_facts::{DriftFacts, StoredImage, described_by};
use super::fact_survey::{ListedNames, SurveyedImage};
use super::unneeded::{UnneededImage, needed, unneeded, without_needed};
use super::use_survey::SurveyedUses;
use crate::event::{ImageEvent, ImageStep};
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::promote::repository_access::ImageRepository;
use crate::registry_failure::of_registry;

/// What a clean-up may do.
#[derive(Clone, Copy, Debug)]
pub struct CleanUpLimits {
    /// Whether it may delete.
    pub apply: bool,
    /// Most images that one run deletes; what is said about them does not count.
    pub most: usize,
}

/// What a clean-up found and did.
#[derive(Clone, Debug, Serialize)]
pub struct CleanUpReport {
    /// The image.
    pub image: String,
    /// Whether it was allowed to delete.
    pub applied: bool,
    /// The images that nobody needs, the oldest first.
    pub images: Vec<CleanedImage>,
    /// How many more there are, for the next run.
    pub left: usize,
}

/// One image that nobody needs.
#[derive(Clone, Debug, Serialize)]
pub struct CleanedImage {
    /// Registry and repository.
    pub repository: String,
    /// Its digest.
    pub digest: ImageDigest,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its age, in seconds.
    pub age_s: u64,
    /// Its bytes. Other images may share some of them.
    pub size_bytes: u64,
    /// What is said about it and goes with it.
    pub referrers: BTreeSet<ImageDigest>,
    /// What became of it.
    pub state: CleanedState,
    /// Why it was kept, or why it could not be deleted.
    pub error: Option<String>,
}

/// What became of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CleanedState {
    /// It is to be deleted.
    ToDelete,
    /// It was deleted.
    Deleted,
    /// Somebody needs it by now.
    Kept,
    /// The registry did not delete it.
    Failed,
}

impl CleanedState {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToDelete => "to delete",
            Self::Deleted => "deleted",
            Self::Kept => "kept",
            Self::Failed => "failed",
        }
    }
}

impl CleanUpReport {
    /// How many images are in this state.
    #[must_use]
    pub fn count(&self, state: CleanedState) -> usize {
        self.images.iter().filter(|image| image.state == state).count()
    }

    /// The failure of a command that could not delete everything.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::PushFailed`] with what the registry said.
    pub fn require_done(&self) -> Result<(), ImageFailure> {
        let failed = self.images.iter().find(|image| image.state == CleanedState::Failed);
        let Some(failed) = failed else { return Ok(()) };
        Err(ImageFailure::PushFailed {
            what: format!(
                "cleaning up `{}`: {} not deleted; the first one: {}",
                self.image,
                self.count(CleanedState::Failed),
                failed.error.as_deref().unwrap_or("no reason is known")
            ),
            hint: "allow deletion in the registry, and give the login the right to delete"
                .to_owned(),
        })
    }
}

/// One clean-up.
struct ImageCleanUp<'a> {
    config: &'a RunnerConfig,
    facts: DriftFacts,
    repositories: Vec<Arc<ImageRepository>>,
    /// Everything that stays whatever is deleted.
    needed: BTreeSet<ImageDigest>,
}

/// Finds what nobody needs of one image, and deletes it if `limits` say so.
///
/// # Errors
///
/// As [`check_drift`](super::check_drift), and [`ImageFailure::Unusable`] if a replica, a cluster, the task
/// definitions of an account or another manifest could not be asked: nothing is deleted then. An image that
/// the registry does not delete is told in the report.
pub async fn clean_up_image(
    config: &RunnerConfig,
    image: &ManagedImage,
    limits: CleanUpLimits,
    run: &ImageRun,
) -> Result<CleanUpReport, ImageFailure> {
    let work = async {
        let rights = match limits.apply {
            true => RepositoryRights::PullAndDelete,
            false => RepositoryRights::Pull,
        };
        let mut seen = SurveyedImage::look(config, image, rights, run).await?;
        seen.used(&SurveyedUses::look(config, &run.masker).await);
        let SurveyedImage { facts, repositories } = seen;
        require_whole(&facts)?;
        let mut going = unneeded(&facts);
        let left = going.len().saturating_sub(limits.most);
        going.truncate(limits.most);
        // What is left for the next run may need what this run was to delete.
        let going = without_needed(&facts, going);
        let needed = needed(&facts, &going);
        let clean_up = ImageCleanUp { config, facts, repositories, needed };
        let mut images = Vec::new();
        for (at, one) in going.iter().enumerate() {
            if run.is_cancelled() {
                break;
            }
            let summary = format!("{at} of {} images", going.len());
            run.events.tell(ImageEvent::StepProgress { step: ImageStep::CleanUp, summary });
            images.push(clean_up.one(one, limits.apply).await?);
        }
        let report =
            CleanUpReport { image: image.name.clone(), applied: limits.apply, images, left };
        let summary = format!("{} of {} deleted", report.count(CleanedState::Deleted), going.len());
        Ok((report, summary))
    };
    run.step(ImageStep::CleanUp, work).await
}

/// Refuses to judge on partial knowledge.
fn require_whole(facts: &DriftFacts) -> Result<(), ImageFailure> {
    if facts.unasked.is_empty() {
        return Ok(());
    }
    Err(ImageFailure::Unusable {
        what: format!(
            "looking at who needs the images of `{}`: {}; nothing was deleted",
            facts.name,
            facts.unasked.join("; ")
        ),
        hint: "correct this first: what could not be asked may need an image".to_owned(),
    })
}

impl ImageCleanUp<'_> {
    async fn one(&self, image: &UnneededImage, apply: bool) -> Result<CleanedImage, ImageFailure> {
        let repository = &self.repositories[image.repository];
        let mut cleaned = CleanedImage {
            repository: repository.name.clone(),
            digest: image.digest.clone(),
            tags: image.tags.clone(),
            age_s: image.age.as_secs(),
            size_bytes: image.size_bytes,
            referrers: self.referrers(image, repository).await?,
            state: CleanedState::ToDelete,
            error: None,
        };
        if !apply {
            return Ok(cleaned);
        }
        if let Some(why) = self.needed_by_now(image, repository).await? {
            (cleaned.state, cleaned.error) = (CleanedState::Kept, Some(why));
            return Ok(cleaned);
        }
        cleaned.state = CleanedState::Deleted;
        for digest in cleaned.referrers.iter().chain([&image.digest]) {
            if let Err(error) = repository.delete(digest).await {
                cleaned.error = Some(of_registry(&error).to_string().replace('\n', "; "));
                cleaned.state = CleanedState::Failed;
                break;
            }
        }
        Ok(cleaned)
    }

    /// What goes with an image: what the tags showed, and what the registry's own index lists.
    async fn referrers(
        &self,
        image: &UnneededImage,
        repository: &ImageRepository,
    ) -> Result<BTreeSet<ImageDigest>, ImageFailure> {
        let mut found = image.referrers.clone();
        let index = repository.referrers(image.digest.as_str()).await?.unwrap_or_default();
        let tags = &self.facts.repositories[image.repository];
        let is_its_own = |digest: &ImageDigest| {
            let mut tags = tags.tags_of(digest);
            tags.all(|tag| described_by(tag).as_ref() == Some(&image.digest))
        };
        let listed = StoredImage::listed_by(&index).into_iter();
        found.extend(listed.filter(|digest| !self.needed.contains(digest) && is_its_own(digest)));
        found.remove(&image.digest);
        Ok(found)
    }

    /// Why an image is needed after all.
    async fn needed_by_now(
        &self,
        image: &UnneededImage,
        repository: &ImageRepository,
    ) -> Result<Option<String>, ImageFailure> {
        let listed = ListedNames::read(self.config);
        if !listed.unread.is_empty() {
            return Ok(Some(format!("a manifest cannot be read: {}", listed.unread.join("; "))));
        }
        if listed.digests.contains(&image.digest) {
            return Ok(Some("the manifest lists it by now".to_owned()));
        }
        for channel in &listed.channels {
            if repository.head(channel).await?.as_deref() == Some(image.digest.as_str()) {
                return Ok(Some(format!("the tag {channel} has it by now")));
            }
        }
        for tag in &image.tags {
            let now = repository.head(tag).await?;
            if now.as_deref() != Some(image.digest.as_str()) {
                return Ok(Some(format!("the tag {tag} was moved or deleted since the look")));
            }
        }
        Ok(None)
    }
}
