//! What these commands print when one of their steps fails, or when somebody else undoes it.

use std::os::unix::fs::{MetadataExt, chown};

use fargate_local_cloud::CloudFault;
use fargate_tests::until;

use crate::{desired, job_key, reap, site, stray};

/// A user that owns nothing else in a test.
const SOMEBODY: u32 = 4242;

#[tokio::test]
async fn a_drain_that_somebody_resumed_does_not_say_that_the_host_is_drained() {
    let site = site().await;
    let job = site.prepared().await;
    let drain = site.start(&["drain"]);
    until("it waits", || site.log().contains("drain.waiting")).await;
    site.start(&["resume"]).ended().await.with_code(0);
    let told = drain.ended().await.with_code(1).err();
    let last = told.lines().last().expect("a line");
    assert!(last.starts_with("error: `fargate-runner resume` ended the drain after "), "{told}");
    assert!(!told.contains("drained in") && !told.contains("continues"), "{told}");
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_refused_stop_is_told_by_exec_and_moves_no_cursor() {
    let site = site().await;
    site.cloud().fail_until_cleared(
        "StopTask",
        CloudFault::Exception {
            status: 400,
            code: "AccessDeniedException".to_owned(),
            message: "no\n\x1b[31m".to_owned(),
        },
    );
    let ended = site.start(&["exec", "--", "true"]).ended().await.with_code(0);
    let told = ended.err();
    assert!(!told.contains('\x1b') && !told.contains("task stopped"), "{told:?}");
    let warning = told.lines().find(|line| line.starts_with("warning: ")).expect("a warning");
    let (before, refusal) = warning.split_once(": AccessDeniedException: ").expect("the cause");
    assert!(before.starts_with("warning: stopping task arn:"), "{warning}");
    assert_eq!(refusal, r"no\x0a\x1b[31m; the task ends by itself within 2m 00s");
    let last = told.lines().last().expect("a line");
    assert!(last.ends_with(", task not stopped; it ends by itself within 2m 00s"), "{told}");
    assert!(site.cloud().tasks().iter().all(|task| task.desired_status == "RUNNING"));
    // A clean-up prints the same text, on the stream that gitlab-runner shows.
    site.set("defaults.timeouts.cleanup", "300ms");
    let job = site.prepared().await;
    job.note_key();
    let told = job.cleanup().await.with_code(0).err();
    assert!(
        told.contains(r": AccessDeniedException: no\x0a\x1b[31m; ") && !told.contains('\x1b'),
        "{told:?}"
    );
    site.cloud().clear_faults();
    // The records of both lead to their tasks.
    let seen = reap(&site, &[], 0).await;
    assert_eq!(seen.orphans().len(), 2, "{}", seen.document);
    assert!(site.cloud().tasks().iter().all(|task| task.desired_status == "STOPPED"));
    site.close().await;
}

#[tokio::test]
async fn where_no_cluster_could_be_looked_at_no_word_is_said_of_its_tasks() {
    let site = site().await;
    let job = site.prepared().await;
    site.cloud().fail_until_cleared(
        "ListTasks",
        CloudFault::Exception {
            status: 400,
            code: "UnrecognizedClientException".to_owned(),
            message: "The security token included in the request is not valid.".to_owned(),
        },
    );
    let told = reap(&site, &[], 1).await.ended.err();
    let last = told.lines().last().expect("a line");
    assert!(last.starts_with("no cluster could be checked for host "), "{told}");
    assert!(!told.contains("no orphan") && !told.contains("no job has a task"), "{told}");
    site.cloud().clear_faults();
    let told = reap(&site, &[], 0).await.ended.err();
    assert!(told.contains("no orphan on host "), "{told}");
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn jobs_in_a_region_that_no_profile_names_are_told_and_no_orphan_is_no_all_clear() {
    let site = site().await;
    let job = site.prepared().await;
    site.set("defaults.region", "us-east-1");
    let seen = reap(&site, &[], 1).await;
    let told = seen.ended.err();
    assert!(
        told.contains(
            "warning: cluster ci in eu-west-1: no profile uses this cluster, so its 1 job "
        ),
        "{told}"
    );
    let last = told.lines().last().expect("a line");
    assert!(last.starts_with("no orphan was found on host "), "{told}");
    assert_eq!(seen.document["problems"].as_array().map(Vec::len), Some(1));
    site.set("defaults.region", "eu-west-1");
    assert_eq!(reap(&site, &[], 0).await.needed(), 1);
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn under_a_configured_name_a_task_of_an_older_driver_is_left_alone() {
    let site = site().await;
    site.set("owner", "ci-host");
    site.job().cleanup().await.passed();
    let older = stray(&site, "ci-host", &[("FARGATE_RUNNER_JOB", &job_key(1))]).await;
    let seen = reap(&site, &[], 0).await;
    assert_eq!((seen.orphans().len(), seen.left_alone()), (0, vec!["another-folder"]));
    assert_eq!(desired(&site, &older), "RUNNING");
    site.ecs().stop_task().cluster("ci").task(older).send().await.expect("a stop");
    site.close().await;
}

#[tokio::test]
async fn root_makes_nothing_in_a_state_folder_of_another_user() {
    if !nix::unistd::geteuid().is_root() {
        println!("SKIPPED: only root can give a folder to another user");
        return;
    }
    let site = site().await;
    let state = site.state_dir();
    // Not in an empty folder, not where the folder is missing, and not in a folder that jobs have used.
    let home = site.folder().join("home");
    site.set("state_dir", home.join("state").display().to_string());
    std::fs::create_dir(&home).expect("a writable folder");
    chown(&home, Some(SOMEBODY), None).expect("root may");
    let refused = async |command: &str| {
        let ended = site.start(&[command]).ended().await.with_code(1);
        let told = ended.err();
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(
            told.starts_with("error: the state folder ")
                && told.contains(" belongs to user 4242, "),
            "{told}"
        );
    };
    for command in ["pause", "drain", "resume"] {
        refused(command).await;
        assert!(!home.join("state").exists());
    }
    std::fs::create_dir(home.join("state")).expect("a writable folder");
    chown(home.join("state"), Some(SOMEBODY), None).expect("root may");
    refused("pause").await;
    assert_eq!(std::fs::read_dir(home.join("state")).expect("a folder").count(), 0);
    site.set("state_dir", state.display().to_string());
    site.job().cleanup().await.passed();
    chown(state.join("locks"), Some(SOMEBODY), None).expect("root may");
    std::fs::remove_dir(state.join("jobs")).expect("it is empty");
    refused("pause").await;
    assert!(!state.join("jobs").exists() && !state.join("paused").exists());
    assert_eq!(std::fs::metadata(state.join("locks")).expect("a folder").uid(), SOMEBODY);
    chown(state.join("locks"), Some(0), None).expect("root may");
    site.start(&["pause"]).ended().await.with_code(0);
    site.start(&["resume"]).ended().await.with_code(0);
    site.close().await;
}
