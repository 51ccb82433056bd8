//! Jobs whose processes are gone and that nobody cleaned up.

use std::time::{Duration, Instant};

use fargate_local_cloud::CloudFault;
use fargate_tests::{CheckedHost, TestJob, TestProcess, until};
use nix::sys::signal::Signal;

use crate::{desired, owner, reap, site, stray};

/// The writer of the response must be older than the response by this much.
const OLD_ENOUGH: Duration = Duration::from_millis(1200);

/// Starts a process that writes the job's response, calls `prepare`, and stays, as gitlab-runner does.
async fn manager(job: &TestJob) -> TestProcess {
    let go = job.folder.join("go");
    nix::unistd::mkfifo(&go, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let words: Vec<String> =
        job.arguments.iter().map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let script = format!(
        "read _ < go; cp response.json new && mv new response.json
         sh -c '\"$0\" \"$@\"; exit $?' '{}' {} prepare && echo prepared && read _ < go",
        fargate_tests::runner().display(),
        words.join(" ")
    );
    let begun = Instant::now();
    let mut running = job.start_other("bash", &["-c", &script]);
    until("it is older than the response", || begun.elapsed() > OLD_ENOUGH).await;
    std::fs::write(&go, "\n").expect("a reader");
    running.wrote("prepared").await;
    running
}

#[tokio::test]
async fn a_runner_that_was_killed_is_noticed_and_its_task_is_stopped() {
    let site = site().await;
    let job = site.job();
    let manager = manager(&job).await;
    // The shell that called `prepare` has ended; the runner that started the shell has not.
    let seen = reap(&site, &[], 0).await;
    assert_eq!((seen.orphans().len(), seen.needed()), (0, 1), "{}", seen.document);
    job.note_key();
    manager.signal(Signal::SIGKILL);
    manager.ended().await.with_code(128 + 9);
    let seen = reap(&site, &[], 0).await;
    assert_eq!(seen.orphans(), ["stopped manager-gone"]);
    assert_eq!(seen.document["orphans"][0]["job"], "gl-4000");
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    let stop = site.cloud().requests().into_iter().find(|r| r.operation == "StopTask");
    insta::assert_snapshot!(
        stop.expect("a StopTask").body["reason"].as_str().expect("a text"),
        @"fargate-runner: orphaned, seen twice: the runner that called its stages is gone"
    );
    assert!(!job.state_file().exists());
    let tombstone = std::fs::read_to_string(job.tombstone()).expect("a tombstone");
    assert!(tombstone.contains("\"tries\":1,"), "{tombstone}");
    assert!(site.log().contains("\"event\":\"orphan.stopped\""), "{}", site.log());
    // A clean-up that comes later finds nothing to do.
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_prepare_that_was_killed_before_it_knew_its_task_is_settled() {
    let site = site().await;
    site.cloud().fail("RunTask", CloudFault::Slow(Duration::from_secs(30)));
    let job = site.job();
    let running = job.start(&["prepare"]);
    until("a task", || site.tasks_of(&job).len() == 1).await;
    // While it lives, its task is no orphan, although the record does not name the task yet.
    let seen = reap(&site, &[], 0).await;
    assert_eq!((seen.orphans().len(), seen.needed()), (0, 1), "{}", seen.document);
    running.signal(Signal::SIGKILL);
    job.heard(running).await.with_code(128 + 9);
    let seen = reap(&site, &[], 0).await;
    assert_eq!(seen.orphans(), ["stopped cut-short"]);
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    assert!(!job.state_file().exists() && job.tombstone().exists());
    // The next try of the job begins as after any clean-up.
    job.prepare().await.passed();
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn after_a_reboot_and_after_its_deadline_a_job_is_over() {
    for (reason, field, value) in [
        ("host-rebooted", "/manager/boot", serde_json::json!("another")),
        ("overdue", "/deadline_unix_s", serde_json::json!(1)),
    ] {
        let site = site().await;
        let job = site.prepared().await;
        job.note_key();
        assert_eq!(reap(&site, &[], 0).await.needed(), 1);
        job.change_state(|state| {
            *state.pointer_mut(field).expect("a field that prepare writes") = value;
        });
        if reason == "overdue" {
            // ECS knows when the task began, and how long it may live.
            assert_eq!(reap(&site, &[], 0).await.needed(), 1);
            site.cloud().advance(std::time::Duration::from_hours(3));
        }
        assert_eq!(reap(&site, &[], 0).await.orphans(), [format!("stopped {reason}")]);
        assert_eq!(site.task_of(&job).desired_status, "STOPPED");
        assert!(!job.state_file().exists() && job.tombstone().exists());
        site.close().await;
    }
}

#[tokio::test]
async fn a_record_whose_task_is_long_gone_becomes_a_tombstone() {
    let site = site().await;
    site.set("defaults.timeouts.task_visibility", "20ms");
    let job = site.prepared().await;
    job.note_key();
    assert!(site.cloud().forget(&site.task_of(&job).arn));
    job.change_state(|state| state["manager"]["boot"] = "another".into());
    assert_eq!(reap(&site, &[], 0).await.orphans(), ["settled host-rebooted"]);
    assert!(!job.state_file().exists() && job.tombstone().exists());
    site.close().await;
}

#[tokio::test]
async fn a_task_beside_the_records_is_stopped_and_one_that_is_none_of_ours_is_not() {
    let site = site().await;
    site.set("defaults.timeouts.task_visibility", "20ms");
    let job = site.prepared().await;
    let owner = owner(&site);
    let retried = site.prepared().await;
    let former = site.task_of(&retried).arn;
    retried.note_key();
    // This looks as if another attempt of the job had begun, with another task.
    let next = former.replace(&former[former.len() - 32..], &"0".repeat(32));
    retried.change_state(|state| {
        state["core"]["task"] = next.clone().into();
        state["launches"][0]["task"] = next.into();
    });
    let lost = stray(&site, &owner, &[("FARGATE_RUNNER_JOB", &crate::job_key(1))]).await;
    let others = stray(&site, &owner, &[("SOMETHING", "else")]).await;
    let seen = reap(&site, &[], 0).await;
    assert_eq!(seen.orphans(), ["stopped former-try", "stopped no-record"]);
    assert_eq!((seen.needed(), seen.left_alone()), (1, vec!["no-job"]));
    assert_eq!(
        (desired(&site, &former), desired(&site, &lost)),
        ("STOPPED".into(), "STOPPED".into())
    );
    assert_eq!(desired(&site, &others), "RUNNING");
    job.run("echo still here").await.passed();
    site.ecs().stop_task().cluster("ci").task(others).send().await.expect("a stop");
    site.close().await;
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_stopped_and_changes_nothing() {
    let site = site().await;
    let job = site.prepared().await;
    job.change_state(|state| state["manager"]["boot"] = "another".into());
    let before = std::fs::read(job.state_file()).expect("a state file");
    let seen = reap(&site, &["--dry-run"], 0).await;
    assert_eq!(seen.orphans(), ["would-stop host-rebooted"]);
    assert_eq!(std::fs::read(job.state_file()).expect("a state file"), before);
    assert_eq!(site.calls("StopTask"), 0);
    assert_eq!(site.task_of(&job).desired_status, "RUNNING");
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn two_sightings_are_apart_and_what_changed_between_them_is_spared() {
    let site = site().await;
    let job = site.prepared().await;
    job.change_state(|state| state["manager"]["boot"] = "another".into());
    site.set("defaults.timeouts.orphan_recheck", "2s");
    let running = site.start(&["tasks", "reap"]);
    until("it has looked once", || site.log().contains("reap.swept")).await;
    // A new attempt of the job begins; the reboot of its host was before that.
    job.prepare().await.passed();
    let seen = crate::ReapOutput::of(running.ended().await.with_code(0));
    assert_eq!((seen.orphans(), seen.needed()), (Vec::<String>::new(), 1));
    assert!(seen.ended.err().contains("found 1 orphan; checking it again in 2.0 s\n"));
    assert!(seen.ended.took >= Duration::from_secs(2), "{:?}", seen.ended.took);
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn stops_are_evenly_spaced_15_a_second() {
    let site = site().await;
    // It makes the owner's name and the folder.
    site.job().cleanup().await.passed();
    let owner = owner(&site);
    let count = 60;
    for number in 0..count {
        stray(&site, &owner, &[("FARGATE_RUNNER_JOB", &crate::job_key(number))]).await;
    }
    let seen = reap(&site, &[], 0).await;
    assert_eq!(seen.orphans(), vec!["stopped no-record"; count]);
    let requests = site.cloud().requests();
    let times: Vec<_> =
        requests.iter().filter(|r| r.operation == "StopTask").map(|r| r.time).collect();
    assert_eq!(times.len(), count, "each once");
    // A request may be late and is never early, and at most eight are on their way.
    for (number, from) in times.iter().enumerate() {
        for (further, to) in times[number..].iter().enumerate() {
            let between = to.duration_since(*from).unwrap_or_default() + Duration::from_millis(700);
            let least = Duration::from_secs(1) * u32::try_from(further).expect("few") / 15;
            assert!(between >= least, "{further} stops within {between:?}");
        }
    }
    let described = requests.iter().filter(|r| r.operation == "DescribeTasks").count();
    assert_eq!(described, 2, "one for each look at up to 100 tasks");
    site.close().await;
}

#[tokio::test]
async fn a_command_whose_process_was_killed_is_noticed() {
    let site = site().await;
    let mut running = site.start(&["exec", "--", "bash", "-c", "echo up; exec sleep 1000"]);
    running.wrote("up").await;
    assert_eq!(reap(&site, &[], 0).await.needed(), 1);
    running.signal(Signal::SIGKILL);
    running.ended().await.with_code(128 + 9);
    assert_eq!(reap(&site, &[], 0).await.orphans(), ["stopped manager-gone"]);
    site.close().await;
}

/// Every record of a site, as text.
pub(crate) fn records(site: &CheckedHost) -> Vec<String> {
    let entries = std::fs::read_dir(site.state_dir().join("jobs")).expect("a folder");
    entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect()
}
