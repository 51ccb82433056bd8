//! A host that runs the driver, and a local cloud for it: one folder with the configuration, the
//! state and the log.
//!
//! The demo, the torture, the benches and the whole-product tests use it, and set what differs by
//! [`TestHostOptions`]. It plays no job and judges nothing.

use std::env;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use fargate_local_cloud::{CloudOptions, LocalCloud, ServeError, TaskRecord};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::environment;
use crate::files::write_whole;
use crate::invariants::job_of;
use crate::runner::{DriverCommands, OUTPUT_LIMIT, RunnerImitation, RunnerTimes, ScriptSource};
use crate::wait::{AGAIN, look_until};

/// What differs between the users of a [`TestHost`].
pub struct TestHostOptions {
    /// The `fargate-runner` of the host.
    pub driver: PathBuf,
    /// How the cloud is served.
    pub cloud: CloudOptions,
    /// Whether the files of the cloud are in the host's folder. Otherwise the cloud chooses its own.
    pub holds_cloud_files: bool,
    /// Where the host's folder is.
    pub folder: HostFolder,
    /// What the driver finds in its environment beside the variables that lead to the cloud.
    pub environment: HostEnvironment,
}

/// The folder of a [`TestHost`].
pub enum HostFolder {
    /// A new temporary folder, whose name begins with this. Only its owner reads it, and it is removed with
    /// the host, unless [`TestHost::keep`] keeps it.
    Temporary(&'static str),
    /// This folder, which is made where it is missing and is never removed.
    Given(PathBuf),
}

/// The environment of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEnvironment {
    /// That of this process, without what leads to a real account.
    Inherited,
    /// Only `PATH`, a home in the host's folder, and what leads to the cloud.
    Minimal,
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
pub enum TestHostError {
    /// The cloud did not start.
    #[error("starting the local cloud")]
    Cloud(#[source] ServeError),
    /// A folder, a file or a thread could not be made.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// The cloud did not end in time: tasks of it may still run.
#[derive(Debug, thiserror::Error)]
#[error("the local cloud still ran {} s after it was told to end; look for `bwrap` processes", within.as_secs())]
pub struct CloudStillRuns {
    /// How long it was waited for.
    pub within: Duration,
}

/// One host and one cloud.
pub struct TestHost {
    folder: OpenFolder,
    driver: PathBuf,
    environment: HostEnvironment,
    cloud: Option<ServedCloud>,
}

enum OpenFolder {
    Temporary(TempDir),
    Given(PathBuf),
}

/// A cloud and where its server runs.
enum ServedCloud {
    Here(Arc<LocalCloud>),
    OnThread(CloudThread),
}

/// A cloud whose server has a thread of its own, so that its user may block.
struct CloudThread {
    cloud: Arc<LocalCloud>,
    end: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl TestHostOptions {
    /// The program `driver`, a cloud whose tasks run `agent`, its files in a temporary folder, and the
    /// environment of this process.
    #[must_use]
    pub fn new(driver: &Path, agent: &Path, prefix: &'static str) -> Self {
        Self {
            driver: driver.to_owned(),
            cloud: CloudOptions::new(agent),
            holds_cloud_files: true,
            folder: HostFolder::Temporary(prefix),
            environment: HostEnvironment::Inherited,
        }
    }

    /// The folder, the cloud's options and a host that has no cloud yet.
    fn split(self) -> Result<(CloudOptions, TestHost), TestHostError> {
        let folder = OpenFolder::open(self.folder).map_err(io_error("making a folder"))?;
        let mut cloud = self.cloud;
        if self.holds_cloud_files {
            cloud.folder = Some(folder.path().join("cloud"));
        }
        let (driver, environment) = (self.driver, self.environment);
        Ok((cloud, TestHost { folder, driver, environment, cloud: None }))
    }
}

impl TestHost {
    /// Makes the folder, starts the cloud and writes the configuration.
    ///
    /// # Errors
    ///
    /// [`TestHostError`], if a folder or a file cannot be made or the cloud does not start.
    pub async fn open(options: TestHostOptions) -> Result<Self, TestHostError> {
        let (options, host) = options.split()?;
        let cloud = LocalCloud::serve(options).await.map_err(TestHostError::Cloud)?;
        host.with_cloud(ServedCloud::Here(Arc::new(cloud)))
    }

    /// As [`TestHost::open`], but the cloud is served on a thread of its own: for a user who measures and
    /// blocks meanwhile.
    ///
    /// # Errors
    ///
    /// As for [`TestHost::open`].
    pub fn open_on_thread(options: TestHostOptions) -> Result<Self, TestHostError> {
        let (options, host) = options.split()?;
        host.with_cloud(ServedCloud::OnThread(CloudThread::start(options)?))
    }

    fn with_cloud(mut self, cloud: ServedCloud) -> Result<Self, TestHostError> {
        self.cloud = Some(cloud);
        let text = self.usual_configuration();
        self.configure(&text).map_err(io_error("writing the configuration of the driver"))?;
        Ok(self)
    }

    /// The cloud.
    ///
    /// # Panics
    ///
    /// After [`TestHost::shut_down`].
    #[must_use]
    pub fn cloud(&self) -> &LocalCloud {
        match self.cloud.as_ref().expect("the cloud is there until it is shut down") {
            ServedCloud::Here(cloud) => cloud,
            ServedCloud::OnThread(thread) => &thread.cloud,
        }
    }

    /// The same for who may outlive the cloud. Nobody keeps it alive: who does is no user of a [`TestHost`].
    ///
    /// # Panics
    ///
    /// After [`TestHost::shut_down`].
    #[must_use]
    pub fn weak_cloud(&self) -> Weak<LocalCloud> {
        match self.cloud.as_ref().expect("the cloud is there until it is shut down") {
            ServedCloud::Here(cloud) => Arc::downgrade(cloud),
            ServedCloud::OnThread(thread) => Arc::downgrade(&thread.cloud),
        }
    }

    /// Whether the cloud was shut down.
    #[must_use]
    pub fn is_shut_down(&self) -> bool {
        self.cloud.is_none()
    }

    /// The `fargate-runner`.
    #[must_use]
    pub fn driver(&self) -> &Path {
        &self.driver
    }

    /// The host's folder, in which the others lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The state folder of the driver.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.folder().join("state")
    }

    /// The configuration file of the driver.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder().join("config.toml")
    }

    /// The operator's log.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.folder().join("fargate-runner.log")
    }

    /// What the operator's log says so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The configuration that the cloud proposes, with the log file of this host.
    #[must_use]
    pub fn usual_configuration(&self) -> String {
        let text = self.cloud().configuration(&self.state_dir());
        environment::with_log_file(&text, &self.log_file())
    }

    /// Replaces the configuration file. A driver that reads it meanwhile gets the old or the new one.
    ///
    /// # Errors
    ///
    /// What kept the file from being written.
    pub fn configure(&self, text: &str) -> io::Result<()> {
        write_whole(&self.config(), text)
    }

    /// What every process of the product finds in its environment here.
    #[must_use]
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let (endpoint, keys) = (self.cloud().endpoint(), self.cloud().access_keys());
        match self.environment {
            HostEnvironment::Inherited => environment::of_driver(&endpoint, keys),
            HostEnvironment::Minimal => [
                ("PATH", env::var_os("PATH").unwrap_or_default()),
                ("HOME", self.folder().into()),
                ("AWS_ENDPOINT_URL_ECS", endpoint.into()),
                ("AWS_ACCESS_KEY_ID", keys.access_key_id.clone().into()),
                ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key.clone().into()),
                ("AWS_EC2_METADATA_DISABLED", "true".into()),
            ]
            .map(|(name, value)| (name.into(), value))
            .into(),
        }
    }

    /// A gitlab-runner that plays jobs with this host's driver and configuration. The folders of the
    /// jobs are in `jobs`, which is made.
    ///
    /// # Errors
    ///
    /// What kept the folder from being made.
    pub fn runner(&self, short_token: &str, times: RunnerTimes) -> io::Result<RunnerImitation> {
        let folder = self.folder().join("jobs");
        fs::create_dir_all(&folder)?;
        let configuration = self.config();
        let flags = ["-c", &configuration.to_string_lossy()];
        Ok(RunnerImitation {
            driver: DriverCommands::new(&self.driver, &["custom"], &flags),
            environment: self.environment(),
            builds_dir: "/builds".to_owned(),
            cache_dir: "/cache".to_owned(),
            short_token: short_token.to_owned(),
            folder,
            times,
            output_limit: OUTPUT_LIMIT,
            scripts: ScriptSource::Written,
        })
    }

    /// Every task of the job with the key `job`, oldest first.
    #[must_use]
    pub fn tasks_of(&self, job: &str) -> Vec<TaskRecord> {
        self.cloud().tasks().into_iter().filter(|task| job_of(task) == Some(job)).collect()
    }

    /// How often an operation was asked for.
    #[must_use]
    pub fn calls(&self, operation: &str) -> usize {
        let requests = self.cloud().requests();
        requests.iter().filter(|request| request.operation == operation).count()
    }

    /// Waits until every task has stopped by itself, for this long at most. What still lives then is for
    /// the caller to report.
    pub async fn settle(&self, within: Duration) {
        let stopped = async || match self.cloud().live_tasks() {
            0 => Ok(()),
            live => Err(format!("{live} tasks still live")),
        };
        let _ = look_until(within, AGAIN, stopped).await;
    }

    /// Ends the cloud and its tasks.
    ///
    /// # Errors
    ///
    /// [`CloudStillRuns`], if that takes longer than `within`.
    ///
    /// # Panics
    ///
    /// If the cloud's own thread panicked.
    pub async fn shut_down(&mut self, within: Duration) -> Result<(), CloudStillRuns> {
        let ended = match self.cloud.take() {
            None => return Ok(()),
            Some(ServedCloud::Here(cloud)) => {
                let cloud = Arc::into_inner(cloud).expect("nobody keeps the cloud alive");
                timeout(within, cloud.shutdown()).await
            }
            Some(ServedCloud::OnThread(thread)) => {
                thread.end();
                Ok(())
            }
        };
        ended.map_err(|_| CloudStillRuns { within })
    }

    /// As [`TestHost::shut_down`], for a cloud on a thread of its own.
    ///
    /// # Panics
    ///
    /// If the cloud is served elsewhere, or its thread panicked.
    pub fn close_thread(mut self) {
        match self.cloud.take() {
            Some(ServedCloud::OnThread(thread)) => thread.end(),
            Some(ServedCloud::Here(_)) => panic!("this cloud is served in the caller's runtime"),
            None => {}
        }
    }

    /// Keeps the folder, and says where it is.
    #[must_use]
    pub fn keep(self) -> PathBuf {
        match self.folder {
            OpenFolder::Temporary(folder) => folder.keep(),
            OpenFolder::Given(path) => path,
        }
    }
}

impl OpenFolder {
    fn open(folder: HostFolder) -> io::Result<Self> {
        match folder {
            HostFolder::Temporary(prefix) => {
                let mut builder = tempfile::Builder::new();
                let owner_only = Permissions::from_mode(0o700);
                builder.prefix(prefix).permissions(owner_only).tempdir().map(Self::Temporary)
            }
            HostFolder::Given(path) => fs::create_dir_all(&path).map(|()| Self::Given(path)),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Given(path) => path,
        }
    }
}

impl CloudThread {
    fn start(options: CloudOptions) -> Result<Self, TestHostError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(io_error("making the runtime of the cloud"))?;
        let (started, cloud) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let serve = move || runtime.block_on(serve(options, &started, ended));
        let thread = std::thread::Builder::new()
            .spawn(serve)
            .map_err(io_error("starting the thread of the cloud"))?;
        let cloud = cloud.recv().expect("the thread answers before it ends");
        Ok(Self { cloud: cloud.map_err(TestHostError::Cloud)?, end, thread })
    }

    fn end(self) {
        drop(self.cloud);
        // If nobody receives this, the thread has ended already, and the join says how.
        let _ = self.end.send(());
        self.thread.join().expect("the cloud's thread does not panic");
    }
}

async fn serve(
    options: CloudOptions,
    started: &mpsc::Sender<Result<Arc<LocalCloud>, ServeError>>,
    ended: oneshot::Receiver<()>,
) {
    match LocalCloud::serve(options).await {
        Err(error) => drop(started.send(Err(error))),
        Ok(cloud) => {
            let cloud = Arc::new(cloud);
            // If nobody receives this, the user of the cloud is gone, and so is the reason to serve.
            if started.send(Ok(cloud.clone())).is_ok() {
                let _ = ended.await;
            }
            if let Some(cloud) = Arc::into_inner(cloud) {
                cloud.shutdown().await;
            }
        }
    }
}

fn io_error(doing: &'static str) -> impl Fn(io::Error) -> TestHostError {
    move |source| TestHostError::Io { doing, source }
}
