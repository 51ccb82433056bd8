//! The local cloud, checked with a client and a model of the API that others wrote: boto3 and
//! botocore.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use aws_sdk_ecs::config::{BehaviorVersion, Region};
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::operation::run_task::builders::RunTaskFluentBuilder;
use aws_sdk_ecs::types::{AwsVpcConfiguration, LaunchType, NetworkConfiguration};
use fargate_local_cloud::{
    AccessKeyPair, CloudFault, CloudOptions, CloudTaskPhase, IssuedCredentials, LocalCloud,
};
use fargate_tests::python;

fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// The faults that `check.py` expects, in its order.
fn expected_faults() -> Vec<CloudFault> {
    let exception = |status, code: &str, message: &str| CloudFault::Exception {
        status,
        code: code.to_owned(),
        message: message.to_owned(),
    };
    vec![
        exception(500, "ServerException", "Service Unavailable. Please try again later."),
        exception(400, "BlockedException", "Your account is currently blocked."),
        exception(400, "ThrottlingException", "Rate exceeded"),
        CloudFault::Failure {
            reason: "Capacity is unavailable at this time. Please try again later or in a \
                     different availability zone"
                .to_owned(),
            detail: None,
        },
        CloudFault::TaskStops {
            phase: CloudTaskPhase::Pending,
            after: Duration::ZERO,
            stop_code: "TaskFailedToStart".to_owned(),
            stopped_reason: "CannotPullContainerError: pull image manifest has been retried 1 \
                             time(s): failed to resolve ref registry.example/job:1: not found"
                .to_owned(),
            container_reason: None,
            exit_code: None,
        },
    ]
}

fn in_one_line(credentials: &IssuedCredentials) -> String {
    [&credentials.access_key_id, &credentials.secret_access_key, &credentials.session_token]
        .map(String::as_str)
        .join(" ")
}

async fn check(python: PathBuf, cloud: &LocalCloud) -> Output {
    let mut command = Command::new(python);
    command
        .arg(conformance().join("check.py"))
        .arg(cloud.endpoint())
        .env("LOCAL_CLOUD_SESSION", in_one_line(&cloud.issue_credentials(Duration::from_secs(600))))
        .env("LOCAL_CLOUD_EXPIRED", in_one_line(&cloud.issue_credentials(Duration::ZERO)))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic")
        .expect("python runs")
}

/// The role, the policies and the log group that `account_calls.py` asks for.
fn furnish_account(cloud: &LocalCloud) {
    let own = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*",
         "Condition": {"Bool": {"aws:SecureTransport": "true"}}}]}"#;
    let logs = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}]}"#;
    cloud.put_role_policy("ci-task", "own", own).expect("a policy");
    let arn = "arn:aws:iam::123456789012:policy/team/logs";
    cloud.attach_role_policy("ci-task", arn, logs).expect("a policy");
    cloud.add_log_group("/ci/tasks");
}

async fn serve() -> LocalCloud {
    let access_keys = Some(AccessKeyPair::new("test", "test"));
    let options = CloudOptions { access_keys, ..CloudOptions::new("fargate-agent") };
    let cloud = LocalCloud::serve(options).await.expect("a cloud");
    furnish_account(&cloud);
    for fault in expected_faults() {
        cloud.fail("RunTask", fault);
    }
    cloud
}

#[tokio::test]
async fn boto3_and_the_models_of_botocore_find_nothing_wrong() {
    let Some(python) = python() else { return };
    let cloud = serve().await;
    let output = check(python, &cloud).await;
    let (said, findings) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{findings}");
    assert!(cloud.requests().len() > 100, "{said}");
    cloud.shutdown().await;
}

#[tokio::test]
async fn the_check_itself_finds_what_is_wrong() {
    let Some(python) = python() else { return };
    let cloud = serve().await;
    let wrong = r#"{"clusters": [{"status": "LOST", "runningTasksCount": "1", "colour": "red"}]}"#;
    for body in [wrong, r#"{"__type": "NoSuchException", "message": "no"}"#] {
        let status = if body == wrong { 200 } else { 400 };
        cloud.fail("DescribeClusters", CloudFault::Answer { status, body: body.to_owned() });
        let output = check(python.clone(), &cloud).await;
        let findings = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        let expected: &[&str] = if body == wrong {
            &["'LOST' is no value of ECS", "want integer, got '1'", "unknown colour"]
        } else {
            &["NoSuchException"]
        };
        for finding in expected {
            assert!(findings.contains(finding), "{finding} is not in {findings}");
        }
    }
    cloud.shutdown().await;
}

/// RunTask as the SDK for Rust sends it, for the seeded resources.
fn run_task(cloud: &LocalCloud, secret: &str) -> RunTaskFluentBuilder {
    let configuration = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(cloud.endpoint())
        .credentials_provider(aws_credential_types::Credentials::from_keys("test", secret, None))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let network = AwsVpcConfiguration::builder()
        .subnets("subnet-0a1b2c3d4e5f60718")
        .build()
        .expect("a complete configuration");
    aws_sdk_ecs::Client::from_conf(configuration)
        .run_task()
        .cluster("ci")
        .task_definition("ci-job")
        .launch_type(LaunchType::Fargate)
        .network_configuration(
            NetworkConfiguration::builder().awsvpc_configuration(network).build(),
        )
}

#[tokio::test]
async fn the_sdk_for_rust_starts_one_task_even_when_the_first_answer_is_lost() {
    let cloud = serve().await;
    cloud.clear_faults();
    for fault in [CloudFault::LostAnswer, CloudFault::TaskHeld { phase: CloudTaskPhase::Pending }] {
        cloud.fail("RunTask", fault);
    }
    let answer = run_task(&cloud, "test").send().await.expect("the second try is answered");
    let tasks = cloud.tasks();
    assert_eq!(cloud.requests().len(), 2, "the SDK tried again");
    assert_eq!(tasks.len(), 1, "with the same client token");
    assert_eq!(answer.tasks()[0].task_arn(), Some(tasks[0].arn.as_str()));
    assert!(tasks[0].client_token.is_some());
    cloud.shutdown().await;
}

#[tokio::test]
async fn the_sdk_for_rust_reads_errors_and_who_refused_it() {
    let cloud = serve().await;
    cloud.clear_faults();
    let wrong_secret = run_task(&cloud, "Test").send().await.expect_err("a wrong signature");
    assert_eq!(wrong_secret.code(), Some("InvalidSignatureException"));
    let no_cluster = run_task(&cloud, "test").cluster("none").send().await;
    let error = no_cluster.expect_err("no such cluster").into_service_error();
    assert!(error.is_cluster_not_found_exception(), "{error:?}");
    assert_eq!(error.message(), Some("Cluster not found."));
    cloud.shutdown().await;
}
