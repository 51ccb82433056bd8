//! Looks at who uses images: the tasks of every cluster that the configuration names, whoever started them,
//! the active task definitions of its accounts, and the configuration itself.
//!
//! It asks ECS and nobody else, and changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use fargate_aws::AwsAccount;
use fargate_config::{AccountSettings, JobProfile, RunnerConfig};
use fargate_image_manifest::ImageDigest;
use fargate_mask::SharedMasker;
use fargate_model::text::error_chain;
use fargate_registry::{ImageReference, ImageVersion};
use fargate_task_definition::{ContainerImageUse, EcsDefinitions};

use super::drift_facts::{ImageUse, RepositoryFacts};

/// What was seen of all uses.
#[derive(Debug, Default)]
pub(super) struct SurveyedUses {
    uses: BTreeSet<ContainerImageUse>,
    /// What could not be asked.
    pub unasked: Vec<String>,
}

/// One account in one Region, and its clusters.
struct UsePlace {
    ecs: EcsDefinitions,
    account: AccountSettings,
    clusters: BTreeSet<String>,
    limit: Duration,
}

impl SurveyedUses {
    /// Asks everything.
    pub async fn look(config: &RunnerConfig, masker: &SharedMasker) -> Self {
        let mut seen = Self::default();
        let places = seen.places(config, masker).await;
        for UsePlace { ecs, clusters, limit, .. } in &places {
            for cluster in clusters {
                let found = ecs.images_of_tasks(cluster, *limit).await;
                let asked = format!("the tasks of cluster {cluster} in {}", ecs.region());
                seen.take(&asked, found);
            }
            let found = ecs.images_of_active_definitions(*limit).await;
            seen.take(&format!("the task definitions in {}", ecs.region()), found);
        }
        seen
    }

    fn take(
        &mut self,
        asked: &str,
        found: Result<BTreeSet<ContainerImageUse>, fargate_task_definition::DefinitionError>,
    ) {
        match found {
            Ok(found) => self.uses.extend(found),
            Err(error) => self.unasked.push(format!("{asked}: {}", error_chain(&error))),
        }
    }

    /// The accounts and clusters of all profiles that are complete, each once.
    async fn places(&mut self, config: &RunnerConfig, masker: &SharedMasker) -> Vec<UsePlace> {
        let mut places: Vec<UsePlace> = Vec::new();
        let names = config.profile_names().into_iter().map(Some).chain([None]);
        let profiles: Vec<JobProfile> =
            names.filter_map(|name| config.profile(name).ok()).collect();
        if profiles.is_empty() {
            let what = "the configuration has no complete profile, so no cluster could be asked";
            self.unasked.push(what.to_owned());
        }
        for profile in profiles {
            self.configured(&profile);
            let account = AwsAccount::open(profile.region.clone(), &profile, masker).await;
            let account = match account {
                Ok(account) => account,
                Err(why) => {
                    let name = profile.name.as_deref().unwrap_or("[defaults]");
                    self.unasked.push(format!("the account of {name}: {}", why.headline()));
                    continue;
                }
            };
            let (region, settings) = (account.region().to_owned(), profile.account());
            let is_same =
                |place: &UsePlace| place.ecs.region() == region && place.account == settings;
            match places.iter_mut().find(|place| is_same(place)) {
                Some(place) => drop(place.clusters.insert(profile.cluster)),
                None => places.push(UsePlace {
                    ecs: EcsDefinitions::new(account),
                    account: settings,
                    clusters: BTreeSet::from([profile.cluster]),
                    limit: profile.timeouts.aws_call,
                }),
            }
        }
        places
    }

    /// The image that a profile itself names. A channel is the manifest's business.
    fn configured(&mut self, profile: &JobProfile) {
        if let (Some(image), None) = (&profile.image, &profile.channel) {
            let name = profile.name.as_deref().unwrap_or("[defaults]");
            self.uses.insert(ContainerImageUse {
                user: format!("profile {name}"),
                image: image.clone(),
                digest: None,
            });
        }
    }

    /// The uses of images of these repositories.
    pub fn of(&self, repositories: &[RepositoryFacts]) -> Vec<ImageUse> {
        let places: Vec<Option<ImageReference>> =
            repositories.iter().map(|repository| repository.name.parse().ok()).collect();
        let used = |used: &ContainerImageUse| {
            let image: ImageReference = used.image.parse().ok()?;
            let is_same = |place: &Option<ImageReference>| {
                place.as_ref().is_some_and(|place| {
                    place.host() == image.host() && place.repository() == image.repository()
                })
            };
            let repository = places.iter().position(is_same)?;
            let pulled = || used.digest.as_ref()?.parse().ok();
            let (tag, digest): (_, Option<ImageDigest>) = match image.version() {
                ImageVersion::Digest(digest) => (None, digest.parse().ok()),
                ImageVersion::Tag(tag) => (Some(tag.clone()), pulled()),
            };
            Some(ImageUse { user: in_words(&used.user), repository, tag, digest })
        };
        self.uses.iter().filter_map(used).collect()
    }
}

/// `task 0123...` or `task definition ci:4`, of an ARN.
fn in_words(user: &str) -> String {
    match (user.split_once(":task-definition/"), user.rsplit_once('/')) {
        (Some((_, name)), _) => format!("task definition {name}"),
        (None, Some((arn, id))) if arn.contains(":task") => format!("task {id}"),
        _ => user.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(name: &str) -> RepositoryFacts {
        RepositoryFacts { name: name.to_owned(), ..RepositoryFacts::default() }
    }

    #[test]
    fn only_uses_of_these_repositories_count_and_the_pulled_digest_goes_before_the_tag() {
        let digest = |letter: &str| format!("sha256:{}", letter.repeat(64));
        let task = "arn:aws:ecs:eu-west-1:123456789012:task/ci/0123";
        let used = |image: &str, pulled: Option<String>| ContainerImageUse {
            user: task.to_owned(),
            image: image.to_owned(),
            digest: pulled,
        };
        let uses = BTreeSet::from([
            used("r.example/team/ci:stable", Some(digest("a"))),
            used("r.example/team/ci:latest", None),
            used(&format!("r.example/team/ci@{}", digest("b")), Some(digest("c"))),
            used("r.example/team/ci-node:stable", None),
            used("other.example/team/ci:stable", None),
            used("debian", None),
        ]);
        let seen = SurveyedUses { uses, unasked: Vec::new() };
        let found = seen.of(&[repository("us.example/ci"), repository("r.example/team/ci")]);
        let found: Vec<_> = found
            .into_iter()
            .map(|one| (one.user, one.repository, one.tag, one.digest.map(String::from)))
            .collect();
        let user = "task 0123".to_owned();
        assert_eq!(
            found,
            [
                (user.clone(), 1, Some("latest".to_owned()), None),
                (user.clone(), 1, Some("stable".to_owned()), Some(digest("a"))),
                (user, 1, None, Some(digest("b"))),
            ]
        );
    }

    #[test]
    fn a_user_is_named_by_the_end_of_its_arn() {
        let definition = "arn:aws:ecs:eu-west-1:1:task-definition/ci:4";
        assert_eq!(in_words(definition), "task definition ci:4");
        assert_eq!(in_words("profile a/b"), "profile a/b");
    }
}
