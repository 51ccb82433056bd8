//! The local cloud with instant states, and the driver called as gitlab-runner calls it.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use fargate_local_cloud::{CloudOptions, LocalCloud};
use fargate_playground::runner::{GitInfo, GitLabJob};
use fargate_playground::{environment, programs};
use tokio::sync::oneshot;

use crate::measured::{MeasuredProcess, measure};

/// See the module.
pub struct BenchHost {
    /// The driver's release binary.
    pub driver: PathBuf,
    /// The static agent.
    pub agent: PathBuf,
    /// The cloud; its server lives on a thread of its own.
    pub cloud: Arc<LocalCloud>,
    /// The driver's configuration file.
    pub configuration: PathBuf,
    /// Everything is written below it.
    pub folder: PathBuf,
    server: JoinHandle<()>,
    end: oneshot::Sender<()>,
}

impl BenchHost {
    /// Starts the cloud, without delays and limits, and writes the configuration; all files go below
    /// `folder`.
    pub fn open(folder: &Path) -> Result<Self, Box<dyn Error>> {
        Self::open_with(folder, |_| {})
    }

    /// The same, with a cloud that is served otherwise, in a folder that is made.
    pub fn open_with(
        folder: &Path,
        change: impl FnOnce(&mut CloudOptions),
    ) -> Result<Self, Box<dyn Error>> {
        std::fs::create_dir_all(folder)?;
        programs::installed("bwrap", "bubblewrap")?;
        let (driver, agent) = (programs::runner(None)?, programs::agent()?);
        let mut options =
            CloudOptions { folder: Some(folder.join("cloud")), ..CloudOptions::new(&agent) };
        change(&mut options);
        let (started, cloud) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let server = std::thread::spawn(move || serve(options, &started, ended));
        let cloud = cloud.recv()??;
        let configuration = folder.join("config.toml");
        let text = cloud.configuration(&folder.join("state"));
        let text = environment::with_log_file(&text, &folder.join("driver.log"));
        std::fs::write(&configuration, text)?;
        let folder = folder.to_owned();
        Ok(Self { driver, agent, cloud, configuration, folder, server, end })
    }

    /// Ends the cloud and its tasks.
    pub fn close(self) {
        drop(self.cloud);
        // Without a receiver the thread is gone already, and the join says how.
        let _ = self.end.send(());
        self.server.join().expect("the cloud's thread does not panic");
    }

    /// What the driver finds in its environment here.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        environment::of_driver(&self.cloud.endpoint(), self.cloud.access_keys())
    }

    /// A job whose stages are called one by one.
    pub fn job(&self, number: u64) -> Result<BenchJob<'_>, Box<dyn Error>> {
        self.job_with(number, &self.configuration)
    }

    /// The same, with another configuration file.
    pub fn job_with(
        &self,
        number: u64,
        configuration: &Path,
    ) -> Result<BenchJob<'_>, Box<dyn Error>> {
        let folder = self.folder.join(format!("job-{number}"));
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("response.json"), trivial(number).response())?;
        Ok(BenchJob { house: self, configuration: configuration.to_owned(), folder })
    }
}

/// A job of a project that does next to nothing.
pub fn trivial(number: u64) -> GitLabJob {
    let git = GitInfo {
        repo_url: "http://gitlab.example/group/project.git".to_owned(),
        ..GitInfo::default()
    };
    let job = GitLabJob::new(number, "trivial", git, &["true"]).with_after_script(&["true"]);
    job.with_variable("GIT_STRATEGY", "none")
}

type CloudStartResult = Result<Arc<LocalCloud>, String>;

fn serve(
    options: CloudOptions,
    started: &mpsc::Sender<CloudStartResult>,
    ended: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a machine that gives no event queue measures nothing");
    runtime.block_on(async {
        match LocalCloud::serve(options).await {
            Err(error) => drop(started.send(Err(error.to_string()))),
            Ok(cloud) => {
                let cloud = Arc::new(cloud);
                // Without a receiver the measuring thread is gone, and so is the reason to serve.
                if started.send(Ok(cloud.clone())).is_ok() {
                    let _ = ended.await;
                }
                if let Some(cloud) = Arc::into_inner(cloud) {
                    cloud.shutdown().await;
                }
            }
        }
    });
}

/// A job as its driver sees it: a folder with the response, and variables that lead to it.
pub struct BenchJob<'a> {
    house: &'a BenchHost,
    configuration: PathBuf,
    folder: PathBuf,
}

impl BenchJob<'_> {
    /// The driver's process for one stage: `arguments` follow `custom`.
    pub fn stage(&self, arguments: &[&str]) -> Command {
        let path = |name: &str| OsString::from(self.folder.join(name));
        let mut command = Command::new(&self.house.driver);
        command
            .arg("custom")
            .args(&arguments[..1])
            .arg("-c")
            .arg(&self.configuration)
            .args(&arguments[1..])
            .env_clear()
            .envs(self.house.environment())
            .env("TMPDIR", &self.folder)
            .env("BUILD_FAILURE_EXIT_CODE", "1")
            .env("SYSTEM_FAILURE_EXIT_CODE", "2")
            .env("BUILD_EXIT_CODE_FILE", path("build_exit_code"))
            .env("JOB_RESPONSE_FILE", path("response.json"))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        command
    }

    /// The process that runs `text` as the script of a stage.
    pub fn script(&self, text: &str) -> Result<Command, Box<dyn Error>> {
        let script = self.folder.join("script");
        std::fs::write(&script, text)?;
        Ok(self.stage(&["run", &script.to_string_lossy(), "build_script"]))
    }

    /// Runs `prepare` to its end.
    pub fn prepare(&self) -> Result<MeasuredProcess, Box<dyn Error>> {
        measure(&mut self.stage(&["prepare"]))
    }

    /// Runs `cleanup`, and waits until the task is gone, so that it does not disturb what follows.
    pub fn cleanup(&self) -> Result<(), Box<dyn Error>> {
        measure(&mut self.stage(&["cleanup"]))?;
        crate::measured::until("the task to stop", || self.house.cloud.live_tasks() == 0)
    }
}
