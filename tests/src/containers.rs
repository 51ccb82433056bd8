//! Tasks as real containers: a Docker Engine for the tests alone, an ECS emulator that others wrote, and in
//! it the account of an installation of GitLab's Fargate driver.
//!
//! `tests/containers/serve.py` starts and ends all of it. This module only gives tests access to it.

use std::io::{self, BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use aws_credential_types::Credentials;
use aws_sdk_ecs::Client;
use aws_sdk_ecs::config::{BehaviorVersion, Region};
use aws_sdk_ecs::operation::run_task::RunTaskInput;
use aws_sdk_ecs::operation::run_task::builders::RunTaskInputBuilder;
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, ContainerOverride, DesiredStatus, KeyValuePair, NetworkConfiguration,
    TaskOverride,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::checked_host::agent;
use crate::engine_socket::ask_engine;
use crate::wait::until_found;

/// The engine's label with the ARN of a container's task.
const TASK_LABEL: &str = "com.amazonaws.ecs.task-arn";

/// The engine with everything on it. It ends with this value, or with this process.
#[derive(Debug)]
pub struct ContainerEngine {
    server: Child,
    facts: Box<EngineFacts>,
}

/// What `serve.py` made.
#[derive(Debug, Deserialize)]
pub(crate) struct EngineFacts {
    endpoint: String,
    host_address: IpAddr,
    docker_socket: PathBuf,
    log: PathBuf,
    pub(crate) region: String,
    pub(crate) cluster: String,
    pub(crate) subnet: String,
    pub(crate) security_group: String,
    /// Its image is there.
    pub(crate) task_definition: String,
    /// A task definition whose image is nowhere.
    pub(crate) missing_image: String,
    container: String,
    /// A task definition whose image holds the agent.
    pub(crate) with_agent: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EngineAnswer {
    Stands(Box<EngineFacts>),
    Missing { missing: String },
}

impl ContainerEngine {
    /// Installs what is missing, where it may, and starts everything: some seconds, and a minute or
    /// two the first time.
    ///
    /// # Errors
    ///
    /// If this machine lacks something; the text says what.
    pub fn start() -> Result<Self, String> {
        install(&[])?;
        let image = target().join("containers/image.tar");
        match serve("serve.py", &[image, agent()])? {
            (server, EngineAnswer::Stands(facts)) => Ok(Self { server, facts }),
            (mut server, EngineAnswer::Missing { missing }) => {
                end(&mut server);
                Err(missing)
            }
        }
    }

    /// Where its API answers.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.facts.endpoint
    }

    /// The address by which tasks reach this machine.
    #[must_use]
    pub fn host_address(&self) -> IpAddr {
        self.facts.host_address
    }

    /// What the emulator warned of so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.facts.log).unwrap_or_default()
    }

    /// What was made in the account.
    pub(crate) fn facts(&self) -> &EngineFacts {
        &self.facts
    }

    /// A client that is not the product's.
    #[must_use]
    pub fn ecs(&self) -> Client {
        let config = aws_sdk_ecs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.facts.region.clone()))
            .endpoint_url(self.endpoint())
            .credentials_provider(Credentials::from_keys("test", "test", None))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Client::from_conf(config)
    }

    /// The ARNs of all tasks that `owner` started and that have this desired status.
    ///
    /// # Panics
    ///
    /// If the list is refused.
    pub async fn tasks(&self, owner: &str, status: DesiredStatus) -> Vec<String> {
        let list = self.ecs().list_tasks().cluster(&self.facts.cluster).started_by(owner);
        let answer = list.desired_status(status).send().await.expect("a list of tasks");
        answer.task_arns().to_vec()
    }

    /// Starts `count` tasks at once by plain calls, without the product, and stops them; gives the
    /// time until ECS called the last one RUNNING.
    ///
    /// # Panics
    ///
    /// If a call is refused, or a task does not start within 20 s.
    pub async fn plain_starts(&self, count: usize) -> Duration {
        let mut starts = JoinSet::new();
        for _ in 0..count {
            starts.spawn(plain_start(self.ecs(), self.facts.cluster.clone(), self.plain_task()));
        }
        let last = starts.join_all().await.into_iter().max().unwrap_or_default();
        until_found("the end of their containers", || async {
            let containers = self.containers().expect("a list of containers");
            if containers.is_empty() { Ok(()) } else { Err(format!("{containers:?}")) }
        })
        .await;
        last
    }

    fn plain_task(&self) -> RunTaskInputBuilder {
        let network = AwsVpcConfiguration::builder()
            .subnets(&self.facts.subnet)
            .security_groups(&self.facts.security_group)
            .build()
            .expect("it has a subnet");
        // The image needs a key, and nobody logs in with this one.
        let key = KeyValuePair::builder().name("SSH_PUBLIC_KEY").value("ssh-ed25519 none").build();
        let container = ContainerOverride::builder().name(&self.facts.container).environment(key);
        RunTaskInput::builder()
            .cluster(&self.facts.cluster)
            .task_definition(&self.facts.task_definition)
            .network_configuration(
                NetworkConfiguration::builder().awsvpc_configuration(network).build(),
            )
            .overrides(TaskOverride::builder().container_overrides(container.build()).build())
    }

    /// The ARN of the task of every container that runs.
    ///
    /// # Errors
    ///
    /// What kept the engine from answering.
    pub fn containers(&self) -> io::Result<Vec<String>> {
        let list = ask_engine(&self.facts.docker_socket, "/containers/json")?;
        let list = list.as_array().cloned().unwrap_or_default();
        let label = |container: &Value| container["Labels"][TASK_LABEL].as_str().map(str::to_owned);
        Ok(list.iter().map(|container| label(container).unwrap_or_default()).collect())
    }
}

async fn plain_start(ecs: Client, cluster: String, task: RunTaskInputBuilder) -> Duration {
    let begun = Instant::now();
    let started = task.send_with(&ecs).await.expect("a task that may be started");
    let arn = started.tasks()[0].task_arn().expect("a task has an ARN").to_owned();
    until_found("a task that starts", || async {
        let seen = ecs.describe_tasks().cluster(&cluster).tasks(&arn).send().await;
        let seen = seen.expect("a task that may be described");
        let task = &seen.tasks()[0];
        (task.last_status() == Some("RUNNING")).then_some(()).ok_or_else(|| format!("{task:?}"))
    })
    .await;
    let took = begun.elapsed();
    ecs.stop_task().cluster(cluster).task(arn).send().await.expect("a task that may be stopped");
    took
}

impl Drop for ContainerEngine {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}

/// Starts a script of `tests/containers`. Gives it, and its first line.
///
/// # Errors
///
/// If it answers something else.
pub(crate) fn serve<A: DeserializeOwned>(
    script: &str,
    arguments: &[PathBuf],
) -> Result<(Child, A), String> {
    let mut server = spawn_script(script, arguments)?;
    let mut line = String::new();
    let stdout = server.stdout.take().expect("stdout is piped");
    let read = BufReader::new(stdout).read_line(&mut line);
    match (read, serde_json::from_str(&line)) {
        (Ok(_), Ok(answer)) => Ok((server, answer)),
        (read, _) => {
            end(&mut server);
            Err(format!("tests/containers/{script} answered {read:?} {line:?}"))
        }
    }
}

/// Starts a script of `tests/containers`, with pipes for its input and output.
pub(crate) fn spawn_script(script: &str, arguments: &[PathBuf]) -> Result<Child, String> {
    Command::new(target().join("ministack/bin/python"))
        .arg(folder().join(script))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("tests/containers/{script}: {error}"))
}

/// Closes its input, so that it ends what it started, and waits until it has ended.
pub(crate) fn end(server: &mut Child) {
    drop(server.stdin.take());
    let _ = server.wait();
}

/// Installs what the scripts of `tests/containers` need of Python, and no image.
///
/// # Errors
///
/// What could not be installed.
pub(crate) fn install_python() -> Result<(), String> {
    install(&["python"])
}

pub(crate) fn install(arguments: &[&str]) -> Result<(), String> {
    let script = folder().join("install.sh");
    let output = Command::new(&script)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("tests/containers/install.sh: {}: {}", output.status, said.trim()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("containers")
}

/// The root of the image with a stock `sshd` as a tar file, which is made if it is not there.
///
/// # Errors
///
/// If this machine lacks something; the text says what.
pub fn root_of_test_image() -> Result<PathBuf, String> {
    install(&[])?;
    Ok(target().join("containers/image.tar"))
}

pub(crate) fn target() -> PathBuf {
    let given = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"))
}
