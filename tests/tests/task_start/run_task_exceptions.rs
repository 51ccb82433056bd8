//! RunTask answers with an exception, or does not answer.

use std::time::Duration;

use fargate_local_cloud::CloudFault;
use fargate_tests::{CheckedHost, PATIENCE, SYSTEM_FAILURE, free_place};

use crate::{block, exception, the_next_tries_are_short};

#[tokio::test]
async fn throttling_is_waited_out_and_told_seldom() {
    let site = CheckedHost::open().await;
    for _ in 0..3 {
        let fault = exception(400, "ThrottlingException", "Rate exceeded");
        site.cloud().fail("RunTask", fault);
    }
    let job = site.job();
    let ended = job.prepare().await.with_code(0);
    assert_eq!(site.calls("RunTask"), 4);
    assert_eq!(site.tasks_of(&job).len(), 1);
    // Each try has the same token: until ECS answers, they are one launch.
    let requests = site.cloud().requests();
    let asked = requests.iter().filter(|request| request.operation == "RunTask");
    let tokens: Vec<_> = asked.map(|request| request.body["clientToken"].clone()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    assert!(!ended.out().contains("limits how fast"), "too short to be told: {}", ended.out());
    site.close().await;
}

#[tokio::test]
async fn errors_of_ecs_itself_are_waited_out() {
    let site = CheckedHost::open().await;
    site.cloud().fail("RunTask", exception(500, "ServerException", "Service Unavailable."));
    site.cloud().fail("RunTask", exception(503, "ServiceUnavailable", "Slow down."));
    let trust = "ECS was unable to assume the role 'x' that was provided for this task.";
    site.cloud().fail("RunTask", exception(400, "ClientException", trust));
    let job = site.job();
    job.prepare().await.passed();
    assert_eq!((site.calls("RunTask"), site.tasks_of(&job).len()), (4, 1));
    site.close().await;
}

/// The first task in a new account makes ECS create its own role, which AWS does not know everywhere
/// at once.
#[tokio::test]
async fn a_service_linked_role_that_is_new_is_waited_for() {
    let site = CheckedHost::open().await;
    let words = "Unable to assume the service linked role. Please verify that the ECS service linked \
                 role exists.";
    site.cloud().fail("RunTask", exception(400, "InvalidParameterException", words));
    site.cloud().fail("RunTask", exception(400, "InvalidParameterException", words));
    let job = site.job();
    job.prepare().await.passed();
    assert_eq!((site.calls("RunTask"), site.tasks_of(&job).len()), (3, 1));
    site.close().await;
}

#[tokio::test]
async fn a_service_linked_role_that_does_not_come_is_told_with_the_command_that_makes_it() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.prepare", "1s");
    site.set("defaults.timeouts.task_start", "1s");
    let words = "Unable to assume the service linked role. Please verify that the ECS service linked \
                 role exists.";
    let fault = exception(400, "InvalidParameterException", words);
    site.cloud().fail_until_cleared("RunTask", fault);
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    let headline = "error: ECS cannot assume its service-linked role in this account";
    assert_eq!(ended.error_line(), headline);
    let command = "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com";
    assert!(ended.out().contains(command), "{}", ended.out());
    site.close().await;
}

#[tokio::test]
async fn throttling_that_does_not_end_is_told_and_ends_at_the_deadline() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.prepare", "2s");
    site.set("defaults.timeouts.task_start", "2s");
    site.set("defaults.timeouts.progress_interval", "300ms");
    site.set("defaults.timeouts.task_stop", "500ms");
    let fault = exception(400, "ThrottlingException", "Rate exceeded");
    site.cloud().fail_until_cleared("RunTask", fault);
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    let told = ended.out().lines().filter(|line| line.ends_with("trying again")).count();
    assert!((1..=8).contains(&told), "{}", ended.out());
    assert_eq!(ended.error_line(), "error: AWS limits how fast tasks start");
    site.cloud().clear_faults();
    // The cause goes away by itself, so the next try calls RunTask again.
    job.cleanup().await.passed();
    site.set("defaults.timeouts.prepare", "1m");
    job.prepare().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_missing_permission_is_final_and_names_the_action() {
    let site = CheckedHost::open().await;
    let message = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: \
                   ecs:RunTask on resource: arn:aws:ecs:eu-west-1:123456789012:task-definition/ci-job:1";
    site.cloud().fail_until_cleared("RunTask", exception(400, "AccessDeniedException", message));
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!((site.calls("RunTask"), ended.err().as_str()), (1, ""));
    insta::assert_snapshot!(block(&ended), @r#"
    error: this host's role may not ecs:RunTask
      ECS: "AccessDeniedException: User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecs:RunTask on resource: arn:aws:ecs:eu-west-1:123456789012:task-definition/ci-job:1"
      Fix: allow exactly this action
        aws sts get-caller-identity
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: not-allowed
    "#);
    the_next_tries_are_short(&site, &job, "this host's role may not ecs:RunTask").await;
    site.close().await;
}

#[tokio::test]
async fn a_cluster_that_does_not_exist_is_final() {
    let site = CheckedHost::open().await;
    site.set("defaults.cluster", "no-such-cluster");
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    insta::assert_snapshot!(block(&ended), @r#"
    error: cluster no-such-cluster does not exist in eu-west-1
      ECS: "ClusterNotFoundException: Cluster not found."
      Fix: correct `cluster`, or create the cluster
        aws ecs create-cluster --cluster-name no-such-cluster
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: cluster-missing
    "#);
    let headline = "cluster no-such-cluster does not exist in eu-west-1";
    the_next_tries_are_short(&site, &job, headline).await;
    site.close().await;
}

#[tokio::test]
async fn a_task_definition_that_is_not_there_is_final() {
    let site = CheckedHost::open().await;
    site.set("defaults.task_definition", "no-such-family:7");
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    insta::assert_snapshot!(block(&ended), @r#"
    error: task definition no-such-family:7 is missing or inactive
      ECS: "ClientException: TaskDefinition not found."
      Fix: register it again, or correct `task_definition`
        aws ecs describe-task-definition --task-definition no-such-family:7
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: task-def-missing
    "#);
    let headline = "task definition no-such-family:7 is missing or inactive";
    the_next_tries_are_short(&site, &job, headline).await;
    site.close().await;
}

#[tokio::test]
async fn a_container_that_the_definition_lacks_is_final() {
    let site = CheckedHost::open().await;
    site.set("defaults.container", "no-such-container");
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    let headline = "task definition ci-job has no container no-such-container";
    assert_eq!(ended.error_line(), format!("error: {headline}"));
    the_next_tries_are_short(&site, &job, headline).await;
    site.close().await;
}

#[tokio::test]
async fn what_ecs_refuses_is_final_whatever_it_is() {
    for (code, message, headline) in [
        (
            "ClientException",
            "No Fargate configuration exists for given values.",
            "Fargate does not offer this pair of CPU and memory",
        ),
        (
            "InvalidParameterException",
            "The specified capacity provider 'FARGATE_SPOT' was not found.",
            "cluster ci does not offer the capacity provider",
        ),
        (
            "InvalidParameterException",
            "Security group sg-1 does not appear to belong to the same VPC as the input subnets.",
            "the security groups and the subnet are in different VPCs",
        ),
        ("SomethingNewException", "Nobody knows this one.", "ECS refused to start the task"),
    ] {
        let site = CheckedHost::open().await;
        site.cloud().fail_until_cleared("RunTask", exception(400, code, message));
        let job = site.job();
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        assert_eq!(ended.error_line(), format!("error: {headline}"));
        assert!(ended.out().contains(message), "ECS's own words: {}", ended.out());
        assert_eq!(site.calls("RunTask"), 1);
        the_next_tries_are_short(&site, &job, headline).await;
        site.close().await;
    }
}

#[tokio::test]
async fn what_aws_may_mend_meanwhile_is_tried_again_by_the_next_try() {
    let site = CheckedHost::open().await;
    let job = site.job();
    for (code, headline) in [
        ("BlockedException", "error: AWS has blocked this account"),
        ("ExpiredTokenException", "error: the AWS credentials of this host do not work"),
    ] {
        site.cloud().fail("RunTask", exception(400, code, "Not now."));
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        assert_eq!(ended.error_line(), headline);
        job.cleanup().await.passed();
    }
    job.prepare().await.passed();
    site.close().await;
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_task_started_finds_the_same_task() {
    let site = CheckedHost::open().await;
    site.cloud().fail("RunTask", CloudFault::LostAnswer);
    site.cloud().fail("RunTask", CloudFault::LostAnswer);
    let job = site.job();
    job.prepare().await.passed();
    assert_eq!((site.calls("RunTask"), site.tasks_of(&job).len()), (3, 1));
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_given_up_per_attempt_and_tried_again() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.aws_connect", "200ms");
    site.set("defaults.timeouts.aws_attempt", "300ms");
    site.cloud().fail("RunTask", CloudFault::Hang);
    site.cloud().fail("RunTask", CloudFault::Slow(Duration::from_secs(60)));
    let job = site.job();
    let ended = job.prepare().await.with_code(0);
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    assert_eq!((site.calls("RunTask"), site.tasks_of(&job).len()), (3, 1));
    site.close().await;
}

#[tokio::test]
async fn an_endpoint_that_nobody_answers_is_named() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.prepare", "1s");
    site.set("defaults.timeouts.task_start", "1s");
    site.set("defaults.timeouts.task_stop", "500ms");
    site.set("defaults.timeouts.cleanup", "500ms");
    let nobody = format!("http://{}", free_place());
    let job = site.job_with(|job| job.set("AWS_ENDPOINT_URL_ECS", &nobody));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), format!("error: this host cannot reach {nobody}"));
    assert_eq!(site.cloud().tasks().len(), 0);
    // No connection was made, so nothing was started: there is nothing to ask and nothing to warn of.
    let ended = job.cleanup().await.with_code(0);
    assert!(ended.all().is_empty(), "{}", ended.all());
    site.close().await;
}
