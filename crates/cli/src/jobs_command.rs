//! `jobs list | show | logs`: the jobs of this host. `jobs shell`, `jobs hold` and `jobs release` have
//! modules of their own. Data on stdout, words on stderr.

use std::path::Path;

use fargate_config::{JobProfile, JobTimeouts, LoadedConfig, RunnerConfig, UnknownKeyPolicy};
use fargate_controller::host_jobs::{HostJobs, KnownJob};
use fargate_driver::context::{DriverSettings, JobContext, WallClock};
use fargate_driver::session::CancelHandle;
use fargate_driver::task::{TaskLogError, TaskLogReader};
use fargate_events::EventEmitter;
use fargate_model::text::escape;
use fargate_state::JobRecord;
use fargate_terminal::{OutputFormat, stdout_size};

use crate::args::{FormatArgs, GlobalFlags};
use crate::exit::CommandExit;
use crate::jobs_args::{JobLogArgs, JobShowArgs, JobsAction, JobsArgs};
use crate::streams::{masker, tell, to_stdout, unwritten};
use crate::{
    config_command, folder_owner, jobs_output as output, kept_command, log, shell_command,
};

/// Runs one action.
pub fn run(global: &GlobalFlags, args: &JobsArgs) -> CommandExit {
    let done = match &args.action {
        JobsAction::List(list) => self::list(global, list),
        JobsAction::Show(show) => self::show(global, show),
        JobsAction::Logs(logs) => self::logs(global, logs),
        JobsAction::Hold(hold) => kept_command::hold(global, hold),
        JobsAction::Release(job) => kept_command::release(global, job),
        JobsAction::Shell(shell) => return shell_command::run(global, shell),
    };
    done.unwrap_or_else(|error| {
        tell!("error: {error}");
        CommandExit::NothingDone
    })
}

fn list(global: &GlobalFlags, args: &FormatArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let jobs = jobs(&config.state_dir)?;
    let text = match OutputFormat::or_default(args.format) {
        OutputFormat::Table => {
            output::list_table(jobs.all(), stdout_size().map(|size| size.columns))
        }
        OutputFormat::Json => output::list_json(jobs.all()),
        OutputFormat::Tsv => output::list_tsv(jobs.all()),
    };
    print(&text)?;
    tell!("{}", output::list_words(jobs.all()));
    Ok(CommandExit::Done)
}

fn show(global: &GlobalFlags, args: &JobShowArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let jobs = jobs(&config.state_dir)?;
    let job = found(&jobs, &args.name.job)?;
    print(&match OutputFormat::or_default(args.format) {
        OutputFormat::Table => output::show_lines(job),
        OutputFormat::Json => output::show_json(job),
        OutputFormat::Tsv => output::show_tsv(job),
    })?;
    Ok(CommandExit::Done)
}

fn logs(global: &GlobalFlags, args: &JobLogArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let jobs = jobs(&config.state_dir)?;
    let job = found(&jobs, &args.name.job)?;
    let Some(record) = job.record.as_deref() else { return Err(output::no_record_words(job)) };
    let context = context_of(&config, global, record)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting an event loop: {error}"))?;
    runtime.block_on(async {
        let words = |error: TaskLogError| escape(&error.to_string());
        let mut reader =
            TaskLogReader::open(&context, jobs.folder(), record).await.map_err(words)?;
        for container in reader.silent() {
            tell!("container {} writes to no CloudWatch log group", escape(container));
        }
        let mut line = |container: Option<&str>, text: &str| match container {
            Some(container) => to_stdout(&format!("{container}: {text}")),
            None => to_stdout(text),
        };
        let lines = reader.pass_on(args.follow, &mut line).await.map_err(words)?;
        if lines == 0 {
            tell!("nothing was written yet");
        }
        Ok(CommandExit::Done)
    })
}

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
    let settings = DriverSettings {
        owner: config.owner.clone(),
        state_dir: config.state_dir.clone(),
        profile: profile(config, global, record)?,
        hold: None,
    };
    let (clock, events) = (WallClock::system(), EventEmitter::tracing());
    let (masker, cancel) = (masker().clone(), CancelHandle::never());
    Ok(JobContext { settings, masker, cancel, clock, events })
}

/// The profile that was asked for, else the one of the job, else the defaults.
fn profile(
    config: &RunnerConfig,
    global: &GlobalFlags,
    record: &JobRecord,
) -> Result<JobProfile, String> {
    if let Some(asked) = global.profile.as_deref() {
        return config.profile(Some(asked)).map_err(|error| error.to_string());
    }
    let launch = record.launches.last();
    let of_job = launch.and_then(|launch| launch.tags.get("fargate-runner:profile"));
    let of_job = of_job.and_then(|name| config.profile(Some(name)).ok());
    of_job.map_or_else(|| config.profile(None).map_err(|error| error.to_string()), Ok)
}

fn print(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { to_stdout(text).map_err(unwritten) }
}
