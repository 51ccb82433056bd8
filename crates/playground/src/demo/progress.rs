//! What is known of every job of the demo while it runs, from the runner and from the cloud.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fargate_local_cloud::TaskRecord;
use fargate_model::text::duration;
use tokio::time::Instant;

use super::timeline::{DemoJobEnd, DemoJobPhase, DemoJobTimeline};
use crate::runner::{DriverCallEvent, FailureReason, GitLabVerdict, PlayedJob};

/// One job as it is shown.
#[derive(Clone, Debug)]
pub struct JobView {
    /// Its name.
    pub name: String,
    /// Its phases.
    pub timeline: DemoJobTimeline,
    /// The present call, or a word on the end.
    pub note: String,
    /// When its first call began.
    pub begun: Option<Duration>,
    /// From its first call to the end of `prepare`.
    pub started_in: Option<Duration>,
}

/// Something that a plain display prints a line for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoJobChange {
    /// When, from the start of the demo.
    pub at: Duration,
    /// Which job.
    pub name: String,
    /// What it is now.
    pub state: &'static str,
    /// More about it.
    pub note: String,
}

/// All jobs, and the changes that were not printed yet.
pub struct DemoProgress {
    begun: Instant,
    keys: Vec<String>,
    inner: Mutex<DemoProgressState>,
}

struct DemoProgressState {
    jobs: Vec<JobView>,
    changes: Vec<DemoJobChange>,
}

impl DemoProgress {
    /// A board of jobs that wait, each with its name and the key that its task carries.
    #[must_use]
    pub fn new(jobs: Vec<(String, String)>) -> Self {
        let (names, keys): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
        let view = |name| JobView {
            name,
            timeline: DemoJobTimeline::default(),
            note: String::new(),
            begun: None,
            started_in: None,
        };
        let jobs = names.into_iter().map(view).collect();
        Self {
            begun: Instant::now(),
            keys,
            inner: Mutex::new(DemoProgressState { jobs, changes: Vec::new() }),
        }
    }

    /// The time since the demo began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn inner(&self) -> MutexGuard<'_, DemoProgressState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of all jobs.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobView> {
        self.inner().jobs.clone()
    }

    /// The changes since the last call of this.
    #[must_use]
    pub fn changes(&self) -> Vec<DemoJobChange> {
        std::mem::take(&mut self.inner().changes)
    }

    /// The runner said something about the job `index`.
    pub fn event(&self, index: usize, event: &DriverCallEvent) {
        let now = self.now();
        let inner = &mut *self.inner();
        let job = &mut inner.jobs[index];
        match event {
            DriverCallEvent::Began { name } => {
                job.begun.get_or_insert(now);
                job.note = shown(name).to_owned();
                if !matches!(*name, "config" | "prepare" | "cleanup") && job.started_in.is_some() {
                    job.timeline.enter(DemoJobPhase::Job, now);
                }
            }
            DriverCallEvent::Ended { call }
                if call.name() == "prepare" && job.started_in.is_none() =>
            {
                let started_in = now - job.begun.unwrap_or(now);
                job.started_in = Some(started_in);
                let note = format!("started in {}", duration(started_in));
                inner.changes.push(DemoJobChange {
                    at: now,
                    name: job.name.clone(),
                    state: "running",
                    note,
                });
            }
            DriverCallEvent::Ended { .. }
            | DriverCallEvent::Output { .. }
            | DriverCallEvent::Logged { .. } => {}
        }
    }

    /// The job `index` has its verdict.
    pub fn finished(&self, index: usize, outcome: &PlayedJob) {
        let now = self.now();
        let inner = &mut *self.inner();
        let job = &mut inner.jobs[index];
        let stages = format!("{} stages", outcome.calls.len());
        let (finish, note) = match (outcome.verdict, outcome.cancelled) {
            (_, true) if outcome.call("after_script").is_some() => {
                (DemoJobEnd::Cancelled, "after_script".to_owned())
            }
            (_, true) => (DemoJobEnd::Cancelled, stages.clone()),
            (GitLabVerdict::Success, _) => (DemoJobEnd::Passed, stages.clone()),
            (GitLabVerdict::Failed { exit_code: Some(code), .. }, _) => {
                (DemoJobEnd::Failed, format!("exit {code}"))
            }
            (GitLabVerdict::Failed { reason, .. }, _) => {
                (DemoJobEnd::Failed, words(reason).to_owned())
            }
        };
        job.timeline.finish(finish, now);
        job.note = note.clone();
        let note = if note == stages { stages } else { format!("{note}, {stages}") };
        let state = word(&job.timeline, true);
        inner.changes.push(DemoJobChange { at: now, name: job.name.clone(), state, note });
    }

    /// The cloud holds `tasks`.
    pub fn see(&self, tasks: &[TaskRecord]) {
        let now = self.now();
        let inner = &mut *self.inner();
        for task in tasks {
            let key = task.environment.get("FARGATE_RUNNER_JOB");
            let Some(index) = key.and_then(|key| self.keys.iter().position(|k| k == key)) else {
                continue;
            };
            let job = &mut inner.jobs[index];
            job.timeline.enter(phase_of(task), now);
            if job.started_in.is_none() {
                job.note = job.timeline.phase().word().to_owned();
            }
        }
    }
}

/// The phase that DescribeTasks would show.
fn phase_of(task: &TaskRecord) -> DemoJobPhase {
    let a_process_runs = task.containers.iter().any(|container| container.pid.is_some());
    if task.started_at.is_some() {
        DemoJobPhase::Agent
    } else if a_process_runs {
        DemoJobPhase::Start
    } else if task.address.is_some() {
        DemoJobPhase::Pull
    } else {
        DemoJobPhase::Network
    }
}

/// The word for where a job stands.
#[must_use]
pub fn word(timeline: &DemoJobTimeline, begun: bool) -> &'static str {
    match (timeline.finished(), timeline.phase()) {
        (Some(DemoJobEnd::Passed), _) => "passed",
        (Some(DemoJobEnd::Failed), _) => "failed",
        (Some(DemoJobEnd::Cancelled), _) => "cancelled",
        (None, DemoJobPhase::Job) => "running",
        (None, DemoJobPhase::Waits) if !begun => "waiting",
        (None, _) => "starting",
    }
}

/// A failure that is not the script's, in words.
fn words(reason: FailureReason) -> &'static str {
    match reason {
        FailureReason::ScriptFailure => "script failed",
        FailureReason::RunnerSystemFailure => "system failure",
        FailureReason::JobExecutionTimeout => "out of time",
        FailureReason::UnknownFailure => "ended from outside",
    }
}

/// The user's script by the name that users know.
fn shown(call: &str) -> &str {
    if call == "build_script" { "script" } else { call }
}
