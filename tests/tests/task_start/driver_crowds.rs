//! Many drivers at once and rate limits that are far too low for them: no job fails, and no driver
//! asks too often.

use std::path::PathBuf;
use std::time::Duration;

use fargate_local_cloud::{CloudTaskPhase, FaultRecord};
use fargate_tests::{CheckedHost, SYSTEM_FAILURE, TestJob, until};
use nix::sys::signal::Signal;
use tokio::sync::Mutex;

use crate::fault_rules::{give, strikes};
use crate::stops;

/// The variable by which a task names its job.
const JOB: &str = "FARGATE_RUNNER_JOB";

/// Only one of these tests runs at a time, because each needs the whole machine.
static ALONE: Mutex<()> = Mutex::const_new(());

/// A site whose cloud may be slow to answer so many at once on a busy machine.
async fn patient_site() -> CheckedHost {
    let site = CheckedHost::open().await;
    for (key, value) in [("aws_connect", "1m"), ("aws_attempt", "1m"), ("aws_call", "2m")] {
        site.set(&format!("defaults.timeouts.{key}"), value);
    }
    site
}

/// Calls of DescribeTasks, and those of them that were refused as too fast.
fn reads(site: &CheckedHost) -> (usize, usize) {
    let is_read = |one: &FaultRecord| one.operation.as_deref() == Some("DescribeTasks");
    let refused = site
        .cloud()
        .struck()
        .into_iter()
        .filter(|one| is_read(one) && one.rule.starts_with("DescribeTasks: limit"));
    (site.calls("DescribeTasks"), refused.count())
}

#[tokio::test]
async fn a_hundred_jobs_at_once_share_a_slow_bucket_and_none_is_told_of_throttling() {
    const JOBS: usize = 100;
    let _alone = ALONE.lock().await;
    let site = patient_site().await;
    // The catalogue's 5 a second five times as fast, so that it takes seconds.
    give(&site, "RunTask calls 1-5: throttle\nRunTask, StopTask: limit 25/s burst 5");
    let jobs: Vec<_> = (0..JOBS).map(|_| site.job()).collect();
    let preparing: Vec<_> = jobs.iter().map(|job| job.start(&["prepare"])).collect();
    for (job, running) in jobs.iter().zip(preparing) {
        let ended = job.heard(running).await.with_code(0);
        assert!(!ended.all().contains("Throttling"), "{}", ended.all());
        assert_eq!(site.tasks_of(job).len(), 1);
    }
    assert_eq!(site.cloud().tasks().len(), JOBS);
    // The limit allows five at once and 25 a second.
    let started: Vec<_> = site.cloud().tasks().iter().map(|task| task.created_at).collect();
    let took = started[JOBS - 1].duration_since(started[0]).expect("in order");
    assert!(took > Duration::from_millis(3600), "{took:?}");
    let struck = site.cloud().struck();
    assert_eq!(strikes(&struck, "RunTask calls 1-5"), 5);
    let throttled = struck.iter().filter(|one| one.operation.as_deref() == Some("RunTask"));
    // On a busy machine an answer may be given up and asked for again.
    assert!(site.calls("RunTask") >= JOBS + throttled.count());

    let cleaning: Vec<_> = jobs.iter().map(|job| job.start(&["cleanup"])).collect();
    for (job, running) in jobs.iter().zip(cleaning) {
        job.heard(running).await.with_code(0);
    }
    until("every task stopped", || site.cloud().live_tasks() == 0).await;
    site.close().await;
}

#[tokio::test]
async fn two_hundred_waiting_drivers_ask_no_faster_than_ecs_answers() {
    const JOBS: usize = 200;
    /// Those that go on to the end; more would only take the machine's time.
    const WHOLE: usize = 20;
    /// Answers that are waited for.
    const ANSWERS: usize = 6;
    let _alone = ALONE.lock().await;
    let site = patient_site().await;
    // A fifth of the default, so that the pace is down at what is answered within seconds.
    site.set("defaults.limits.ecs_reads_per_second", 4);
    // What does not show yet has to be asked for again and again.
    site.set("defaults.timeouts.task_visibility", "10m");
    let limited = "tasks 21- at PENDING: hold\nDescribeTasks: limit 1/s burst 1";
    give(&site, &format!("{limited}\nDescribeTasks: lag 1h"));
    let jobs: Vec<_> = (0..JOBS).map(|_| site.job()).collect();
    let mut waiting: Vec<_> = jobs.iter().map(|job| (job, job.start(&["prepare"]))).collect();
    for (_, running) in &mut waiting {
        running.wrote(" accepted: ").await;
    }
    assert_eq!(site.cloud().tasks().len(), JOBS);
    // Twenty may ask at once, and each of the first refusals halves the rate.
    let (asked, refused) = reads(&site);
    let answered = || {
        let (asked_now, refused_now) = reads(&site);
        (asked_now - asked).saturating_sub(refused_now - refused)
    };
    until("some questions are answered", || answered() >= ANSWERS).await;
    let (asked_now, refused_now) = reads(&site);
    // 200 drivers that ask every 200 ms, as they are told to here, would be refused 1,000 times a second.
    let (asked, refused) = (asked_now - asked, refused_now - refused);
    assert!(asked <= 4 * ANSWERS && refused <= 3 * ANSWERS, "{asked} asked, {refused} refused");
    // A driver that had to repeat RunTask got the address with the answer, and need not wait.
    let mut early = 0;
    while let Some(at) = waiting.iter_mut().position(|(_, running)| !running.runs()) {
        let (job, running) = waiting.swap_remove(at);
        job.heard(running).await.passed();
        early += 1;
    }

    // A cancelled driver makes room in the queue for the others.
    let tasks = site.cloud().tasks();
    let whole: Vec<_> =
        tasks[..WHOLE].iter().filter_map(|task| task.environment.get(JOB)).collect();
    let stays = |job: &TestJob| whole.iter().any(|key| **key == job.key().to_string());
    let (staying, leaving): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(job, _)| stays(job));
    assert_eq!(staying.len() + early, WHOLE);
    leaving.iter().for_each(|(_, running)| running.signal(Signal::SIGTERM));
    for (job, running) in leaving {
        let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
        assert!(!ended.all().contains("Throttling"), "{}", ended.all());
        assert!(ended.out().contains("Cancelled: task "), "{}", ended.all());
    }
    give(&site, "");
    for (job, running) in staying {
        let ended = job.heard(running).await.with_code(0);
        assert!(!ended.all().contains("Throttling"), "{}", ended.all());
        assert_eq!(site.tasks_of(job).len(), 1);
    }
    site.close().await;
}

/// The one file of the shared rate limiter.
fn turns_of(site: &CheckedHost) -> PathBuf {
    let mut turns: Vec<_> = std::fs::read_dir(site.state_dir().join("tombstones"))
        .expect("a state folder")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("turns-")))
        .collect();
    assert_eq!(turns.len(), 1, "{turns:?}");
    turns.remove(0)
}

/// A wait in our own queue is not the fault of ECS.
#[tokio::test]
async fn what_became_of_a_task_while_its_driver_stood_in_line_is_asked_for_before_ecs_is_blamed() {
    let site = CheckedHost::open().await;
    site.set("defaults.limits.ecs_reads_per_second", 1);
    site.prepared().await.cleanup().await.passed();
    let turns = turns_of(&site);
    let text = std::fs::read(&turns).expect("the turns");
    let mut line: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let given = line["given"].as_u64().expect("a number");
    // More drivers are before it in the queue than get their turn in the time that it has.
    line["given"] = (given + 500).into();
    std::fs::write(&turns, line.to_string()).expect("the turns");
    site.set("defaults.timeouts.task_start", "3s");
    let reason = "CannotPullContainerError: registry.example/ci/job:1: not found";
    site.cloud().fail("RunTask", stops(CloudTaskPhase::Pending, "TaskFailedToStart", reason));
    let (job, asked) = (site.job(), site.calls("DescribeTasks"));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: image registry.example/ci/job:1 does not exist");
    let asked = site.calls("DescribeTasks") - asked;
    assert_eq!(asked, 1, "only the last look goes past the line");
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn what_stands_in_the_way_of_the_shared_turns_costs_no_job() {
    let site = CheckedHost::open().await;
    site.set("defaults.limits.ecs_reads_per_second", 1);
    site.prepared().await.cleanup().await.passed();
    let turns = &turns_of(&site);
    let damaged: [fn(&std::path::Path); 3] = [
        |path| std::fs::write(path, "{\"given\": ").expect("a file"),
        |path| std::fs::create_dir(path).expect("a folder"),
        |path| std::os::unix::fs::symlink("/nowhere/at/all", path).expect("a link"),
    ];
    for put in damaged {
        let _ = std::fs::remove_file(turns);
        let _ = std::fs::remove_dir(turns);
        put(turns);
        let job = site.prepared().await;
        job.run("true").await.passed();
        job.cleanup().await.passed();
    }
    site.close().await;
}
