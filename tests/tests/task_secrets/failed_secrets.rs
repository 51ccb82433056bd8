//! A secret that ECS cannot read: the job's log names it and says what to do, and nothing is left running.

use fargate_tests::{CheckedHost, SYSTEM_FAILURE, redacted, secrets_client};
use regex::Regex;

use crate::{KEY, ROLE, TOKEN, holds_no_secret, host_with, job_with_keys};

/// What the job's log says of a task that did not start, from the error on.
async fn refusal(host: CheckedHost) -> String {
    let job = job_with_keys(&host);
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    let task = host.task_of(&job);
    assert_eq!(task.last_status, "STOPPED", "one task was started, and it has ended");
    // A `run` after it sends nothing anywhere.
    job.run("true").await.with_code(SYSTEM_FAILURE);
    job.cleanup().await.passed();
    let text = redacted(&ended.out());
    let from = text.find("error: ").unwrap_or_else(|| panic!("no error in {text}"));
    holds_no_secret("the job's log", &text);
    let log = host.log();
    holds_no_secret("the operator's log", &log);
    assert!(!log.contains("canary"), "{log}");
    host.close().await;
    let suffix = Regex::new("secret:ci/npm-[A-Za-z0-9]{6}").expect("a pattern of ours");
    let text = suffix.replace_all(&text[from..], "secret:ci/npm-SUFFIX");
    let suffix = Regex::new("secret ci/npm-[A-Za-z0-9]{6}").expect("a pattern of ours");
    let text = suffix.replace_all(&text, "secret ci/npm-SUFFIX");
    let id = Regex::new("request id: [0-9a-f-]{36}").expect("a pattern of ours");
    id.replace_all(&text, "request id: ID").into_owned()
}

#[tokio::test]
async fn a_secret_that_is_marked_for_deletion_is_named_with_the_command_that_restores_it() {
    let host = host_with(None).await;
    let secrets = secrets_client(host.cloud());
    secrets.delete_secret().secret_id("ci/npm").send().await.expect("a secret that may be deleted");
    insta::assert_snapshot!(refusal(host).await, @r##"
    error: secret ci/npm-SUFFIX is marked for deletion
      ECS: "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-SUFFIX from secrets manager: InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion. status code: 400, request id: ID"
      The profile gives this secret to its jobs as NPM_TOKEN.
      task ID is STOPPED: TaskFailedToStart.
      Fix: restore it, or name another secret in the profile
        aws secretsmanager restore-secret --secret-id arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-SUFFIX
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: secret-deleted
    "##);
}

#[tokio::test]
async fn a_secret_that_is_gone_is_named() {
    let host = host_with(None).await;
    let secrets = secrets_client(host.cloud());
    let call = secrets.delete_secret().secret_id("ci/npm").force_delete_without_recovery(true);
    call.send().await.expect("a secret that may be deleted");
    insta::assert_snapshot!(refusal(host).await, @r##"
    error: secret ci/npm-SUFFIX is empty or not in this Region
      ECS: "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-SUFFIX from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret. status code: 400, request id: ID"
      The profile gives this secret to its jobs as NPM_TOKEN.
      task ID is STOPPED: TaskFailedToStart.
      Fix: write a value for it in this Region
        aws secretsmanager describe-secret --secret-id arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-SUFFIX
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: secret-missing
    "##);
}

#[tokio::test]
async fn a_role_that_may_not_read_a_secret_is_told_which_right_is_missing() {
    let host = host_with(None).await;
    host.cloud().deny_role(ROLE, "secretsmanager:GetSecretValue");
    insta::assert_snapshot!(refusal(host).await, @r##"
    error: the execution role may not read secret ci/npm-SUFFIX
      ECS: "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-SUFFIX from secrets manager: AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/ci-execution/TASK is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-SUFFIX because no identity-based policy allows the secretsmanager:GetSecretValue action status code: 400, request id: ID"
      The profile gives this secret to its jobs as NPM_TOKEN.
      task ID is STOPPED: TaskFailedToStart.
      Fix: allow secretsmanager:GetSecretValue on arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-SUFFIX for the execution role
        aws ecs describe-task-definition --task-definition arn:aws:ecs:eu-west-1:123456789012:task-definition/jobs-with-keys:1
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: secret-denied
    "##);
}

#[tokio::test]
async fn a_role_that_may_not_read_a_parameter_is_told_which_right_is_missing() {
    let host = host_with(None).await;
    host.cloud().deny_role(ROLE, "ssm:GetParameters");
    insta::assert_snapshot!(refusal(host).await, @r##"
    error: the execution role may not read SSM parameter /ci/deploy-key
      ECS: "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/ci-execution/TASK is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:eu-west-1:123456789012:parameter/ci/deploy-key because no identity-based policy allows the ssm:GetParameters action status code: 400, request id: ID"
      The profile gives this secret to its jobs as DEPLOY_KEY.
      task ID is STOPPED: TaskFailedToStart.
      Fix: allow ssm:GetParameters on the execution role
        aws ecs describe-task-definition --task-definition arn:aws:ecs:eu-west-1:123456789012:task-definition/jobs-with-keys:1
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: parameter-denied
    "##);
}

#[tokio::test]
async fn a_json_key_that_the_secret_lacks_is_named_with_its_secret() {
    let host = host_with(None).await;
    let text = serde_json::json!({ "tokn": TOKEN }).to_string();
    host.cloud().put_secret("ci/npm", &text).expect("a new version");
    insta::assert_snapshot!(refusal(host).await, @r##"
    error: secret ci/npm-SUFFIX has no JSON key token
      ECS: "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): retrieved secret from Secrets Manager did not contain json key token"
      The profile gives this secret to its jobs as NPM_TOKEN.
      task ID is STOPPED: TaskFailedToStart.
      Fix: write the key token into the JSON of the secret, or correct the key in `secrets` of the profile
        aws ecs describe-task-definition --task-definition arn:aws:ecs:eu-west-1:123456789012:task-definition/jobs-with-keys:1
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: secret-shape
    "##);
}

#[tokio::test]
async fn a_secret_that_is_no_json_shows_no_part_of_itself() {
    let host = host_with(None).await;
    host.cloud().put_secret("ci/npm", KEY).expect("a new version");
    insta::assert_snapshot!(refusal(host).await, @r##"
    error: secret ci/npm-SUFFIX has no JSON key token
      ECS: "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): invalid character '?' looking for beginning of value"
      The profile gives this secret to its jobs as NPM_TOKEN.
      task ID is STOPPED: TaskFailedToStart.
      Fix: write the key token into the JSON of the secret, or correct the key in `secrets` of the profile
        aws ecs describe-task-definition --task-definition arn:aws:ecs:eu-west-1:123456789012:task-definition/jobs-with-keys:1
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: secret-shape
    "##);
}

#[tokio::test]
async fn a_parameter_that_does_not_exist_is_named() {
    let host = host_with(None).await;
    let from = toml::Value::from("/ci/no-such-key");
    let entry =
        toml::Table::from_iter([("name".to_owned(), "KEY".into()), ("from".to_owned(), from)]);
    host.set("profile.keys.secrets", toml::Value::from(vec![toml::Value::Table(entry)]));
    insta::assert_snapshot!(refusal(host).await, @r##"
    error: SSM parameter /ci/no-such-key is not in this Region
      ECS: "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: /ci/no-such-key"
      The profile gives this secret to its jobs as KEY.
      task ID is STOPPED: TaskFailedToStart.
      Fix: create it, or correct its name in the task definition
        aws ssm get-parameters --names /ci/no-such-key
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: parameter-missing
    "##);
}

#[tokio::test]
async fn a_rule_can_refuse_the_secrets_of_tasks_and_the_next_try_passes() {
    let host = host_with(None).await;
    let rule = "GetSecretValue call 1: reset before commit";
    host.cloud().set_faults(rule.parse().unwrap_or_else(|error| panic!("{error}")));
    let job = job_with_keys(&host);
    // Secrets Manager that cannot be reached may be reached by the next task.
    job.prepare().await.passed();
    let tasks = host.tasks_of(&job);
    let reason = tasks[0].stopped_reason.as_deref().unwrap_or_default();
    assert!(reason.contains("There is a connection issue"), "{reason}");
    assert_eq!(tasks.len(), 2);
    job.run("test -n \"$NPM_TOKEN\"").await.passed();
    host.close().await;
}
