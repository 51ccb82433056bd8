//! One look at all tasks and all records of this host, and the end of those that nobody needs.
//!
//! ECS is asked before the records are read. A record is written before its task is started, so a task
//! that is seen has its record already, however new it is; and a task that a late answer of ECS does
//! not show yet is not judged at all.

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
use crate::report::{OrphanOutcome, OrphanReport, SweepReport, SweepScope, UnjudgedTask};
use crate::sightings::OrphanSightings;
use crate::stop_orphans::{self, ReapMode};

/// Most StopTask calls of a sweep, with the RunTask calls that settle a launch.
///
/// Ours. They share 40 a second with every RunTask and StopTask of the account and Region (source:
/// Amazon ECS API Reference, "Request throttling"), and jobs must go on starting meanwhile.
pub const STOPS_PER_SECOND: u32 = 15;

/// The host that is looked after.
#[derive(Clone, Debug)]
pub struct ReaperSettings {
    /// This host's name, if the configuration gives one.
    pub owner: Option<String>,
    /// Where state is kept.
    pub state_dir: PathBuf,
    /// The profiles whose clusters are looked at.
    pub profiles: Vec<JobProfile>,
    /// Whether these are all profiles that jobs run under.
    pub is_whole: bool,
}

/// Why nothing was looked at.
#[derive(Debug, thiserror::Error)]
pub enum ReapError {
    /// Without the records every live task would look like an orphan.
    #[error(
        "the state folder {} is not there, so no task can be told from an orphan; is its disk mounted, and is `state_dir` the one that jobs run with?",
        path.display()
    )]
    NoFolder {
        /// The folder, or the part of it that is missing.
        path: PathBuf,
    },
    /// A copy of the folder knows the same tasks as the original, and cannot tell which of them live.
    #[error(
        "the state folder {} was made on another machine, whose tasks may still be in use",
        path.display()
    )]
    Copied {
        /// The folder.
        path: PathBuf,
    },
    /// The folder cannot be used.
    #[error("{}", error_chain(.0))]
    State(StateError),
    /// Somebody stops orphans already.
    #[error("another `tasks reap` is at work on this host")]
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

/// Finds orphans of one host and ends them. It keeps what it saw from sweep to sweep, so whoever
/// calls it again and again keeps it.
#[derive(Debug)]
pub struct HostReaper {
    pub(crate) folder: StateFolder,
    owner: TaskOwner,
    folder_id: String,
    is_named: bool,
    places: Vec<Arc<AccountCluster>>,
    is_whole: bool,
    /// What is not looked at, in words.
    unreachable: Vec<String>,
    sightings: OrphanSightings<OrphanIdentity>,
    apart: Duration,
    _sole: Option<FileLock>,
}

impl HostReaper {
    /// Reads who this host is and connects to where its tasks may be. One that may end anything is
    /// the only one of its host for as long as it lives.
    ///
    /// # Errors
    ///
    /// [`ReapError`].
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
        )
        .await;
        // Without an id of its own every task that names one is another folder's, and left alone.
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

    /// How far apart two sightings must be.
    #[must_use]
    pub fn apart(&self) -> Duration {
        self.apart
    }

    pub(crate) fn judge(&self) -> OrphanJudge {
        let (owner, folder) = (self.owner.clone(), self.folder_id.clone());
        OrphanJudge { owner, folder, is_named: self.is_named, now: SystemTime::now() }
    }

    /// Looks at everything once, and ends what was seen orphaned before as well. `told` hears how many
    /// of how many have been dealt with.
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
        let hand = |place: &Arc<AccountCluster>| self.hand(place);
        sweep.orphans = stop_orphans::settle(&self.places, (found, due), intent, hand, told).await;
        sweep.log(SweepScope::Host);
        sweep
    }

    fn hand(&self, place: &Arc<AccountCluster>) -> stop_orphans::HostOrphanStopper {
        let (place, folder) = (Arc::clone(place), self.folder.clone());
        stop_orphans::HostOrphanStopper {
            place,
            folder,
            judge: self.judge(),
            refused: stop_orphans::SkipReason::default(),
        }
    }

    /// Every task of this owner that is meant to run, with its place.
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

    /// Everything that nobody needs; a record stands for all the tasks that it names.
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
                OrphanVerdict::LeftAlone(doubt) => {
                    sweep.left_alone.push(UnjudgedTask { task: task.task.clone(), doubt });
                }
                OrphanVerdict::Orphan(_) if is_named(known, task) => {}
                OrphanVerdict::Orphan(reason) => {
                    found.extend(self.found_task(*place, task, reason, judge.now));
                }
            }
        }
        let mut elsewhere: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for known in jobs.values() {
            let JobState::Record(record) = known else { continue };
            match (judge.record(record), account_cluster::of_record(&self.places, record, seen)) {
                (OrphanVerdict::Orphan(reason), Some(place)) => {
                    found.push(self.found_record(place, record, reason, seen, judge.now));
                }
                (OrphanVerdict::Orphan(_), None) if self.is_whole => sweep.problems.push(format!(
                    "job {}: no profile leads to its cluster {} in {}",
                    record.job_id, record.core.cluster, record.core.region
                )),
                (OrphanVerdict::Needed, None) if self.is_whole => {
                    let core = &record.core;
                    *elsewhere.entry((&core.cluster, &core.region)).or_default() += 1;
                }
                _ => {}
            }
        }
        sweep.problems.extend(elsewhere.iter().map(|((cluster, region), jobs)| {
            let jobs = if *jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") };
            format!("cluster {cluster} in {region}: no profile leads there, so its {jobs} cannot be looked at")
        }));
        found
    }

    /// What is known of every job that has a record or a task. Read after the tasks were seen.
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

/// A disk on which no lock can be made hinders nobody from stopping tasks, which may be done twice.
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
