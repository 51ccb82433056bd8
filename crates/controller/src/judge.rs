//! Decides whether somebody still needs a task or a record. It reads nothing and stops nothing.
//!
//! In doubt, the task is left alone: it ends itself at its deadline, and after `timeouts.task_idle`
//! without a client.

use std::time::{Duration, SystemTime};

use fargate_driver::task::ObservedTask;
use fargate_model::id::TaskOwner;
use fargate_model::job::JobKey;
use fargate_state::{JobRecord, JobState, KeptTask, RunnerLiveness};

/// How wrong a clock may be before a deadline counts as passed.
///
/// A record holds its deadline by the host's clock, because it must outlive the process and the
/// boot. A clock that was wrong then, or was set since, must not end a live job. A live job is
/// `timeouts.lifetime_margin` away from its deadline, because GitLab ends it at its own time limit.
const CLOCK_MARGIN: Duration = Duration::from_secs(600);

/// Why nobody needs it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrphanReason {
    /// Its deadline has passed, and it should have ended itself.
    Overdue,
    /// It was kept for a person, and the time for that is over.
    HoldOver,
    /// The host has restarted, so no process of the job is left.
    Rebooted,
    /// No process that could call a stage of the job is left.
    ManagerGone,
    /// Its `prepare` or clean-up was interrupted, and no stage can use it.
    CutShort,
    /// The job has been cleaned up.
    CleanedUp,
    /// Its job has no record, and without a record no stage can use it.
    NoRecord,
    /// An earlier try of the job started it, and the job has another task now.
    FormerTry,
}

impl OrphanReason {
    /// The name for programs. It is never changed.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::HoldOver => "hold-over",
            Self::Rebooted => "host-rebooted",
            Self::ManagerGone => "manager-gone",
            Self::CutShort => "cut-short",
            Self::CleanedUp => "cleaned-up",
            Self::NoRecord => "no-record",
            Self::FormerTry => "former-try",
        }
    }

    /// The words for people, to stand after "because".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Overdue => "its deadline is over",
            Self::HoldOver => "the time for which it was kept is over",
            Self::Rebooted => "this host has restarted",
            Self::ManagerGone => "the runner that called its stages is gone",
            Self::CutShort => "its prepare or its clean-up was interrupted",
            Self::CleanedUp => "its job was cleaned up",
            Self::NoRecord => "this host has no record of its job",
            Self::FormerTry => "its job has another task now",
        }
    }
}

/// Why a task of this owner is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnjudgedReason {
    /// Its `startedBy` names another owner, although ECS was asked for this one.
    AnotherOwner,
    /// It names no job, so it is not ours.
    NoJob,
    /// It belongs to another state folder: one of a host with the same owner, or one that was lost.
    AnotherFolder,
    /// This version cannot read the record of its job.
    Unreadable,
    /// It is ours, but some of our tags are missing, or its deadline cannot be read.
    NoDeadline,
}

impl UnjudgedReason {
    /// The name for programs. It is never changed.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::AnotherOwner => "another-owner",
            Self::NoJob => "no-job",
            Self::AnotherFolder => "another-folder",
            Self::Unreadable => "unreadable",
            Self::NoDeadline => "no-deadline",
        }
    }

    /// The words for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::AnotherOwner => "another owner started it",
            Self::NoJob => "it names no job of Fargate Runner",
            Self::AnotherFolder => "it belongs to another state folder",
            Self::Unreadable => "the record of its job cannot be read",
            Self::NoDeadline => "its tags have no readable deadline",
        }
    }
}

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
    /// This host's clock.
    pub now: SystemTime,
}

/// The job that the task names.
pub(crate) fn job_of(task: &ObservedTask) -> Option<JobKey> {
    JobKey::try_from(task.job.clone()?).ok()
}

/// The age of the task, by the clocks of ECS and of this host.
pub(crate) fn age(task: &ObservedTask, now: SystemTime) -> Option<Duration> {
    now.duration_since(task.timeline.created?).ok()
}

impl OrphanJudge {
    /// Judges a record on which no `prepare` works.
    pub fn record(&self, record: &JobRecord) -> OrphanVerdict {
        // Its job is over, so neither a reboot nor the runner's end matters, and a clock that is wrong
        // harms no job.
        if let Some(kept) = record.kept {
            return match kept.time_left(self.now) {
                Some(_) => OrphanVerdict::Kept(kept),
                None => OrphanVerdict::Orphan(OrphanReason::HoldOver),
            };
        }
        self.record_with(record, record.manager.as_ref().map(|manager| manager.presence()))
    }

    fn record_with(&self, record: &JobRecord, manager: Option<RunnerLiveness>) -> OrphanVerdict {
        let deadline = Duration::from_secs(record.deadline_unix_s).saturating_add(CLOCK_MARGIN);
        let now = self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        match manager {
            _ if deadline < now => OrphanVerdict::Orphan(OrphanReason::Overdue),
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
    pub fn task(&self, task: &ObservedTask, known: &JobState) -> OrphanVerdict {
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
            JobState::Preparing => OrphanVerdict::Needed,
            JobState::Record(record) if may_be_of(record, task) => self.record(record),
            JobState::Record(_) => OrphanVerdict::Orphan(OrphanReason::FormerTry),
            JobState::Unreadable { .. } => self.unless_overdue(task, UnjudgedReason::Unreadable),
            JobState::Buried => OrphanVerdict::Orphan(OrphanReason::CleanedUp),
            // A driver on another host that is older than this variable may have started it.
            JobState::Nothing if self.is_named && task.folder.is_none() => {
                self.unless_overdue(task, UnjudgedReason::AnotherFolder)
            }
            JobState::Nothing => OrphanVerdict::Orphan(OrphanReason::NoRecord),
        }
    }

    fn unless_overdue(&self, task: &ObservedTask, doubt: UnjudgedReason) -> OrphanVerdict {
        let (age, lifetime) = (age(task, self.now), task.lifetime);
        let overdue = age
            .zip(lifetime)
            .is_some_and(|(age, lifetime)| age > lifetime.saturating_add(CLOCK_MARGIN));
        if overdue && !self.has_later_deadline(task) {
            OrphanVerdict::Orphan(OrphanReason::Overdue)
        } else {
            OrphanVerdict::LeftAlone(doubt)
        }
    }
}

impl OrphanJudge {
    /// Whether a tag gives the task more time than it had at its start, because its host keeps it for a
    /// person. A tag that cannot be read gives none.
    fn has_later_deadline(&self, task: &ObservedTask) -> bool {
        let deadline = task.tags.get("deadline").and_then(|value| value.parse::<u64>().ok());
        let now = self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        deadline.is_some_and(|deadline| {
            Duration::from_secs(deadline).saturating_add(CLOCK_MARGIN) >= now
        })
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
mod tests {
    use super::*;
    use fargate_model::id::TaskArn;
    use serde_json::json;

    const ARN: &str = "arn:aws:ecs:eu-west-1:123456789012:task/ci/5a7c1e90d1f24f0f";

    pub(super) fn judge() -> OrphanJudge {
        let owner = TaskOwner::try_from("host-1".to_owned()).unwrap();
        let folder = "folder-1".to_owned();
        OrphanJudge { owner, folder, is_named: false, now: SystemTime::now() }
    }

    fn seconds_since_1970() -> u64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }

    /// The record of a running job.
    pub(super) fn running() -> JobRecord {
        let token = "0123456789abcdef0123456789abcdef";
        let written = json!({
            "schema": 1, "origin": "gitlab", "owner": "host-1", "job": "07".repeat(32),
            "core": { "cluster": "ci", "region": "eu-west-1", "task": ARN },
            "job_id": "gl-4411", "attempt": 1, "prepared_by": token,
            "launches": [{
                "token": token, "cluster": "ci", "task_definition": "ci-job", "subnet": "subnet-1",
                "security_groups": [], "purchase": { "launch_type": "FARGATE" },
                "platform_version": null, "cpu_units": null, "memory_mib": null,
                "containers": [], "started_by": "host-1", "tags": {},
                "settled": true, "task": ARN,
            }],
            "client_key": "", "host_key": "", "user": "root", "peer": null, "address": null,
            "deadline_unix_s": seconds_since_1970() + 60, "ready": true, "shell": "bash",
        });
        serde_json::from_value(written).unwrap()
    }

    /// The task of that record.
    fn own() -> ObservedTask {
        let (started_by, job) = (Some("host-1".to_owned()), Some(running().job.to_string()));
        ObservedTask { started_by, job, task: TaskArn(ARN.to_owned()), ..example() }
    }

    fn known(record: JobRecord) -> JobState {
        JobState::Record(Box::new(record))
    }

    #[test]
    fn a_task_is_needed_while_a_stage_of_its_job_may_come() {
        assert_eq!(judge().task(&own(), &known(running())), OrphanVerdict::Needed);
        assert_eq!(judge().task(&own(), &JobState::Preparing), OrphanVerdict::Needed);
        for presence in [None, Some(RunnerLiveness::Possible)] {
            assert_eq!(judge().record_with(&running(), presence), OrphanVerdict::Needed);
        }
    }

    #[test]
    fn a_record_is_orphaned_when_nobody_can_come_any_more() {
        let unready = JobRecord { ready: false, ..running() };
        let since = CLOCK_MARGIN.as_secs() + 5;
        let overdue = JobRecord { deadline_unix_s: seconds_since_1970() - since, ..running() };
        // If a clock is wrong by less than the margin, no job ends.
        let just_over =
            JobRecord { deadline_unix_s: seconds_since_1970() - since + 60, ..running() };
        let rows = [
            (
                running(),
                Some(RunnerLiveness::Ended),
                OrphanVerdict::Orphan(OrphanReason::ManagerGone),
            ),
            (
                running(),
                Some(RunnerLiveness::Rebooted),
                OrphanVerdict::Orphan(OrphanReason::Rebooted),
            ),
            (
                unready.clone(),
                Some(RunnerLiveness::Possible),
                OrphanVerdict::Orphan(OrphanReason::CutShort),
            ),
            (unready, None, OrphanVerdict::Orphan(OrphanReason::CutShort)),
            (overdue, Some(RunnerLiveness::Possible), OrphanVerdict::Orphan(OrphanReason::Overdue)),
            (just_over, Some(RunnerLiveness::Possible), OrphanVerdict::Needed),
        ];
        for (record, presence, verdict) in rows {
            assert_eq!(judge().record_with(&record, presence), verdict, "{presence:?}");
        }
    }

    #[test]
    fn a_kept_task_is_no_orphan_before_its_time_whatever_became_of_its_runner() {
        let until = |keep_until_unix_s| JobRecord {
            kept: Some(KeptTask { keep_until_unix_s }),
            ready: false,
            ..running()
        };
        let now = seconds_since_1970();
        let kept = until(now + 60);
        assert!(matches!(judge().record(&kept), OrphanVerdict::Kept(_)));
        assert!(matches!(judge().task(&own(), &known(kept)), OrphanVerdict::Kept(_)));
        let over = OrphanVerdict::Orphan(OrphanReason::HoldOver);
        assert_eq!(judge().record(&until(now - 1)), over);
        assert_eq!(judge().task(&own(), &known(until(now - 1))), over);
    }

    #[test]
    fn another_host_of_the_same_name_goes_by_the_deadline_in_the_tag_of_a_kept_task() {
        let mut task = ObservedTask { folder: Some("folder-2".to_owned()), ..own() };
        task.lifetime = Some(Duration::from_secs(3600));
        task.timeline.created = SystemTime::now().checked_sub(Duration::from_secs(7200));
        let over = OrphanVerdict::Orphan(OrphanReason::Overdue);
        for (deadline, verdict) in [
            (seconds_since_1970() + 60, OrphanVerdict::LeftAlone(UnjudgedReason::AnotherFolder)),
            (seconds_since_1970() - 3600, over),
        ] {
            task.tags.insert("deadline".to_owned(), deadline.to_string());
            assert_eq!(judge().task(&task, &JobState::Nothing), verdict);
        }
        task.tags.insert("deadline".to_owned(), "soon".to_owned());
        assert_eq!(judge().task(&task, &JobState::Nothing), over);
    }

    #[test]
    fn a_task_whose_job_is_over_or_elsewhere_is_an_orphan() {
        let row = |known, reason| {
            assert_eq!(judge().task(&own(), &known), OrphanVerdict::Orphan(reason));
        };
        row(JobState::Buried, OrphanReason::CleanedUp);
        row(JobState::Nothing, OrphanReason::NoRecord);
        let mut next = running();
        next.location.task = Some(TaskArn("arn:another".to_owned()));
        next.launches[0].task.clone_from(&next.location.task);
        row(known(next.clone()), OrphanReason::FormerTry);
        // A launch that may have started the task protects it.
        next.launches[0].task = None;
        next.launches[0].settled = false;
        assert_eq!(judge().task(&own(), &known(next)), OrphanVerdict::Needed);
    }

    #[test]
    fn what_another_host_started_is_never_judged_whatever_is_known_here() {
        let left = |task: &ObservedTask, doubt| {
            for known in [JobState::Nothing, JobState::Buried, JobState::Preparing] {
                assert_eq!(judge().task(task, &known), OrphanVerdict::LeftAlone(doubt));
            }
        };
        for started_by in [None, Some("host-2".to_owned())] {
            left(&ObservedTask { started_by, ..own() }, UnjudgedReason::AnotherOwner);
        }
        for job in [None, Some(String::new()), Some("x".repeat(64)), Some("a".repeat(63))] {
            left(&ObservedTask { job, ..own() }, UnjudgedReason::NoJob);
        }
        left(
            &ObservedTask { folder: Some("folder-2".to_owned()), ..own() },
            UnjudgedReason::AnotherFolder,
        );
        let here = ObservedTask { folder: Some("folder-1".to_owned()), ..own() };
        assert_eq!(
            judge().task(&here, &JobState::Buried),
            OrphanVerdict::Orphan(OrphanReason::CleanedUp)
        );
    }

    #[test]
    fn under_a_configured_name_a_task_that_names_no_folder_may_be_of_another_host() {
        let named = OrphanJudge { is_named: true, ..judge() };
        let mut task = own();
        let left = OrphanVerdict::LeftAlone(UnjudgedReason::AnotherFolder);
        assert_eq!(named.task(&task, &JobState::Nothing), left);
        // The folder has a record of the job, so the task belongs to this host.
        assert_eq!(
            named.task(&task, &JobState::Buried),
            OrphanVerdict::Orphan(OrphanReason::CleanedUp)
        );
        assert_eq!(named.task(&task, &known(running())), OrphanVerdict::Needed);
        task.lifetime = Some(Duration::from_secs(3600));
        task.timeline.created = SystemTime::now().checked_sub(Duration::from_secs(4300));
        assert_eq!(
            named.task(&task, &JobState::Nothing),
            OrphanVerdict::Orphan(OrphanReason::Overdue)
        );
        task.timeline.created = SystemTime::now().checked_sub(Duration::from_secs(3600));
        assert_eq!(named.task(&task, &JobState::Nothing), left);
        task.folder = Some("folder-1".to_owned());
        assert_eq!(
            named.task(&task, &JobState::Nothing),
            OrphanVerdict::Orphan(OrphanReason::NoRecord)
        );
    }

    #[test]
    fn in_doubt_only_the_deadline_ends_a_task() {
        let unreadable = || JobState::Unreadable { is_newer: false };
        let elsewhere = ObservedTask { folder: Some("folder-2".to_owned()), ..own() };
        let aged = |task: &ObservedTask, age: u64, lifetime| {
            let mut task = ObservedTask { lifetime, ..task.clone() };
            task.timeline.created = SystemTime::now().checked_sub(Duration::from_secs(age));
            task
        };
        let hour = Some(Duration::from_secs(3600));
        for (task, known, doubt) in [
            (own(), unreadable(), UnjudgedReason::Unreadable),
            (elsewhere, JobState::Nothing, UnjudgedReason::AnotherFolder),
        ] {
            let left = OrphanVerdict::LeftAlone(doubt);
            assert_eq!(judge().task(&task, &known), left);
            assert_eq!(judge().task(&aged(&task, 3600, hour), &known), left);
            assert_eq!(judge().task(&aged(&task, 90_000, None), &known), left);
            let over = OrphanVerdict::Orphan(OrphanReason::Overdue);
            assert_eq!(judge().task(&aged(&task, 4300, hour), &known), over);
        }
    }
}
