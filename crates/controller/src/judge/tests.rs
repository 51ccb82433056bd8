use std::time::SystemTime;

use fargate_model::id::TaskArn;
use serde_json::json;

use super::*;

const ARN: &str = "arn:aws:ecs:eu-west-1:123456789012:task/ci/5a7c1e90d1f24f0f";

pub(super) fn judge() -> OrphanJudge {
    let owner = TaskOwner::try_from("host-1".to_owned()).unwrap();
    let folder = "folder-1".to_owned();
    let now = SystemTime::now();
    OrphanJudge { owner, folder, is_named: false, clock: JudgeClock { host: now, ecs: Some(now) } }
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

fn known(record: JobRecord) -> RecordState {
    RecordState::Record(Box::new(record))
}

#[test]
fn a_task_is_needed_while_a_stage_of_its_job_may_come() {
    assert_eq!(judge().task(&own(), &known(running())), OrphanVerdict::Needed);
    assert_eq!(judge().task(&own(), &RecordState::Preparing), OrphanVerdict::Needed);
    for presence in [None, Some(RunnerLiveness::Possible)] {
        assert_eq!(judge().record_with(&running(), None, presence), OrphanVerdict::Needed);
    }
}

#[test]
fn a_record_is_orphaned_when_nobody_can_come_any_more() {
    let unready = JobRecord { ready: false, ..running() };
    let since = CLOCK_MARGIN.as_secs() + 5;
    let overdue = JobRecord { deadline_unix_s: seconds_since_1970() - since, ..running() };
    // If a clock is wrong by less than the margin, no job ends.
    let just_over = JobRecord { deadline_unix_s: seconds_since_1970() - since + 60, ..running() };
    let rows = [
        (running(), Some(RunnerLiveness::Ended), OrphanVerdict::Orphan(OrphanReason::ManagerGone)),
        (running(), Some(RunnerLiveness::Rebooted), OrphanVerdict::Orphan(OrphanReason::Rebooted)),
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
        assert_eq!(judge().record_with(&record, None, presence), verdict, "{presence:?}");
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
    assert!(matches!(judge().record(&kept, None), OrphanVerdict::Kept(_)));
    assert!(matches!(judge().task(&own(), &known(kept)), OrphanVerdict::Kept(_)));
    let over = OrphanVerdict::Orphan(OrphanReason::HoldOver);
    assert_eq!(judge().record(&until(now - 1), None), over);
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
        assert_eq!(judge().task(&task, &RecordState::Nothing), verdict);
    }
    task.tags.insert("deadline".to_owned(), "soon".to_owned());
    assert_eq!(judge().task(&task, &RecordState::Nothing), over);
}

#[test]
fn a_task_whose_job_is_over_or_elsewhere_is_an_orphan() {
    let row = |known, reason| {
        assert_eq!(judge().task(&own(), &known), OrphanVerdict::Orphan(reason));
    };
    row(RecordState::Buried, OrphanReason::CleanedUp);
    row(RecordState::Nothing, OrphanReason::NoRecord);
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
        for known in [RecordState::Nothing, RecordState::Buried, RecordState::Preparing] {
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
        judge().task(&here, &RecordState::Buried),
        OrphanVerdict::Orphan(OrphanReason::CleanedUp)
    );
}

#[test]
fn under_a_configured_name_a_task_that_names_no_folder_may_be_of_another_host() {
    let named = OrphanJudge { is_named: true, ..judge() };
    let mut task = own();
    let left = OrphanVerdict::LeftAlone(UnjudgedReason::AnotherFolder);
    assert_eq!(named.task(&task, &RecordState::Nothing), left);
    // The folder has a record of the job, so the task belongs to this host.
    assert_eq!(
        named.task(&task, &RecordState::Buried),
        OrphanVerdict::Orphan(OrphanReason::CleanedUp)
    );
    assert_eq!(named.task(&task, &known(running())), OrphanVerdict::Needed);
    task.lifetime = Some(Duration::from_secs(3600));
    task.timeline.created = SystemTime::now().checked_sub(Duration::from_secs(4300));
    assert_eq!(
        named.task(&task, &RecordState::Nothing),
        OrphanVerdict::Orphan(OrphanReason::Overdue)
    );
    task.timeline.created = SystemTime::now().checked_sub(Duration::from_secs(3600));
    assert_eq!(named.task(&task, &RecordState::Nothing), left);
    task.folder = Some("folder-1".to_owned());
    assert_eq!(
        named.task(&task, &RecordState::Nothing),
        OrphanVerdict::Orphan(OrphanReason::NoRecord)
    );
}

#[test]
fn in_doubt_only_the_deadline_ends_a_task() {
    let unreadable = || RecordState::Unreadable { is_newer: false };
    let elsewhere = ObservedTask { folder: Some("folder-2".to_owned()), ..own() };
    let aged = |task: &ObservedTask, age: u64, lifetime| {
        let mut task = ObservedTask { lifetime, ..task.clone() };
        task.timeline.created = SystemTime::now().checked_sub(Duration::from_secs(age));
        task
    };
    let hour = Some(Duration::from_secs(3600));
    for (task, known, doubt) in [
        (own(), unreadable(), UnjudgedReason::Unreadable),
        (elsewhere, RecordState::Nothing, UnjudgedReason::AnotherFolder),
    ] {
        let left = OrphanVerdict::LeftAlone(doubt);
        assert_eq!(judge().task(&task, &known), left);
        assert_eq!(judge().task(&aged(&task, 3600, hour), &known), left);
        assert_eq!(judge().task(&aged(&task, 90_000, None), &known), left);
        let over = OrphanVerdict::Orphan(OrphanReason::Overdue);
        assert_eq!(judge().task(&aged(&task, 4300, hour), &known), over);
    }
}

#[test]
fn a_cluster_that_did_not_answer_and_a_task_of_unknown_age_make_nothing_overdue() {
    let over = || JobRecord { deadline_unix_s: 1, ..running() };
    let possible = Some(RunnerLiveness::Possible);
    let overdue = OrphanVerdict::Orphan(OrphanReason::Overdue);
    assert_eq!(judge().record_with(&over(), None, possible), overdue);
    let mut silent = judge();
    silent.clock.ecs = None;
    assert_eq!(silent.record_with(&over(), None, possible), OrphanVerdict::Needed);
    let kept = JobRecord { kept: Some(KeptTask { keep_until_unix_s: 1 }), ..running() };
    assert!(matches!(silent.record(&kept, None), OrphanVerdict::Kept(_)));
    let ageless = ObservedTask { lifetime: Some(Duration::from_secs(60)), ..own() };
    let judged = judge().record_with(&over(), Some(&ageless), possible);
    assert_eq!(judged, OrphanVerdict::Needed);
    // ECS does not show how long it may live, so the deadline alone counts.
    assert_eq!(judge().record_with(&over(), Some(&own()), possible), overdue);
}
