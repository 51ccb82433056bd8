//! A host with an installation of GitLab's Fargate driver on which only the path of the binary was
//! changed, or with an installation of ours.
//!
//! The old configuration is the one in GitLab's guide, so it has no key of ours.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Display, Path, PathBuf};
use std::rc::Rc;

use aws_sdk_ecs::types::DesiredStatus;
use fargate_local_cloud::AccessKeyPair;
use fargate_playground::runner::DriverCommands;
use fargate_playground::{environment, leftovers};
use tempfile::TempDir;

use crate::checked_host::runner;
use crate::containers::{ContainerEngine, EngineFacts};
use crate::job::TestJob;
use crate::wait::until_found;

/// Number of the first job that is called stage by stage.
const FIRST_JOB: u64 = 9000;

/// A host that runs GitLab's driver or ours, with its files in one folder.
pub struct RunnerInstallation<'a> {
    on: &'a ContainerEngine,
    folder: TempDir,
}

impl<'a> RunnerInstallation<'a> {
    /// One with GitLab's file, whose jobs run in an image with a stock `sshd`.
    #[must_use]
    pub fn on(containers: &'a ContainerEngine) -> Self {
        Self::of_gitlab(containers, &containers.facts().task_definition)
    }

    /// The same, but the task definition names an image that nobody has.
    #[must_use]
    pub fn without_image(containers: &'a ContainerEngine) -> Self {
        Self::of_gitlab(containers, &containers.facts().missing_image)
    }

    /// One as our README says, whose jobs run in an image with the agent.
    #[must_use]
    pub fn with_agent(containers: &'a ContainerEngine) -> Self {
        let EngineFacts { cluster, region, subnet, security_group, with_agent, .. } =
            containers.facts();
        Self::with(containers, |log, metadata| {
            format!(
                r#"config_version = 1
log_file = "{log}"
state_dir = "{metadata}"

[defaults]
cluster = "{cluster}"
region = "{region}"
subnets = ["{subnet}"]
security_groups = ["{security_group}"]
task_definition = "{with_agent}"
"#
            )
        })
    }

    fn of_gitlab(containers: &'a ContainerEngine, task_definition: &str) -> Self {
        let EngineFacts { cluster, region, subnet, security_group, .. } = containers.facts();
        Self::with(containers, |log, metadata| {
            format!(
                r#"LogLevel = "info"
LogFormat = "json"
LogFile = "{log}"

[Fargate]
  Cluster = "{cluster}"
  Region = "{region}"
  Subnet = "{subnet}"
  SecurityGroup = "{security_group}"
  TaskDefinition = "{task_definition}"
  EnablePublicIP = false

[TaskMetadata]
  Directory = "{metadata}"

[SSH]
  Username = "root"
  Port = 22
"#
            )
        })
    }

    /// Files of its own, with the configuration that `text` makes of the paths of its log and state.
    fn with(on: &'a ContainerEngine, text: impl FnOnce(Display, Display) -> String) -> Self {
        let folder = tempfile::Builder::new().prefix("installation-").tempdir().expect("a folder");
        let installation = Self { on, folder };
        let (log, metadata) = (installation.log_file(), installation.metadata());
        let text = text(log.display(), metadata.display());
        fs::write(installation.file(), text).expect("a writable folder");
        fs::create_dir(installation.jobs()).expect("a new folder");
        symlink(runner(), installation.program()).expect("a new link");
        installation
    }

    /// Its folder, in which the others lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder().join("fargate.toml")
    }

    /// The product by the old driver's name.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.folder().join("fargate")
    }

    /// Where gitlab-runner puts the folders of its jobs.
    #[must_use]
    pub fn jobs(&self) -> PathBuf {
        self.folder().join("jobs")
    }

    /// `TaskMetadata.Directory`, or `state_dir`.
    #[must_use]
    pub fn metadata(&self) -> PathBuf {
        self.folder().join("metadata")
    }

    fn log_file(&self) -> PathBuf {
        self.folder().join("fargate.log")
    }

    /// The operator's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// What `[runners.custom]` of the guide says.
    #[must_use]
    pub fn driver(&self) -> DriverCommands {
        let file = self.file().display().to_string();
        DriverCommands::new(&self.program(), &["--config", &file, "custom"], &[])
    }

    /// What gitlab-runner finds in its environment.
    #[must_use]
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        environment::of_driver(self.on.endpoint(), &AccessKeyPair::new("test", "test"))
    }

    /// The `number`th job that is called stage by stage.
    #[must_use]
    pub fn job(&self, number: u64) -> Rc<TestJob> {
        let number = FIRST_JOB + number;
        let folder = self.jobs().join(number.to_string());
        let environment = self.environment().into_iter().collect();
        let metadata = self.metadata();
        let mut job =
            TestJob::new(folder, number, self.program(), &self.file(), &metadata, environment);
        job.arguments = vec!["--config".into(), self.file().into(), "custom".into()];
        Rc::new(job)
    }

    /// Waits until nothing is left of any job, and checks that `tasks` of them were started.
    ///
    /// # Panics
    ///
    /// If something is left, or if there were more or fewer tasks.
    pub async fn close(self, tasks: usize) {
        let stopped = self.ended().await;
        assert_eq!(stopped.len(), tasks, "tasks that were started: {stopped:?}");
    }

    /// Waits until nothing is left of any job so far, and gives the ARNs of their tasks.
    ///
    /// # Panics
    ///
    /// If something is left.
    pub async fn ended(&self) -> Vec<String> {
        let owner = fs::read_to_string(self.metadata().join("owner")).expect("the owner's name");
        let owner = owner.trim();
        until_found("the end of all jobs", || async {
            let running = self.on.tasks(owner, DesiredStatus::Running).await;
            let stopped = self.on.tasks(owner, DesiredStatus::Stopped).await;
            let mut containers = self.on.containers().expect("a list of containers");
            containers.retain(|task| running.contains(task) || stopped.contains(task));
            let files = leftovers::of_all(&self.jobs(), &self.metadata(), &[]);
            if running.is_empty() && containers.is_empty() && files.is_none() {
                return Ok(stopped);
            }
            let (tasks, containers) = (running.len(), containers.len());
            Err(format!("left: {tasks} tasks, {containers} containers, {files}"))
        })
        .await
    }
}

impl Drop for RunnerInstallation<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the operator's log:\n{}", self.log());
            eprintln!("the emulator's log:\n{}", self.on.log());
        }
    }
}
