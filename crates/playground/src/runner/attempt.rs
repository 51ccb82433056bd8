//! One attempt at a job: its temporary folder, what `config` answered, and the calls in it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use super::RunnerImitation;
use super::build_stage::BuildStage;
use super::control::{CancelScope, PlayedJobLimits};
use super::job::GitLabJob;
use super::journal::{DriverCallEvent, DriverCallKind, JobJournal, StartedCall};
use super::process::{self, DriverInvocation, DriverOutputStream, DriverProcessExit, EndedCall};
use super::script_builder::{ShellDialect, StageScriptInput};
use super::variables::{CiJobStatus, JobFolders, StageVariables, project_dir};
use super::verdict::{BUILD_FAILURE, SYSTEM_FAILURE, StageFailure, judge};

/// What `config` may answer; unknown keys are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ConfigStageAnswer {
    driver: Option<DriverName>,
    hostname: Option<String>,
    builds_dir: Option<String>,
    cache_dir: Option<String>,
    builds_dir_is_shared: Option<bool>,
    job_env: BTreeMap<String, String>,
    shell: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct DriverName {
    name: Option<String>,
    version: Option<String>,
}

/// One attempt, from its folder to its `cleanup`.
pub(super) struct JobAttempt<'a> {
    runner: &'a RunnerImitation,
    job: &'a GitLabJob,
    limits: &'a PlayedJobLimits,
    journal: &'a JobJournal,
    folder: TempDir,
    configured: ConfigStageAnswer,
    places: JobFolders,
    dialect: ShellDialect,
}

impl<'a> JobAttempt<'a> {
    /// Makes the folder and writes the response into it. `places` are those of the try before:
    /// its `config` sees them.
    pub(super) fn new(
        runner: &'a RunnerImitation,
        job: &'a GitLabJob,
        limits: &'a PlayedJobLimits,
        journal: &'a JobJournal,
        places: JobFolders,
    ) -> io::Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("custom-executor").tempdir_in(&runner.folder)?;
        let response = folder.path().join("response.json");
        write(&response, job.response().as_bytes(), 0o600)?;
        Ok(Self {
            runner,
            job,
            limits,
            journal,
            folder,
            configured: ConfigStageAnswer::default(),
            places,
            dialect: ShellDialect::default(),
        })
    }

    /// `config`, then `prepare`.
    pub(super) async fn prepare(&mut self) -> Result<(), StageFailure> {
        if !self.runner.driver.config.is_empty() {
            self.configure().await?;
        }
        self.place()?;
        if let Some(driver) = &self.configured.driver
            && let Some(name) = &driver.name
        {
            let version = driver.version.as_deref().unwrap_or_default();
            self.journal.say(&format!("Using Custom executor with driver {name} {version}..."));
        }
        if self.runner.driver.prepare.is_empty() {
            return Ok(());
        }
        let longest = self.runner.times.prepare;
        let (ended, _) = self
            .call(DriverCallKind::Prepare, None, CiJobStatus::Running, CancelScope::Job, longest)
            .await;
        self.judge_preparation(&ended)
    }

    async fn configure(&mut self) -> Result<(), StageFailure> {
        let longest = self.runner.times.config;
        let (ended, stdout) = self
            .call(DriverCallKind::Config, None, CiJobStatus::Running, CancelScope::Job, longest)
            .await;
        self.judge_preparation(&ended)?;
        if stdout.is_empty() {
            return Ok(());
        }
        self.configured = serde_json::from_slice(&stdout).map_err(|error| {
            StageFailure::System(format!("parsing the answer of config: {error}"))
        })?;
        Ok(())
    }

    /// The runner believes a driver that answers SIGTERM with exit 0.
    fn judge_preparation(&self, ended: &EndedCall) -> Result<(), StageFailure> {
        match ended.exit {
            DriverProcessExit::Code(0) => Ok(()),
            _ => judge(ended, &self.exit_code_file()).map_err(|failure| match failure {
                StageFailure::Stopped(stop) if !stop.ends_job() => {
                    StageFailure::System("the time for it is over".to_owned())
                }
                failure => failure,
            }),
        }
    }

    fn place(&mut self) -> Result<(), StageFailure> {
        let chosen =
            |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
        let builds_dir = chosen(&self.configured.builds_dir, &self.runner.builds_dir);
        let cache_dir = chosen(&self.configured.cache_dir, &self.runner.cache_dir);
        for (name, folder) in [("builds_dir", &builds_dir), ("cache_dir", &cache_dir)] {
            if folder.is_empty() {
                return Err(StageFailure::Configuration(format!("the {name} is not configured")));
            }
        }
        let shell = self.configured.shell.as_deref();
        self.dialect = ShellDialect::named(shell).ok_or_else(|| {
            let given = shell.unwrap_or_default();
            StageFailure::Configuration(format!("shell {given:?} is not known here: bash, sh"))
        })?;
        let shared = self.configured.builds_dir_is_shared.unwrap_or(false);
        let project_dir = project_dir(self.job, &builds_dir, shared, &self.runner.short_token);
        self.places = JobFolders { builds_dir, cache_dir, project_dir };
        Ok(())
    }

    /// One stage of the job, its script written first.
    pub(super) async fn stage(
        &self,
        stage: &BuildStage,
        status: CiJobStatus,
        scope: CancelScope,
        longest: Duration,
    ) -> Result<(), StageFailure> {
        if let Some(stop) = self.limits.over(scope) {
            return Err(StageFailure::Stopped(stop));
        }
        let name = stage.to_string();
        let script = self.write_script(stage, &name, status)?;
        let (ended, _) =
            self.call(DriverCallKind::Run, Some((name, script)), status, scope, longest).await;
        judge(&ended, &self.exit_code_file())
    }

    /// `cleanup`, whose failure changes nothing; then the folder goes.
    pub(super) async fn cleanup(&self, status: CiJobStatus) {
        if self.runner.driver.cleanup.is_empty() {
            return;
        }
        let longest = self.runner.times.cleanup;
        let (ended, _) =
            self.call(DriverCallKind::Cleanup, None, status, CancelScope::Cleanup, longest).await;
        if let Err(failure) = judge(&ended, &self.exit_code_file()) {
            self.journal.say(&format!("WARNING: Cleanup script failed: {failure}"));
        }
    }

    /// Where the job's files lie, as far as it is known.
    pub(super) fn places(&self) -> &JobFolders {
        &self.places
    }

    fn exit_code_file(&self) -> PathBuf {
        self.folder.path().join("build_exit_code")
    }

    fn write_script(
        &self,
        stage: &BuildStage,
        name: &str,
        status: CiJobStatus,
    ) -> Result<PathBuf, StageFailure> {
        let variables =
            StageVariables::of(self.job, &self.places, status, &self.runner.short_token);
        let subject = StageScriptInput {
            job: self.job,
            variables: &variables,
            places: &self.places,
            hostname: self.configured.hostname.as_deref().unwrap_or("local"),
            dialect: self.dialect,
        };
        let nth = self.journal.count(name);
        let text = self.runner.scripts.script(stage, nth, &subject).ok_or_else(|| {
            StageFailure::Configuration(format!(
                "the recording has no script {} of {name}",
                nth + 1
            ))
        })?;
        let write_it = || {
            let folder =
                tempfile::Builder::new().prefix("script").tempdir_in(self.folder.path())?;
            let path = folder.keep().join("script");
            write(&path, &text, 0o700)?;
            Ok(path)
        };
        write_it().map_err(|error: io::Error| {
            StageFailure::System(format!("writing the script of {name}: {error}"))
        })
    }

    /// The environment that the contract adds to the runner's own, in its order.
    fn contract(&self, verb: DriverCallKind, status: CiJobStatus) -> Vec<(String, String)> {
        let inside = |name: &str| self.folder.path().join(name).to_string_lossy().into_owned();
        let mut environment = vec![
            ("TMPDIR".to_owned(), self.folder.path().to_string_lossy().into_owned()),
            ("BUILD_FAILURE_EXIT_CODE".to_owned(), BUILD_FAILURE.to_string()),
            ("SYSTEM_FAILURE_EXIT_CODE".to_owned(), SYSTEM_FAILURE.to_string()),
            ("BUILD_EXIT_CODE_FILE".to_owned(), inside("build_exit_code")),
            ("JOB_RESPONSE_FILE".to_owned(), inside("response.json")),
        ];
        if verb != DriverCallKind::Config {
            environment.extend(self.configured.job_env.clone());
        }
        let variables =
            StageVariables::of(self.job, &self.places, status, &self.runner.short_token);
        environment.extend(variables.for_driver(self.job));
        environment
    }

    async fn call(
        &self,
        verb: DriverCallKind,
        stage: Option<(String, PathBuf)>,
        status: CiJobStatus,
        scope: CancelScope,
        longest: Duration,
    ) -> (EndedCall, Vec<u8>) {
        let (stage, script) = stage.unzip();
        let mut argv = self.runner.driver.words(verb).to_vec();
        argv.extend(script.iter().map(|path| path.clone().into_os_string()));
        argv.extend(stage.iter().map(OsString::from));
        let contract = self.contract(verb, status);
        let mut environment = self.runner.environment.clone();
        environment.extend(contract.iter().map(|(k, v)| (k.into(), v.into())));
        let opened = StartedCall {
            verb,
            stage,
            script,
            folder: self.folder.path().to_owned(),
            environment: contract,
            started: self.journal.elapsed(),
        };
        let name = opened.name().to_owned();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        self.journal.see(&DriverCallEvent::Began { name: &name });
        let invocation =
            DriverInvocation { argv, environment, folder: self.folder.path().to_owned() };
        let stop = self.limits.ended(scope, longest);
        let (kill, reading) = (self.runner.times.kill, self.runner.times.reading);
        let ended = process::run(&invocation, stop, kill, reading, |stream, bytes| {
            self.journal.see(&DriverCallEvent::Output { name: &name, stream, bytes });
            let kept = match stream {
                DriverOutputStream::Stdout => &mut stdout,
                DriverOutputStream::Stderr => &mut stderr,
            };
            self.journal.keep(kept, bytes);
            if shown(verb, stream) {
                self.journal.log(bytes);
            }
        })
        .await;
        self.journal.add(opened.close(&ended, stdout.clone(), stderr));
        (ended, stdout)
    }
}

/// Whether the job's log shows this stream of this call.
fn shown(verb: DriverCallKind, stream: DriverOutputStream) -> bool {
    match verb {
        DriverCallKind::Config => stream == DriverOutputStream::Stderr,
        DriverCallKind::Prepare | DriverCallKind::Run => true,
        DriverCallKind::Cleanup => false,
    }
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)?;
    // The mode given to `open` is cut by the umask.
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}
