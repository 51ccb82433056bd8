//! The order of a job's stages, and what follows when one of them does not pass.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::RunnerImitation;
use super::attempt::JobAttempt;
use super::build_stage::BuildStage;
use super::control::{CallStopReason, CancelScope, UNLIMITED};
use super::job::{GitLabJob, JobCache};
use super::journal::JobJournal;
use super::variables::CiJobStatus;
use super::verdict::StageFailure;

/// Longest pause between two tries of a stage (`helpers/retry/retry.go`).
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The stages of one prepared attempt.
pub(super) struct AttemptStages<'a> {
    runner: &'a RunnerImitation,
    job: &'a GitLabJob,
    journal: &'a JobJournal,
    attempt: &'a JobAttempt<'a>,
    progress: Mutex<AttemptProgress>,
}

/// How far a job has come.
struct AttemptProgress {
    /// What `CI_JOB_STATUS` says.
    status: CiJobStatus,
    /// What ended the job, so that only `cleanup` may follow.
    over: Option<CallStopReason>,
}

impl<'a> AttemptStages<'a> {
    pub(super) fn new(
        runner: &'a RunnerImitation,
        job: &'a GitLabJob,
        journal: &'a JobJournal,
        attempt: &'a JobAttempt<'a>,
    ) -> Self {
        let progress = Mutex::new(AttemptProgress { status: CiJobStatus::Running, over: None });
        Self { runner, job, journal, attempt, progress }
    }

    /// What `CI_JOB_STATUS` says now.
    pub(super) fn status(&self) -> CiJobStatus {
        self.progress().status
    }

    fn over(&self) -> Option<CallStopReason> {
        self.progress().over
    }

    fn progress(&self) -> MutexGuard<'_, AttemptProgress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All stages, from `prepare_script` to `cleanup_file_variables`.
    pub(super) async fn run(&self) -> Result<(), StageFailure> {
        self.stage(BuildStage::PrepareScript, CancelScope::Job).await?;
        let result = self.prepared().await;
        if let Err(failure) =
            self.stage(BuildStage::CleanupFileVariables, CancelScope::Afterwards).await
            && self.over().is_none()
        {
            self.journal.say(&format!("WARNING: cleanup_file_variables failed: {failure}"));
        }
        result
    }

    async fn prepared(&self) -> Result<(), StageFailure> {
        let job = self.job;
        self.tried(&BuildStage::GetSources, job.attempts("GET_SOURCES_ATTEMPTS")).await?;
        if job.cache.iter().any(|cache| cache.policy != "push") {
            self.tried(&BuildStage::RestoreCache, job.attempts("RESTORE_CACHE_ATTEMPTS")).await?;
        }
        if job.dependencies.iter().any(|from| from.artifacts_file.is_some()) {
            let attempts = job.attempts("ARTIFACT_DOWNLOAD_ATTEMPTS");
            self.tried(&BuildStage::DownloadArtifacts, attempts).await?;
        }
        let scripts = self.user_scripts().await;
        self.progress().status = match &scripts {
            Ok(()) => CiJobStatus::Success,
            Err(StageFailure::Stopped(CallStopReason::Cancelled)) => CiJobStatus::Canceled,
            Err(StageFailure::Stopped(CallStopReason::CallTimedOut)) => CiJobStatus::TimedOut,
            Err(_) => CiJobStatus::Failed,
        };
        if self.over().is_some() {
            return scripts;
        }
        self.after_script().await;
        let passed = scripts.is_ok();
        let archived = self.archive(passed).await;
        let uploaded = self.upload(passed).await;
        scripts.and(archived).and(uploaded)
    }

    /// The user's `script` and the steps that the server added, in their order.
    async fn user_scripts(&self) -> Result<(), StageFailure> {
        let longest = self.job.own_timeout("RUNNER_SCRIPT_TIMEOUT").unwrap_or(UNLIMITED);
        for step in &self.job.steps {
            if step.name != "after_script" && !step.script.is_empty() {
                let stage = BuildStage::Step(step.name.clone());
                self.timed(&stage, CancelScope::UserScript, longest).await?;
            }
        }
        Ok(())
    }

    async fn after_script(&self) {
        if self.job.step("after_script").is_none() {
            return;
        }
        let own = self.job.own_timeout("RUNNER_AFTER_SCRIPT_TIMEOUT");
        let longest = own.unwrap_or(self.runner.times.after_script);
        if let Err(failure) =
            self.timed(&BuildStage::AfterScript, CancelScope::Afterwards, longest).await
        {
            let text = "after_script failed, but job will continue unaffected";
            self.journal.say(&format!("WARNING: {text}: {failure}"));
        }
    }

    async fn archive(&self, passed: bool) -> Result<(), StageFailure> {
        let wanted = |cache: &JobCache| cache.policy != "pull" && cache.when.applies(passed);
        if !self.job.cache.iter().any(wanted) {
            return Ok(());
        }
        self.stage(BuildStage::ArchiveCache { passed }, CancelScope::Afterwards).await
    }

    async fn upload(&self, passed: bool) -> Result<(), StageFailure> {
        if !self.job.artifacts.iter().any(|artifact| artifact.when.applies(passed)) {
            return Ok(());
        }
        self.stage(BuildStage::UploadArtifacts { passed }, CancelScope::Afterwards).await
    }

    /// A stage that is tried several times; the runner also waits after the last try.
    async fn tried(&self, stage: &BuildStage, attempts: u32) -> Result<(), StageFailure> {
        let mut pause = self.runner.times.stage_pause;
        let mut result = self.stage(stage.clone(), CancelScope::Job).await;
        for attempt in 2..=attempts + 1 {
            if result.is_ok() || self.over().is_some() || attempts == 1 {
                break;
            }
            self.journal.say(&format!("Retrying in {} ms", pause.as_millis()));
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            if attempt > attempts {
                break;
            }
            if attempt == 2 && *stage == BuildStage::GetSources {
                // What it could not delete, the next try will name.
                let _ = self.stage(BuildStage::ClearWorktree, CancelScope::Job).await;
            }
            result = self.stage(stage.clone(), CancelScope::Job).await;
        }
        result
    }

    async fn stage(&self, stage: BuildStage, scope: CancelScope) -> Result<(), StageFailure> {
        self.timed(&stage, scope, UNLIMITED).await
    }

    async fn timed(
        &self,
        stage: &BuildStage,
        scope: CancelScope,
        longest: Duration,
    ) -> Result<(), StageFailure> {
        if let Some(stop) = self.over() {
            return Err(StageFailure::Stopped(stop));
        }
        let result = self.attempt.stage(stage, self.status(), scope, longest).await;
        if let Err(StageFailure::Stopped(stop)) = &result
            && stop.ends_job()
        {
            self.progress().over = Some(*stop);
        }
        result
    }
}
