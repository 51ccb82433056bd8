//! Compares the tasks that ECS shows with the records of this host, once.
//!
//! It reads thousands of files and `/proc`, so it runs on a thread of its own: whoever asks the daemon does not
//! wait for a disk. It asks ECS nothing and changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fargate_driver::task::ObservedTask;
use fargate_model::job::JobKey;
use fargate_model::text::error_chain;
use fargate_state::{JobRecord, RecordState};

use crate::account_cluster::{self, AccountCluster};
use crate::finding::{FoundOrphan, OrphanSubject};
use crate::folder_guard::FolderGuard;
use crate::judge::{self, OrphanJudge, OrphanVerdict};
use crate::orphan_reason::OrphanReason;
use crate::report::{KeptTaskReport, OrphanOutcome, OrphanReport, SweepReport, UnjudgedTask};

/// All that one search needs.
pub(crate) struct OrphanSearch {
    pub guard: FolderGuard,
    /// The judge of each cluster, by its clock.
    pub judges: Vec<OrphanJudge>,
    /// The judge of jobs whose cluster no profile names. It knows no clock of ECS, so to it no deadline has
    /// passed.
    pub judge_elsewhere: OrphanJudge,
    pub clusters: Vec<Arc<AccountCluster>>,
    /// Whether these are all clusters in which jobs run.
    pub is_whole: bool,
    /// The tasks of this owner, each with the index of its cluster.
    pub seen: Vec<(usize, ObservedTask)>,
}

impl OrphanSearch {
    /// Everything that nobody needs. A record stands for all tasks that it names.
    ///
    /// # Errors
    ///
    /// In words for the operator, if the state folder is lost. Then nothing was judged.
    pub fn run(&self, sweep: &mut SweepReport) -> Result<Vec<FoundOrphan>, String> {
        self.guard.lost().map_or(Ok(()), Err)?;
        let jobs = self.known_jobs(sweep);
        // It may have been lost while it was read.
        self.guard.lost().map_or(Ok(()), Err)?;
        let mut found = self.judge_tasks(&jobs, sweep);
        self.judge_records(&jobs, &mut found, sweep);
        Ok(found)
    }

    /// What is known of each job that has a record or a task. The tasks were listed before.
    fn known_jobs(&self, sweep: &mut SweepReport) -> HashMap<JobKey, RecordState> {
        let folder = self.guard.folder();
        let recorded = folder.keys().unwrap_or_else(|error| {
            sweep.problems.push(error_chain(&error));
            Vec::new()
        });
        let of_tasks = self.seen.iter().filter_map(|(_, task)| judge::job_of(task));
        let mut jobs = HashMap::new();
        for key in recorded.into_iter().chain(of_tasks) {
            jobs.entry(key).or_insert_with_key(|key| folder.known(key));
        }
        jobs
    }

    fn judge_tasks(
        &self,
        jobs: &HashMap<JobKey, RecordState>,
        sweep: &mut SweepReport,
    ) -> Vec<FoundOrphan> {
        let mut found = Vec::new();
        for (place, task) in self.seen.iter().filter(|(_, task)| !task.stopping) {
            let known = judge::job_of(task).and_then(|job| jobs.get(&job));
            let known = known.unwrap_or(&RecordState::Nothing);
            match self.judges[*place].task(task, known) {
                OrphanVerdict::Needed => sweep.needed += 1,
                // The record stands for it.
                OrphanVerdict::Kept(_) => {}
                OrphanVerdict::LeftAlone(doubt) => {
                    sweep.left_alone.push(UnjudgedTask { task: task.task.clone(), doubt });
                }
                // The record stands for this task. To report both would stop it twice.
                OrphanVerdict::Orphan(_) if is_named(known, task) => {}
                OrphanVerdict::Orphan(reason) => {
                    found.extend(self.found_task(*place, task, reason));
                }
            }
        }
        found
    }

    fn judge_records(
        &self,
        jobs: &HashMap<JobKey, RecordState>,
        found: &mut Vec<FoundOrphan>,
        sweep: &mut SweepReport,
    ) {
        // Jobs in clusters that no profile names any more. Nobody can look at them, so the operator
        // must know.
        let mut elsewhere: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let live = LiveTasks::of(&self.seen);
        for known in jobs.values() {
            let RecordState::Record(record) = known else { continue };
            let place = account_cluster::of_record(&self.clusters, record, live.of_job(record));
            let task = live.youngest(record);
            let judge = place.map_or(&self.judge_elsewhere, |place| &self.judges[place]);
            let verdict = judge.record(record, task);
            match (verdict, place) {
                (OrphanVerdict::Kept(kept), _) => sweep.kept.push(KeptTaskReport {
                    job_id: record.job_id.clone(),
                    task: record.location.task.clone(),
                    kept,
                }),
                (OrphanVerdict::Orphan(reason), Some(place)) => {
                    found.push(self.found_record(place, record, task, reason));
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
    }

    fn orphan(&self, place: usize, job: JobKey, reason: OrphanReason) -> OrphanReport {
        OrphanReport {
            task: None,
            job,
            job_id: None,
            cluster: self.clusters[place].cluster_name().to_owned(),
            region: self.clusters[place].ecs.region().to_owned(),
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
    ) -> Option<FoundOrphan> {
        let orphan = OrphanReport {
            task: Some(task.task.clone()),
            age: self.judges[place].clock.age(task),
            ..self.orphan(place, judge::job_of(task)?, reason)
        };
        Some(FoundOrphan { finding: OrphanSubject::Task(Box::new(task.clone())), place, orphan })
    }

    fn found_record(
        &self,
        place: usize,
        record: &JobRecord,
        live: Option<&ObservedTask>,
        reason: OrphanReason,
    ) -> FoundOrphan {
        let orphan = OrphanReport {
            task: live.map(|task| task.task.clone()),
            job_id: Some(record.job_id.clone()),
            age: live.and_then(|task| self.judges[place].clock.age(task)),
            ..self.orphan(place, record.job.clone(), reason)
        };
        let finding = OrphanSubject::Record {
            record: Box::new(record.clone()),
            live: live.cloned().map(Box::new),
        };
        FoundOrphan { finding, place, orphan }
    }
}

/// The tasks that ECS shows, by the job that they name.
struct LiveTasks<'a>(HashMap<&'a str, Vec<(usize, &'a ObservedTask)>>);

impl<'a> LiveTasks<'a> {
    fn of(seen: &'a [(usize, ObservedTask)]) -> Self {
        let mut of_jobs: HashMap<&str, Vec<_>> = HashMap::new();
        for (place, task) in seen {
            if let Some(job) = task.job.as_deref() {
                of_jobs.entry(job).or_default().push((*place, task));
            }
        }
        Self(of_jobs)
    }

    fn of_job(&self, record: &JobRecord) -> &[(usize, &'a ObservedTask)] {
        self.0.get(record.job.as_str()).map(Vec::as_slice).unwrap_or_default()
    }

    /// The youngest task that may be of the record. One of which nobody knows when it began counts as young.
    fn youngest(&self, record: &JobRecord) -> Option<&'a ObservedTask> {
        let own = self.of_job(record).iter().map(|(_, task)| *task);
        let own = own.filter(|task| judge::may_be_of(record, task));
        own.max_by_key(|task| (task.timeline.created.is_none(), task.timeline.created))
    }
}

fn is_named(known: &RecordState, task: &ObservedTask) -> bool {
    matches!(known, RecordState::Record(record) if judge::may_be_of(record, task))
}
