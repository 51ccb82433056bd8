//! CloudWatch Logs: what a container wrote, event by event, and how the service refuses.

use serde_json::{Value, json};

use crate::client::{CloudTestAnswer, call, eventually, eventually_found, logs, run_task, serve};
use fargate_local_cloud::LocalCloud;

const GROUP: &str = "/ci/jobs";

/// Runs a script whose output goes to a stream. Returns the stream's name once the task has stopped.
async fn wrote(cloud: &LocalCloud, script: &str) -> String {
    let endpoint = cloud.endpoint();
    let log = json!({ "logDriver": "awslogs", "options": {
        "awslogs-group": GROUP, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p",
    }});
    let body = json!({
        "family": "logged", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [{ "name": "job", "image": "image", "logConfiguration": log,
            "entryPoint": ["sh", "-c"], "command": [script], "stopTimeout": 2 }],
    });
    call(&endpoint, "RegisterTaskDefinition", body).await;
    let mut request = run_task();
    request["taskDefinition"] = json!("logged");
    let arn = call(&endpoint, "RunTask", request).await["tasks"][0]["taskArn"].clone();
    eventually("the task's end", || {
        let task = cloud.tasks().into_iter().find(|task| arn == task.arn.as_str())?;
        (task.last_status == "STOPPED").then_some(())
    })
    .await;
    let id = arn.as_str().and_then(|arn| arn.rsplit('/').next()).expect("an id");
    format!("p/job/{id}")
}

async fn read(cloud: &LocalCloud, stream: &str, more: Value) -> CloudTestAnswer {
    let mut body = json!({ "logGroupName": GROUP, "logStreamName": stream });
    body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    logs(&cloud.endpoint(), "GetLogEvents", body).await
}

fn messages(answer: &CloudTestAnswer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let events = answer["events"].as_array().expect("events").iter();
    events.map(|event| event["message"].as_str().expect("a message").to_owned()).collect()
}

#[tokio::test]
async fn a_stream_is_read_from_its_end_or_its_head_and_page_by_page() {
    let cloud = serve().await;
    let stream = wrote(&cloud, "seq 5; printf '\\n\\033[1mlast'").await;
    let all = ["1", "2", "3", "4", "5", " ", "\u{1b}[1mlast"];
    // The task may end a moment before its output is read.
    eventually_found("all of it", || async {
        (messages(&read(&cloud, &stream, json!({})).await) == all).then_some(())
    })
    .await;
    let last = read(&cloud, &stream, json!({ "limit": 2 })).await;
    assert_eq!(messages(&last), all[5..]);
    let before = json!({ "limit": 2, "nextToken": last.json()["nextBackwardToken"] });
    assert_eq!(messages(&read(&cloud, &stream, before).await), all[3..5]);
    let head = read(&cloud, &stream, json!({ "limit": 3, "startFromHead": true })).await;
    assert_eq!(messages(&head), all[..3]);
    let next = json!({ "limit": 3, "nextToken": head.json()["nextForwardToken"] });
    assert_eq!(messages(&read(&cloud, &stream, next).await), all[3..6]);
    for (from_head, way) in [(true, "nextForwardToken"), (false, "nextBackwardToken")] {
        let first = json!({ "limit": 3, "startFromHead": from_head });
        let mut page = read(&cloud, &stream, first).await;
        let mut sizes = vec![messages(&page).len()];
        // At the end of the stream the given token comes back.
        let end = loop {
            let token = page.json()[way].clone();
            let more = json!({ "limit": 3, "nextToken": token });
            page = read(&cloud, &stream, more).await;
            sizes.push(messages(&page).len());
            assert!(sizes.len() <= 4, "{sizes:?} pages by {way}");
            if page.json()[way] == token {
                break page.json();
            }
        };
        assert_eq!(sizes, [3, 3, 1, 0], "by {way}");
        let other = if from_head { "nextBackwardToken" } else { "nextForwardToken" };
        let back = json!({ "limit": 1, "nextToken": end[other] });
        let expected = if from_head { all.last() } else { all.first() };
        assert_eq!(messages(&read(&cloud, &stream, back).await), [*expected.unwrap()]);
    }
    let event = &head.json()["events"][0];
    assert!(event["timestamp"].is_i64() && event["ingestionTime"].is_i64(), "{event}");
    let none = json!({ "endTime": 1 });
    assert_eq!(messages(&read(&cloud, &stream, none).await), Vec::<String>::new());
    cloud.shutdown().await;
}

#[tokio::test]
async fn it_refuses_as_cloudwatch_logs_does() {
    let cloud = serve().await;
    let refused = |answer: CloudTestAnswer| {
        assert_eq!(answer.status, 400, "{answer:?}");
        let body = answer.json();
        let text = |name: &str| body[name].as_str().expect("text").to_owned();
        (text("__type"), text("message"))
    };
    let (code, words) = refused(read(&cloud, "p/job/x", json!({})).await);
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(words, "The specified log group does not exist.");
    let stream = wrote(&cloud, "true").await;
    let (_, words) = refused(read(&cloud, "p/job/x", json!({})).await);
    assert_eq!(words, "The specified log stream does not exist.");
    for odd in [json!({ "limit": 0 }), json!({ "limit": 10_001 }), json!({ "nextToken": "x" })] {
        let (code, words) = refused(read(&cloud, &stream, odd).await);
        assert_eq!(code, "InvalidParameterException", "{words}");
    }
    cloud.deny("logs:GetLogEvents");
    let (code, words) = refused(read(&cloud, &stream, json!({})).await);
    assert_eq!(code, "AccessDeniedException");
    let on = format!("log-group:{GROUP}:log-stream:{stream}");
    assert!(words.contains("to perform: logs:GetLogEvents on resource: arn:aws:logs:"), "{words}");
    assert!(words.contains(&on), "{words}");
    cloud.allow("logs:GetLogEvents");
    let rules = "GetLogEvents call 1: throttle".parse().expect("rules");
    cloud.set_faults(rules);
    assert_eq!(refused(read(&cloud, &stream, json!({})).await).0, "ThrottlingException");
    let other = logs(&cloud.endpoint(), "DescribeLogStreams", json!({})).await;
    assert_eq!(refused(other).0, "UnknownOperationException");
    cloud.shutdown().await;
}
