//! What the commands of `jobs` share: the configuration, the jobs of the state folder, the one that a person
//! names, and what work for it needs. It prints warnings of the configuration and nothing else.

use std::path::Path;
use std::time::SystemTime;

use fargate_config::{JobTimeouts, LoadedConfig, RunnerConfig, UnknownKeyPolicy};
use fargate_controller::host_jobs::{HostJobs, KnownJob};
use fargate_driver::context::{DriverSettings, JobContext, WallClock};
use fargate_driver::gitlab;
use fargate_driver::session::CancelHandle;
use fargate_history::UsualPhases;
use fargate_job_journal::{JobStory, JournalEntry, ToldStory};
use fargate_model::job::JobKey;
use fargate_model::moment::unix_ms;
use fargate_model::text::error_chain;
use fargate_state::JobRecord;
use fargate_status_answers::{JobAnswer, JobSurroundings};

use crate::args::GlobalFlags;
use crate::journaling::traced_and_journaled;
use crate::streams::{masker, tell};
use crate::{config_command, folder_owner, log};

/// The configuration that is in force, with its warnings told and the log begun.
///
/// # Errors
///
/// In words, if it cannot be used.
pub fn configuration(global: &GlobalFlags) -> Result<RunnerConfig, String> {
    let (_, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Warn)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[("stage", "jobs".into())]);
    Ok(config)
}

/// The jobs of the state folder.
///
/// # Errors
///
/// In words, if the folder cannot be used.
pub fn jobs(state_dir: &Path) -> Result<HostJobs, String> {
    HostJobs::read(state_dir, JobTimeouts::default().state_lock).map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        let hint = folder_owner::hint(&error, state_dir).map(|hint| format!("\nhint: {hint}"));
        format!("{error}{}{}", source.unwrap_or_default(), hint.unwrap_or_default())
    })
}

/// The one job that `given` names.
///
/// # Errors
///
/// In words, if there is none or more than one.
pub fn found<'a>(jobs: &'a HostJobs, given: &str) -> Result<&'a KnownJob, String> {
    jobs.find(given).map_err(|error| error.to_string())
}

/// The story of a job from its journal; `None` if it has none.
///
/// # Errors
///
/// In words, if the journal cannot be read.
pub fn told_story(config: &RunnerConfig, key: &JobKey) -> Result<Option<ToldStory>, String> {
    let told = ToldStory::read(&config.state_dir, key, &config.prices.prices(), now_ms());
    told.map_err(|error| error_chain(&error))
}

/// The answer about a job, of its last try or of the one with this number, without what is usual.
pub fn answer_of(told: &ToldStory, attempt: Option<u32>) -> JobAnswer {
    answer_with_usual((&told.story, &told.entries[..]), UsualPhases::default(), attempt)
}

/// The same with what a start like it usually takes.
pub fn answer_with_usual(
    (story, entries): (&JobStory, &[JournalEntry]),
    usual: UsualPhases,
    attempt: Option<u32>,
) -> JobAnswer {
    let around = JobSurroundings {
        now_ms: now_ms(),
        attempt,
        usual: usual.phases,
        usual_start_ms: usual.total_ms,
        entries,
        ..JobSurroundings::default()
    };
    JobAnswer::of(story, &around)
}

/// This moment: milliseconds since 1970.
pub fn now_ms() -> u64 {
    unix_ms(SystemTime::now())
}

/// What work for the job of `record` takes from this process.
///
/// # Errors
///
/// In words, if the profile cannot be used.
pub fn context_of(
    config: &RunnerConfig,
    global: &GlobalFlags,
    record: &JobRecord,
) -> Result<JobContext, String> {
    let named = global.profile.as_deref();
    let profile = gitlab::profile_of_record(config, named, record);
    let profile = profile.map_or_else(|| config.profile(named), Ok);
    let profile = profile.map_err(|error| error.to_string())?;
    let settings = DriverSettings {
        owner: config.owner.clone(),
        state_dir: config.state_dir.clone(),
        profile,
        hold: None,
    };
    let clock = WallClock::system();
    let events = traced_and_journaled(&settings.state_dir, &record.job, "jobs");
    let (masker, cancel) = (masker().clone(), CancelHandle::never());
    Ok(JobContext { settings, masker, cancel, clock, events })
}
