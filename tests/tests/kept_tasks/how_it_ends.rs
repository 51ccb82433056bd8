//! The end of a kept task: by its agent alone, and by the sweep.

use fargate_tests::{BUILD_FAILURE, PipeReading, until};

use crate::{command, keep_until, kept, name_of, orphans, prepared, reap, site};

#[tokio::test]
async fn at_its_time_the_task_ends_itself_although_a_person_is_in_it() {
    let site = site().await;
    let job = kept(&site, "12s").await;
    let name = name_of(&job);
    let mut shell = site.start(&["jobs", "shell", &name, "--", "sh", "-c", "echo in; sleep 1000"]);
    shell.wrote("in").await;
    until("the task ended itself", || site.cloud().live_tasks() == 0).await;
    assert_eq!(site.calls("StopTask"), 0, "nobody else ended it");
    drop(shell.ended().await);
    // The sweep finds the record of a task that is gone, and leaves nothing that is secret.
    until("its time is over for the host as well", || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        keep_until(&job).expect("a record") < now.expect("after 1970").as_secs()
    })
    .await;
    let swept = reap(&site).await;
    assert_eq!(orphans(&swept), ["settled hold-over"], "{swept}");
    assert!(!job.state_file().exists() && job.tombstone().exists());
    site.close().await;
}

#[tokio::test]
async fn the_sweep_spares_a_kept_task_and_stops_it_once_its_time_is_over() {
    let site = site().await;
    let job = kept(&site, "20m").await;
    assert!(orphans(&reap(&site).await).is_empty());
    // As if the host had slept over it, and the agent with it.
    job.change_state(|state| state["kept"]["keep_until_unix_s"] = 1_700_000_000.into());
    let swept = reap(&site).await;
    assert_eq!(orphans(&swept), ["stopped hold-over"], "{swept}");
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    assert!(!job.state_file().exists());
    site.close().await;
}

#[tokio::test]
async fn a_clean_up_after_its_time_stops_the_task() {
    let site = site().await;
    let job = kept(&site, "20m").await;
    job.change_state(|state| state["kept"]["keep_until_unix_s"] = 1_700_000_000.into());
    job.cleanup().await.passed();
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    assert!(!job.state_file().exists());
    site.close().await;
}

#[tokio::test]
async fn a_time_that_is_over_before_the_job_keeps_nothing() {
    let site = site().await;
    let job = prepared(&site, "1s").await;
    job.run("exit 1").await.with_code(BUILD_FAILURE);
    let after_script = job.start_stage("after_script", "sleep 2", PipeReading::Always);
    job.heard(after_script).await.passed();
    job.cleanup().await.passed();
    assert!(!job.state_file().exists());
    assert!(site.log().contains("the time for which it was to be kept was over"), "{}", site.log());
    site.close().await;
}

#[tokio::test]
async fn a_release_that_is_refused_leaves_no_key_and_the_sweep_tries_again() {
    let site = site().await;
    let job = kept(&site, "20m").await;
    let name = name_of(&job);
    site.cloud().deny("ecs:StopTask");
    let said = command(&site, &["jobs", "release", &name], 1).await.err();
    assert!(said.contains("ecs:StopTask"), "{said}");
    let state = job.state().expect("a record");
    assert!(state["kept"].is_null() && state["client_key"] == "", "{state}");
    site.cloud().clear_faults();
    site.cloud().allow("ecs:StopTask");
    assert_eq!(orphans(&reap(&site).await), ["stopped cut-short"]);
    site.close().await;
}
