//! Secrets Manager over the wire: a secret is kept out of every record, and a rule meets its operations
//! alone.

use serde_json::{Value, json};

use crate::client::{call, eventually, run_task, secrets, serve};
use fargate_local_cloud::FaultRules;

const LOGIN: &str = r#"{"username":"ci","password":"open sesame"}"#;

fn create(name: &str) -> Value {
    json!({ "Name": name, "ClientRequestToken": "0".repeat(32), "SecretString": LOGIN })
}

#[tokio::test]
async fn the_value_of_a_secret_is_in_its_answer_and_in_no_record() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    let made = secrets(&endpoint, "CreateSecret", create("registry")).await;
    assert_eq!(made.status, 200, "{made:?}");
    let read = secrets(&endpoint, "GetSecretValue", json!({ "SecretId": "registry" })).await;
    assert_eq!(read.json()["SecretString"], LOGIN);
    let recorded = cloud.requests();
    assert_eq!(recorded[0].body["Name"], "registry");
    assert!(!format!("{recorded:?}").contains("sesame"), "{recorded:?}");
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_rule_and_a_right_meet_the_operations_of_secrets_alone() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    secrets(&endpoint, "CreateSecret", create("registry")).await;
    let rule = "secretsmanager:TagResource: throttle";
    cloud.set_faults(FaultRules::from_bytes(rule.as_bytes()).expect("a rule"));
    let tags = json!([{ "Key": "a", "Value": "b" }]);
    let tagged = secrets(&endpoint, "TagResource", json!({ "SecretId": "registry", "Tags": tags }));
    assert_eq!(tagged.await.json()["__type"], "ThrottlingException");
    let cluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/ci";
    call(&endpoint, "TagResource", json!({ "resourceArn": cluster, "tags": [] })).await;
    cloud.deny("secretsmanager:GetSecretValue");
    let refused = secrets(&endpoint, "GetSecretValue", json!({ "SecretId": "registry" })).await;
    let refused = (refused.status, refused.json());
    assert_eq!(refused.0, 400);
    assert_eq!(refused.1["__type"], "AccessDeniedException");
    let message = refused.1["Message"].as_str().expect("a message");
    let opening = "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: \
                   secretsmanager:GetSecretValue on resource: \
                   arn:aws:secretsmanager:eu-west-1:123456789012:secret:registry-";
    assert!(message.starts_with(opening), "{message}");
    cloud.shutdown().await;
}

#[tokio::test]
async fn a_task_whose_execution_role_may_not_read_its_registry_secret_does_not_start() {
    let cloud = serve().await;
    let endpoint = cloud.endpoint();
    secrets(&endpoint, "CreateSecret", create("registry")).await;
    cloud.deny_role("execution", "secretsmanager:GetSecretValue");
    let definition = json!({
        "family": "private", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "256", "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [{ "name": "job", "image": "image", "command": ["true"],
            "repositoryCredentials": { "credentialsParameter": "registry" } }],
    });
    call(&endpoint, "RegisterTaskDefinition", definition).await;
    let ended = |number: usize| {
        let task = cloud.tasks().into_iter().nth(number)?;
        (task.last_status == "STOPPED").then_some(task)
    };
    let mut request = run_task();
    request["taskDefinition"] = json!("private");
    call(&endpoint, "RunTask", request.clone()).await;
    let task = eventually("the task's end", || ended(0)).await;
    let reason = task.stopped_reason.expect("a reason");
    let id = task.arn.rsplit('/').next().expect("an id");
    let who = format!("assumed-role/execution/{id} is not authorized to perform");
    assert!(reason.contains("unable to get registry auth from asm"), "{reason}");
    assert!(reason.contains(&who) && !reason.contains("sesame"), "{reason}");
    cloud.allow_role("execution", "secretsmanager:GetSecretValue");
    call(&endpoint, "RunTask", request).await;
    let task = eventually("the other task's end", || ended(1)).await;
    assert_eq!(task.stop_code.as_deref(), Some("EssentialContainerExited"), "{task:?}");
    cloud.shutdown().await;
}
