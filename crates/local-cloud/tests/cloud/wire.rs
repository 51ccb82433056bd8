//! The endpoint from a client's view: HTTP, signatures, and the faults that a test asks for.

use std::time::{Duration, Instant};

use crate::client::{PATIENCE, call, eventually, run_task, send, send_raw, serve};
use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use serde_json::json;
use tokio::time::timeout;

const HELD: CloudFault = CloudFault::TaskHeld { phase: CloudTaskPhase::Pending };

#[tokio::test]
async fn every_answer_is_json_1_1_with_a_request_id_and_is_recorded() {
    let cloud = serve().await;
    let listed = send(&cloud.endpoint(), "ListClusters", "{}".to_owned()).await.expect("an answer");
    assert_eq!(listed.status, 200);
    let refused =
        send(&cloud.endpoint(), "DescribeTasks", r#"{"cluster":"x","tasks":["a"]}"#.to_owned())
            .await
            .expect("an answer");
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json(),
        json!({"__type": "ClusterNotFoundException", "message": "Cluster not found."})
    );
    for answer in [&listed, &refused] {
        assert!(answer.headers.contains("content-type: application/x-amz-json-1.1"));
        assert!(answer.headers.contains("x-amzn-requestid: "), "{}", answer.headers);
    }
    let requests = cloud.requests();
    let seen: Vec<_> = requests.iter().map(|r| (r.operation.as_str(), r.status)).collect();
    assert_eq!(seen, [("ListClusters", Some(200)), ("DescribeTasks", Some(400))]);
    assert_eq!(requests[1].body["cluster"], "x");
    assert_eq!(requests[1].region, "eu-west-1");
    cloud.shutdown().await;
}

#[tokio::test]
async fn what_is_no_ecs_request_is_told_so() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let unsigned = "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 2\r\n\
                    x-amz-target: AmazonEC2ContainerServiceV20141113.ListTasks\r\n\r\n{}";
    let answer = send_raw(&endpoint, unsigned.to_owned()).await.expect("an answer");
    assert_eq!(
        (answer.status, &answer.json()["__type"]),
        (400, &json!("MissingAuthenticationTokenException"))
    );
    let get = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = send_raw(&endpoint, get.to_owned()).await.expect("an answer");
    assert_eq!(
        (answer.status, &answer.json()["__type"]),
        (404, &json!("UnknownOperationException"))
    );
    let answer = send(&endpoint, "ListTasks", "{\"cluster\":".to_owned()).await.expect("an answer");
    assert_eq!((answer.status, &answer.json()["__type"]), (400, &json!("SerializationException")));
    let answer = send(&endpoint, "ListTasks", "[]".to_owned()).await.expect("an answer");
    assert_eq!(answer.json()["__type"], "SerializationException");
    let answer = send(&endpoint, "UpdateService", "{}".to_owned()).await.expect("an answer");
    assert_eq!(
        (answer.status, &answer.json()["__type"]),
        (400, &json!("UnknownOperationException"))
    );
    let long = format!("{{\"cluster\":\"{}\"}}", "x".repeat(1024 * 1024));
    let answer = send(&endpoint, "ListTasks", long).await.expect("an answer");
    assert_eq!(answer.status, 413);
    cloud.shutdown().await;
}

#[tokio::test]
async fn the_three_shapes_of_failure_come_over_the_wire() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let throttled = CloudFault::Exception {
        status: 400,
        code: "ThrottlingException".to_owned(),
        message: "Rate exceeded".to_owned(),
    };
    let no_room = CloudFault::Failure {
        reason: "Capacity is unavailable at this time.".to_owned(),
        detail: Some("zone a".to_owned()),
    };
    let stops = CloudFault::TaskStops {
        phase: CloudTaskPhase::Provisioning,
        after: Duration::ZERO,
        stop_code: "TaskFailedToStart".to_owned(),
        stopped_reason: "no".to_owned(),
        container_reason: None,
        exit_code: None,
    };
    for fault in [throttled, no_room, stops] {
        cloud.fail("RunTask", fault);
    }
    let body = run_task().to_string();
    let first = send(&endpoint, "RunTask", body.clone()).await.expect("an answer");
    assert_eq!(first.status, 400);
    assert_eq!(first.json()["__type"], "ThrottlingException");
    let second = call(&endpoint, "RunTask", run_task()).await;
    assert_eq!(second["tasks"], json!([]));
    assert_eq!(
        second["failures"],
        json!([{"reason": "Capacity is unavailable at this time.", "detail": "zone a"}])
    );
    assert_eq!(cloud.tasks().len(), 0);
    let third = call(&endpoint, "RunTask", run_task()).await;
    assert_eq!(third["failures"], json!([]));
    let stopped = eventually("the stop", || {
        cloud.tasks().into_iter().find(|task| task.last_status == "STOPPED")
    })
    .await;
    assert_eq!(stopped.stop_code.as_deref(), Some("TaskFailedToStart"));
    assert_eq!(cloud.live_tasks(), 0);
    cloud.shutdown().await;
}

#[tokio::test]
async fn an_answer_can_be_lost_after_its_effect_and_the_token_finds_the_task_again() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let mut request = run_task();
    request["clientToken"] = json!("launch-1");
    cloud.fail("RunTask", CloudFault::LostAnswer);
    let lost = send(&endpoint, "RunTask", request.to_string()).await;
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(cloud.tasks().len(), 1);
    assert_eq!(cloud.requests().last().map(|request| request.status), Some(None));
    let again = call(&endpoint, "RunTask", request).await;
    assert_eq!(again["tasks"][0]["taskArn"], json!(cloud.tasks()[0].arn));
    assert_eq!(cloud.tasks().len(), 1);
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_call_can_hang_be_slow_or_get_an_odd_answer() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    cloud
        .fail("ListTasks", CloudFault::Answer { status: 200, body: "{\"taskArns\":7}".to_owned() });
    cloud.fail("ListTasks", CloudFault::Slow(Duration::from_millis(200)));
    let request = json!({"cluster": "ci"});
    assert_eq!(call(&endpoint, "ListTasks", request.clone()).await, json!({"taskArns": 7}));
    let begun = Instant::now();
    assert_eq!(call(&endpoint, "ListTasks", request.clone()).await, json!({"taskArns": []}));
    assert!(begun.elapsed() >= Duration::from_millis(200));

    cloud.fail_until_cleared("ListTasks", CloudFault::Hang);
    let waiting = {
        let endpoint = endpoint.clone();
        tokio::spawn(async move { call(&endpoint, "ListTasks", request).await })
    };
    eventually("the request", || (cloud.requests().len() == 3).then_some(())).await;
    assert!(!waiting.is_finished());
    assert_eq!(cloud.requests()[2].status, None);
    cloud.clear_faults();
    assert_eq!(waiting.await.expect("an answer"), json!({"taskArns": []}));
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_cloud_that_hangs_can_be_shut_down() {
    let cloud = serve().await;
    cloud.fail_until_cleared("ListTasks", CloudFault::Hang);
    let endpoint = cloud.endpoint();
    let waiting = tokio::spawn(async move { send(&endpoint, "ListTasks", "{}".to_owned()).await });
    eventually("the request", || (cloud.requests().len() == 1).then_some(())).await;
    timeout(PATIENCE, cloud.shutdown()).await.expect("a shutdown that ends");
    let answer = waiting.await.expect("no panic").expect("a shutdown clears the faults");
    assert_eq!(answer.json()["__type"], "ClusterNotFoundException");
}

#[tokio::test]
async fn a_task_can_be_forgotten_or_missed() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    cloud.fail("RunTask", HELD);
    let arn = call(&endpoint, "RunTask", run_task()).await["tasks"][0]["taskArn"].clone();
    let arn = arn.as_str().expect("an ARN");
    let describe = json!({"cluster": "ci", "tasks": [arn]});
    cloud.fail("DescribeTasks", CloudFault::Failure { reason: "MISSING".to_owned(), detail: None });
    let missed = call(&endpoint, "DescribeTasks", describe.clone()).await;
    assert_eq!(missed["failures"], json!([{"arn": arn, "reason": "MISSING"}]));
    let seen = call(&endpoint, "DescribeTasks", describe.clone()).await;
    assert_eq!(seen["tasks"][0]["taskArn"], json!(arn));
    assert!(cloud.forget(arn) && !cloud.forget("arn:none"));
    let gone = call(&endpoint, "DescribeTasks", describe).await;
    assert_eq!(gone["failures"][0]["reason"], "MISSING");
    eventually("its end", || (cloud.live_tasks() == 0).then_some(())).await;
    cloud.shutdown().await;
}
