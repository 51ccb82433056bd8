//! Runs the containers of tasks as processes of this machine, each in its own mount and PID
//! namespace where the machine allows it. It knows no ECS state and no time-outs.

mod children;
mod command;
mod log;
mod sandbox;
mod spawner;

use std::ffi::OsString;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use children::ChildProcesses;
use log::{LogDestination, LogReaders};
use sandbox::SandboxBuilder;
use spawner::ProcessSpawner;

use crate::log_streams::{CloudLogStreams, LogStreamName};

/// The agent's place in a sandbox.
const AGENT: &str = "/.fargate/fargate-agent";
/// How long `bwrap` may take to say which process is the container's first.
const SPAWN_DEADLINE: Duration = Duration::from_secs(10);

/// Starts and ends the processes of one cloud.
pub(crate) struct ContainerBackend {
    /// `None` where the machine has no namespaces for us.
    sandbox: Option<SandboxBuilder>,
    notice: Option<String>,
    agent: PathBuf,
    folder: PathBuf,
    port: u16,
    /// What every container has from the cloud's own environment.
    inherited: Vec<(OsString, OsString)>,
    spawner: ProcessSpawner,
    children: Arc<ChildProcesses>,
    logs: LogReaders,
    streams: Arc<CloudLogStreams>,
}

/// One container to start.
#[derive(Clone, Debug)]
pub(crate) struct ProcessPlan {
    /// The task's id.
    pub task: String,
    /// The container's name.
    pub container: String,
    /// The program and its arguments; empty for the agent.
    pub argv: Vec<String>,
    /// In order; a later one replaces an earlier one.
    pub environment: Vec<(String, String)>,
    pub working_directory: Option<String>,
    pub mounts: Vec<BindMount>,
    pub address: IpAddr,
    /// Where its output goes beside the file.
    pub stream: Option<Box<LogStreamName>>,
}

/// A folder of this machine that a container sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BindMount {
    pub source: PathBuf,
    pub path: PathBuf,
    pub read_only: bool,
}

/// A container that runs.
#[derive(Debug)]
pub(crate) struct ContainerProcess {
    /// The container's first process, as this machine numbers it.
    pub pid: i32,
    pub started: Instant,
    pub log: PathBuf,
    /// Done when all output is in the log.
    pub logged: oneshot::Receiver<()>,
    /// The process that we started: `bwrap`, or the container's first process itself.
    child: u32,
}

/// Why a container did not start; the text is what ECS would show as its reason.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContainerStartError {
    #[error(
        "CannotStartContainerError: ResourceInitializationError: failed to create new container \
         runtime task: failed to create shim task: OCI runtime create failed: runc create failed: \
         unable to start container process: exec: {program:?}: executable file not found in $PATH: \
         unknown"
    )]
    NoProgram { program: String },
    #[error(
        "CannotStartContainerError: the agent of the local cloud is not at {}; build it with \
         `make agent`, or name it with FARGATE_AGENT", agent.display()
    )]
    NoAgent { agent: PathBuf },
    #[error("CannotStartContainerError: {what}: {source}")]
    System { what: &'static str, source: io::Error },
}

/// Gives an I/O error its place in [`ContainerStartError::System`].
fn system(what: &'static str) -> impl Fn(io::Error) -> ContainerStartError {
    move |source| ContainerStartError::System { what, source }
}

impl ContainerBackend {
    /// Prepares to start containers; tries once whether namespaces can be had.
    pub fn new(agent: PathBuf, folder: PathBuf, port: u16) -> io::Result<Self> {
        let variable = |name: &str| Some((OsString::from(name), std::env::var_os(name)?));
        let mut inherited: Vec<_> = ["PATH", "LANG"].into_iter().filter_map(variable).collect();
        let home = command::home(std::env::var_os("HOME"));
        inherited.push(("HOME".into(), home.clone().into()));
        let (sandbox, notice) = match SandboxBuilder::probe(&home, &folder) {
            Ok(sandbox) => (Some(sandbox), None),
            Err(reason) => (None, Some(reason.to_string())),
        };
        Ok(Self {
            sandbox,
            notice,
            agent: std::path::absolute(agent)?,
            folder,
            port,
            inherited,
            spawner: ProcessSpawner::start()?,
            children: ChildProcesses::watch()?,
            logs: LogReaders::default(),
            streams: Arc::default(),
        })
    }

    /// Tasks are not apart from each other, so there may be one at a time.
    pub fn is_shared(&self) -> bool {
        self.sandbox.is_none()
    }

    /// What the person who started the cloud should know.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// Where agents listen.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What containers with the log driver `awslogs` wrote.
    pub fn streams(&self) -> &CloudLogStreams {
        &self.streams
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a container. Its exit code goes to `exits` together with `index`.
    pub async fn start(
        &self,
        plan: &ProcessPlan,
        index: usize,
        exits: mpsc::Sender<(usize, i32)>,
    ) -> Result<ContainerProcess, ContainerStartError> {
        let variables = command::environment(plan, &self.inherited, self.port);
        let argv = self.argv(plan, &variables)?;
        for mount in &plan.mounts {
            std::fs::create_dir_all(&mount.source).map_err(system("making a volume's folder"))?;
        }
        let (output, writer) = io::pipe().map_err(system("making a pipe"))?;
        let log = self.log_path(plan).map_err(system("making the log's folder"))?;
        let (status, said) = io::pipe().map_err(system("making a pipe"))?;
        let mut process = match &self.sandbox {
            Some(sandbox) => sandbox.command(plan, &argv, &self.agent, said.as_raw_fd()),
            None => command::plain(plan, &argv),
        };
        process.env_clear().envs(variables).stdin(Stdio::null());
        process.stdout(writer.try_clone().map_err(system("making a pipe"))?).stderr(writer);
        let stream = plan.stream.as_deref().map(|name| {
            self.streams.open(name);
            LogDestination { streams: Arc::clone(&self.streams), name: name.clone() }
        });
        let logged = self.logs.keep(output, &log, stream).map_err(system("opening the log"))?;
        let child = self.spawner.spawn(process, said.into()).await.map_err(system("starting"))?;
        let id = child.id();
        let own = i32::try_from(id).expect("a process id fits");
        // In the table at once, so that it is reaped whatever comes of it.
        self.children.add(child, own, self.is_shared(), index, exits);
        let Some(sandbox) = &self.sandbox else {
            return Ok(ContainerProcess {
                pid: own,
                started: Instant::now(),
                log,
                logged,
                child: id,
            });
        };
        let first = sandbox::first_process(status.into(), SPAWN_DEADLINE).await;
        let pid = first.map_err(system("starting in a sandbox"))?;
        self.children.set_first(id, pid);
        sandbox.until_command_runs(pid).await;
        Ok(ContainerProcess { pid, started: Instant::now(), log, logged, child: id })
    }

    fn argv(
        &self,
        plan: &ProcessPlan,
        variables: &[(OsString, OsString)],
    ) -> Result<Vec<String>, ContainerStartError> {
        if let Some(program) = plan.argv.first() {
            let hidden = self.sandbox.as_ref().map(|sandbox| sandbox.hidden(plan));
            if !command::is_program(program, variables, &hidden.unwrap_or_default()) {
                return Err(ContainerStartError::NoProgram { program: program.clone() });
            }
            return Ok(plan.argv.clone());
        }
        if !self.agent.is_file() {
            return Err(ContainerStartError::NoAgent { agent: self.agent.clone() });
        }
        let agent = match self.sandbox {
            Some(_) => AGENT.to_owned(),
            None => self.agent.to_string_lossy().into_owned(),
        };
        Ok(vec![agent])
    }

    fn log_path(&self, plan: &ProcessPlan) -> io::Result<PathBuf> {
        let folder = self.folder.join("logs").join(&plan.task);
        std::fs::create_dir_all(&folder)?;
        Ok(folder.join(format!("{}.log", plan.container)))
    }

    /// Sends a signal to the first process of a container, if it still runs.
    pub fn signal(&self, process: &ContainerProcess, signal: Signal) {
        self.children.signal(process.child, signal);
    }

    /// Ends every container at once.
    pub fn kill_all(&self) {
        self.children.kill_all();
    }

    /// Waits until the log readers are done, or gives them up, and ends the spawner. Containers
    /// must have ended before.
    pub async fn close(&self) {
        self.logs.close().await;
        self.children.close().await;
        self.spawner.close();
    }
}

impl Drop for ContainerBackend {
    fn drop(&mut self) {
        self.children.kill_all();
    }
}
