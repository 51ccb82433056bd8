//! What `tasks list`, its `--watch` and `tasks stop` need: the configuration, the tasks of this host, and an event loop.

use std::path::Path;

use fargate_config::{LoadedConfig, RunnerConfig, UnknownKeyPolicy};
use fargate_controller::host_jobs::{HostJobs, KnownJob};
use fargate_controller::host_journals::{JobStories, stories_of};
use fargate_controller::{HostTasks, ReaperSettings, TaskListing};
use fargate_driver::daemon::ListedTask;
use fargate_history::PersonAction;
use fargate_model::job::JobKey;
use fargate_status_answers::{JobTextStyle, why_text};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::args::GlobalFlags;
use crate::hold_command::who;
use crate::jobs_context::{answer_of, jobs, now_ms, told_story};
use crate::reap_hints::with_hint;
use crate::streams::{masker, tell};
use crate::{config_command, log, person_action, tasks_output as output};

/// What each command about tasks begins with: the configuration, whose tasks they are, and an event loop. The log of
/// this stage is open then.
///
/// # Errors
///
/// In words, if the configuration cannot be used.
pub fn begin(
    global: &GlobalFlags,
    stage: &'static str,
) -> Result<(RunnerConfig, ReaperSettings, Runtime), String> {
    let (_, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Warn)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let settings = ReaperSettings::of_config(&config, global.profile.as_deref(), masker());
    let settings = settings.map_err(|error| error.to_string())?;
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[("stage", stage.into())]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting an event loop: {error}"))?;
    Ok((config, settings, runtime))
}

/// The tasks of this host, and what asks about them.
pub struct TasksSite {
    config: RunnerConfig,
    pub tasks: HostTasks,
    pub runtime: Runtime,
}

impl TasksSite {
    /// Opens it for this stage of the log.
    ///
    /// # Errors
    ///
    /// In words, if the configuration, the state folder or AWS cannot be used.
    pub fn open(global: &GlobalFlags, stage: &'static str) -> Result<Self, String> {
        let (config, settings, runtime) = begin(global, stage)?;
        let tasks = runtime.block_on(HostTasks::open(settings));
        let tasks = tasks.map_err(|error| with_hint(&error, &config.state_dir))?;
        Ok(Self { config, tasks, runtime })
    }

    /// The host's name, as tasks carry it.
    pub fn host(&self) -> &str {
        self.tasks.owner().as_str()
    }

    /// The jobs of the state folder.
    ///
    /// # Errors
    ///
    /// In words, if the folder cannot be used.
    pub fn jobs(&self) -> Result<HostJobs, String> {
        jobs(&self.config.state_dir)
    }

    /// What a person who stops this task does, kept for the audit log.
    ///
    /// # Errors
    ///
    /// In words, if it could not be kept. The task can be stopped all the same.
    pub fn keep_stop(&self, task: &ListedTask) -> Result<(), String> {
        let action = PersonAction {
            task: Some(task.seen.task.0.clone()),
            job: task.seen.job.clone(),
            ..PersonAction::now(&who(), "task.stop")
        };
        person_action::kept(&self.config.state_dir, &action)
    }

    /// What happened to these jobs so far, as far as journals tell it.
    pub fn stories(&self, seen: &[KnownJob]) -> JobStories {
        let (state_dir, prices): (&Path, _) = (&self.config.state_dir, self.config.prices.prices());
        stories_of(state_dir, seen, &prices, now_ms())
    }

    /// The list as one document.
    pub fn document(&self, listing: &TaskListing, tasks: &[output::LiveTask<'_>]) -> Value {
        output::document(self.host(), listing, tasks)
    }

    /// Why a job is where it is, as `jobs why` tells it.
    ///
    /// # Errors
    ///
    /// In words, if its journal cannot be read, or there is none.
    pub fn why(&self, key: &JobKey, width: usize) -> Result<String, String> {
        let told = told_story(&self.config, key)?;
        let told = told.ok_or("this job has no journal here")?;
        let style =
            JobTextStyle { width: Some(width), unicode: false, events: false, now_ms: now_ms() };
        Ok(why_text(&answer_of(&told, None), &style))
    }
}
