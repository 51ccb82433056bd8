//! A host without credentials: the driver says so soon, and leaves nothing to settle.

use fargate_tests::{CheckedHost, PATIENCE, SYSTEM_FAILURE, TestJob, free_place, until};
use nix::sys::signal::Signal;

use crate::answer_server::{AnswerServer, CannedAnswer};
use crate::block;
use crate::credential_sources::without_keys;

/// The metadata of an instance as a container with too few hops sees it.
async fn silent_metadata() -> AnswerServer {
    AnswerServer::start(|_| CannedAnswer::Silence).await
}

fn sees(metadata: &AnswerServer) -> impl FnOnce(&mut TestJob) + '_ {
    |job| {
        without_keys(job);
        job.set("AWS_EC2_METADATA_DISABLED", "false");
        job.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url());
    }
}

#[tokio::test]
async fn metadata_that_never_answers_are_asked_a_few_times_and_named() {
    let site = CheckedHost::open().await;
    let metadata = silent_metadata().await;
    let job = site.job_with(sees(&metadata));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    let told = block(&ended).replace(site.folder().to_str().expect("text"), "HOME");
    insta::assert_snapshot!(told, @r"
    error: this host has no AWS credentials
      Looked in: environment (AWS_ACCESS_KEY_ID is not set), profile default (not in HOME/.aws/config and HOME/.aws/credentials), web identity (AWS_WEB_IDENTITY_TOKEN_FILE is not set), container (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set), instance metadata (no answer; in a container it needs a hop limit of 2).
      The driver tried 3 times in T, then gave up.
      Fix: give this host a role, or name a profile in AWS_PROFILE
        aws sts get-caller-identity
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: credentials-missing
    ");
    assert!(metadata.asked().iter().all(|asked| asked.starts_with("PUT /latest/api/token")));
    assert_eq!(site.cloud().requests().len(), 0);
    // What never left the host is no launch.
    let cleaned = job.cleanup().await.with_code(0);
    assert!(cleaned.all().is_empty() && cleaned.took < PATIENCE, "{cleaned:?}");
    site.close().await;
}

#[tokio::test]
async fn a_signal_while_credentials_are_looked_for_leaves_nothing() {
    let site = CheckedHost::open().await;
    let metadata = silent_metadata().await;
    let job = site.job_with(sees(&metadata));
    let prepare = job.start(&["prepare"]);
    until("the metadata are asked", || !metadata.asked().is_empty()).await;
    assert_eq!(job.state().expect("a state file")["launches"], serde_json::json!([]));
    prepare.signal(Signal::SIGTERM);
    let ended = job.heard(prepare).await.with_code(SYSTEM_FAILURE);
    assert!(ended.out().ends_with("Cancelled: no task was started\n"), "{}", ended.out());
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_command_that_is_interrupted_while_credentials_are_looked_for_leaves_nothing() {
    let site = CheckedHost::open().await;
    let metadata = silent_metadata().await;
    let job = site.job_with(|job| {
        sees(&metadata)(job);
        job.arguments = vec!["-c".into(), site.config().into(), "exec".into()];
    });
    let running = job.start(&["--", "true"]);
    until("the metadata are asked", || !metadata.asked().is_empty()).await;
    running.signal(Signal::SIGINT);
    let ended = running.ended().await;
    assert!(!ended.all().contains("could not be stopped"), "{}", ended.all());
    assert!(!ended.all().contains("did not say"), "{}", ended.all());
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    site.close().await;
}

#[tokio::test]
async fn an_endpoint_that_is_none_is_refused_at_once_by_the_name_of_its_variable() {
    for name in ["AWS_ENDPOINT_URL_ECS", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] {
        let site = CheckedHost::open().await;
        let job = site.job_with(|job| job.set(name, "nonsense"));
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        assert_eq!(ended.error_line(), format!("error: {name} is not the URL of an endpoint"));
        assert!(ended.took < PATIENCE, "{:?}", ended.took);
        assert_eq!(site.cloud().requests().len(), 0);
        site.close().await;
    }
}

#[tokio::test]
async fn a_region_that_can_be_none_is_refused_at_once_by_name() {
    let site = CheckedHost::open().await;
    fargate_tests::replace_in(&site.config(), "region = \"eu-west-1\"\n", "");
    let job = site.job_with(|job| job.set("AWS_REGION", "eu west 1"));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: eu west 1 is not an AWS Region");
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}

#[tokio::test]
async fn a_launch_that_met_no_connection_is_none_whoever_ends_the_stage() {
    let site = CheckedHost::open().await;
    // Nobody listens where somebody did a moment ago.
    let nobody = free_place();
    let job = site.job_with(|job| job.set("AWS_ENDPOINT_URL_ECS", format!("http://{nobody}")));
    let prepare = job.start(&["prepare"]);
    until("it was tried", || site.log().contains("run_task.failed")).await;
    until("no launch is open", || {
        job.state().is_some_and(|state| state["launches"] == serde_json::json!([]))
    })
    .await;
    prepare.signal(Signal::SIGKILL);
    prepare.ended().await;
    // Nobody is asked, so nobody has to answer.
    let cleaned = job.cleanup().await.with_code(0);
    assert!(cleaned.took < PATIENCE, "{:?}", cleaned.took);
    site.close().await;
}
