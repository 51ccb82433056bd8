//! `cleanup` before `prepare`, twice, ten at once, beside a `run`, and without its state.

use std::fs;

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{
    CheckedHost, PATIENCE, SYSTEM_FAILURE, contains, files_below, mark, process, until,
};
use nix::sys::signal::{Signal, kill};

fn throttled() -> CloudFault {
    CloudFault::Exception {
        status: 400,
        code: "ThrottlingException".to_owned(),
        message: "Rate exceeded".to_owned(),
    }
}

#[tokio::test]
async fn before_prepare_it_is_silent_and_short() {
    let site = CheckedHost::open().await;
    let job = site.job();
    for _ in 0..2 {
        let ended = job.cleanup().await.with_code(0);
        assert_eq!((ended.out(), ended.err()), (String::new(), String::new()));
        assert!(ended.took < PATIENCE, "{:?}", ended.took);
    }
    assert_eq!(site.calls("RunTask"), 0);
    // A job that was cleaned up too early can still be prepared.
    job.prepare().await.passed();
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn it_stops_the_task_with_a_reason_and_does_not_wait_for_its_end() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    // The script keeps the agent busy after TERM.
    let busy = mark("busy");
    let script = format!("trap 'exec -a {busy} sleep 1000' TERM; echo up; sleep 1000 & wait");
    let mut running = job.start_run(script);
    running.wrote("up").await;
    let ended = job.cleanup().await.with_code(0);
    assert_eq!((ended.out(), ended.err()), (String::new(), String::new()));
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    let stop = site.cloud().requests().into_iter().find(|r| r.operation == "StopTask");
    let reason = stop.expect("a StopTask").body["reason"].clone();
    assert_eq!(reason, "fargate-runner: clean-up of job gl-4000");
    assert_ne!(site.task_of(&job).last_status, "STOPPED", "nobody waited for it");
    until("the script is busy", || process(&busy).is_some()).await;
    kill(process(&busy).expect("just seen"), Signal::SIGKILL).expect("a process of ours");
    job.heard(running).await.with_code(SYSTEM_FAILURE);
    site.close().await;
}

#[tokio::test]
async fn a_run_that_is_active_ends_as_a_system_failure_with_one_line() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let mut running = job.start_run("echo up; exec sleep 1000");
    running.wrote("up").await;
    job.cleanup().await.passed();
    let cleaned = std::time::Instant::now();
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(cleaned.elapsed() < PATIENCE, "{:?}", cleaned.elapsed());
    assert_eq!(ended.out(), "up\n");
    assert_eq!(job.exit_code(), None);
    // Whether ECS was asked depends on whether the tombstone was there first.
    assert_eq!(ended.err().lines().count(), 1, "{}", ended.err());
    let line = ended.error_line();
    let cause = "fargate-runner: error: the job's clean-up stopped the task";
    assert!(line.starts_with(cause), "{line}");
    site.close().await;
}

#[tokio::test]
async fn twice_and_ten_at_once_it_stops_the_task_and_says_nothing() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let all: Vec<_> = (0..10).map(|_| job.start(&["cleanup"])).collect();
    for running in all {
        let ended = job.heard(running).await.with_code(0);
        assert_eq!((ended.out(), ended.err()), (String::new(), String::new()));
    }
    job.cleanup().await.passed();
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    // Ten clean-ups of one attempt are one attempt.
    let tombstone = fs::read_to_string(job.tombstone()).expect("a tombstone");
    assert!(tombstone.contains("\"tries\":1,"), "{tombstone}");
    site.close().await;
}

#[tokio::test]
async fn what_it_leaves_holds_no_secret_and_no_address() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let state = job.state().expect("a state file");
    let task = site.task_of(&job);
    let key = state["client_key"].as_str().expect("a key");
    let mut secrets: Vec<String> = key.lines().map(str::to_owned).collect();
    secrets.push(state["address"].as_str().expect("an address").to_owned());
    secrets.push(state["host_key"].as_str().expect("a host key").to_owned());
    secrets.push(task.environment["FARGATE_RUNNER_HOST_KEY_SEED"].clone());
    secrets.push(task.environment["SSH_PUBLIC_KEY"].clone());
    assert!(secrets.len() > 6 && secrets.iter().all(|secret| secret.len() > 8), "{secrets:?}");
    job.cleanup().await.passed();
    assert!(!job.state_file().exists());
    let left = files_below(&site.state_dir());
    assert!(left.contains(&job.tombstone()), "{left:?}");
    for path in left {
        let bytes = fs::read(&path).expect("a file");
        let found = secrets.iter().find(|secret| contains(&bytes, secret.as_bytes()));
        assert_eq!(found, None, "in {}", path.display());
    }
    let line = job.run("echo never").await.with_code(SYSTEM_FAILURE).error_line();
    insta::assert_snapshot!(line, @"fargate-runner: error: the job's clean-up stopped the task. Find out in GitLab Runner's log why it cleaned up (cause: stopped-by-cleanup)");
    site.close().await;
}

#[tokio::test]
async fn without_the_state_folder_the_task_is_found_in_ecs() {
    for owner in [None, Some("ci-host-1")] {
        let site = CheckedHost::open().await;
        if let Some(owner) = owner {
            site.set("owner", owner);
        }
        let job = site.prepared().await;
        let other = site.prepared().await;
        job.note_key();
        fs::remove_dir_all(site.state_dir()).expect("a state folder");
        job.cleanup().await.passed();
        assert_eq!(site.task_of(&job).desired_status, "STOPPED");
        // Another job's task is none of its business.
        assert_eq!(site.task_of(&other).desired_status, "RUNNING");
        other.cleanup().await.passed();
        assert_eq!(site.task_of(&other).desired_status, "STOPPED");
        site.close().await;
    }
}

#[tokio::test]
async fn a_stop_that_is_throttled_is_tried_again() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    for _ in 0..3 {
        site.cloud().fail("StopTask", throttled());
    }
    let ended = job.cleanup().await.with_code(0);
    assert_eq!(ended.err(), "");
    assert_eq!(site.calls("StopTask"), 4);
    site.close().await;
}

#[tokio::test]
async fn a_stop_that_never_succeeds_is_a_warning_and_the_agent_ends_the_task() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.cleanup", "500ms");
    site.set("defaults.timeouts.task_idle", "5s");
    let job = site.prepared().await;
    let denied = CloudFault::Exception {
        status: 400,
        code: "AccessDeniedException".to_owned(),
        message: "User is not authorized to perform: ecs:StopTask".to_owned(),
    };
    for (tries, fault) in [throttled(), denied].into_iter().enumerate() {
        site.cloud().fail_until_cleared("StopTask", fault);
        let ended = job.cleanup().await.with_code(0);
        assert!(ended.took < PATIENCE, "{:?}", ended.took);
        // Only a busy machine takes so long that the task has ended before the second call.
        if tries == 0 || site.cloud().live_tasks() > 0 {
            assert!(ended.err().starts_with("warning: stopping task "), "{}", ended.err());
            assert!(ended.err().ends_with("the task stops by itself when its time is over\n"));
        }
    }
    // The next clean-up finds what is needed to try again.
    assert!(job.state_file().exists());
    until("the agent ended its task", || site.cloud().live_tasks() == 0).await;
    assert_eq!(site.task_of(&job).containers[0].exit_code, Some(70));
    site.cloud().clear_faults();
    job.cleanup().await.passed();
    assert!(!job.state_file().exists());
    site.close().await;
}

#[tokio::test]
async fn a_task_that_ecs_has_forgotten_is_cleaned_up_all_the_same() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.task_visibility", "500ms");
    let job = site.prepared().await;
    assert!(site.cloud().forget(&site.task_of(&job).arn));
    let ended = job.cleanup().await.with_code(0);
    assert_eq!(ended.err(), "");
    assert!(!job.state_file().exists());
    site.close().await;
}

#[tokio::test]
async fn beside_a_prepare_that_still_waits_it_ends_the_task_and_the_prepare_gives_up() {
    let site = CheckedHost::open().await;
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("accepted").await;
    job.cleanup().await.passed();
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(ended.error_line().starts_with("error: "), "{}", ended.all());
    assert_eq!(site.calls("RunTask"), 1, "no other task was started");
    site.close().await;
}

#[tokio::test]
async fn an_exit_code_variable_that_is_missing_does_not_leak_a_task() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let mut environment = job.environment.clone();
    environment.retain(|name, _| !name.to_string_lossy().ends_with("_EXIT_CODE"));
    let bare = site.same_job(&job, |job| job.environment = environment);
    bare.cleanup().await.passed();
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}
