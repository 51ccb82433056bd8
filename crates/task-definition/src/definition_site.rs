//! The task definitions of one profile, as a person asks for them: rendered, registered, compared, listed,
//! pruned.
//!
//! How the answers are shown is not known here.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fargate_aws::AwsAccount;
use fargate_config::{DefinitionSource, JobProfile, RunnerConfig};
use fargate_mask::SharedMasker;
use fargate_state::StateFolder;
use tokio::time::Instant;

use crate::difference::{DefinitionDifference, differences};
use crate::ecs_definitions::EcsDefinitions;
use crate::error::DefinitionError;
use crate::kept_definitions::KeptDefinitions;
use crate::prune::{PruneVerdict, RevisionUse};
use crate::registration::{DefinitionRegistrar, RegisteredDefinition, RevisionOrigin};
use crate::rendered::RenderedDefinition;
use crate::revision::{DefinitionRevision, RevisionStatus};

/// Registering or deregistering that all processes of this host together may do each second.
///
/// Source: Amazon ECS API Reference, "Request throttling for the Amazon ECS API": 1 a second.
const WRITES_PER_SECOND: u32 = 1;

/// The task definitions of one profile.
#[derive(Clone, Debug)]
pub struct DefinitionSite {
    profile: JobProfile,
    ecs: EcsDefinitions,
    kept: KeptDefinitions,
    folder: StateFolder,
}

/// A revision in a list.
#[derive(Clone, Debug)]
pub struct ListedRevision {
    /// The revision.
    pub revision: DefinitionRevision,
    /// Whether the profile makes the same content today.
    pub is_current: bool,
    /// When this host last used it.
    pub last_used: Option<SystemTime>,
}

/// How the rendered definition differs from a registered one.
#[derive(Clone, Debug)]
pub struct DefinitionComparison {
    /// `family:revision` of the registered one; `None` if the family has none.
    pub revision: Option<String>,
    /// The differences, from the registered one to the rendered one.
    pub differences: Vec<DefinitionDifference>,
}

/// What became of one revision.
#[derive(Clone, Debug)]
pub struct PrunedRevision {
    /// The revision.
    pub revision: DefinitionRevision,
    /// Whether it stays, and why.
    pub verdict: PruneVerdict,
    /// Why it could not be removed.
    pub refused: Option<String>,
}

impl DefinitionSite {
    /// For this profile in this account.
    ///
    /// # Errors
    ///
    /// Returns [`DefinitionError::State`] if the state folder cannot be used.
    pub fn new(
        profile: JobProfile,
        account: AwsAccount,
        folder: StateFolder,
    ) -> Result<Self, DefinitionError> {
        // Another name than that of the limiter for reads, which may have the same rate.
        let role = profile.assume_role_arn.as_deref().unwrap_or_default();
        let account_name = format!("task definitions {role}");
        let writes = folder.turns(account.region(), Some(&account_name), WRITES_PER_SECOND);
        let ecs = EcsDefinitions::new(account).sharing(writes);
        let kept = KeptDefinitions::open(&folder, &profile, &ecs)?;
        Ok(Self { profile, ecs, kept, folder })
    }

    /// For this profile, as this host reaches its account. No call is made, except that the instance may
    /// be asked for its Region.
    ///
    /// # Errors
    ///
    /// Returns [`DefinitionError::Account`] if the settings lead to no account, and
    /// [`DefinitionError::State`] if the state folder cannot be used.
    pub async fn open(
        profile: JobProfile,
        state_dir: &Path,
        masker: &SharedMasker,
    ) -> Result<Self, DefinitionError> {
        let account = AwsAccount::open(profile.region.clone(), &profile, masker).await;
        let account = account.map_err(|why| DefinitionError::Account(Box::new(why)))?;
        let folder = StateFolder::open(state_dir, profile.timeouts.state_lock)?;
        Self::new(profile, account, folder)
    }

    /// The definition that the profile makes.
    ///
    /// # Errors
    ///
    /// As [`RenderedDefinition::of`].
    pub fn rendered(&self) -> Result<RenderedDefinition, DefinitionError> {
        RenderedDefinition::of(&self.profile, self.ecs.region())
    }

    /// Looks up and registers for this host.
    #[must_use]
    pub fn registrar(&self) -> DefinitionRegistrar {
        DefinitionRegistrar::new(self.ecs.clone(), self.kept.clone(), self.folder.clone())
    }

    /// Registers the definition that the profile makes, if ECS does not have it. ECS is asked even if this
    /// host knows a revision: a person wants to know what is there, and no RunTask follows that could find
    /// out that the revision was deregistered.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] if it cannot be rendered, looked up or registered until the deadline.
    pub async fn register(
        &self,
        deadline: Instant,
    ) -> Result<RegisteredDefinition, DefinitionError> {
        let (rendered, registrar) = (self.rendered()?, self.registrar());
        let found = registrar.revision(&rendered, deadline).await?;
        if found.origin != RevisionOrigin::Known {
            return Ok(found);
        }
        match self.ecs.describe(&found.arn, deadline).await? {
            Some(revision) if revision.status == RevisionStatus::Active => Ok(found),
            _ => registrar.revision_instead_of(&found.arn, &rendered, deadline).await,
        }
    }

    /// Compares the definition that the profile makes with a registered one: the newest active one of
    /// its family, or the one that `with` names.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] if it cannot be rendered or ECS cannot be asked.
    pub async fn compare(
        &self,
        with: Option<&str>,
        deadline: Instant,
    ) -> Result<DefinitionComparison, DefinitionError> {
        let rendered = self.rendered()?;
        let name = with.unwrap_or(rendered.family());
        let Some(revision) = self.ecs.describe(name, deadline).await? else {
            return Ok(DefinitionComparison { revision: None, differences: Vec::new() });
        };
        Ok(DefinitionComparison {
            revision: Some(revision.name()),
            differences: differences(&revision.canonical, rendered.canonical()),
        })
    }

    /// The revisions of the profile's family, newest first.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] if it cannot be rendered or ECS cannot be asked.
    pub async fn list(&self, deadline: Instant) -> Result<Vec<ListedRevision>, DefinitionError> {
        let rendered = self.rendered()?;
        let revisions = self.ecs.list(rendered.family(), deadline).await?;
        let listed = |revision: DefinitionRevision| ListedRevision {
            is_current: revision.is_of(&rendered),
            last_used: self.last_used(&revision),
            revision,
        };
        Ok(revisions.into_iter().map(listed).collect())
    }

    fn last_used(&self, revision: &DefinitionRevision) -> Option<SystemTime> {
        self.kept.last_used(&revision.family, revision.content.as_deref()?)
    }

    /// Removes the revisions of the profile's family that nobody needs and nothing used for
    /// `retention`: deregisters and then deletes them. Without `removes`, it only tells which.
    ///
    /// `config` is the whole file: its profiles say what is needed and in which clusters tasks run.
    ///
    /// # Errors
    ///
    /// [`DefinitionError`] if somebody who may need a revision could not be asked; then nothing was
    /// removed. A removal that failed is no error; its revision says why.
    pub async fn prune(
        &self,
        config: &RunnerConfig,
        retention: Duration,
        removes: bool,
        deadline: Instant,
    ) -> Result<Vec<PrunedRevision>, DefinitionError> {
        let family = self.rendered()?.family().to_owned();
        let needs = RevisionUse {
            current: self.current(config)?,
            referenced: self.referenced(config, &family, deadline).await?,
            retention,
            now: SystemTime::now(),
        };
        let mut judged: Vec<PrunedRevision> = Vec::new();
        for revision in self.ecs.list(&family, deadline).await? {
            let verdict = PruneVerdict::of(&revision, &needs, self.last_used(&revision));
            judged.push(PrunedRevision { revision, verdict, refused: None });
        }
        if removes {
            self.remove(&mut judged, deadline).await;
        }
        Ok(judged)
    }

    /// What ECS refuses is noted beside its revision, because others may be gone by then.
    async fn remove(&self, judged: &mut [PrunedRevision], deadline: Instant) {
        let mut inactive = Vec::new();
        for pruned in judged.iter_mut().filter(|pruned| pruned.verdict.removes()) {
            let revision = &pruned.revision;
            if let Some(content) = &revision.content {
                self.kept.forget(&revision.family, content, &revision.arn);
            }
            if revision.status == RevisionStatus::Active
                && let Err(error) = self.ecs.deregister(&revision.arn, deadline).await
            {
                pruned.refused = Some(error.to_string());
                continue;
            }
            inactive.push(revision.arn.clone());
        }
        for (arn, reason) in self.ecs.delete(&inactive, deadline).await {
            let refused = judged.iter_mut().find(|pruned| pruned.revision.arn == arn);
            refused.into_iter().for_each(|pruned| pruned.refused = Some(reason.clone()));
        }
    }

    /// What the profiles of the file make today. A profile that cannot be rendered may need anything.
    fn current(&self, config: &RunnerConfig) -> Result<BTreeSet<String>, DefinitionError> {
        let mut current = BTreeSet::from([self.rendered()?.content().to_string()]);
        for profile in profiles(config) {
            if matches!(profile.definition(), DefinitionSource::Derived(_)) {
                let rendered = RenderedDefinition::of(&profile, self.ecs.region())?;
                current.insert(rendered.content().to_string());
            }
        }
        Ok(current)
    }

    /// What running tasks and the records of this host name.
    async fn referenced(
        &self,
        config: &RunnerConfig,
        family: &str,
        deadline: Instant,
    ) -> Result<BTreeSet<String>, DefinitionError> {
        let mut clusters = BTreeSet::from([self.profile.cluster.clone()]);
        // A task runs with a revision of its own Region.
        let here = |profile: &JobProfile| {
            profile.region.as_deref().is_none_or(|region| region == self.ecs.region())
        };
        clusters.extend(profiles(config).filter(here).map(|profile| profile.cluster));
        let mut referenced = BTreeSet::new();
        for cluster in clusters {
            referenced.extend(self.ecs.in_use(&cluster, family, deadline).await?);
        }
        for key in self.folder.keys()? {
            let record = self.folder.record(&key)?;
            let launches = record.into_iter().flat_map(|record| record.launches);
            referenced.extend(launches.map(|launch| launch.task_definition));
        }
        for profile in profiles(config) {
            referenced.extend(profile.task_definition.clone());
            referenced.extend(profile.job_task_definitions);
        }
        Ok(referenced)
    }
}

/// Every profile of a file that is complete.
fn profiles(config: &RunnerConfig) -> impl Iterator<Item = JobProfile> {
    let names = config.profile_names().into_iter().map(Some).chain([None]);
    names.filter_map(move |name| config.profile(name).ok())
}
