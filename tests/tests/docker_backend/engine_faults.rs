//! An engine that is killed, and clouds that end or are killed.

use std::path::Path;
use std::process::Stdio;

use aws_credential_types::Credentials;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::{BehaviorVersion, Region};
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, ContainerOverride, KeyValuePair, LaunchType, NetworkConfiguration,
    TaskOverride,
};
use fargate_tests::{SYSTEM_FAILURE, TestEngine, runner, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::{MOMENT, SUBNET, close, end_of, engine, host_on, run_task, until_status};

/// A public key whose private half nobody has.
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f none";

#[tokio::test]
async fn an_engine_that_is_killed_in_mid_job_stops_its_tasks_with_a_reason_and_may_come_back() {
    if engine().is_none() {
        return;
    }
    let own = TestEngine::start().expect("a second engine where one started");
    let site = host_on(&own).await;
    let mut notice = site.cloud().changing_notice().expect("the engine may be lost");
    let job = site.job();
    job.prepare().await.passed();
    let mut running = job.start_run("echo up; exec sleep 100");
    running.wrote("up\n").await;
    own.kill();
    let arn = site.task_of(&job).arn;
    let task = until_status(&site, &arn, "STOPPED").await;
    assert_eq!(
        end_of(&task),
        "InfrastructureHealth: What ran the containers of the task does not answer any more.\n\
         job: no exit code, no reason"
    );
    let told = timeout(MOMENT, notice.wait_for(|text| text.contains("does not answer"))).await;
    assert!(told.expect("it says so").is_ok());
    let refused = run_task(&site, "ci-job").await;
    let end = end_of(&until_status(&site, &refused, "STOPPED").await);
    assert!(end.starts_with("TaskFailedToStart: InternalError: the Docker Engine"), "{end}");

    own.start_again();
    let told = timeout(MOMENT, notice.wait_for(|text| text.contains("answers again"))).await;
    assert!(told.expect("it says so").is_ok());
    let folder = site.cloud().folder().to_owned();
    let is_empty = || own.containers(&folder).is_ok_and(|all| all.is_empty());
    until("an engine without containers, spare ones included", is_empty).await;
    let ended = job.heard(running).await;
    assert_eq!(ended.code, SYSTEM_FAILURE, "{}", ended.err());
    // The image of the containers that hold networks may be lost as well: it is made again.
    assert_eq!(own.remove_images("fargate-local-pause").expect("an engine that answers"), 1);
    let next = site.prepared().await;
    next.run("true").await.passed();
    close(&own, site).await;
}

/// `fargate-local serve` on the engine; gives it and its endpoint.
async fn serve(engine: &TestEngine, folder: &Path) -> (Child, String) {
    let mut command = Command::new(runner().with_file_name("fargate-local"));
    command.args(["serve", "--backend", "docker", "--engine", &engine.socket()]);
    command.args(["--image", engine.image_id(), "--folder"]).arg(folder);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("fargate-local was built");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let line = timeout(MOMENT * 3, lines.next_line()).await.expect("in time").expect("a line");
    let line = line.expect("a cloud that stands");
    let endpoint = line.split("AWS_ENDPOINT_URL=").nth(1).expect("an endpoint").trim().to_owned();
    (child, endpoint)
}

#[tokio::test]
async fn a_cloud_that_ends_removes_what_it_made() {
    let Some(engine) = engine() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, endpoint) = serve(engine, folder.path()).await;
    let ecs = client(&endpoint);
    start(&ecs).await;
    until("a container that runs", || has_agent(engine, folder.path())).await;
    let pid = Pid::from_raw(i32::try_from(child.id().expect("it runs")).expect("a process id"));
    kill(pid, Signal::SIGTERM).expect("it runs");
    let ended = timeout(MOMENT * 3, child.wait()).await.expect("in time").expect("a child");
    assert!(ended.success(), "{ended}");
    let left = engine.leftovers(folder.path()).expect("an engine that answers");
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn the_next_cloud_removes_what_a_killed_one_left_and_nothing_of_a_live_one() {
    let Some(engine) = engine() else { return };
    let (killed, live) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let (mut child, endpoint) = serve(engine, killed.path()).await;
    let (_other, other_endpoint) = serve(engine, live.path()).await;
    start(&client(&endpoint)).await;
    start(&client(&other_endpoint)).await;
    for folder in [killed.path(), live.path()] {
        until("a container that runs", || has_agent(engine, folder)).await;
    }
    child.start_kill().expect("it runs");
    child.wait().await.expect("a child");
    assert!(has_agent(engine, killed.path()), "nobody was there to remove it");
    let (mut next, _) = serve(engine, killed.path()).await;
    let left = engine.leftovers(killed.path()).expect("an engine that answers");
    assert_eq!(left, Vec::<String>::new());
    assert!(has_agent(engine, live.path()), "its cloud lives");
    next.start_kill().expect("it runs");
    next.wait().await.expect("a child");
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_one_clear_error() {
    let mut command = Command::new(runner().with_file_name("fargate-local"));
    command.args(["serve", "--backend", "docker", "--engine", "/nowhere/docker.sock"]);
    let output = timeout(MOMENT, command.output()).await.expect("in time").expect("it was built");
    let said = String::from_utf8_lossy(&output.stderr);
    insta::assert_snapshot!(said.trim_end(), @"error: asking the Docker Engine at /nowhere/docker.sock: Socket not found: /nowhere/docker.sock; start it (Debian: apt-get install docker.io), or name its socket with --engine");
    assert!(!output.status.success());
}

fn has_agent(engine: &TestEngine, folder: &Path) -> bool {
    let containers = engine.containers(folder).unwrap_or_default();
    containers.iter().any(|one| one.name.as_deref() == Some("job") && one.state == "running")
}

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::from_keys("test", "test", None))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

/// Starts the cloud's own task, with an agent that waits for a client.
async fn start(ecs: &Client) {
    let network = AwsVpcConfiguration::builder().subnets(SUBNET).build().expect("a subnet");
    let network = NetworkConfiguration::builder().awsvpc_configuration(network).build();
    let key = |name: &str, value: &str| KeyValuePair::builder().name(name).value(value).build();
    let container = ContainerOverride::builder()
        .name("job")
        .environment(key("SSH_PUBLIC_KEY", KEY))
        .environment(key("FARGATE_RUNNER_HOST_KEY_SEED", &"0".repeat(64)));
    let overrides = TaskOverride::builder().container_overrides(container.build()).build();
    let run = ecs.run_task().cluster("ci").task_definition("ci-job").overrides(overrides);
    let run = run.launch_type(LaunchType::Fargate).network_configuration(network);
    run.send().await.expect("a task that may be started");
}
