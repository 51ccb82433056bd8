//! Late answers of ECS, stops that did not work, and two `tasks reap` at once.

use std::time::Duration;

use fargate_local_cloud::CloudFault;
use fargate_tests::until;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::orphaned_jobs::records;
use crate::{reap, site};

#[tokio::test]
async fn a_task_that_ecs_does_not_show_yet_is_not_taken_for_anything() {
    let site = site().await;
    let job = site.prepared().await;
    site.cloud().set_read_lag(Duration::from_secs(600));
    let seen = reap(&site, &[], 0).await;
    assert_eq!((seen.orphans().len(), seen.needed()), (0, 0), "{}", seen.document);
    job.run("echo still here").await.passed();
    site.cloud().set_read_lag(Duration::ZERO);
    assert_eq!(reap(&site, &[], 0).await.needed(), 1);
    // It is an orphan and ECS does not show it yet. Its record names it all the same.
    site.cloud().set_read_lag(Duration::from_secs(600));
    job.change_state(|state| state["manager"]["boot"] = "another".into());
    job.note_key();
    assert_eq!(reap(&site, &[], 0).await.orphans(), ["settled host-rebooted"]);
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}

#[tokio::test]
async fn a_task_that_ecs_still_shows_after_its_end_is_stopped_again_which_harms_nobody() {
    let site = site().await;
    let job = site.prepared().await;
    let task = site.task_of(&job);
    job.cleanup().await.passed();
    let answer =
        |body: serde_json::Value| CloudFault::Answer { status: 200, body: body.to_string() };
    site.cloud().fail_until_cleared("ListTasks", answer(json!({ "taskArns": [task.arn] })));
    let stale = json!({ "tasks": [{
        "taskArn": task.arn, "lastStatus": "RUNNING", "desiredStatus": "RUNNING",
        "startedBy": task.started_by, "overrides": task.overrides,
    }], "failures": [] });
    site.cloud().fail_until_cleared("DescribeTasks", answer(stale));
    assert_eq!(reap(&site, &[], 0).await.orphans(), ["stopped cleaned-up"]);
    assert_eq!(site.calls("StopTask"), 2);
    site.cloud().clear_faults();
    // It does not hinder the next attempt of the job.
    job.prepare().await.passed();
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn what_a_clean_up_could_not_stop_is_settled_later() {
    let exception = |status, code: &str, message: &str| CloudFault::Exception {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    };
    let denied = "User is not authorized to perform: ecs:StopTask";
    for fault in [
        exception(400, "ThrottlingException", "Rate exceeded"),
        exception(500, "ServerException", "Service Unavailable"),
        exception(400, "AccessDeniedException", denied),
        CloudFault::LostAnswer,
    ] {
        let site = site().await;
        site.set("defaults.timeouts.cleanup", "300ms");
        let job = site.prepared().await;
        site.cloud().fail_until_cleared("StopTask", fault.clone());
        let ended = job.cleanup().await.with_code(0);
        assert!(ended.err().starts_with("warning: stopping task "), "{}", ended.err());
        assert!(job.state_file().exists());
        site.cloud().clear_faults();
        let seen = reap(&site, &[], 0).await;
        assert_eq!(seen.orphans().len(), 1, "{fault:?}: {}", seen.document);
        assert!(seen.orphans()[0].ends_with(" cut-short"), "{fault:?}: {}", seen.document);
        assert_eq!(site.task_of(&job).desired_status, "STOPPED");
        assert_eq!(records(&site), Vec::<String>::new());
        assert!(job.tombstone().exists());
        site.close().await;
    }
}

#[tokio::test]
async fn of_two_at_once_one_says_so_and_ends() {
    let site = site().await;
    let job = site.prepared().await;
    job.change_state(|state| state["manager"]["boot"] = "another".into());
    site.set("defaults.timeouts.orphan_recheck", "50s");
    let first = site.start(&["tasks", "reap"]);
    until("it has looked once", || site.log().contains("reap.swept")).await;
    site.set("defaults.timeouts.orphan_recheck", "20ms");
    let second = site.start(&["tasks", "reap"]).ended().await.with_code(1);
    insta::assert_snapshot!(second.err(), @r"
    error: another `tasks reap` is running on this host
    hint: wait until it has ended; `--dry-run` can run at the same time
    ");
    assert_eq!(second.out(), "");
    assert_eq!(reap(&site, &["--dry-run"], 0).await.orphans(), ["would-stop host-rebooted"]);
    // Its lock ends with its process, however that ends.
    first.signal(Signal::SIGKILL);
    first.ended().await.with_code(128 + 9);
    assert_eq!(reap(&site, &[], 0).await.orphans(), ["stopped host-rebooted"]);
    site.close().await;
}
