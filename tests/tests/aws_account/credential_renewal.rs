//! Credentials that expire while a job runs: each stage loads new ones from the same source.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use fargate_local_cloud::IssuedCredentials;
use fargate_tests::{BUILD_FAILURE, CheckedHost, PATIENCE, TestJob, until};

use crate::credential_sources::{aws_file, printed, without_keys};
use crate::reaches_all;

const HOUR: Duration = Duration::from_secs(3600);

/// Rules for calls of ECS that are refused once, as credentials are that have just ended.
fn refused_once(operations: &[&str]) -> fargate_local_cloud::FaultRules {
    let rule = |operation: &&str| {
        format!(
            "{operation} call 1: error 400 ExpiredTokenException \
             \"The security token included in the request is expired\"\n"
        )
    };
    operations.iter().map(rule).collect::<String>().parse().expect("rules")
}

#[tokio::test]
async fn a_role_is_assumed_again_in_every_stage() {
    let site = CheckedHost::open().await;
    let role = site.cloud().add_role("eu-west-1", "ci", None);
    site.set("defaults.assume_role_arn", role);
    site.cloud().set_faults(refused_once(&["RunTask", "DescribeTasks", "StopTask"]));
    let job = site.job_with(reaches_all(&site));
    job.prepare().await.passed();
    assert_eq!(site.cloud().struck().len(), 2, "{:?}", site.cloud().struck());
    // The script ends its agent, so that the verdict is asked of ECS.
    site.cloud().add_faults(refused_once(&["DescribeTasks"])).expect("room");
    job.run("kill -9 2; sleep 1000").await.with_code(BUILD_FAILURE);
    let cleaned = job.cleanup().await.with_code(0);
    assert!(cleaned.all().is_empty(), "{}", cleaned.all());
    assert_eq!(site.tasks_of(&job).len(), 1);
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    assert_eq!(site.cloud().struck().len(), 4, "{:?}", site.cloud().struck());
    site.close().await;
}

#[tokio::test]
async fn a_role_whose_session_really_ends_is_assumed_again() {
    let site = CheckedHost::open().await;
    let role = site.cloud().add_role("eu-west-1", "ci", None);
    site.set("defaults.assume_role_arn", role);
    // It starts late, so that the clock is moved while `prepare` waits.
    site.cloud().set_faults(
        "task 1 at PENDING + 1h30m: stop TaskFailedToStart \"x\"".parse().expect("a rule"),
    );
    let job = site.job_with(reaches_all(&site));
    let prepare = job.start(&["prepare"]);
    until("the task was asked about", || site.calls("DescribeTasks") > 1).await;
    let before = site.calls("AssumeRole");
    site.cloud().advance(Duration::from_secs(61 * 60));
    site.cloud().clear_faults();
    until("the role is assumed again", || site.calls("AssumeRole") > before).await;
    prepare.signal(nix::sys::signal::Signal::SIGTERM);
    job.heard(prepare).await;
    job.cleanup().await.passed();
    site.close().await;
}

/// A job whose credentials a process prints: the first time the first ones, and then the others.
fn with_process(
    site: &CheckedHost,
    first: &IssuedCredentials,
    then: &IssuedCredentials,
) -> (Rc<TestJob>, PathBuf) {
    let [first, then] = [("first", first), ("then", then)]
        .map(|(name, keys)| aws_file(site, &format!("{name}.json"), printed(keys)));
    let asked = site.folder().join("asked");
    let process = format!(
        "if mkdir {}; then cat {}; else cat {}; fi",
        asked.display(),
        first.display(),
        then.display()
    );
    aws_file(site, "config", format!("[profile ci]\ncredential_process = {process}\n"));
    let job = site.job_with(|job| {
        without_keys(job);
        job.set("AWS_PROFILE", "ci");
    });
    (job, asked)
}

#[tokio::test]
async fn a_process_whose_credentials_have_ended_is_run_again_in_every_stage() {
    let site = CheckedHost::open().await;
    let ended = site.cloud().issue_credentials(Duration::ZERO);
    let good = site.cloud().issue_credentials(HOUR);
    let (job, asked) = with_process(&site, &ended, &good);
    job.prepare().await.passed();
    job.run("true").await.passed();
    fs::remove_dir(&asked).expect("the process was run");
    let cleaned = job.cleanup().await.with_code(0);
    assert!(cleaned.all().is_empty(), "{}", cleaned.all());
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}

/// The keys of a file, which the SDK would read once.
fn keys_file(site: &CheckedHost, keys: &IssuedCredentials) {
    let text = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        keys.access_key_id, keys.secret_access_key, keys.session_token
    );
    aws_file(site, "credentials", text);
}

#[tokio::test]
async fn a_file_that_is_renewed_while_a_stage_waits_is_heard_by_prepare_and_by_cleanup() {
    let site = CheckedHost::open().await;
    let job = site.job_with(without_keys);
    for stage in ["prepare", "cleanup"] {
        keys_file(&site, &site.cloud().issue_credentials(Duration::ZERO));
        let refused = || site.log().matches("credentials.refused").count();
        let before = refused();
        let running = job.start(&[stage]);
        until("the credentials are refused twice", || refused() >= before + 2).await;
        // A program that writes a file in place empties it first.
        let not_renewed = || site.log().matches("credentials.not_renewed").count();
        let before = not_renewed();
        aws_file(&site, "credentials", "");
        until("the file is read while it is empty", || not_renewed() > before).await;
        keys_file(&site, &site.cloud().issue_credentials(HOUR));
        let ended = job.heard(running).await.with_code(0);
        assert!(!ended.all().contains("warning"), "{}", ended.all());
    }
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}

#[tokio::test]
async fn cleanup_uses_its_time_before_it_warns_of_credentials_that_nobody_renews() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.cleanup", "3s");
    let job = site.job_with(without_keys);
    keys_file(&site, &site.cloud().issue_credentials(HOUR));
    job.prepare().await.passed();
    keys_file(&site, &site.cloud().issue_credentials(Duration::ZERO));
    let before = site.calls("StopTask");
    let ended = job.cleanup().await.with_code(0);
    assert!(ended.err().starts_with("warning: "), "{}", ended.err());
    assert!(ended.err().contains("ExpiredTokenException"), "{}", ended.err());
    assert!(site.calls("StopTask") >= before + 3, "{}", site.calls("StopTask"));
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    keys_file(&site, &site.cloud().issue_credentials(HOUR));
    job.cleanup().await.passed();
    site.close().await;
}
