//! Our imitation of gitlab-runner's custom executor: it plays one job through a driver.
//!
//! It follows the contract that a real gitlab-runner keeps: the same calls in the same order,
//! with the same environment, files, signals and verdicts. It talks to no GitLab, picks no jobs
//! and knows nothing of what the driver does. Every wait ends: by the job's time-out, by the
//! limit of the call, or by the kill sequence.

mod attempt;
mod build_stage;
mod control;
mod job;
mod journal;
mod process;
mod script;
mod script_builder;
mod scripts;
mod sources;
mod stages;
mod variables;
mod verdict;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

pub use control::{CallStopReason, JobControl};
pub use job::{
    GitInfo, GitLabJob, JobArtifact, JobCache, JobDependency, JobHook, JobImage, JobInfo,
    JobService, JobStep, JobVariable, RunnerInfo, UploadCondition,
};
pub use journal::{DriverCall, DriverCallEvent, DriverCallKind, DriverCallObserver};
pub use process::{DriverOutputStream, DriverProcessExit, KillTimes, PipeReadSpeed, SentSignal};
pub use scripts::{RecordedScripts, ScriptSource};
pub use verdict::{BUILD_FAILURE, FailureReason, GitLabVerdict, SYSTEM_FAILURE};

use attempt::JobAttempt;
use control::{CancelScope, PlayedJobLimits, UNLIMITED};
use journal::JobJournal;
use stages::AttemptStages;
use variables::{CiJobStatus, JobFolders};
use verdict::StageFailure;

/// How often a job is prepared before it is given up (`common/consts.go`).
pub const PREPARE_ATTEMPTS: u32 = 3;

/// gitlab-runner's default for the size of a log, `output_limit`, in bytes.
pub const OUTPUT_LIMIT: usize = 4 * 1024 * 1024;

/// A configured runner, as `[[runners]]` and `[runners.custom]` describe it.
#[derive(Clone, Debug)]
pub struct RunnerImitation {
    /// The four programs.
    pub driver: DriverCommands,
    /// The process environment of the runner itself, whole.
    pub environment: Vec<(OsString, OsString)>,
    /// `builds_dir`; `config` may replace it.
    pub builds_dir: String,
    /// `cache_dir`; `config` may replace it.
    pub cache_dir: String,
    /// The first characters of the runner's token, which name folders.
    pub short_token: String,
    /// Where the temporary folder of each attempt is made.
    pub folder: PathBuf,
    /// Pauses and limits.
    pub times: RunnerTimes,
    /// How many bytes of a job's log are kept.
    pub output_limit: usize,
    /// Where the scripts come from.
    pub scripts: ScriptSource,
}

/// The words of the four programs; an empty list is a program that is not configured.
#[derive(Clone, Debug, Default)]
pub struct DriverCommands {
    /// `config_exec` and `config_args`.
    pub config: Vec<OsString>,
    /// `prepare_exec` and `prepare_args`.
    pub prepare: Vec<OsString>,
    /// `run_exec` and `run_args`; script and stage follow.
    pub run: Vec<OsString>,
    /// `cleanup_exec` and `cleanup_args`.
    pub cleanup: Vec<OsString>,
}

impl DriverCommands {
    /// One program for all four: `program BEFORE... VERB AFTER...`.
    #[must_use]
    pub fn new(program: &Path, before: &[&str], after: &[&str]) -> Self {
        let words = |verb: DriverCallKind| {
            let mut words = vec![program.as_os_str().to_owned()];
            words.extend(before.iter().chain(&[verb.as_str()]).chain(after).map(OsString::from));
            words
        };
        Self {
            config: words(DriverCallKind::Config),
            prepare: words(DriverCallKind::Prepare),
            run: words(DriverCallKind::Run),
            cleanup: words(DriverCallKind::Cleanup),
        }
    }

    fn words(&self, verb: DriverCallKind) -> &[OsString] {
        match verb {
            DriverCallKind::Config => &self.config,
            DriverCallKind::Prepare => &self.prepare,
            DriverCallKind::Run => &self.run,
            DriverCallKind::Cleanup => &self.cleanup,
        }
    }
}

/// Pauses and limits of a runner. The defaults are gitlab-runner's own.
#[derive(Clone, Copy, Debug)]
pub struct RunnerTimes {
    /// How long a signalled driver may take.
    pub kill: KillTimes,
    /// How fast a driver's output is read.
    pub reading: PipeReadSpeed,
    /// `config_exec_timeout`
    pub config: Duration,
    /// `prepare_exec_timeout`
    pub prepare: Duration,
    /// `cleanup_exec_timeout`
    pub cleanup: Duration,
    /// Pause after each failed preparation (`common/consts.go`).
    pub prepare_pause: Duration,
    /// First pause between two tries of a stage (`helpers/retry/retry.go`); it grows.
    pub stage_pause: Duration,
    /// Longest time of an `after_script` that sets none itself.
    pub after_script: Duration,
    /// Longest wait for a stage after its job ended, before `cleanup` starts beside it.
    pub build_finish: Duration,
}

impl Default for RunnerTimes {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        Self {
            kill: KillTimes::default(),
            reading: PipeReadSpeed::default(),
            config: hour,
            prepare: hour,
            cleanup: hour,
            prepare_pause: Duration::from_secs(3),
            stage_pause: Duration::from_secs(5),
            after_script: Duration::from_secs(300),
            build_finish: Duration::from_secs(300),
        }
    }
}

/// A job that was played to its end.
#[derive(Clone, Debug)]
pub struct PlayedJob {
    /// What GitLab would be told.
    pub verdict: GitLabVerdict,
    /// Whether someone cancelled it; the verdict of such a job is `unknown_failure`.
    pub cancelled: bool,
    /// Every call of the driver, in the order in which they ended.
    pub calls: Vec<DriverCall>,
    /// The log as GitLab would show it, cut at the runner's limit.
    pub trace: Vec<u8>,
    /// Bytes of the whole log.
    pub trace_bytes: u64,
    /// From the first call to the verdict.
    pub took: Duration,
}

impl PlayedJob {
    /// The names of all calls, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.calls.iter().map(DriverCall::name).collect()
    }

    /// The last call of this name.
    #[must_use]
    pub fn call(&self, name: &str) -> Option<&DriverCall> {
        self.calls.iter().rev().find(|call| call.name() == name)
    }
}

impl RunnerImitation {
    /// Plays `job` to its verdict; `watch` sees each call and its output as they come.
    pub async fn play(
        &self,
        job: &GitLabJob,
        control: &JobControl,
        watch: DriverCallObserver,
    ) -> PlayedJob {
        let journal = JobJournal::new(self.output_limit, watch);
        let limits =
            PlayedJobLimits::new(control.clone(), Duration::from_secs(job.runner_info.timeout));
        let result = match self.prepare(job, &limits, &journal).await {
            Ok(attempt) => self.build(job, &limits, &journal, &attempt).await,
            Err(failure) => Err(failure),
        };
        let (verdict, cancelled) = match &result {
            Ok(()) => {
                journal.say("Job succeeded");
                (GitLabVerdict::Success, false)
            }
            Err(failure) => {
                journal.say(&format!("ERROR: Job failed: {failure}"));
                let cancelled = matches!(
                    failure,
                    StageFailure::Stopped(CallStopReason::Cancelled | CallStopReason::Aborted)
                );
                (failure.verdict(), cancelled)
            }
        };
        let (calls, trace, trace_bytes, took) = journal.close();
        PlayedJob { verdict, cancelled, calls, trace, trace_bytes, took }
    }

    /// Tries to prepare; a try that failed is cleaned up before anything else.
    async fn prepare<'a>(
        &'a self,
        job: &'a GitLabJob,
        limits: &'a PlayedJobLimits,
        journal: &'a JobJournal,
    ) -> Result<JobAttempt<'a>, StageFailure> {
        let mut last = StageFailure::System("no try was made".to_owned());
        let mut places = JobFolders::default();
        for _ in 0..PREPARE_ATTEMPTS {
            let mut attempt =
                JobAttempt::new(self, job, limits, journal, places).map_err(|error| {
                    StageFailure::System(format!("making the folder of the job: {error}"))
                })?;
            match attempt.prepare().await {
                Ok(()) => return Ok(attempt),
                Err(failure) => last = failure,
            }
            attempt.cleanup(CiJobStatus::Running).await;
            places = attempt.places().clone();
            if last.is_final() {
                return Err(last);
            }
            journal.say(&format!("ERROR: Preparation failed: {last}"));
            let pause = self.times.prepare_pause;
            journal.say(&format!("Will be retried in {} ms ...", pause.as_millis()));
            match limits.ended(CancelScope::Job, pause).await {
                CallStopReason::CallTimedOut => {}
                stop => return Err(StageFailure::Stopped(stop)),
            }
        }
        Err(last)
    }

    /// All stages and `cleanup`. Where the job has ended and its stage has not, `cleanup` starts
    /// beside that stage.
    async fn build(
        &self,
        job: &GitLabJob,
        limits: &PlayedJobLimits,
        journal: &JobJournal,
        attempt: &JobAttempt<'_>,
    ) -> Result<(), StageFailure> {
        let build = AttemptStages::new(self, job, journal, attempt);
        let mut stages = pin!(build.run());
        let patience = async {
            limits.ended(CancelScope::Afterwards, UNLIMITED).await;
            tokio::time::sleep(self.times.build_finish).await;
        };
        let result = tokio::select! {
            result = &mut stages => Some(result),
            () = patience => None,
        };
        match result {
            Some(result) => {
                attempt.cleanup(build.status()).await;
                result
            }
            None => tokio::join!(stages, attempt.cleanup(build.status())).0,
        }
    }
}
