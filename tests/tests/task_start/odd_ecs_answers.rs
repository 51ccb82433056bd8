//! ECS answers that are odd, late or not yet true.

use std::time::Duration;

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, SYSTEM_FAILURE, until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

fn answer(body: &str) -> CloudFault {
    CloudFault::Answer { status: 200, body: body.to_owned() }
}

#[tokio::test]
async fn odd_answers_to_run_task_are_tried_again_with_the_same_token() {
    let site = CheckedHost::open().await;
    let odd = [
        r#"{"tasks": [], "failures": []}"#,
        "{}",
        r#"{"tasks": [{}]}"#,
        r#"{"tasks": [{"taskArn": ""}]}"#,
        "this is not JSON",
        "",
        r#"{"tasks": "none"}"#,
    ];
    let job = site.job();
    for body in odd {
        site.cloud().fail("RunTask", answer(body));
        let ended = job.prepare().await;
        assert_eq!(ended.code, 0, "{body}: {}", ended.all());
        assert!(!ended.all().contains("panic"), "{body}: {}", ended.all());
        job.cleanup().await.passed();
    }
    site.close().await;
}

#[tokio::test]
async fn odd_answers_to_describe_tasks_are_no_news() {
    let site = CheckedHost::open().await;
    let arn = "arn:aws:ecs:eu-west-1:123456789012:task/ci/0123456789abcdef0123456789abcdef";
    let odd = [
        json!({ "tasks": [] }),
        json!({ "tasks": [{ "taskArn": arn }] }),
        json!({ "tasks": [{ "taskArn": arn, "lastStatus": "DANCING", "attachments": null }] }),
        json!({ "tasks": [{ "taskArn": arn, "lastStatus": "PENDING", "attachments": [{
            "type": "ElasticNetworkInterface", "status": "ATTACHED",
            "details": [{ "name": "privateIPv4Address", "value": null }, {}],
        }] }] }),
        json!({ "tasks": [{ "taskArn": arn, "lastStatus": "PENDING",
            "containers": [{ "networkInterfaces": [{ "privateIpv4Address": "not an address" }] }],
        }] }),
    ];
    for body in &odd {
        site.cloud().fail("DescribeTasks", answer(&body.to_string()));
    }
    for body in ["not JSON", r#"{"tasks": 7}"#] {
        site.cloud().fail("DescribeTasks", answer(body));
    }
    site.cloud().fail(
        "DescribeTasks",
        CloudFault::Exception {
            status: 400,
            code: "ThrottlingException".to_owned(),
            message: "Rate exceeded".to_owned(),
        },
    );
    site.cloud().fail("DescribeTasks", CloudFault::LostAnswer);
    let job = site.job();
    job.prepare().await.passed();
    assert!(site.calls("DescribeTasks") > odd.len() + 4);
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_task_that_ecs_does_not_show_yet_is_waited_for() {
    let site = CheckedHost::open().await;
    site.cloud().set_read_lag(Duration::from_secs(1));
    let job = site.job();
    job.prepare().await.passed();
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.close().await;
}

#[tokio::test]
async fn a_task_that_ecs_never_shows_is_given_up_and_stopped() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.task_visibility", "500ms");
    site.cloud().set_read_lag(Duration::from_secs(600));
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: ECS no longer remembers this task");
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}

#[tokio::test]
async fn a_slow_start_is_told_with_its_state_and_ends_at_its_deadline() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.pending_notice", "300ms");
    site.set("defaults.timeouts.progress_interval", "600ms");
    site.set("defaults.timeouts.task_start", "2s");
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    let slow = "Still PENDING after 0.30 s. ECS gives no reason yet. If the task cannot \
                reach its registry or secrets, ECS stops it after about 5 minutes and says why.\n";
    assert_eq!(ended.out().matches(slow).count(), 1, "{}", ended.out());
    assert!(ended.out().contains("\nPENDING for "), "{}", ended.out());
    assert_eq!(ended.error_line(), "error: the task did not start in 2.0 s");
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}

#[tokio::test]
async fn a_token_that_names_other_parameters_stops_the_tasks_that_hold_it() {
    let site = CheckedHost::open().await;
    let first = site.prepared().await;
    let held = site.task_of(&first).arn;
    let conflict = json!({
        "__type": "ConflictException",
        "message": "The client token was used with other parameters.",
        "resourceIds": [held],
    });
    site.cloud().fail("RunTask", CloudFault::Answer { status: 400, body: conflict.to_string() });
    let job = site.job();
    job.prepare().await.passed();
    assert_eq!(site.task_of(&first).desired_status, "STOPPED");
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.close().await;
}

#[tokio::test]
async fn a_token_that_names_other_parameters_is_told_as_a_change_and_not_as_a_fault_of_aws() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.progress_interval", "10ms");
    let first = site.prepared().await;
    let conflict = json!({
        "__type": "ConflictException",
        "message": "The client token was used with other parameters.",
        "resourceIds": [site.task_of(&first).arn],
    });
    let conflict = CloudFault::Answer { status: 400, body: conflict.to_string() };
    site.cloud().fail_until_cleared("RunTask", conflict.clone());
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("trying again").await;
    site.cloud().clear_faults();
    let ended = job.heard(running).await.with_code(0);
    let told = "The configuration changed between two tries: tried ";
    assert!(ended.out().contains(told), "{}", ended.out());
    // If that task cannot be stopped, there must be no other, and the text says why.
    let denied = CloudFault::Exception {
        status: 400,
        code: "AccessDeniedException".to_owned(),
        message: "User is not authorized to perform: ecs:StopTask".to_owned(),
    };
    site.cloud().fail_until_cleared("StopTask", denied);
    site.cloud().fail_until_cleared("RunTask", conflict);
    let other = site.job().prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(other.error_line(), "error: a task of an earlier try could not be stopped");
    site.cloud().clear_faults();
    site.close().await;
}

#[tokio::test]
async fn an_edited_configuration_between_two_tries_leaves_one_task() {
    let site = CheckedHost::open().await;
    site.cloud().fail("RunTask", CloudFault::Slow(Duration::from_secs(30)));
    let job = site.job();
    let running = job.start(&["prepare"]);
    until("a task", || site.tasks_of(&job).len() == 1).await;
    running.signal(Signal::SIGKILL);
    job.heard(running).await.with_code(128 + 9);
    site.set("defaults.cpu", 512);
    site.set("defaults.memory", 1024);
    job.prepare().await.passed();
    let states: Vec<_> = site.tasks_of(&job).into_iter().map(|task| task.desired_status).collect();
    assert_eq!(states, ["STOPPED", "RUNNING"]);
    site.close().await;
}

/// Every way to put one of `others` in the place of a part of `value`.
fn spoilt(value: &Value, others: &[Value]) -> Vec<Value> {
    let mut found = others.to_vec();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let put = |other: Value| {
                    let mut members = members.clone();
                    members.insert(name.clone(), other);
                    Value::Object(members)
                };
                found.extend(spoilt(member, others).into_iter().map(put));
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let put = |other: Value| {
                    let mut items = items.clone();
                    items[at] = other;
                    Value::Array(items)
                };
                found.extend(spoilt(item, others).into_iter().map(put));
            }
        }
        _ => {}
    }
    found
}

#[tokio::test]
async fn an_answer_with_any_part_replaced_is_no_panic_and_costs_no_task() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.ecs_poll_max", "20ms");
    let arn = "arn:aws:ecs:eu-west-1:123456789012:task/ci/0123456789abcdef0123456789abcdef";
    let answers = json!({ "failures": [], "tasks": [{
        "taskArn": arn, "lastStatus": "PENDING", "desiredStatus": "RUNNING",
        "createdAt": 1.7e9, "version": 3,
        "overrides": { "containerOverrides": [{ "environment": [{ "name": "a", "value": "b" }] }] },
        "attachments": [{ "type": "ElasticNetworkInterface", "status": "ATTACHING", "details": [
            { "name": "networkInterfaceId", "value": "eni-1" },
        ]}],
        "containers": [{ "name": "job", "lastStatus": "PENDING", "exitCode": null }],
    }]});
    let others = [json!(null), json!(-1e300), json!("\u{0}x".repeat(5000)), json!([[]]), json!({})];
    let bodies = spoilt(&answers, &others);
    assert!(bodies.len() > 100, "{}", bodies.len());
    for some in bodies.chunks(20) {
        for body in some {
            site.cloud().fail("DescribeTasks", answer(&body.to_string()));
        }
        let job = site.job();
        let ended = job.prepare().await;
        assert_eq!(ended.code, 0, "{}", ended.all());
        assert!(!ended.all().contains("panic"), "{}", ended.all());
        site.cloud().clear_faults();
        job.cleanup().await.passed();
    }
    site.close().await;
}
