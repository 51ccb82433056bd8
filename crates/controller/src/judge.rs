//! Decides whether somebody still needs a task or a record. It reads nothing and stops nothing.
//!
//! In doubt, the task is left alone: it ends itself at its deadline, and after `timeouts.task_idle`
//! without a client.

use std::time::Duration;

use fargate_driver::task::ObservedTask;
use fargate_model::id::TaskOwner;
use fargate_model::job::JobKey;
use fargate_state::{JobRecord, KeptTask, RecordState, RunnerLiveness};

use crate::judge_clock::JudgeClock;
use crate::orphan_reason::{OrphanReason, UnjudgedReason};

/// How wrong a clock may be before a deadline counts as passed.
///
/// A record holds its deadline by the host's clock, because it must outlive the process and the
/// boot. That clock may have been wrong then, and may be wrong now. So a live task counts as overdue only
/// if ECS says as well that it is older than its lifetime.
const CLOCK_MARGIN: Duration = Duration::from_secs(600);

/// What the judge decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrphanVerdict {
    /// A job needs it, or may need it.
    Needed,
    /// Its job is over, and it is kept for a person.
    Kept(KeptTask),
    /// Nobody needs it.
    Orphan(OrphanReason),
    /// It is not judged.
    LeftAlone(UnjudgedReason),
}

/// Judges at one moment, for one host.
#[derive(Clone, Debug)]
pub(crate) struct OrphanJudge {
    /// The value that `startedBy` must have.
    pub owner: TaskOwner,
    /// The id of the state folder.
    pub folder: String,
    /// Whether the configuration names the owner. Then other hosts may have the same one, and each
    /// task says which folder knows it.
    pub is_named: bool,
    /// This host's clock and ECS's.
    pub clock: JudgeClock,
}

/// The job that the task names.
pub(crate) fn job_of(task: &ObservedTask) -> Option<JobKey> {
    JobKey::try_from(task.job.clone()?).ok()
}

impl OrphanJudge {
    /// Judges a record on which no `prepare` works. `live` is the youngest of its tasks that ECS shows.
    pub fn record(&self, record: &JobRecord, live: Option<&ObservedTask>) -> OrphanVerdict {
        // Its job is over, so neither a reboot nor the runner's end matters.
        if let Some(kept) = record.kept {
            return match self.clock.is_past(kept.keep_until_unix_s, Duration::ZERO) {
                false => OrphanVerdict::Kept(kept),
                true => OrphanVerdict::Orphan(OrphanReason::HoldOver),
            };
        }
        let manager = record.manager.as_ref().map(|manager| manager.presence());
        self.record_with(record, live, manager)
    }

    fn record_with(
        &self,
        record: &JobRecord,
        live: Option<&ObservedTask>,
        manager: Option<RunnerLiveness>,
    ) -> OrphanVerdict {
        let is_overdue = self.clock.is_past(record.deadline_unix_s, CLOCK_MARGIN)
            && live.is_none_or(|task| self.has_outlived(task).unwrap_or(true));
        match manager {
            _ if is_overdue => OrphanVerdict::Orphan(OrphanReason::Overdue),
            Some(RunnerLiveness::Rebooted) => OrphanVerdict::Orphan(OrphanReason::Rebooted),
            // Checked before the runner: a `prepare` that was interrupted left a task that no stage
            // can use, even while its runner lives.
            _ if !record.ready => OrphanVerdict::Orphan(OrphanReason::CutShort),
            Some(RunnerLiveness::Ended) => OrphanVerdict::Orphan(OrphanReason::ManagerGone),
            Some(RunnerLiveness::Possible) | None => OrphanVerdict::Needed,
        }
    }

    /// Judges a task that should run. `known` must be read after the task was seen: a record is
    /// written before its task starts, so a task without a record has lost it.
    pub fn task(&self, task: &ObservedTask, known: &RecordState) -> OrphanVerdict {
        if task.started_by.as_deref() != Some(self.owner.as_str()) {
            return OrphanVerdict::LeftAlone(UnjudgedReason::AnotherOwner);
        }
        if job_of(task).is_none() {
            return OrphanVerdict::LeftAlone(UnjudgedReason::NoJob);
        }
        // The record of such a task is in the other folder, so this folder cannot know whether a
        // job needs it.
        if task.folder.as_ref().is_some_and(|folder| *folder != self.folder) {
            return self.unless_overdue(task, UnjudgedReason::AnotherFolder);
        }
        match known {
            RecordState::Preparing => OrphanVerdict::Needed,
            RecordState::Record(record) if may_be_of(record, task) => {
                self.record(record, Some(task))
            }
            RecordState::Record(_) => OrphanVerdict::Orphan(OrphanReason::FormerTry),
            RecordState::Unreadable { .. } => self.unless_overdue(task, UnjudgedReason::Unreadable),
            RecordState::Buried => OrphanVerdict::Orphan(OrphanReason::CleanedUp),
            // A driver on another host that is older than this variable may have started it.
            RecordState::Nothing if self.is_named && task.folder.is_none() => {
                self.unless_overdue(task, UnjudgedReason::AnotherFolder)
            }
            RecordState::Nothing => OrphanVerdict::Orphan(OrphanReason::NoRecord),
        }
    }

    fn unless_overdue(&self, task: &ObservedTask, doubt: UnjudgedReason) -> OrphanVerdict {
        if self.has_outlived(task) == Some(true) && !self.has_later_deadline(task) {
            OrphanVerdict::Orphan(OrphanReason::Overdue)
        } else {
            OrphanVerdict::LeftAlone(doubt)
        }
    }

    /// Whether the task is older than its lifetime, by ECS's clock alone. `None` if ECS does not show its
    /// lifetime. A task of which nobody knows when it began is not older.
    fn has_outlived(&self, task: &ObservedTask) -> Option<bool> {
        let lifetime = task.lifetime?.saturating_add(CLOCK_MARGIN);
        Some(self.clock.age(task).is_some_and(|age| age > lifetime))
    }

    /// Whether a tag gives the task more time than it had at its start, because its host keeps it for a
    /// person. A tag that cannot be read gives none.
    fn has_later_deadline(&self, task: &ObservedTask) -> bool {
        let deadline = task.tags.get("deadline").and_then(|value| value.parse::<u64>().ok());
        deadline.is_some_and(|deadline| !self.clock.is_past(deadline, CLOCK_MARGIN))
    }
}

/// Whether the record names the task, or has a launch whose task is not known.
pub(crate) fn may_be_of(record: &JobRecord, task: &ObservedTask) -> bool {
    let named = |known: Option<&fargate_model::id::TaskArn>| known == Some(&task.task);
    named(record.location.task.as_ref())
        || record
            .launches
            .iter()
            .any(|launch| named(launch.task.as_ref()) || (launch.task.is_none() && !launch.settled))
}

/// A task that runs and of which nothing else is known, for tests.
#[cfg(test)]
pub(crate) fn example() -> ObservedTask {
    ObservedTask {
        task: fargate_model::id::TaskArn("arn:aws:ecs:eu-west-1:1:task/ci/abc".to_owned()),
        status: fargate_model::task::TaskStatus::Running,
        stopping: false,
        address: None,
        interface: None,
        subnet: None,
        zone: None,
        cpu_units: None,
        memory_mib: None,
        disk_gib: None,
        architecture: None,
        platform: None,
        provider: None,
        stop_code: None,
        stopped_reason: None,
        containers: Vec::new(),
        started_by: None,
        job: None,
        folder: None,
        lifetime: None,
        definition: None,
        tags: std::collections::BTreeMap::new(),
        timeline: fargate_driver::task::TaskStartTimeline::default(),
    }
}

#[cfg(test)]
mod clock_tests;

#[cfg(test)]
mod tests;
