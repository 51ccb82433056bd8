//! The timeline of a task, on a clock that a test moves.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::Pace;
use crate::actions::{Action, Scene};
use crate::cloud::Cloud;
use crate::fault::{Fault, Phase};
use crate::wire::credentials::Principal;

const REAL: Pace = Pace::Measured { factor: 1.0 };

fn call(cloud: &Arc<Cloud>, operation: &str, body: Value, fault: Option<&Fault>) -> Value {
    Action::decode(operation, body)
        .and_then(|action| {
            let (now, principal) = (cloud.clock.now(), &Principal::User);
            action.perform(&Scene { cloud, region: "eu-west-1", now, fault, principal })
        })
        .expect("accepted")
}

fn run(cloud: &Arc<Cloud>, fault: &Fault) -> String {
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

fn describe(cloud: &Arc<Cloud>, arn: &str) -> Value {
    let body = json!({"cluster": "ci", "tasks": [arn]});
    call(cloud, "DescribeTasks", body, None)
}

fn stop(cloud: &Arc<Cloud>, arn: &str) -> Value {
    let body = json!({"cluster": "ci", "task": arn, "reason": "enough"});
    call(cloud, "StopTask", body, None)["task"].clone()
}

/// Waits until the task is in a state; what it looks like then.
async fn until(cloud: &Arc<Cloud>, arn: &str, status: &str) -> Value {
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
    let cloud = Cloud::for_tests(REAL, false);
    let begun = Instant::now();
    let arn = run(&cloud, &Fault::TaskHeld { phase: Phase::Running });
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
    let cloud = Cloud::for_tests(REAL, false);
    let arn = run(&cloud, &Fault::TaskHeld { phase: Phase::Running });
    for _ in 0..1000 {
        assert_eq!(describe(&cloud, &arn)["tasks"][0]["lastStatus"], "PROVISIONING");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stopped_task_is_shown_for_an_hour_and_is_then_missing() {
    let cloud = Cloud::for_tests(Pace::Instant, false);
    let arn = run(&cloud, &Fault::TaskHeld { phase: Phase::Pending });
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
    assert_eq!(cloud.state().tasks().len(), 1, "the record stays");
}

#[tokio::test(start_paused = true)]
async fn a_task_can_be_told_to_fail_in_every_state_with_the_words_of_ecs() {
    let cloud = Cloud::for_tests(Pace::Instant, false);
    let reason = "CannotPullContainerError: pull image manifest has been retried 5 time(s)";
    for (phase, attachment, started) in
        [(Phase::Provisioning, 1, false), (Phase::Pending, 5, false)]
    {
        let arn = run(
            &cloud,
            &Fault::TaskStops {
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
    let cloud = Cloud::for_tests(Pace::Instant, false);
    for (phase, status) in [
        (Phase::Provisioning, "PROVISIONING"),
        (Phase::Pending, "PENDING"),
        (Phase::Running, "RUNNING"),
    ] {
        let arn = run(&cloud, &Fault::TaskHeld { phase });
        until(&cloud, &arn, status).await;
        sleep(Duration::from_secs(7200)).await;
        assert_eq!(describe(&cloud, &arn)["tasks"][0]["lastStatus"], status);
        assert_eq!(cloud.state().live_tasks(), 1);
        stop(&cloud, &arn);
        until(&cloud, &arn, "STOPPED").await;
        assert_eq!(cloud.state().live_tasks(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_lags_behind_misses_a_new_task() {
    let cloud = Cloud::for_tests(Pace::Instant, false);
    cloud.set_read_lag(Duration::from_secs(2));
    let arn = run(&cloud, &Fault::TaskHeld { phase: Phase::Running });
    assert_eq!(describe(&cloud, &arn)["failures"][0]["reason"], "MISSING");
    tokio::time::advance(Duration::from_millis(2001)).await;
    assert_eq!(describe(&cloud, &arn)["tasks"][0]["taskArn"], json!(arn));
}

#[tokio::test(start_paused = true)]
async fn a_subnet_without_free_addresses_fails_the_task_and_not_the_call() {
    let cloud = Cloud::for_tests(Pace::Instant, false);
    for _ in 0..251 {
        run(&cloud, &Fault::TaskHeld { phase: Phase::Running });
    }
    let arn = run(&cloud, &Fault::TaskHeld { phase: Phase::Running });
    let task = until(&cloud, &arn, "STOPPED").await;
    let reason = task["stoppedReason"].as_str().expect("a reason");
    assert!(reason.ends_with("InsufficientFreeAddressesInSubnet"), "{reason}");
}
