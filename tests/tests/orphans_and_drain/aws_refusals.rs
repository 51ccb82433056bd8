//! AWS or the disk refuses a step: the command prints one clear line, and does everything else.

use fargate_local_cloud::CloudFault;
use fargate_tests::{CheckedHost, have};

use crate::{ReapOutput, owner, reap, site, stray};

fn denied(right: &str) -> CloudFault {
    CloudFault::Exception {
        status: 400,
        code: "AccessDeniedException".to_owned(),
        message: format!("User: x is not authorized to perform: {right} on resource: y"),
    }
}

fn throttled() -> CloudFault {
    CloudFault::Exception {
        status: 400,
        code: "ThrottlingException".to_owned(),
        message: "Rate exceeded".to_owned(),
    }
}

/// Ends every task that is left, as the test itself.
async fn stop_all(site: &CheckedHost) {
    for task in site.cloud().tasks().into_iter().filter(|task| task.desired_status == "RUNNING") {
        site.ecs().stop_task().cluster("ci").task(task.arn).send().await.expect("a stop");
    }
}

#[tokio::test]
async fn a_missing_right_to_look_is_one_line_and_records_are_settled_all_the_same() {
    for right in ["ecs:ListTasks", "ecs:DescribeTasks"] {
        let site = site().await;
        let job = site.prepared().await;
        job.note_key();
        job.change_state(|state| state["manager"]["boot"] = "another".into());
        let operation = right.split_once(':').expect("two parts").1;
        site.cloud().fail_until_cleared(operation, denied(right));
        let seen = reap(&site, &[], 1).await;
        assert_eq!(seen.orphans(), ["settled host-rebooted"]);
        let lines: Vec<String> = seen.ended.err().lines().map(str::to_owned).collect();
        let warning = format!(
            "warning: cluster ci in eu-west-1: this host's role may not {right}: \
             AccessDeniedException: User: x is not authorized to perform: {right} on resource: y"
        );
        assert_eq!(lines.iter().filter(|line| **line == warning).count(), 1, "{lines:?}");
        assert_eq!(site.task_of(&job).desired_status, "STOPPED");
        site.close().await;
    }
}

#[tokio::test]
async fn a_missing_right_to_stop_is_asked_for_a_few_times_and_told_once() {
    let site = site().await;
    site.job().cleanup().await.passed();
    let owner = owner(&site);
    for number in 0..40 {
        stray(&site, &owner, &[("FARGATE_RUNNER_JOB", &crate::job_key(number))]).await;
    }
    site.cloud().fail_until_cleared("StopTask", denied("ecs:StopTask"));
    let seen = reap(&site, &[], 1).await;
    assert_eq!(seen.orphans(), vec!["not-stopped no-record"; 40]);
    let told = seen.ended.err();
    let warning = told.lines().find(|line| line.starts_with("warning: "));
    insta::assert_snapshot!(warning.expect("a warning"), @"warning: 40 orphans not stopped: StopTask: AccessDeniedException: User: x is not authorized to perform: ecs:StopTask on resource: y");
    assert!(site.calls("StopTask") <= 8, "{} calls", site.calls("StopTask"));
    site.cloud().clear_faults();
    stop_all(&site).await;
    site.close().await;
}

#[tokio::test]
async fn what_is_throttled_is_tried_again() {
    let site = site().await;
    let job = site.prepared().await;
    job.note_key();
    job.change_state(|state| state["manager"]["boot"] = "another".into());
    for operation in ["ListTasks", "DescribeTasks", "StopTask"] {
        for _ in 0..2 {
            site.cloud().fail(operation, throttled());
        }
    }
    assert_eq!(reap(&site, &[], 0).await.orphans(), ["stopped host-rebooted"]);
    site.close().await;
}

#[tokio::test]
async fn a_stop_that_never_succeeds_keeps_the_record_without_its_key_for_the_next_time() {
    let site = site().await;
    site.set("defaults.timeouts.cleanup", "300ms");
    let job = site.prepared().await;
    job.note_key();
    job.change_state(|state| state["manager"]["boot"] = "another".into());
    site.cloud().fail_until_cleared("StopTask", throttled());
    assert_eq!(reap(&site, &[], 1).await.orphans(), ["not-stopped host-rebooted"]);
    let state = job.state().expect("a record");
    assert_eq!((&state["client_key"], &state["ready"]), (&"".into(), &false.into()));
    site.cloud().clear_faults();
    assert_eq!(reap(&site, &[], 0).await.orphans().len(), 1);
    assert!(!job.state_file().exists() && job.tombstone().exists());
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}

#[tokio::test]
async fn a_place_that_cannot_be_reached_does_not_keep_another_from_being_swept() {
    let site = site().await;
    let job = site.prepared().await;
    job.note_key();
    job.change_state(|state| state["manager"]["boot"] = "another".into());
    site.set("profile.gone.cluster", "no-such-cluster");
    let seen = reap(&site, &[], 1).await;
    assert_eq!(seen.orphans(), ["stopped host-rebooted"]);
    assert!(
        seen.ended.err().contains("warning: cluster no-such-cluster in eu-west-1: its tasks could not be listed: ClusterNotFoundException"),
        "{}",
        seen.ended.err()
    );
    // If the other cluster is named, only that one is looked at.
    assert!(reap(&site, &["--profile", "gone"], 1).await.orphans().is_empty());
    site.close().await;
}

#[tokio::test]
async fn a_disk_that_takes_no_write_keeps_no_task_alive() {
    if !have("bwrap") {
        return;
    }
    let site = site().await;
    let job = site.prepared().await;
    job.note_key();
    job.change_state(|state| state["manager"]["boot"] = "another".into());
    let owner = owner(&site);
    stray(&site, &owner, &[("FARGATE_RUNNER_JOB", &crate::job_key(1))]).await;
    let (state, config) = (site.state_dir().display().to_string(), site.config());
    let runner = fargate_tests::runner().display().to_string();
    let config = config.display().to_string();
    let words = [
        "--dev-bind",
        "/",
        "/",
        "--ro-bind",
        &state,
        &state,
        "--",
        &runner,
        "-c",
        &config,
        "tasks",
        "reap",
    ];
    let ended = job.start_other("bwrap", &words).ended().await.with_code(1);
    let told = ended.err();
    assert!(told.contains("its task was stopped, but its record remains: "), "{told}");
    let seen = ReapOutput { document: serde_json::from_slice(&ended.stdout).expect("JSON"), ended };
    assert_eq!(seen.orphans(), ["not-stopped host-rebooted", "stopped no-record"]);
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    // Once there is room, the record goes as well.
    assert_eq!(reap(&site, &[], 0).await.orphans(), ["settled host-rebooted"]);
    site.close().await;
}
