//! Runs the containers of tasks as processes of this machine, each in its own mount and PID
//! namespace where the machine allows it.

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
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use nix::sys::signal::Signal;

use children::ChildProcesses;
use log::LogReaders;
use sandbox::{AGENT, SandboxBuilder};
use spawner::ProcessSpawner;

use super::address_blocks::AddressBlocks;
use super::container::{
    ContainerEventSender, ContainerId, ContainerPlan, ContainerStartError, LocalContainer,
    StartedContainer, SubnetAddressFamily,
};
use super::container_log::{ContainerLog, log_path};
use super::file_system_mounts::FileSystemMounts;
use super::readiness::until_ready_for_term;
use super::volumes;

/// How long `bwrap` may take to report the container's first process.
const SPAWN_DEADLINE: Duration = Duration::from_secs(10);

/// Starts and ends the processes of one cloud.
pub(crate) struct ProcessBackend {
    /// `None` where the machine allows no namespaces.
    sandbox: Option<SandboxBuilder>,
    notice: Option<String>,
    agent: PathBuf,
    folder: PathBuf,
    file_systems: FileSystemMounts,
    port: u16,
    /// The variables that every container takes over from the cloud's own environment.
    inherited: Vec<(OsString, OsString)>,
    spawner: ProcessSpawner,
    children: Arc<ChildProcesses>,
    logs: LogReaders,
    addresses: Mutex<AddressBlocks>,
}

/// Makes an I/O error a [`ContainerStartError::System`].
fn system(what: &'static str) -> impl Fn(io::Error) -> ContainerStartError {
    move |source| ContainerStartError::System { what, source }
}

impl ProcessBackend {
    /// Prepares to start containers. Tries once whether the machine allows namespaces.
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
            file_systems: FileSystemMounts::new(&folder),
            folder,
            port,
            inherited,
            spawner: ProcessSpawner::start()?,
            children: ChildProcesses::watch()?,
            logs: LogReaders::default(),
            addresses: Mutex::default(),
        })
    }

    /// Without namespaces every task uses the same folders, so only one may live at a time.
    pub fn task_limit(&self) -> Option<usize> {
        self.sandbox.is_none().then_some(1)
    }

    /// What the person who started the cloud should know.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// Where agents listen.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file systems that tasks mount.
    pub fn file_systems(&self) -> &FileSystemMounts {
        &self.file_systems
    }

    /// A free address in a subnet; `None` when the subnet is full.
    pub fn take_address(
        &self,
        region: &str,
        subnet: &str,
        family: SubnetAddressFamily,
    ) -> Option<IpAddr> {
        self.addresses().take(region, subnet, family)
    }

    /// Makes an address free again.
    pub fn give_back_address(&self, address: IpAddr) {
        self.addresses().give_back(address);
    }

    fn addresses(&self) -> MutexGuard<'_, AddressBlocks> {
        self.addresses.lock().expect("no one panics while holding the addresses")
    }

    /// Starts a container. Its exit code goes to `events` together with `index`.
    pub async fn start(
        &self,
        plan: &ContainerPlan,
        index: usize,
        events: ContainerEventSender,
    ) -> Result<StartedContainer, ContainerStartError> {
        let variables = command::environment(plan, &self.inherited, self.port);
        let argv = self.argv(plan, &variables)?;
        let mounts = volumes::bind_mounts(plan, &self.folder);
        for mount in &mounts {
            std::fs::create_dir_all(&mount.source).map_err(system("making a volume's folder"))?;
        }
        let (output, writer) = io::pipe().map_err(system("making a pipe"))?;
        let log = log_path(plan, &self.folder).map_err(system("making the log's folder"))?;
        // A second pipe, on which `bwrap` reports the container's first process.
        let (status, said) = io::pipe().map_err(system("making a pipe"))?;
        let mut process = match &self.sandbox {
            Some(sandbox) => sandbox.command(plan, &mounts, &argv, &self.agent, said.as_raw_fd()),
            None => command::plain(plan, &argv),
        };
        // Nothing of the cloud's own environment reaches a container except what was chosen.
        process.env_clear().envs(variables).stdin(Stdio::null());
        process.stdout(writer.try_clone().map_err(system("making a pipe"))?).stderr(writer);
        let opened = ContainerLog::create(&log, plan.log_stream.clone());
        let opened = opened.and_then(|log| self.logs.keep(output, log));
        let logged = opened.map_err(system("opening the log"))?;
        let child = self.spawner.spawn(process, said.into()).await.map_err(system("starting"))?;
        let id = child.id();
        let own = i32::try_from(id).expect("a process id fits");
        // Put into the table at once, so that it is reaped even if the next steps fail.
        self.children.add(child, own, self.sandbox.is_none(), index, events);
        let container = |pid| {
            let local = LocalContainer { pid: Some(pid), log };
            StartedContainer { id: ContainerId(id), local, logged }
        };
        let Some(sandbox) = &self.sandbox else { return Ok(container(own)) };
        // The child is `bwrap`, which says which process it made the container's first.
        let first = sandbox::first_process(status.into(), SPAWN_DEADLINE).await;
        let pid = first.map_err(system("starting in a sandbox"))?;
        self.children.set_first(id, pid);
        sandbox.until_command_runs(pid).await;
        self.children.set_started(id);
        Ok(container(pid))
    }

    fn argv(
        &self,
        plan: &ContainerPlan,
        variables: &[(OsString, OsString)],
    ) -> Result<Vec<String>, ContainerStartError> {
        let own = plan.argv();
        if let Some(program) = own.first() {
            let hidden = self.sandbox.as_ref().map(|sandbox| sandbox.hidden(plan));
            if !command::is_program(program, variables, &hidden.unwrap_or_default()) {
                return Err(ContainerStartError::NoProgram { program: program.clone() });
            }
            return Ok(own);
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

    /// Sends SIGTERM to the first process of a container, as soon as it can receive it.
    pub async fn request_stop(&self, ContainerId(child): ContainerId) {
        if let Some((pid, started)) = self.children.first_process(child) {
            until_ready_for_term(pid, started).await;
        }
        self.children.signal(child, Signal::SIGTERM);
    }

    /// Sends SIGKILL to the first process of a container, if it still runs.
    pub fn kill(&self, ContainerId(child): ContainerId) {
        self.children.signal(child, Signal::SIGKILL);
    }

    /// Deletes the volumes that only this task used.
    pub fn remove_volumes(&self, task: &str) {
        volumes::remove(task, &self.folder);
    }

    /// Ends every container at once.
    pub fn kill_all(&self) {
        self.children.kill_all();
    }

    /// Waits until the log readers are done or stops them, and ends the spawner. Containers must have
    /// ended before.
    pub async fn close(&self) {
        self.logs.close().await;
        self.children.close().await;
        self.spawner.close();
    }
}

impl Drop for ProcessBackend {
    fn drop(&mut self) {
        self.children.kill_all();
    }
}
