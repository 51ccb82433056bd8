//! `jobs logs`: what the containers of a task wrote, and where nothing is kept.

use std::rc::Rc;

use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, LogConfiguration, LogDriver, NetworkMode,
};
use fargate_tests::{CheckedHost, TestJob, TestProcess, redacted, runner};

use crate::name_of;

/// Writes two lines, and ends when it is told to.
const SERVING: &str = "trap 'exit 0' TERM; echo one; echo two; sleep 1000 & wait";
/// The same without a line.
const QUIET: &str = "trap 'exit 0' TERM; sleep 1000 & wait";

/// A container whose output goes to a log group, unless `group` is empty.
fn container(name: &str, script: Option<&str>, group: &str) -> ContainerDefinition {
    let log = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options("awslogs-group", group)
        .options("awslogs-region", "eu-west-1")
        .options("awslogs-stream-prefix", "log");
    let log = log.build().expect("it has a driver");
    let command = script.map(|script| ["sh", "-c", script].map(str::to_owned).to_vec());
    ContainerDefinition::builder()
        .name(name)
        .image(format!("registry.example/{name}:2"))
        .essential(name == "job")
        .set_command(command)
        .set_log_configuration((!group.is_empty()).then_some(log))
        .build()
}

/// A prepared job whose task has these containers.
async fn prepared_with(site: &CheckedHost, containers: Vec<ContainerDefinition>) -> Rc<TestJob> {
    site.ecs()
        .register_task_definition()
        .family("logged")
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .execution_role_arn("arn:aws:iam::123456789012:role/execution")
        .cpu("1024")
        .memory("2048")
        .set_container_definitions(Some(containers))
        .send()
        .await
        .expect("a definition that the cloud takes");
    site.set("defaults.task_definition", "logged");
    let endpoint = site.cloud().endpoint();
    let job = site.job_with(|job| job.set("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", endpoint));
    job.prepare().await.passed();
    job
}

/// Starts `jobs logs` of this job. The cloud's logs have an endpoint of their own, which the job's
/// environment names.
fn logs(site: &CheckedHost, job: &TestJob, name: &str, more: &[&str]) -> TestProcess {
    let (program, config) = (runner(), site.config());
    let (program, config) = (program.to_str().expect("UTF-8"), config.to_str().expect("UTF-8"));
    job.start_other(program, &[&["-c", config, "jobs", "logs", name], more].concat())
}

#[tokio::test]
async fn the_lines_of_all_containers_are_read_and_followed_to_the_end_of_the_task() {
    let site = CheckedHost::open().await;
    let proxy = container("proxy", Some(SERVING), "/ci/jobs");
    let quiet = container("quiet", Some(QUIET), "");
    let job = prepared_with(&site, vec![container("job", None, "/ci/jobs"), proxy, quiet]).await;
    let name = name_of(&job);
    let mut following = logs(&site, &job, &name, &["--follow"]);
    following.wrote("job: fargate-agent ").await;
    following.wrote("proxy: one\nproxy: two\n").await;
    let once = logs(&site, &job, &name, &[]).ended().await.with_code(0);
    assert!(once.out().contains("proxy: one\nproxy: two\n"), "{}", once.out());
    assert_eq!(once.err(), "container quiet writes to no CloudWatch log group\n");
    job.cleanup().await.passed();
    let ended = following.ended().await.with_code(0);
    assert_eq!(ended.out().matches("proxy: one").count(), 1, "{}", ended.out());
    site.close().await;
}

#[tokio::test]
async fn where_no_log_is_kept_a_sentence_says_so() {
    let site = CheckedHost::open().await;
    let job = prepared_with(&site, vec![container("job", None, "")]).await;
    let name = name_of(&job);
    let line = logs(&site, &job, &name, &[]).ended().await.with_code(1).error_line();
    insta::assert_snapshot!(redacted(&line), @"error: no container of arn:aws:ecs:eu-west-1:123456789012:task-definition/logged:1 writes to CloudWatch Logs: its `logConfiguration` names no `awslogs` group, so AWS keeps no log of it; what the job's scripts write is in the job's own log");
    job.cleanup().await.passed();
    let line = logs(&site, &job, &name, &[]).ended().await.with_code(1).error_line();
    insta::assert_snapshot!(redacted(&line), @"error: job gl-4000 is over, and its record is gone; a log group of its task definition may still hold the stream that ends with TASK");
    site.close().await;
}
