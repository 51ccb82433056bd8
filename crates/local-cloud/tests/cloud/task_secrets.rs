//! Secrets of tasks: the container gets the values, no answer and no record has them, and what ECS would
//! refuse is refused.

use serde_json::{Value, json};

use crate::client::{call, eventually, parameters, run_task, secrets, send, serve};

const TOKEN: &str = "canary-token";
const KEY: &str = "canary-key";

/// A definition whose container gets these secrets and runs one line of shell.
fn definition(given: &Value, script: &str) -> Value {
    json!({
        "family": "keys", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [{ "name": "job", "image": "image", "secrets": given,
            "environment": [{ "name": "PLAIN", "value": "1" }],
            "command": ["/bin/sh", "-c", script] }],
    })
}

#[tokio::test]
async fn a_container_gets_the_values_and_no_answer_and_no_record_has_them() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let text = json!({ "token": TOKEN, "port": 7 }).to_string();
    let body =
        json!({ "Name": "ci/npm", "ClientRequestToken": "0".repeat(32), "SecretString": text });
    let arn = secrets(&endpoint, "CreateSecret", body).await.json()["ARN"].clone();
    let arn = arn.as_str().expect("an ARN");
    let body = json!({ "Name": "/ci/key", "Value": KEY, "Type": "SecureString" });
    assert_eq!(parameters(&endpoint, "PutParameter", body).await.status, 200);
    let given = json!([
        { "name": "TOKEN", "valueFrom": format!("{arn}:token::") },
        { "name": "PORT", "valueFrom": format!("{arn}:port:AWSCURRENT:") },
        { "name": "WHOLE", "valueFrom": arn },
        { "name": "KEY", "valueFrom": "/ci/key" },
        { "name": "SAME", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/ci/key" },
    ]);
    let script = format!(
        "test \"$TOKEN $PORT $KEY $SAME\" = \"canary-$(echo token) 7 canary-$(echo key) canary-$(echo key)\" \
         && test ${{#WHOLE}} = {} && echo right",
        text.len()
    );
    let registered = call(&endpoint, "RegisterTaskDefinition", definition(&given, &script)).await;
    let mut request = run_task();
    request["taskDefinition"] = json!("keys");
    let started = call(&endpoint, "RunTask", request).await;
    let ended = || cloud.tasks().into_iter().find(|task| task.last_status == "STOPPED");
    let task = eventually("the task's end", ended).await;
    let log = std::fs::read_to_string(task.containers[0].log.as_ref().expect("it ran"));
    assert_eq!(log.expect("a log"), "right\n", "{task:?}");
    let by_arn = json!({ "cluster": "ci", "tasks": [task.arn] });
    let described = call(&endpoint, "DescribeTasks", by_arn).await;
    let shown = json!({ "taskDefinition": "keys" });
    let shown = call(&endpoint, "DescribeTaskDefinition", shown).await;
    let listed = call(&endpoint, "ListTasks", json!({ "cluster": "ci" })).await;
    for answer in [registered, started, described, shown, listed] {
        assert!(!answer.to_string().contains("canary-token"), "{answer}");
        assert!(!answer.to_string().contains("canary-key"), "{answer}");
    }
    let records = format!("{:?} {:?}", cloud.requests(), cloud.tasks());
    assert!(records.contains("PutParameter"), "{records}");
    assert!(!records.contains("canary-token") && !records.contains("canary-key"), "{records}");
    cloud.shutdown().await;
}

#[tokio::test]
async fn what_ecs_refuses_in_secrets_and_in_folders_in_memory_is_refused() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let source = "/ci/key";
    let one = json!([{ "name": "KEY", "valueFrom": source }]);
    let mut without_role = definition(&one, "true");
    without_role.as_object_mut().expect("an object").remove("executionRoleArn");
    let tmpfs = |folders: Value| {
        let mut body = definition(&one, "true");
        body["containerDefinitions"][0]["linuxParameters"] = json!({ "tmpfs": folders });
        body
    };
    let mut said = String::new();
    for body in [
        without_role,
        definition(&json!([{ "name": "", "valueFrom": source }]), "true"),
        definition(&json!([{ "name": "KEY" }]), "true"),
        definition(&json!([{ "name": "PLAIN", "valueFrom": source }]), "true"),
        definition(&json!([one[0], one[0]]), "true"),
        tmpfs(json!([{ "containerPath": "scratch", "size": 8 }])),
        tmpfs(json!([{ "containerPath": "/scratch" }])),
        tmpfs(json!([{ "containerPath": "/a", "size": 8 }, { "containerPath": "/a", "size": 8 }])),
    ] {
        let answer = send(&endpoint, "RegisterTaskDefinition", body.to_string()).await;
        let answer = answer.expect("an answer").json();
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        said += &format!("{}: {}\n", text("__type"), text("message"));
    }
    insta::assert_snapshot!(said, @"
    ClientException: When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.
    ClientException: Secret name and valueFrom should not be null or empty.
    ClientException: Secret name and valueFrom should not be null or empty.
    ClientException: The secret name must be unique and not shared with any new or existing environment variables set on the container, such as 'PLAIN'.
    ClientException: The secret name must be unique and not shared with any new or existing environment variables set on the container, such as 'KEY'.
    ClientException: Invalid tmpfs: the container path 'scratch' must be absolute.
    ClientException: Invalid tmpfs: the size of '/scratch' must be a positive number of MiB.
    ClientException: Duplicate mount point: /a
    ");
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_ends_the_task_in_ecs_s_words() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let arn = cloud.put_secret("ci/npm", r#"{"user":"ci"}"#).expect("a secret");
    let none = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/none-a1B2c3".to_owned();
    for (source, said) in [
        (format!("{arn}:token::"), "did not contain json key token"),
        (format!("{arn}::AWSPENDING:"), "for staging label: AWSPENDING"),
        (format!("{arn}:a"), "unexpected ARN format with parameters"),
        (none, "ResourceNotFoundException: Secrets Manager can't find the specified secret."),
        ("/ci/none".to_owned(), "invalid parameters: /ci/none"),
    ] {
        let given = json!([{ "name": "KEY", "valueFrom": source }]);
        call(&endpoint, "RegisterTaskDefinition", definition(&given, "true")).await;
        let mut request = run_task();
        request["taskDefinition"] = json!("keys");
        call(&endpoint, "RunTask", request).await;
        let ended = || cloud.tasks().pop().filter(|task| task.last_status == "STOPPED");
        let task = eventually("the task's end", ended).await;
        let reason = task.stopped_reason.expect("a reason");
        assert_eq!(task.stop_code.as_deref(), Some("TaskFailedToStart"));
        assert!(
            reason.starts_with("ResourceInitializationError: ") && reason.contains(said),
            "{reason}"
        );
        assert_eq!(task.containers[0].exit_code, None, "it never ran");
    }
    cloud.shutdown().await;
}
