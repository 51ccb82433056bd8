//! ECS accepts a task, and the task stops before its agent answers.

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, SYSTEM_FAILURE};

use crate::{block, stops, the_next_tries_are_short};

const FAILED: &str = "TaskFailedToStart";

#[tokio::test]
async fn an_image_that_does_not_exist_is_final() {
    let site = CheckedHost::open().await;
    let reason = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed \
                  to resolve ref registry.example/ci/job:1: registry.example/ci/job:1: not found";
    site.cloud().fail_until_cleared("RunTask", stops(CloudTaskPhase::Pending, FAILED, reason));
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    insta::assert_snapshot!(block(&ended), @r#"
    error: image registry.example/ci/job:1 does not exist
      ECS: "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref registry.example/ci/job:1: registry.example/ci/job:1: not found"
      task ID is STOPPED: TaskFailedToStart.
      Fix: correct the image in the task definition, or push it
        aws ecs describe-task-definition --task-definition ci-job
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: image-not-found
    "#);
    assert_eq!(site.tasks_of(&job).len(), 1, "no other task is started for it");
    let headline = "image registry.example/ci/job:1 does not exist";
    the_next_tries_are_short(&site, &job, headline).await;
    site.close().await;
}

#[tokio::test]
async fn a_network_interface_that_came_too_late_is_tried_again_one_task_at_a_time() {
    let site = CheckedHost::open().await;
    let reason = "Timeout waiting for network interface provisioning to complete.";
    for _ in 0..2 {
        site.cloud().fail("RunTask", stops(CloudTaskPhase::Provisioning, FAILED, reason));
    }
    let job = site.job();
    let ended = job.prepare().await.with_code(0);
    let tasks = site.tasks_of(&job);
    assert_eq!(tasks.len(), 3);
    for pair in tasks.windows(2) {
        let stopped = pair[0].stopped_at.expect("the former one has stopped");
        assert!(stopped <= pair[1].created_at, "{pair:?}");
        assert_ne!(pair[0].client_token, pair[1].client_token);
    }
    let again = "AWS did not attach a network interface in time (ECS: \"Timeout waiting for network \
                 interface provisioning to complete.\"): starting another task (1 of 3)";
    assert!(ended.out().contains(again), "{}", ended.out());
    job.run("true").await.passed();
    site.close().await;
}

/// ECS accepts a task for a subnet without a free address, and tells so when it has stopped.
#[tokio::test]
async fn a_task_for_which_a_subnet_has_no_address_is_followed_by_one_in_the_next_subnet() {
    let site = CheckedHost::open().await;
    let reason = "Unexpected EC2 error while attempting to Create Network Interface with public IP \
                  assignment disabled in subnet 'subnet-0a1b2c3d4e5f60718': \
                  InsufficientFreeAddressesInSubnet";
    for _ in 0..3 {
        site.cloud().fail("RunTask", stops(CloudTaskPhase::Provisioning, FAILED, reason));
    }
    let job = site.job();
    job.prepare().await.passed();
    let requests = site.cloud().requests();
    let asked = requests.iter().filter(|request| request.operation == "RunTask");
    let subnet = |body: &serde_json::Value| {
        let subnets = &body["networkConfiguration"]["awsvpcConfiguration"]["subnets"];
        subnets[0].as_str().unwrap_or_default().to_owned()
    };
    let subnets: Vec<_> = asked.map(|request| subnet(&request.body)).collect();
    let (a, b) = ("subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a");
    assert_eq!(subnets, [a, b, a, b]);
    site.close().await;
}

#[tokio::test]
async fn what_stays_wrong_is_given_up_after_a_few_tasks() {
    let site = CheckedHost::open().await;
    site.set("defaults.limits.task_relaunches", 2);
    let reason = "Timeout waiting for network interface provisioning to complete.";
    site.cloud().fail_until_cleared("RunTask", stops(CloudTaskPhase::Provisioning, FAILED, reason));
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: AWS did not attach a network interface in time");
    assert_eq!(site.tasks_of(&job).len(), 3);
    // The cause may be gone at the next try, so the driver tries again.
    site.cloud().clear_faults();
    job.cleanup().await.passed();
    job.prepare().await.passed();
    site.close().await;
}

/// A registry that limits pulls is asked once for each task, and each failed pull counts against its
/// limit as well.
#[tokio::test]
async fn a_registry_that_limits_pulls_meets_no_more_tasks_than_any_other_reason() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.registry_retry_pause", "1s");
    let reason = "CannotPullContainerError: inspect image has been retried 5 time(s): 429 Too Many \
                  Requests - Server message: toomanyrequests: You have reached your pull rate limit";
    site.cloud().fail_until_cleared("RunTask", stops(CloudTaskPhase::Pending, FAILED, reason));
    site.set("defaults.limits.task_relaunches", 2);
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(site.tasks_of(&job).len(), 3, "{}", ended.out());
    let again: Vec<String> = ended.out().lines().filter_map(told_again).collect();
    assert_eq!(again, ["(1 of 2)", "(2 of 2)"], "{}", ended.out());
    assert!(ended.out().contains("starting another task in "), "its pause: {}", ended.out());
    insta::assert_snapshot!(block(&ended), @r#"
    error: the registry limits pulls from this address
      ECS: "CannotPullContainerError: inspect image has been retried 5 time(s): 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit"
      task ID is STOPPED: TaskFailedToStart.
      Gave up after 3 tasks: `limits.task_relaunches` is 2.
      Fix: log in to the registry or mirror the image
        aws ecs describe-task-definition --task-definition ci-job
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: registry-limit
    "#);
    let tasks = site.tasks_of(&job);
    let pause = |n: usize| {
        let stopped = tasks[n].stopped_at.expect("it has stopped");
        tasks[n + 1].created_at.duration_since(stopped).unwrap_or_default()
    };
    let seconds = std::time::Duration::from_secs_f64;
    assert!(pause(0) >= seconds(0.7) && pause(1) >= seconds(1.5), "{tasks:?}");
    site.close().await;
}

/// The count of a line that tells of another task.
fn told_again(line: &str) -> Option<String> {
    let (_, counted) = line.split_once("starting another task")?;
    counted.find('(').map(|at| counted[at..].to_owned())
}

#[tokio::test]
async fn subnets_that_stay_full_are_given_up_after_a_few_tasks() {
    let site = CheckedHost::open().await;
    let reason = "Unexpected EC2 error while attempting to Create Network Interface in subnet \
                  'subnet-0a1b2c3d4e5f60718': InsufficientFreeAddressesInSubnet";
    site.cloud().fail_until_cleared("RunTask", stops(CloudTaskPhase::Provisioning, FAILED, reason));
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(site.tasks_of(&job).len(), 4);
    let headline = "error: subnet subnet-0a1b2c3d4e5f60718 has no free address";
    assert_eq!(ended.error_line(), headline);
    assert!(!ended.out().contains("(4 of 3)"), "{}", ended.out());
    site.close().await;
}

/// Each reason that ECS was seen to give, the cause that it is told as, and whether another task
/// is tried.
#[tokio::test]
async fn each_reason_has_its_headline() {
    let rows = [
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: execution \
             resource retrieval failed: unable to retrieve secret from asm: service call has been \
             retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:1:secret:a \
             from secrets manager: AccessDeniedException: not authorized",
            "the execution role may not read secret a",
            false,
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: failed to fetch \
             secret arn:aws:secretsmanager:eu-west-1:1:secret:a: ResourceNotFoundException: Secrets \
             Manager can't find the specified secret.",
            "secret a is empty or not in this Region",
            false,
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: unable to \
             retrieve secret from asm: RequestError: send request failed: dial tcp: i/o timeout",
            "the task cannot reach Secrets Manager",
            true,
        ),
        (
            "ResourceInitializationError: failed to validate logger args: create stream has been \
             retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: \
             The specified log group does not exist. : exit status 1",
            "the log group of the task does not exist",
            false,
        ),
        (
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: \
             stderr: Failed to resolve \"fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com\"",
            "EFS fs-0123456789abcdef0 has no address in this zone",
            false,
        ),
        (
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: \
             stderr: mount.nfs4: access denied by server while mounting 127.0.0.1:/ fs-0123456789abcdef0",
            "EFS fs-0123456789abcdef0 refused the mount",
            false,
        ),
        (
            "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit.",
            "the registry limits pulls from this address",
            true,
        ),
        (
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to \
             resolve ref registry.example/ci/job:1: dial tcp 10.0.0.1:443: i/o timeout",
            "the task cannot reach the registry",
            true,
        ),
        (
            "CannotPullContainerError: pull access denied, repository does not exist or may require \
             authorization",
            "the registry refused the image",
            false,
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: execution \
             resource retrieval failed: unable to retrieve ecr registry auth: service call has been \
             retried 3 time(s): RequestError: send request failed caused by: Post \
             \"https://api.ecr.eu-west-1.amazonaws.com/\": dial tcp 10.0.0.1:443: i/o timeout",
            "the task cannot reach ECR",
            true,
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: execution \
             resource retrieval failed: unable to retrieve secrets from ssm: service call has been \
             retried 1 time(s): invalid parameters: /ci/token",
            "SSM parameter /ci/token is not in this Region",
            false,
        ),
        (
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: \
             stderr: b'mount.nfs4: Connection timed out' : unsuccessful EFS utils command execution",
            "the EFS file system does not answer on port 2049",
            false,
        ),
    ];
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.registry_retry_pause", "20ms");
    for (reason, headline, again) in rows {
        let fault = stops(CloudTaskPhase::Pending, FAILED, reason);
        let job = site.job();
        if again {
            // The second task starts, so the cause of the first one's end is one line of the log.
            site.cloud().fail("RunTask", fault);
            let out = job.prepare().await.with_code(0).out();
            let told = out.to_lowercase().contains(&headline.to_lowercase());
            assert!(told && out.contains(": starting another task ("), "{headline}: {out}");
            assert_eq!(site.tasks_of(&job).len(), 2, "{headline}");
        } else {
            site.cloud().fail("RunTask", fault);
            let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
            assert_eq!(ended.error_line(), format!("error: {headline}"));
            let words = reason.split_whitespace().last().expect("words");
            assert!(ended.out().contains(words), "ECS's own words: {}", ended.out());
            assert_eq!(site.tasks_of(&job).len(), 1, "{headline}");
            the_next_tries_are_short(&site, &job, headline).await;
        }
        job.cleanup().await.passed();
    }
    site.close().await;
}

#[tokio::test]
async fn a_task_that_ends_while_it_starts_is_no_job_s_failure() {
    for (stop_code, reason, headline) in [
        (
            "TaskFailedToStart",
            "Something that this version has never seen",
            "the task ended for a reason that is not recognised",
        ),
        ("SpotInterruption", "Your Spot Task was interrupted.", "AWS took the Spot task back"),
        ("UserInitiated", "Task stopped by user", "someone stopped the task in AWS"),
        (
            "EssentialContainerExited",
            "Essential container in task exited",
            "the agent ended at once",
        ),
    ] {
        let site = CheckedHost::open().await;
        let fault = CloudFault::TaskStops {
            phase: CloudTaskPhase::Pending,
            after: std::time::Duration::ZERO,
            stop_code: stop_code.to_owned(),
            stopped_reason: reason.to_owned(),
            container_reason: None,
            exit_code: Some(1),
        };
        site.cloud().fail_until_cleared("RunTask", fault);
        let job = site.job();
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        assert_eq!(ended.error_line(), format!("error: {headline}"));
        assert_eq!(job.exit_code(), None);
        site.close().await;
    }
}
