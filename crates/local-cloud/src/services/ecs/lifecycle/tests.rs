//! The timeline of a task, on a clock that a test moves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::TaskTiming;
use crate::cloud::CloudInstance;
use crate::fault::{CloudFault, CloudTaskPhase, ObservedCall};
use crate::limits::{BucketRate, CloudRateLimits};
use crate::services::context::RequestContext;
use crate::services::ecs::SERVICE;
use crate::test_cloud::{for_tests, with_limits};

const REAL: TaskTiming = TaskTiming::Measured { factor: 1.0 };

fn call(
    cloud: &Arc<CloudInstance>,
    operation: &str,
    body: Value,
    fault: Option<&CloudFault>,
) -> Value {
    let observed = ObservedCall { operation, request: 1, tasks: &[] };
    let view = cloud.faults.meet(&observed, cloud.clock.now()).view;
    let context = RequestContext { fault, view, ..RequestContext::of_owner(cloud, "eu-west-1") };
    SERVICE.perform_json(operation, body, &context).expect("accepted")
}

fn run(cloud: &Arc<CloudInstance>, fault: &CloudFault) -> String {
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}});
    let body = json!({
        "cluster": "ci", "taskDefinition": "ci-job", "launchType": "FARGATE",
        "networkConfiguration": network,
    });
    let answer = call(cloud, "RunTask", body, Some(fault));
    assert_eq!(answer["tasks"][0]["lastStatus"], "PROVISIONING");
    assert_eq!(answer["tasks"][0]["attachments"][0]["status"], "PRECREATED");
    assert_eq!(answer["tasks"][0]["attachments"][0]["details"].as_array().map(Vec::len), Some(1));
    assert_eq!(answer["tasks"][0]["containers"][0]["lastStatus"], "PENDING");
    answer["tasks"][0]["taskArn"].as_str().expect("an ARN").to_owned()
}

fn describe(cloud: &Arc<CloudInstance>, arn: &str) -> Value {
    let body = json!({"cluster": "ci", "tasks": [arn]});
    call(cloud, "DescribeTasks", body, None)
}

fn stop(cloud: &Arc<CloudInstance>, arn: &str) -> Value {
    let body = json!({"cluster": "ci", "task": arn, "reason": "enough"});
    call(cloud, "StopTask", body, None)["task"].clone()
}

/// Waits until the task is in a state. Returns the task as it is then.
async fn until(cloud: &Arc<CloudInstance>, arn: &str, status: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(3600);
    loop {
        let task = describe(cloud, arn)["tasks"][0].clone();
        if task["lastStatus"] == status {
            return task;
        }
        assert!(Instant::now() < deadline, "never {status}: {task}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_goes_through_its_states_by_time_and_its_timestamps_are_in_order() {
    let cloud = for_tests(REAL, false);
    let begun = Instant::now();
    let arn = run(&cloud, &CloudFault::TaskHeld { phase: CloudTaskPhase::Running });
    let pending = until(&cloud, &arn, "PENDING").await;
    assert!((10.0..25.0).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    assert_eq!(pending["attachments"][0]["status"], "ATTACHED");
    assert_eq!(pending["attachments"][0]["details"].as_array().map(Vec::len), Some(5));
    assert_eq!(pending["containers"][0]["networkInterfaces"], json!([]));
    let running = until(&cloud, &arn, "RUNNING").await;
    assert!((19.0..38.0).contains(&begun.elapsed().as_secs_f64()), "{:?}", begun.elapsed());
    assert_eq!(
        running["containers"][0]["networkInterfaces"][0]["privateIpv4Address"],
        "127.80.1.4"
    );
    assert_eq!(running["containers"][0].get("exitCode"), None);
    assert_eq!(running["version"], 3);

    let told = stop(&cloud, &arn);
    assert_eq!(
        (&told["lastStatus"], &told["desiredStatus"]),
        (&json!("RUNNING"), &json!("STOPPED"))
    );
    until(&cloud, &arn, "DEPROVISIONING").await;
    let stopped = until(&cloud, &arn, "STOPPED").await;
    assert_eq!(stopped["attachments"][0]["status"], "DELETED");
    assert_eq!(stopped["stopCode"], "UserInitiated");
    assert_eq!(stopped["stoppedReason"], "enough");
    assert_eq!(stopped["containers"][0]["exitCode"], 143);
    assert_eq!(stopped["version"], 6);
    let times = [
        "createdAt",
        "connectivityAt",
        "pullStartedAt",
        "pullStoppedAt",
        "startedAt",
        "stoppingAt",
        "executionStoppedAt",
        "stoppedAt",
    ];
    let times = times.map(|name| stopped[name].as_f64().expect(name));
    assert!(times.is_sorted(), "{times:?}");
    assert!((22.0..25.0).contains(&(times[7] - times[6])), "{times:?}");

    let again = stop(&cloud, &arn);
    assert_eq!(again["stoppedReason"], "enough", "a second StopTask changes nothing");
    assert_eq!(again["version"], 6);
}

#[tokio::test(start_paused = true)]
async fn reading_does_not_move_a_task_on() {
    let cloud = for_tests(REAL, false);
    let arn = run(&cloud, &CloudFault::TaskHeld { phase: CloudTaskPhase::Running });
    for _ in 0..1000 {
        assert_eq!(describe(&cloud, &arn)["tasks"][0]["lastStatus"], "PROVISIONING");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_task_is_shown_for_an_hour_and_is_then_missing() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let arn = run(&cloud, &CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    until(&cloud, &arn, "PENDING").await;
    stop(&cloud, &arn);
    until(&cloud, &arn, "STOPPED").await;
    let listed = |status: &str| {
        let body = json!({"cluster": "ci", "desiredStatus": status});
        call(&cloud, "ListTasks", body, None)["taskArns"].as_array().map(Vec::len)
    };
    assert_eq!(
        (listed("RUNNING"), listed("STOPPED"), listed("PENDING")),
        (Some(0), Some(1), Some(0))
    );
    tokio::time::advance(Duration::from_secs(3590)).await;
    assert_eq!(describe(&cloud, &arn)["tasks"][0]["lastStatus"], "STOPPED");
    tokio::time::advance(Duration::from_secs(11)).await;
    let answer = describe(&cloud, &arn);
    assert_eq!(answer["tasks"], json!([]));
    assert_eq!(answer["failures"], json!([{"arn": arn, "reason": "MISSING"}]));
    assert_eq!(listed("STOPPED"), Some(0));
    assert_eq!(cloud.ecs().tasks().len(), 1, "the record stays");
}

#[tokio::test(start_paused = true)]
async fn a_task_can_be_told_to_fail_in_every_state_with_the_words_of_ecs() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let reason = "CannotPullContainerError: pull image manifest has been retried 5 time(s)";
    for (phase, attachment, started) in
        [(CloudTaskPhase::Provisioning, 1, false), (CloudTaskPhase::Pending, 5, false)]
    {
        let arn = run(
            &cloud,
            &CloudFault::TaskStops {
                phase,
                after: Duration::from_secs(289),
                stop_code: "TaskFailedToStart".to_owned(),
                stopped_reason: reason.to_owned(),
                container_reason: Some("because".to_owned()),
                exit_code: None,
            },
        );
        let begun = Instant::now();
        let task = until(&cloud, &arn, "STOPPED").await;
        assert!(begun.elapsed() >= Duration::from_secs(289), "{:?}", begun.elapsed());
        assert_eq!(task["stopCode"], "TaskFailedToStart");
        assert_eq!(task["stoppedReason"], reason);
        assert_eq!(task["containers"][0]["reason"], "because");
        assert_eq!(task["containers"][0].get("exitCode"), None);
        assert_eq!(task.get("startedAt").is_some(), started);
        let details = task["attachments"][0]["details"].as_array().map(Vec::len);
        assert_eq!(details, Some(attachment));
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_task_stays_until_it_is_stopped() {
    let cloud = for_tests(TaskTiming::Instant, false);
    for (phase, status) in [
        (CloudTaskPhase::Provisioning, "PROVISIONING"),
        (CloudTaskPhase::Pending, "PENDING"),
        (CloudTaskPhase::Running, "RUNNING"),
    ] {
        let arn = run(&cloud, &CloudFault::TaskHeld { phase });
        until(&cloud, &arn, status).await;
        sleep(Duration::from_secs(7200)).await;
        assert_eq!(describe(&cloud, &arn)["tasks"][0]["lastStatus"], status);
        assert_eq!(cloud.ecs().live_tasks(), 1);
        stop(&cloud, &arn);
        until(&cloud, &arn, "STOPPED").await;
        assert_eq!(cloud.ecs().live_tasks(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_lags_behind_misses_a_new_task() {
    let cloud = for_tests(TaskTiming::Instant, false);
    cloud.faults.set_lag(Duration::from_secs(2), cloud.clock.now());
    let arn = run(&cloud, &CloudFault::TaskHeld { phase: CloudTaskPhase::Running });
    assert_eq!(describe(&cloud, &arn)["failures"][0]["reason"], "MISSING");
    tokio::time::advance(Duration::from_millis(2001)).await;
    assert_eq!(describe(&cloud, &arn)["tasks"][0]["taskArn"], json!(arn));
}

#[tokio::test(start_paused = true)]
async fn a_subnet_without_free_addresses_fails_the_task_and_not_the_call() {
    let cloud = for_tests(TaskTiming::Instant, false);
    for _ in 0..251 {
        run(&cloud, &CloudFault::TaskHeld { phase: CloudTaskPhase::Running });
    }
    let arn = run(&cloud, &CloudFault::TaskHeld { phase: CloudTaskPhase::Running });
    let task = until(&cloud, &arn, "STOPPED").await;
    let reason = task["stoppedReason"].as_str().expect("a reason");
    assert!(reason.ends_with("InsufficientFreeAddressesInSubnet"), "{reason}");
}

/// RunTask without a fault of its own.
fn run_one(cloud: &Arc<CloudInstance>) -> String {
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}});
    let body = json!({
        "cluster": "ci", "taskDefinition": "ci-job", "launchType": "FARGATE",
        "networkConfiguration": network,
    });
    let answer = call(cloud, "RunTask", body, None);
    answer["tasks"][0]["taskArn"].as_str().expect("an ARN").to_owned()
}

fn give(cloud: &Arc<CloudInstance>, rules: &str) {
    let rules = rules.parse().unwrap_or_else(|error| panic!("{error}"));
    cloud.faults.replace(rules, cloud.clock.now());
}

#[tokio::test(start_paused = true)]
async fn moving_the_clock_ends_all_delays_that_are_then_over() {
    let cloud = for_tests(REAL, false);
    give(&cloud, "every task at RUNNING: hold");
    let arn = run_one(&cloud);
    let begun = Instant::now();
    cloud.clock.advance(Duration::from_secs(9));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(describe(&cloud, &arn)["tasks"][0]["lastStatus"], "PROVISIONING");
    // All of 10 to 24, 7 to 9.5 and 2 to 4 seconds.
    cloud.clock.advance(Duration::from_secs(29));
    until(&cloud, &arn, "RUNNING").await;
    stop(&cloud, &arn);
    until(&cloud, &arn, "DEPROVISIONING").await;
    cloud.clock.advance(Duration::from_secs(25));
    until(&cloud, &arn, "STOPPED").await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    cloud.clock.advance(Duration::from_secs(3601));
    assert_eq!(describe(&cloud, &arn)["failures"][0]["reason"], "MISSING", "ECS forgot it");
}

#[tokio::test(start_paused = true)]
async fn rules_for_tasks_strike_their_tasks_and_no_others() {
    let cloud = for_tests(TaskTiming::Instant, false);
    give(
        &cloud,
        "task 1 at PROVISIONING + 3s: stop TaskFailedToStart \"no network\"\n\
         task 2 at PENDING: stop TaskFailedToStart \"no image\" container \"because\" exit 1\n\
         tasks 1-3 at RUNNING: hold\n\
         task 3 at RUNNING + 5s: interrupt 2m\n\
         task 4 at PENDING: hold",
    );
    let arns: Vec<_> = (0..4).map(|_| run_one(&cloud)).collect();
    let first = until(&cloud, &arns[0], "STOPPED").await;
    assert_eq!(
        (&first["stoppedReason"], first.get("connectivityAt")),
        (&json!("no network"), None)
    );
    let second = until(&cloud, &arns[1], "STOPPED").await;
    assert_eq!(second["containers"][0]["reason"], "because");
    assert_eq!(second["containers"][0]["exitCode"], 1);
    let third = until(&cloud, &arns[2], "STOPPED").await;
    assert_eq!(third["stopCode"], "SpotInterruption");
    assert_eq!(third["stoppedReason"], "Your Spot Task was interrupted.");
    let ran = third["stoppingAt"].as_f64().expect("a time") - third["startedAt"].as_f64().unwrap();
    assert!((5.0..5.1).contains(&ran), "{ran}");
    assert_eq!(describe(&cloud, &arns[3])["tasks"][0]["lastStatus"], "PENDING");
    stop(&cloud, &arns[3]);
    until(&cloud, &arns[3], "STOPPED").await;
    let struck = cloud.faults.struck();
    let of: Vec<_> = struck.iter().map(|one| one.task.as_deref().unwrap_or_default()).collect();
    assert_eq!(of, [&arns[1], &arns[2], &arns[3], &arns[0], &arns[2]]);
}

#[tokio::test(start_paused = true)]
async fn rules_reach_tasks_that_live_and_what_was_taken_back_does_not_strike() {
    let cloud = for_tests(TaskTiming::Instant, false);
    give(&cloud, "every task at RUNNING: hold");
    let (one, two) = (run_one(&cloud), run_one(&cloud));
    until(&cloud, &two, "RUNNING").await;
    give(&cloud, "every task at RUNNING + 1h: forget");
    sleep(Duration::from_secs(60)).await;
    give(&cloud, "task 1 at RUNNING + 30s: stop InfrastructureHealth \"the host is gone\"");
    until(&cloud, &one, "STOPPED").await;
    sleep(Duration::from_secs(7200)).await;
    assert_eq!(describe(&cloud, &two)["tasks"][0]["lastStatus"], "RUNNING");
    give(&cloud, "task 2 at RUNNING: forget");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(describe(&cloud, &two)["failures"][0]["reason"], "MISSING");
    assert_eq!(cloud.ecs().live_tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_stale_reader_sees_tasks_as_they_were_and_none_that_is_younger() {
    let cloud = for_tests(REAL, false);
    give(&cloud, "every task at RUNNING: hold");
    let arn = run_one(&cloud);
    until(&cloud, &arn, "RUNNING").await;
    let stale = |age: &str| {
        give(&cloud, &format!("DescribeTasks, ListTasks: stale {age}"));
        describe(&cloud, &arn)
    };
    assert_eq!(stale("1ms")["tasks"][0]["lastStatus"], "RUNNING");
    let before = &stale("1s")["tasks"][0];
    assert_eq!(before["lastStatus"], "PENDING");
    assert_eq!((before.get("startedAt"), &before["version"]), (None, &json!(2)));
    assert_eq!(before["attachments"][0]["status"], "ATTACHED");
    let before = &stale("15s")["tasks"][0];
    assert_eq!(before["lastStatus"], "PROVISIONING");
    assert_eq!(before["attachments"][0]["status"], "PRECREATED");
    assert_eq!(stale("40s")["failures"][0]["reason"], "MISSING");

    sleep(Duration::from_secs(60)).await;
    stop(&cloud, &arn);
    sleep(Duration::from_secs(30)).await;
    let still = &stale("31s")["tasks"][0];
    assert_eq!(
        (&still["lastStatus"], &still["desiredStatus"]),
        (&json!("RUNNING"), &json!("RUNNING"))
    );
    assert_eq!(still.get("stopCode"), None);
    let body = json!({"cluster": "ci"});
    let listed = call(&cloud, "ListTasks", body.clone(), None);
    assert_eq!(listed["taskArns"], json!([arn]), "as of then it is to run");
    give(&cloud, "");
    assert_eq!(call(&cloud, "ListTasks", body, None)["taskArns"], json!([]));
    assert_eq!(describe(&cloud, &arn)["tasks"][0]["lastStatus"], "STOPPED");
}

#[tokio::test(start_paused = true)]
async fn launches_are_limited_by_task_and_a_repeated_token_launches_nothing() {
    let limits =
        CloudRateLimits::none().with_launches(false, BucketRate { burst: 12, per_second: 1.0 });
    let cloud = with_limits(limits);
    give(&cloud, "every task at PROVISIONING: hold");
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}});
    let ask = |count: u32, token: &str| {
        let body = json!({
            "cluster": "ci", "taskDefinition": "ci-job", "launchType": "FARGATE", "count": count,
            "clientToken": token, "networkConfiguration": network.clone(),
        });
        SERVICE
            .perform_json("RunTask", body, &RequestContext::of_owner(&cloud, "eu-west-1"))
            .map(|answer| answer["tasks"].as_array().map_or(0, Vec::len))
            .map_err(|refusal| format!("{}: {}", refusal.code, refusal.message))
    };
    let too_fast = Err("ThrottlingException: Rate exceeded".to_owned());
    assert_eq!(ask(10, "a"), Ok(10));
    assert_eq!(ask(3, "b"), too_fast);
    assert_eq!(ask(10, "a"), Ok(10), "it started them before");
    assert_eq!(ask(2, "c"), Ok(2));
    assert_eq!(ask(1, "d"), too_fast);
    cloud.clock.advance(Duration::from_secs(3));
    assert_eq!(ask(3, "b"), Ok(3));
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_behind_is_all_that_is_old() {
    let cloud = for_tests(REAL, false);
    give(&cloud, "every task at RUNNING: hold");
    let arn = run_one(&cloud);
    until(&cloud, &arn, "RUNNING").await;
    let behind = |age: &str| {
        give(&cloud, &format!("DescribeTasks: behind {age}"));
        describe(&cloud, &arn)["tasks"][0].clone()
    };
    assert_eq!(behind("1ms")["lastStatus"], "RUNNING");
    let before_its_birth = behind("10m");
    assert_eq!(before_its_birth["lastStatus"], "PROVISIONING");
    assert_eq!(before_its_birth["attachments"][0]["status"], "ATTACHED");
    // Everything before is then longer ago than the rules below look back.
    sleep(Duration::from_secs(60)).await;
    stop(&cloud, &arn);
    give(&cloud, "");
    until(&cloud, &arn, "STOPPED").await;
    let stopped = behind("45s");
    let told = ["lastStatus", "desiredStatus", "stopCode", "stoppedReason"];
    assert_eq!(
        told.map(|key| stopped[key].clone()),
        ["RUNNING", "STOPPED", "UserInitiated", "enough"]
    );
    assert_eq!(stopped["containers"][0]["exitCode"], 143);
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_registry_secret_cannot_be_read_does_not_start() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let container = json!({
        "name": "job", "image": "registry.example/job:1",
        "repositoryCredentials": {"credentialsParameter": "no-such-secret"},
    });
    let definition = json!({
        "family": "private", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512", "containerDefinitions": [container],
        "executionRoleArn": "arn:aws:iam::123456789012:role/path/execution",
    });
    call(&cloud, "RegisterTaskDefinition", definition, None);
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-0a1b2c3d4e5f60718"]}});
    let body = json!({
        "cluster": "ci", "taskDefinition": "private", "launchType": "FARGATE",
        "networkConfiguration": network,
    });
    let started = call(&cloud, "RunTask", body, None);
    let arn = started["tasks"][0]["taskArn"].as_str().expect("an ARN").to_owned();
    let task = until(&cloud, &arn, "STOPPED").await;
    assert_eq!(task["stopCode"], "TaskFailedToStart");
    let reason = task["stoppedReason"].as_str().expect("a reason");
    assert!(reason.contains("unable to get registry auth from asm"), "{reason}");
    assert!(reason.contains("for no-such-secret: ResourceNotFoundException"), "{reason}");
}
