//! The reaper of one host: looks at all its tasks and records once, and ends those that nobody
//! needs.
//!
//! It asks ECS before it reads the records. A record is written before its task starts, so each
//! task that ECS shows already has its record, however new it is. A task that ECS does not show yet
//! is not judged.
//!
//! Which task is an orphan is decided in `judge`.

use fargate_mask::SharedMasker;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fargate_config::JobProfile;
use fargate_driver::task::{ObservedTask, RateLimiter, survey};
use fargate_events::{JobEvent, emit};
use fargate_model::id::TaskOwner;
use fargate_model::job::JobKey;
use fargate_model::text::error_chain;
use fargate_state::{FileLock, FolderOrigin, JobRecord, JobState, StateError, StateFolder};

use crate::account_cluster::{self, AccountCluster};
use crate::finding::{FoundOrphan, OrphanIdentity, OrphanSubject};
use crate::judge::{self, OrphanJudge, OrphanReason, OrphanVerdict};
use crate::report::{
    KeptTaskReport, OrphanOutcome, OrphanReport, SweepReport, SweepScope, UnjudgedTask,
};
use crate::sightings::OrphanSightings;
use crate::stop_orphans::{self, ReapMode};

/// Most calls a second to StopTask, and to RunTask when a launch is settled.
///
/// The number is ours. All RunTask and StopTask calls of an account and Region share 40 a second
/// (source: Amazon ECS API Reference, "Request throttling"), and jobs must be able to start at the
/// same time.
pub const STOPS_PER_SECOND: u32 = 15;

/// What the reaper must know about its host.
#[derive(Clone, Debug)]
pub struct ReaperSettings {
    /// This host's name, if the configuration gives one.
    pub owner: Option<String>,
    /// The folder that holds the records.
    pub state_dir: PathBuf,
    /// The profiles whose clusters are searched.
    pub profiles: Vec<JobProfile>,
    /// Whether these are all profiles under which jobs run.
    pub is_whole: bool,
    /// Masks what is told of them.
    pub masker: SharedMasker,
}

/// Why the reaper did not look at anything.
#[derive(Debug, thiserror::Error)]
pub enum ReapError {
    /// The folder is missing. Without the records, every live task would look like an orphan.
    #[error(
        "the state folder {} does not exist, so every task would look like an orphan; check that its disk is mounted and that jobs use the same `state_dir`",
        path.display()
    )]
    NoFolder {
        /// The folder, or the missing part of its path.
        path: PathBuf,
    },
    /// The folder is a copy. It knows the same tasks as the original, but not which of them jobs
    /// still use.
    #[error(
        "the state folder {} is a copy from another machine, and jobs there may still use its tasks",
        path.display()
    )]
    Copied {
        /// The folder.
        path: PathBuf,
    },
    /// The folder cannot be used.
    #[error("{}", error_chain(.0))]
    State(StateError),
    /// Another process already stops orphans on this host.
    #[error("another `tasks reap` is running on this host")]
    Busy,
}

impl From<StateError> for ReapError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Disk { path, source, .. }
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Self::NoFolder { path }
            }
            StateError::Held { .. } => Self::Busy,
            error => Self::State(error),
        }
    }
}

/// Finds the orphans of one host and stops them. It remembers what it saw, so use the same one for
/// every sweep.
#[derive(Debug)]
pub struct HostReaper {
    pub(crate) folder: StateFolder,
    owner: TaskOwner,
    folder_id: String,
    is_named: bool,
    places: Vec<Arc<AccountCluster>>,
    is_whole: bool,
    /// What cannot be searched, in words for the operator.
    unreachable: Vec<String>,
    sightings: OrphanSightings<OrphanIdentity>,
    apart: Duration,
    _sole: Option<FileLock>,
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
        let _sole = match intent {
            ReapMode::Look => None,
            ReapMode::End => sole(&folder)?,
        };
        let owner = folder.owner(host.owner.as_deref()).await?.owner;
        let pace = RateLimiter::per_second(STOPS_PER_SECOND);
        let (places, mut unreachable) = account_cluster::open(
            Some(&folder).filter(|_| intent == ReapMode::End),
            host.profiles,
            &pace,
            &host.masker,
        )
        .await;
        // Without an id of this folder, each task that names a folder counts as one of another
        // folder and is left alone.
        let folder_id = match folder.owner(None).await {
            Ok(id) => id.owner.to_string(),
            Err(error) => {
                unreachable.push(error_chain(&error));
                String::new()
            }
        };
        Ok(Self {
            folder,
            owner,
            folder_id,
            is_named: host.owner.is_some(),
            places,
            is_whole: host.is_whole,
            unreachable,
            sightings: OrphanSightings::new(apart),
            apart,
            _sole,
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

    pub(crate) fn judge(&self) -> OrphanJudge {
        let (owner, folder) = (self.owner.clone(), self.folder_id.clone());
        OrphanJudge { owner, folder, is_named: self.is_named, now: SystemTime::now() }
    }

    /// Looks at everything once. Stops the orphans that an earlier look found as well. `told` gets
    /// how many of how many are done.
    pub async fn sweep(
        &mut self,
        intent: ReapMode,
        told: &mut dyn FnMut(usize, usize),
    ) -> SweepReport {
        let mut sweep =
            SweepReport { problems: self.unreachable.clone(), ..SweepReport::default() };
        let seen = self.survey(&mut sweep).await;
        let found = self.judge_all(&seen, &mut sweep);
        let due = self.sightings.note(found.iter().map(FoundOrphan::mark).collect());
        let make_stopper = |place: &Arc<AccountCluster>| self.stopper(place);
        sweep.orphans =
            stop_orphans::settle(&self.places, (found, due), intent, make_stopper, told).await;
        sweep.log(SweepScope::Host);
        sweep
    }

    fn stopper(&self, place: &Arc<AccountCluster>) -> stop_orphans::HostOrphanStopper {
        let (place, folder) = (Arc::clone(place), self.folder.clone());
        stop_orphans::HostOrphanStopper {
            place,
            folder,
            judge: self.judge(),
            refused: stop_orphans::SkipReason::default(),
        }
    }

    /// All tasks of this owner that should run, each with the index of its cluster.
    async fn survey(&self, sweep: &mut SweepReport) -> Vec<(usize, ObservedTask)> {
        let ask = |place: Arc<AccountCluster>, deadline| {
            let owner = self.owner.clone();
            async move { survey(&place.ecs, &place.cluster, Some(&owner), deadline).await }
        };
        let listed = account_cluster::survey_each(&self.places, ask, &mut sweep.problems).await;
        sweep.clusters += listed.len();
        let of_place = |(place, tasks): (usize, Vec<ObservedTask>)| {
            tasks.into_iter().map(move |task| (place, task))
        };
        listed.into_iter().flat_map(of_place).collect()
    }

    /// Everything that nobody needs. A record stands for all tasks that it names.
    fn judge_all(
        &self,
        seen: &[(usize, ObservedTask)],
        sweep: &mut SweepReport,
    ) -> Vec<FoundOrphan> {
        let judge = self.judge();
        let jobs = self.known_jobs(seen, sweep);
        let mut found = Vec::new();
        for (place, task) in seen.iter().filter(|(_, task)| !task.stopping) {
            let known = judge::job_of(task).and_then(|job| jobs.get(&job));
            let known = known.unwrap_or(&JobState::Nothing);
            match judge.task(task, known) {
                OrphanVerdict::Needed => sweep.needed += 1,
                // The record below stands for it.
                OrphanVerdict::Kept(_) => {}
                OrphanVerdict::LeftAlone(doubt) => {
                    sweep.left_alone.push(UnjudgedTask { task: task.task.clone(), doubt });
                }
                // The record below stands for this task. To report both would stop it twice.
                OrphanVerdict::Orphan(_) if is_named(known, task) => {}
                OrphanVerdict::Orphan(reason) => {
                    found.extend(self.found_task(*place, task, reason, judge.now));
                }
            }
        }
        // Jobs in clusters that no profile names any more. Nobody can look at them, so the operator
        // must know.
        let mut elsewhere: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for known in jobs.values() {
            let JobState::Record(record) = known else { continue };
            match (judge.record(record), account_cluster::of_record(&self.places, record, seen)) {
                (OrphanVerdict::Kept(kept), _) => sweep.kept.push(KeptTaskReport {
                    job_id: record.job_id.clone(),
                    task: record.location.task.clone(),
                    kept,
                }),
                (OrphanVerdict::Orphan(reason), Some(place)) => {
                    found.push(self.found_record(place, record, reason, seen, judge.now));
                }
                (OrphanVerdict::Orphan(_), None) if self.is_whole => sweep.problems.push(format!(
                    "job {}: no profile uses its cluster {} in {}",
                    record.job_id, record.location.cluster, record.location.region
                )),
                (OrphanVerdict::Needed, None) if self.is_whole => {
                    let location = &record.location;
                    *elsewhere.entry((&location.cluster, &location.region)).or_default() += 1;
                }
                _ => {}
            }
        }
        sweep.problems.extend(elsewhere.iter().map(|((cluster, region), jobs)| {
            let jobs = if *jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") };
            format!("cluster {cluster} in {region}: no profile uses this cluster, so its {jobs} cannot be checked")
        }));
        found
    }

    /// What is known of each job that has a record or a task. Call it after the tasks were listed.
    fn known_jobs(
        &self,
        seen: &[(usize, ObservedTask)],
        sweep: &mut SweepReport,
    ) -> HashMap<JobKey, JobState> {
        let recorded = self.folder.keys().unwrap_or_else(|error| {
            sweep.problems.push(error_chain(&error));
            Vec::new()
        });
        let of_tasks = seen.iter().filter_map(|(_, task)| judge::job_of(task));
        let mut jobs = HashMap::new();
        for key in recorded.into_iter().chain(of_tasks) {
            jobs.entry(key).or_insert_with_key(|key| self.folder.known(key));
        }
        jobs
    }

    fn orphan(&self, place: usize, job: JobKey, reason: OrphanReason) -> OrphanReport {
        OrphanReport {
            task: None,
            job,
            job_id: None,
            cluster: self.places[place].cluster_name().to_owned(),
            region: self.places[place].ecs.region().to_owned(),
            age: None,
            reason,
            done: OrphanOutcome::SeenOnce,
        }
    }

    fn found_task(
        &self,
        place: usize,
        task: &ObservedTask,
        reason: OrphanReason,
        now: SystemTime,
    ) -> Option<FoundOrphan> {
        let orphan = OrphanReport {
            task: Some(task.task.clone()),
            age: judge::age(task, now),
            ..self.orphan(place, judge::job_of(task)?, reason)
        };
        Some(FoundOrphan { finding: OrphanSubject::Task(Box::new(task.clone())), place, orphan })
    }

    fn found_record(
        &self,
        place: usize,
        record: &JobRecord,
        reason: OrphanReason,
        seen: &[(usize, ObservedTask)],
        now: SystemTime,
    ) -> FoundOrphan {
        let mut own = seen.iter().map(|(_, task)| task);
        let live = own.find(|task| {
            judge::job_of(task).as_ref() == Some(&record.job) && judge::may_be_of(record, task)
        });
        let orphan = OrphanReport {
            task: live.map(|task| task.task.clone()),
            job_id: Some(record.job_id.clone()),
            age: live.and_then(|task| judge::age(task, now)),
            ..self.orphan(place, record.job.clone(), reason)
        };
        FoundOrphan { finding: OrphanSubject::Record(Box::new(record.clone())), place, orphan }
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

fn is_named(known: &JobState, task: &ObservedTask) -> bool {
    matches!(known, JobState::Record(record) if judge::may_be_of(record, task))
}
