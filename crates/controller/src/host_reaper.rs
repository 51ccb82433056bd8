//! The reaper of one host: looks at all its tasks and records once, and ends those that nobody
//! needs.
//!
//! It asks ECS before it reads the records. A record is written before its task starts, so each
//! task that ECS shows already has its record, however new it is. A task that ECS does not show yet
//! is not judged.
//!
//! How tasks and records are compared is the matter of `orphan_search`, and which of them is an orphan that of
//! `judge`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fargate_config::JobProfile;
use fargate_driver::daemon::TaskPlace;
use fargate_driver::task::{ObservedTask, survey};
use fargate_events::{JobEvent, emit};
use fargate_model::id::TaskOwner;
use fargate_model::text::error_chain;
use fargate_state::{FileLock, FolderOrigin, StateError, StateFolder};
use tokio::time::Instant;

use crate::account_cluster::{self, AccountCluster, ClusterSet};
use crate::finding::{FoundOrphan, OrphanIdentity};
use crate::folder_guard::FolderGuard;
use crate::judge::OrphanJudge;
use crate::judge_clock::JudgeClock;
use crate::orphan_search::OrphanSearch;
use crate::reap_error::{ReapError, ReaperSettings};
use crate::report::{SweepReport, SweepScope};
use crate::sightings::OrphanSightings;
use crate::stop_orphans::{self, ReapMode};

/// Finds the orphans of one host and stops them. It remembers what it saw, so use the same one for
/// every sweep.
#[derive(Debug)]
pub struct HostReaper {
    guard: FolderGuard,
    owner: TaskOwner,
    is_named: bool,
    clusters: ClusterSet,
    is_whole: bool,
    /// What is wrong since the start, in words for the operator.
    problems: Vec<String>,
    sightings: OrphanSightings<OrphanIdentity>,
    apart: Duration,
    sole: Option<FileLock>,
}

/// What ECS showed in one sweep.
#[derive(Debug)]
pub(crate) struct HostSurvey {
    /// When it was asked.
    pub asked: Instant,
    /// The tasks of this owner, each with the index of its cluster.
    seen: Vec<(usize, ObservedTask)>,
    /// The clusters that answered.
    pub answered: Vec<TaskPlace>,
    /// The clusters that did not answer, and what was said.
    pub silent: Vec<(TaskPlace, String)>,
    sweep: SweepReport,
}

impl HostSurvey {
    /// How many tasks of this host ECS shows.
    pub fn len(&self) -> usize {
        self.seen.len()
    }
}

impl HostReaper {
    /// Reads who this host is, and connects to its clusters. Only one reaper of a host may stop
    /// tasks at a time.
    ///
    /// # Errors
    ///
    /// Returns [`ReapError`] if the state folder is missing, copied or unusable, or if another
    /// reaper stops orphans on this host.
    pub async fn open(host: ReaperSettings, intent: ReapMode) -> Result<Self, ReapError> {
        let longest = |of: fn(&JobProfile) -> Duration| {
            host.profiles.iter().map(of).max().unwrap_or_default()
        };
        let lock = longest(|profile| profile.timeouts.state_lock);
        let apart = longest(|profile| profile.timeouts.orphan_recheck);
        let folder = StateFolder::existing(&host.state_dir, lock)?;
        match (folder.made()?, intent) {
            (FolderOrigin::Elsewhere, _) => return Err(ReapError::Copied { path: host.state_dir }),
            (FolderOrigin::Unknown, ReapMode::End) => folder.learn_machine().await,
            (FolderOrigin::Unknown, ReapMode::Look) | (FolderOrigin::Here, _) => {}
        }
        let sole = match intent {
            ReapMode::Look => None,
            ReapMode::End => sole(&folder)?,
        };
        let owner = folder.owner(host.owner.as_deref()).await?.owner;
        let sharing = Some(&folder).filter(|_| intent == ReapMode::End);
        let clusters = ClusterSet::open(sharing, host.profiles, (&host.masker, &host.calls)).await;
        // Without an id of this folder, each task that names a folder counts as one of another
        // folder and is left alone.
        let (id, problems) = match folder.owner(None).await {
            Ok(id) => (id.owner.to_string(), Vec::new()),
            Err(error) => (String::new(), vec![error_chain(&error)]),
        };
        Ok(Self {
            guard: FolderGuard::new(folder, id),
            owner,
            is_named: host.owner.is_some(),
            clusters,
            is_whole: host.is_whole,
            problems,
            sightings: OrphanSightings::new(apart),
            apart,
            sole,
        })
    }

    /// This host's name, as `startedBy` shows it.
    #[must_use]
    pub fn owner(&self) -> &TaskOwner {
        &self.owner
    }

    /// The least time between two sightings.
    #[must_use]
    pub fn apart(&self) -> Duration {
        self.apart
    }

    /// Lets another reaper of this host stop orphans until [`HostReaper::lock_again`].
    pub(crate) fn unlock(&mut self) {
        self.sole = None;
    }

    /// Becomes the only reaper again.
    ///
    /// # Errors
    ///
    /// Returns [`ReapError::Busy`] if another one is at work.
    pub(crate) fn lock_again(&mut self) -> Result<(), ReapError> {
        self.sole = sole(self.guard.folder())?;
        Ok(())
    }

    /// Looks at everything once. Stops the orphans that an earlier look found as well. `told` gets
    /// how many of how many are done.
    pub async fn sweep(
        &mut self,
        intent: ReapMode,
        told: &mut dyn FnMut(usize, usize),
    ) -> SweepReport {
        let survey = self.survey().await;
        self.settle(survey, intent, told).await
    }

    /// Judges what ECS showed, and stops the orphans that an earlier look found as well.
    pub(crate) async fn settle(
        &mut self,
        survey: HostSurvey,
        intent: ReapMode,
        told: &mut dyn FnMut(usize, usize),
    ) -> SweepReport {
        let clusters = self.clusters.clusters().to_vec();
        let answered = survey.answered.clone();
        let judges: Vec<OrphanJudge> =
            clusters.iter().map(|cluster| self.judge(cluster, &answered)).collect();
        let (found, mut sweep) = match self.search(survey, judges.clone()).await {
            (Ok(found), sweep) => (found, sweep),
            (Err(lost), mut sweep) => {
                // Two sightings have no gap.
                self.sightings.note(Vec::new());
                sweep.problems.push(lost);
                sweep.log(SweepScope::Host);
                return sweep;
            }
        };
        let due = self.sightings.note(found.iter().map(FoundOrphan::mark).collect());
        let make_stopper = |place: &Arc<AccountCluster>| stop_orphans::HostOrphanStopper {
            place: Arc::clone(place),
            guard: self.guard.clone(),
            judge: self.judge(place, &answered),
            refused: stop_orphans::SkipReason::default(),
        };
        sweep.orphans =
            stop_orphans::settle(&clusters, (found, due), intent, make_stopper, told).await;
        sweep.log(SweepScope::Host);
        sweep
    }

    /// Compares tasks and records, on a thread that may wait for the disk.
    async fn search(
        &self,
        survey: HostSurvey,
        judges: Vec<OrphanJudge>,
    ) -> (Result<Vec<FoundOrphan>, String>, SweepReport) {
        let HostSurvey { seen, mut sweep, .. } = survey;
        let search = OrphanSearch {
            guard: self.guard.clone(),
            judges,
            judge_elsewhere: self.judge_by(None),
            clusters: self.clusters.clusters().to_vec(),
            is_whole: self.is_whole,
            seen,
        };
        let searched = tokio::task::spawn_blocking(move || (search.run(&mut sweep), sweep)).await;
        match searched {
            Ok(searched) => searched,
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and this sweep with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// The judge of a cluster, by its clock if it answered.
    fn judge(&self, cluster: &AccountCluster, answered: &[TaskPlace]) -> OrphanJudge {
        let is_answered = answered.contains(&cluster.ecs.place(&cluster.cluster));
        self.judge_by(cluster.ecs.time().filter(|_| is_answered))
    }

    fn judge_by(&self, ecs: Option<SystemTime>) -> OrphanJudge {
        let (owner, folder) = (self.owner.clone(), self.guard.id().to_owned());
        let clock = JudgeClock { host: SystemTime::now(), ecs };
        OrphanJudge { owner, folder, is_named: self.is_named, clock }
    }

    /// All tasks of this owner that should run. Clusters that could not be reached before are tried again.
    pub(crate) async fn survey(&mut self) -> HostSurvey {
        if !self.clusters.is_whole() {
            self.clusters.reach().await;
        }
        let asked = Instant::now();
        let ask = |cluster: Arc<AccountCluster>, deadline| {
            let owner = self.owner.clone();
            async move { survey(&cluster.ecs, &cluster.cluster, Some(&owner), deadline).await }
        };
        let clusters = self.clusters.clusters();
        let problems = [self.problems.clone(), self.clusters.problems()].concat();
        let mut sweep = SweepReport { problems, ..SweepReport::default() };
        let (mut seen, mut answered, mut silent) = (Vec::new(), Vec::new(), Vec::new());
        for (index, answer) in account_cluster::survey_each(clusters, ask).await {
            let cluster = &clusters[index];
            let place = cluster.ecs.place(&cluster.cluster);
            match answer {
                Ok(tasks) => {
                    if cluster.ecs.time().is_none() {
                        let words = cluster.words();
                        sweep.problems.push(format!(
                            "{words}: the answer of ECS had no time, so no deadline is judged"
                        ));
                    }
                    seen.extend(tasks.into_iter().map(|task| (index, task)));
                    answered.push(place);
                }
                Err(error) => {
                    sweep.problems.push(account_cluster::not_surveyed(cluster, &error));
                    silent.push((place, error.to_string()));
                }
            }
        }
        sweep.clusters = answered.len();
        HostSurvey { asked, seen, answered, silent, sweep }
    }

    /// The tasks of a survey, each with its place.
    pub(crate) fn placed(&self, survey: &HostSurvey) -> Vec<(TaskPlace, ObservedTask)> {
        let place = |index: usize| {
            let cluster = &self.clusters.clusters()[index];
            cluster.ecs.place(&cluster.cluster)
        };
        survey.seen.iter().map(|(index, task)| (place(*index), task.clone())).collect()
    }
}

/// Takes the lock of the only reaper. If the disk allows no lock, tasks are stopped all the same,
/// because it does no harm to stop a task twice.
fn sole(folder: &StateFolder) -> Result<Option<FileLock>, ReapError> {
    match folder.lock_reap() {
        Ok(lock) => Ok(Some(lock)),
        Err(error @ StateError::Held { .. }) => Err(error.into()),
        Err(error) => {
            emit(JobEvent::StateNotWritten { message: error.to_string() });
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use fargate_aws::CallCounter;
    use fargate_mask::SharedMasker;

    use super::*;

    #[tokio::test]
    async fn a_state_folder_that_is_gone_or_replaced_after_the_start_judges_no_task() {
        let root = tempfile::tempdir().unwrap();
        let state_dir = root.path().join("state");
        let within = Duration::from_secs(1);
        let folder = StateFolder::open(&state_dir, within).unwrap();
        folder.owner(None).await.unwrap();
        let settings = ReaperSettings {
            owner: None,
            state_dir: state_dir.clone(),
            profiles: Vec::new(),
            is_whole: true,
            masker: SharedMasker::default(),
            calls: CallCounter::default(),
        };
        let mut reaper = HostReaper::open(settings, ReapMode::End).await.unwrap();
        let problems = async |reaper: &mut HostReaper| {
            reaper.sweep(ReapMode::End, &mut |_, _| {}).await.problems
        };
        assert_eq!(problems(&mut reaper).await, Vec::<String>::new());

        std::fs::rename(&state_dir, root.path().join("away")).unwrap();
        let gone = problems(&mut reaper).await;
        assert!(gone.iter().any(|words| words.contains("is lost")), "{gone:?}");

        StateFolder::open(&state_dir, within).unwrap().owner(None).await.unwrap();
        let replaced = problems(&mut reaper).await;
        assert!(replaced.iter().any(|words| words.contains("another folder")), "{replaced:?}");
    }
}
