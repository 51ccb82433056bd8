//! The host of the benches, and jobs on it whose stages are called one by one, as gitlab-runner calls
//! them.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fargate_local_cloud::CloudOptions;
use fargate_playground::programs;
use fargate_playground::runner::{GitInfo, GitLabJob};
use fargate_playground::test_host::{HostFolder, TestHost, TestHostOptions};

use crate::measured::{MeasuredProcess, measure};

/// A host whose cloud has no delays and no limits, with all files below `folder`.
pub fn open_host(folder: &Path) -> Result<TestHost, Box<dyn Error>> {
    open_host_with(folder, |_| {})
}

/// The same, with a cloud that is served otherwise.
pub fn open_host_with(
    folder: &Path,
    change: impl FnOnce(&mut CloudOptions),
) -> Result<TestHost, Box<dyn Error>> {
    programs::installed("bwrap", "bubblewrap")?;
    let mut options = TestHostOptions::new(&programs::runner(None)?, &programs::agent()?, "");
    options.folder = HostFolder::Given(folder.to_owned());
    change(&mut options.cloud);
    Ok(TestHost::open_on_thread(options)?)
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

/// A job as its driver sees it: a folder with the response, and variables that lead to it.
pub struct BenchJob<'a> {
    host: &'a TestHost,
    configuration: PathBuf,
    folder: PathBuf,
}

impl<'a> BenchJob<'a> {
    /// The job `number`, with the configuration of its host.
    pub fn new(host: &'a TestHost, number: u64) -> Result<Self, Box<dyn Error>> {
        Self::with(host, number, &host.config())
    }

    /// The same, with another configuration file.
    pub fn with(
        host: &'a TestHost,
        number: u64,
        configuration: &Path,
    ) -> Result<Self, Box<dyn Error>> {
        let folder = host.folder().join(format!("job-{number}"));
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("response.json"), trivial(number).response())?;
        Ok(Self { host, configuration: configuration.to_owned(), folder })
    }

    /// The driver's process for one stage: `arguments` follow `custom`.
    pub fn stage(&self, arguments: &[&str]) -> Command {
        let path = |name: &str| OsString::from(self.folder.join(name));
        let mut command = Command::new(self.host.driver());
        command
            .arg("custom")
            .args(&arguments[..1])
            .arg("-c")
            .arg(&self.configuration)
            .args(&arguments[1..])
            .env_clear()
            .envs(self.host.environment())
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
        crate::measured::until("the task to stop", || self.host.cloud().live_tasks() == 0)
    }
}
