//! Tasks of the local cloud as containers of a Docker Engine: jobs, images, ends of containers, and
//! what is left after each of them, which is nothing.
//!
//! All tests of this program share one engine and one registry, which end with the program. The one that
//! kills its engine has one of its own.

mod container_ends;
mod engine_faults;
mod image_pulls;
mod job_faults;
mod proven_hosts;
#[path = "../recorded_jobs/mod.rs"]
mod recorded_jobs;
mod replayed_recordings;
mod shared_folders;
mod spare_networks;
mod start_faults;
mod whole_jobs;

use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::builders::ContainerDefinitionBuilder;
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, Compatibility, ContainerDefinition, LaunchType, NetworkConfiguration,
    NetworkMode, Task, Volume,
};
use fargate_tests::{CheckedHost, TestEngine, skip, until_found};

/// The cloud's first subnet.
const SUBNET: &str = "subnet-0a1b2c3d4e5f60718";

/// What all tests share, or `None` after saying why they are skipped. In CI nothing is skipped.
fn engine() -> Option<&'static TestEngine> {
    static ENGINE: OnceLock<Result<TestEngine, String>> = OnceLock::new();
    match ENGINE.get_or_init(TestEngine::start) {
        Ok(engine) => Some(engine),
        Err(missing) => {
            skip(missing);
            None
        }
    }
}

/// A host whose cloud runs its tasks on the engine.
async fn host_on(engine: &TestEngine) -> CheckedHost {
    CheckedHost::open_with(|options| engine.choose(options)).await
}

/// A container of the image with the agent that runs one line of shell instead.
fn shell(engine: &TestEngine, name: &str, script: &str) -> ContainerDefinitionBuilder {
    ContainerDefinition::builder()
        .name(name)
        .image(engine.image_id())
        .entry_point("/bin/sh")
        .command("-c")
        .command(script)
        // As process 1, a program that does not catch SIGTERM does not get it.
        .stop_timeout(2)
}

/// Registers a task of these containers, with the smallest size, and starts it. Returns its ARN.
async fn start_task(
    site: &CheckedHost,
    family: &str,
    containers: Vec<ContainerDefinitionBuilder>,
) -> String {
    register(site, family, containers).await;
    run_task(site, family).await
}

async fn register(site: &CheckedHost, family: &str, containers: Vec<ContainerDefinitionBuilder>) {
    register_with(site, family, containers, Vec::new()).await;
}

async fn register_with(
    site: &CheckedHost,
    family: &str,
    containers: Vec<ContainerDefinitionBuilder>,
    volumes: Vec<Volume>,
) {
    register_by(&site.ecs(), family, containers, volumes).await;
}

async fn register_by(
    ecs: &Client,
    family: &str,
    containers: Vec<ContainerDefinitionBuilder>,
    volumes: Vec<Volume>,
) {
    let containers = containers.into_iter().map(ContainerDefinitionBuilder::build).collect();
    ecs.register_task_definition()
        .family(family)
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .execution_role_arn("arn:aws:iam::123456789012:role/execution")
        .cpu("256")
        .memory("512")
        .set_container_definitions(Some(containers))
        .set_volumes(Some(volumes).filter(|volumes| !volumes.is_empty()))
        .send()
        .await
        .expect("a definition that the cloud takes");
}

async fn run_task(site: &CheckedHost, family: &str) -> String {
    let network = AwsVpcConfiguration::builder().subnets(SUBNET).build().expect("a subnet");
    let network = NetworkConfiguration::builder().awsvpc_configuration(network).build();
    let run = site.ecs().run_task().cluster("ci").task_definition(family);
    let run = run.launch_type(LaunchType::Fargate).network_configuration(network);
    let answer = run.send().await.expect("a task that may be started");
    answer.tasks()[0].task_arn().expect("a task has an ARN").to_owned()
}

async fn stop_task(site: &CheckedHost, arn: &str) {
    let stop = site.ecs().stop_task().cluster("ci").task(arn).reason("enough");
    stop.send().await.expect("a task that may be stopped");
}

/// From now on these rules of the fault language, and no others.
fn give(site: &CheckedHost, rules: &str) {
    site.cloud().set_faults(rules.parse().unwrap_or_else(|error| panic!("{error}")));
}

/// From now on tasks run on Spot, or on demand if that does not work.
fn prefer_spot(site: &CheckedHost) {
    let strategy = "it = [{ provider = \"FARGATE_SPOT\" }]".parse::<toml::Table>();
    site.set("defaults.capacity_provider_strategy", strategy.expect("a strategy")["it"].clone());
    site.set("defaults.capacity_fallback", vec!["FARGATE"]);
}

async fn describe(site: &CheckedHost, arn: &str) -> Task {
    let answer = site.ecs().describe_tasks().cluster("ci").tasks(arn).send().await;
    answer.expect("a task that may be described").tasks()[0].clone()
}

/// Waits until a task has this status.
async fn until_status(site: &CheckedHost, arn: &str, status: &str) -> Task {
    until_found(&format!("a task that is {status}"), || async {
        let task = describe(site, arn).await;
        if task.last_status() == Some(status) { Ok(task) } else { Err(format!("{task:?}")) }
    })
    .await
}

/// Stop code, reason, and of each container its exit code and reason.
fn end_of(task: &Task) -> String {
    let code = task.stop_code().map_or("no stop code", |code| code.as_str());
    let mut text = format!("{code}: {}", task.stopped_reason().unwrap_or("no reason"));
    for container in task.containers() {
        let exit = container.exit_code().map_or("no exit code".to_owned(), |code| code.to_string());
        let reason = container.reason().unwrap_or("no reason");
        text += &format!("\n{}: {exit}, {reason}", container.name().unwrap_or_default());
    }
    text
}

/// What a container of a task wrote.
fn output(site: &CheckedHost, arn: &str, container: &str) -> String {
    let task = site.cloud().tasks().into_iter().find(|task| task.arn == arn).expect("a task");
    let container = task.containers.iter().find(|one| one.name == container).expect("a container");
    std::fs::read_to_string(container.log.as_ref().expect("it was started")).expect("a log")
}

/// Closes the host, after which nothing of its cloud is on the engine.
async fn close(engine: &TestEngine, site: CheckedHost) {
    let folder = site.cloud().folder().to_owned();
    site.close().await;
    let left = engine.leftovers(&folder).expect("an engine that answers");
    assert_eq!(left, Vec::<String>::new(), "left of the cloud in {}", folder.display());
}

/// How long a moment of a test may take on a machine with much to do.
const MOMENT: Duration = Duration::from_secs(10);
