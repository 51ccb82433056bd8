//! Gathers the facts about an image: manifest, registries, bases, then uses. The uses come last, so that
//! they are the newest of all facts.

use std::collections::BTreeSet;
use std::sync::Arc;

use fargate_config::{LayerCompression, ManagedImage, RunnerConfig};
use fargate_image_manifest::{
    ChannelName, ImageDigest, ImageManifest, ManifestFile, ManifestTime, RecordedImage,
};
use fargate_model::text::error_chain;
use fargate_registry::RepositoryRights;

use super::base_survey;
use super::drift_facts::{DriftFacts, ExpectedImage, RepositoryFacts};
use super::registry_survey;
use super::use_survey::SurveyedUses;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::promote::channel_commands::recorded;
use crate::promote::repository_access::{ImageRepositories, ImageRepository};

/// What manifests name, of all images of the configuration.
#[derive(Debug, Default)]
pub(super) struct ListedNames {
    /// Every digest, in any role.
    pub digests: BTreeSet<ImageDigest>,
    /// Every channel.
    pub channels: BTreeSet<String>,
    /// Manifests that could not be read.
    pub unread: Vec<String>,
}

/// The facts of one image before its uses are known, and the repositories that gave them.
pub(super) struct SurveyedImage {
    pub facts: DriftFacts,
    /// In the order of the facts. One that could not be opened is in neither.
    pub repositories: Vec<Arc<ImageRepository>>,
}

impl ListedNames {
    /// Reads the manifests of all images of the configuration: several images may share a repository.
    pub fn read(config: &RunnerConfig) -> Self {
        let mut names = Self::default();
        // Channels that every image has, sooner or later.
        names.channels.extend([ChannelName::latest(), ChannelName::stable()].map(String::from));
        let paths: BTreeSet<_> = config.managed_images().map(|image| image.manifest).collect();
        for path in paths {
            match ManifestFile::read_or_empty(&path) {
                Ok(file) => names.take(&file.manifest),
                Err(error) => names.unread.push(error_chain(&error)),
            }
        }
        names
    }

    fn take(&mut self, manifest: &ImageManifest) {
        for image in manifest.images.values() {
            for (channel, assigned) in &image.channels {
                self.channels.insert(channel.to_string());
                self.digests.insert(assigned.digest.clone());
                self.digests.extend(assigned.former.iter().map(|former| former.digest.clone()));
            }
            for version in &image.versions {
                self.digests.insert(version.digest.clone());
                let base = version.base.as_ref().and_then(|base| base.digest.as_ref());
                let papers = [&version.sbom, &version.provenance, &version.signature];
                let papers = papers.into_iter().flatten();
                self.digests.extend(papers.chain(base).cloned());
            }
        }
    }
}

impl SurveyedImage {
    /// Asks manifest, registries and the registries of the bases. The first repository must answer; a replica
    /// that does not is told.
    pub async fn look(
        config: &RunnerConfig,
        image: &ManagedImage,
        rights: RepositoryRights,
        run: &ImageRun,
    ) -> Result<Self, ImageFailure> {
        let listed = ListedNames::read(config);
        let file = ManifestFile::read(&image.manifest)?;
        let entry = recorded(&file, image)?.clone();
        let access = ImageRepositories::open(config, image, &run.masker).await?;
        let (mut facts, mut repositories) = (Vec::new(), Vec::new());
        let mut unasked = listed.unread;
        for (at, name) in names(image, &entry).into_iter().enumerate() {
            let wanted = wanted(&entry, at == 0);
            match look_at(&access, &name, rights, &wanted, run).await {
                Ok((repository, found)) => {
                    repositories.push(repository);
                    facts.push(found);
                }
                Err(failure) if at == 0 => return Err(failure),
                Err(failure) => unasked.push(format!("replica {name}: {}", failure.in_one_line())),
            }
        }
        let (moved_bases, notes) = base_survey::look(&access, &entry).await;
        let facts = DriftFacts {
            name: image.name.clone(),
            recorded: entry,
            listed: listed.digests,
            channel_tags: listed.channels,
            repositories: facts,
            uses: Vec::new(),
            moved_bases,
            unasked,
            notes,
            expected: expected(image),
            now: ManifestTime::now(),
        };
        Ok(Self { facts, repositories })
    }

    /// Adds what is in use.
    pub fn used(&mut self, uses: &SurveyedUses) {
        self.facts.uses = uses.of(&self.facts.repositories);
        self.facts.unasked.extend(uses.unasked.iter().cloned());
    }
}

async fn look_at(
    access: &ImageRepositories,
    name: &str,
    rights: RepositoryRights,
    wanted: &BTreeSet<ImageDigest>,
    run: &ImageRun,
) -> Result<(Arc<ImageRepository>, RepositoryFacts), ImageFailure> {
    let repository = Arc::new(access.repository(name, rights).await?);
    let found = registry_survey::survey(&repository, wanted, run).await?;
    Ok((repository, found))
}

fn expected(image: &ManagedImage) -> ExpectedImage {
    ExpectedImage {
        stale_after: image.stale_after,
        grace: image.unneeded_after,
        signed: image.signing_key.is_some(),
        zstd: image.compression == LayerCompression::Zstd,
        program: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// The first repository, then the replicas of the configuration and of the manifest, each once.
fn names(image: &ManagedImage, entry: &RecordedImage) -> Vec<String> {
    let replicas = entry.replicas.iter().map(|replica| &replica.repository);
    let mut names = vec![entry.repository.clone()];
    for name in image.replicas.iter().chain(replicas) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// The digests that are looked for whether or not they have a tag.
fn wanted(entry: &RecordedImage, is_first: bool) -> BTreeSet<ImageDigest> {
    let has_channel = |digest| entry.channels_of(digest).next().is_some();
    let versions = entry.versions.iter().filter(|version| is_first || has_channel(&version.digest));
    let with_papers = versions.flat_map(|version| {
        let papers = [&version.sbom, &version.provenance, &version.signature];
        std::iter::once(&version.digest).chain(papers.into_iter().flatten())
    });
    with_papers.cloned().collect()
}
