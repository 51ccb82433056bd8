//! Images: pulled, not there, for another processor, and behind a password.

use aws_sdk_ecs::types::builders::ContainerDefinitionBuilder;
use aws_sdk_ecs::types::{ContainerDefinition, RepositoryCredentials};
use fargate_tests::{CheckedHost, SYSTEM_FAILURE, TestEngine, store_login};

use crate::{
    close, describe, end_of, engine, host_on, register, shell, start_task, stop_task, until_status,
};

/// The container of a private image, whose login lies in this secret.
pub fn private(engine: &TestEngine, tag: &str, secret: &str) -> ContainerDefinitionBuilder {
    let credentials = RepositoryCredentials::builder().credentials_parameter(secret);
    ContainerDefinition::builder()
        .name("job")
        .image(format!("{}:{tag}", engine.image()))
        .repository_credentials(credentials.build().expect("a secret"))
}

/// How a task ends whose image has this tag, and whose secret has this login.
async fn end_with(
    engine: &TestEngine,
    site: &CheckedHost,
    tag: &str,
    login: (&str, &str),
) -> String {
    let secret = store_login(site.cloud(), "registry", login).await;
    let arn = start_task(site, "private", vec![private(engine, tag, &secret)]).await;
    end_of(&until_status(site, &arn, "STOPPED").await)
}

#[tokio::test]
async fn a_job_passes_on_a_private_image_whose_login_lies_in_secrets_manager() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let secret = store_login(site.cloud(), "registry", engine.login()).await;
    register(&site, "private", vec![private(engine, "1", &secret)]).await;
    site.set("defaults.task_definition", "private");
    let job = site.prepared().await;
    let task = describe(&site, &site.task_of(&job).arn).await;
    let digest = task.containers()[0].image_digest().expect("a digest");
    let hex = digest.strip_prefix("sha256:").expect("of the usual kind");
    assert!(hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
    let (begun, ended) = (task.pull_started_at(), task.pull_stopped_at());
    assert!(begun.is_some() && begun <= ended && ended <= task.started_at(), "{task:?}");
    let ran = job.run("echo hello").await;
    assert_eq!((ran.out().as_str(), ran.code), ("hello\n", 0), "{}", ran.err());
    assert!(!format!("{:?}", site.cloud().requests()).contains(engine.login().1));
    close(engine, site).await;
}

#[tokio::test]
async fn a_wrong_password_fails_the_task_and_the_job_is_told_so() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let (user, _) = engine.login();
    let secret = store_login(site.cloud(), "registry", (user, "a wrong one")).await;
    register(&site, "private", vec![private(engine, "1", &secret)]).await;
    site.set("defaults.task_definition", "private");
    let job = site.job();
    let failed = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert!(failed.error_line().contains("refused"), "{}", failed.out());
    let end = end_of(&until_status(&site, &site.tasks_of(&job)[0].arn, "STOPPED").await);
    let begin = format!(
        "TaskFailedToStart: CannotPullContainerError: pull access denied for {}, repository does \
         not exist or may require 'docker login'",
        engine.image()
    );
    assert!(end.starts_with(&begin), "{end}");
    close(engine, site).await;
}

#[tokio::test]
async fn a_secret_that_is_missing_or_may_not_be_read_fails_the_task_before_the_registry_is_asked() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let opening = "TaskFailedToStart: ResourceInitializationError: unable to pull secrets or \
                   registry auth: ";
    let arn = start_task(&site, "no-secret", vec![private(engine, "1", "no-such-secret")]).await;
    let end = end_of(&until_status(&site, &arn, "STOPPED").await);
    assert!(end.starts_with(opening) && end.contains("ResourceNotFoundException"), "{end}");
    site.cloud().deny_role("execution", "secretsmanager:GetSecretValue");
    let end = end_with(engine, &site, "1", engine.login()).await;
    assert!(end.starts_with(opening) && end.contains("AccessDeniedException"), "{end}");
    close(engine, site).await;
}

#[tokio::test]
async fn a_tag_that_is_gone_says_what_ecs_says() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    assert_eq!(
        end_with(engine, &site, "mistyped", engine.login()).await,
        format!(
            "TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 \
             time(s): failed to resolve ref {}:mistyped: not found\n\
             job: no exit code, no reason",
            engine.image()
        )
    );
    close(engine, site).await;
}

#[tokio::test]
async fn an_image_for_another_processor_says_what_ecs_says() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    assert_eq!(
        end_with(engine, &site, "arm", engine.login()).await,
        "TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 \
         time(s): image Manifest does not contain descriptor matching platform 'linux/amd64'\n\
         job: no exit code, no reason"
    );
    close(engine, site).await;
}

#[tokio::test]
async fn an_image_without_its_login_says_what_ecs_says() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let image = format!("{}:1", engine.image());
    let container = shell(engine, "job", "true").image(&image);
    let arn = start_task(&site, "no-login", vec![container]).await;
    let task = until_status(&site, &arn, "STOPPED").await;
    let end = end_of(&task);
    let begin = format!(
        "TaskFailedToStart: CannotPullContainerError: pull access denied for {}, repository does \
         not exist or may require 'docker login'",
        engine.image()
    );
    assert!(end.starts_with(&begin) && end.ends_with("\njob: no exit code, no reason"), "{end}");
    close(engine, site).await;
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_told_apart_from_a_missing_image() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    // The port of the reserved service `tcpmux`, which nobody serves.
    let container = shell(engine, "job", "true").image("127.0.0.1:1/ci/agent:1");
    let arn = start_task(&site, "no-registry", vec![container]).await;
    let task = until_status(&site, &arn, "STOPPED").await;
    let end = end_of(&task);
    assert!(
        end.starts_with(
            "TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 \
             time(s): failed to resolve ref 127.0.0.1:1/ci/agent:1: failed to do request: "
        ) && end.contains("connection refused"),
        "{end}"
    );
    close(engine, site).await;
}

#[tokio::test]
async fn an_image_by_the_engine_s_own_id_needs_no_registry_and_has_no_digest() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let arn = start_task(&site, "by-id", vec![shell(engine, "job", "sleep 100")]).await;
    until_status(&site, &arn, "RUNNING").await;
    let task = describe(&site, &arn).await;
    assert_eq!(task.containers()[0].image_digest(), None);
    assert!(task.pull_started_at() <= task.pull_stopped_at());
    stop_task(&site, &arn).await;
    close(engine, site).await;
}
