//! `image drift`: compares manifest, registries and uses, and reports. It changes nothing.

use std::collections::BTreeMap;

use fargate_config::{ManagedImage, RunnerConfig};
use fargate_image_manifest::{ChannelName, ImageDigest, ManifestTime};
use fargate_registry::RepositoryRights;
use serde::Serialize;

use super::compare::findings;
use super::drift_facts::DriftFacts;
use super::drift_finding::{DriftClass, DriftFinding, DriftSeverity};
use super::fact_survey::SurveyedImage;
use super::use_survey::SurveyedUses;
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;

/// What was found at all images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DriftReport {
    /// When.
    pub at: ManifestTime,
    /// Each image.
    pub images: Vec<ImageDrift>,
}

/// What was found at one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageDrift {
    /// The image.
    pub image: String,
    /// Its repositories, each with the number of images that were seen.
    pub repositories: BTreeMap<String, usize>,
    /// The version that `stable` has.
    pub stable: Option<StableVersion>,
    /// Every difference, the gravest first.
    pub findings: Vec<DriftFinding>,
    /// What could not be asked and decides nothing.
    pub notes: Vec<String>,
}

/// The version that `stable` has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StableVersion {
    /// Its digest.
    pub digest: ImageDigest,
    /// Its candidate tag.
    pub tag: String,
    /// Its age, in seconds.
    pub age_s: u64,
    /// The version of the agent inside, as old as the image at least.
    pub agent: Option<String>,
    /// The version of GitLab Runner's helper inside, as old as the image at least.
    pub helper: Option<String>,
}

/// Compares the manifest of each image with its registries and with what is in use.
///
/// # Errors
///
/// For one image: [`ImageFailure::RegistryDenied`] or [`ImageFailure::PushFailed`] if its first repository
/// did not answer wholly, and [`ImageFailure::Unusable`] for a manifest that cannot be read or does not list
/// it. Among several images, these are findings, as anything else that could not be asked. Without images
/// [`ImageFailure::Unusable`], and always [`ImageFailure::Interrupted`].
pub async fn check_drift(
    config: &RunnerConfig,
    images: &[ManagedImage],
    run: &ImageRun,
) -> Result<DriftReport, ImageFailure> {
    if images.is_empty() {
        return Err(ImageFailure::Unusable {
            what: "looking for drift: the configuration has no section `[image.NAME]`".to_owned(),
            hint: "describe an image first".to_owned(),
        });
    }
    let work = async {
        let (mut seen, mut found) = (Vec::new(), Vec::new());
        for image in images {
            match SurveyedImage::look(config, image, RepositoryRights::Pull, run).await {
                Ok(one) => seen.push(one),
                Err(failure) if images.len() == 1 => return Err(failure),
                // The others are looked at all the same.
                Err(failure) => found.push(ImageDrift::unasked(image, &failure)),
            }
        }
        let uses = SurveyedUses::look(config, &run.masker).await;
        found.extend(seen.into_iter().map(|mut one| {
            one.used(&uses);
            ImageDrift::of(&one.facts)
        }));
        found.sort_by(|a, b| a.image.cmp(&b.image));
        let report = DriftReport { at: ManifestTime::now(), images: found };
        let summary = report.summary();
        Ok((report, summary))
    };
    run.step(ImageStep::Drift, work).await
}

impl ImageDrift {
    fn of(facts: &DriftFacts) -> Self {
        let stable = facts.recorded.version_of(&ChannelName::stable());
        let repositories = &facts.repositories;
        Self {
            image: facts.name.clone(),
            repositories: repositories
                .iter()
                .map(|found| (found.name.clone(), found.stored.len()))
                .collect(),
            stable: stable.map(|version| StableVersion {
                digest: version.digest.clone(),
                tag: version.tag.clone(),
                age_s: facts.now.since(version.created).as_secs(),
                agent: version.agent.clone(),
                helper: version.helper.clone(),
            }),
            findings: findings(facts),
            notes: facts.notes.clone(),
        }
    }

    /// An image that could not be looked at.
    fn unasked(image: &ManagedImage, failure: &ImageFailure) -> Self {
        let finding = DriftFinding {
            severity: DriftSeverity::High,
            class: DriftClass::Unasked,
            repository: image.repository.clone(),
            subject: image.name.clone(),
            what: failure.in_one_line(),
            next: "correct it; until then drift goes unseen".to_owned(),
            reclaimable_bytes: None,
        };
        Self {
            image: image.name.clone(),
            repositories: BTreeMap::new(),
            stable: None,
            findings: vec![finding],
            notes: Vec::new(),
        }
    }

    /// How many findings there are of each severity and class.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<(DriftSeverity, DriftClass), usize> {
        let mut counts = BTreeMap::new();
        for finding in &self.findings {
            *counts.entry((finding.severity, finding.class)).or_default() += 1;
        }
        counts
    }

    /// Bytes that a clean-up would give back at most.
    #[must_use]
    pub fn reclaimable_bytes(&self) -> u64 {
        self.findings.iter().filter_map(|finding| finding.reclaimable_bytes).sum()
    }
}

impl DriftReport {
    /// Whether anything differs.
    #[must_use]
    pub fn has_drift(&self) -> bool {
        self.images.iter().any(|image| !image.findings.is_empty())
    }

    /// One line: how many differences there are of each class.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut counts: BTreeMap<(DriftSeverity, DriftClass), usize> = BTreeMap::new();
        for (key, count) in self.images.iter().flat_map(ImageDrift::counts) {
            *counts.entry(key).or_default() += count;
        }
        let words = counts.iter().map(|((severity, class), count)| {
            format!("{count} {} ({})", class.as_str(), severity.as_str())
        });
        match counts.is_empty() {
            true => "no drift".to_owned(),
            false => words.collect::<Vec<_>>().join(", "),
        }
    }

    /// The failure of a command that found drift.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::DriftFound`] with the classes.
    pub fn require_none(&self) -> Result<(), ImageFailure> {
        match self.has_drift() {
            false => Ok(()),
            true => Err(ImageFailure::DriftFound { what: format!("drift: {}", self.summary()) }),
        }
    }
}
