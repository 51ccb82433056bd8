//! `jobs list | show | why | logs`: the jobs of this host. `jobs audit`, `jobs shell`, `jobs hold` and
//! `jobs release` have modules of their own. Data on stdout, words on stderr.

use std::path::Path;

use fargate_controller::host_jobs::{HostJobs, KnownJob};
use fargate_controller::host_journals::{journaled_job, stories_of};
use fargate_driver::task::{TaskLogError, TaskLogReader};
use fargate_model::text::escape;
use fargate_status_answers::{JobTextStyle, show_text, why_text};
use fargate_terminal::{ProgressMode, TerminalCapabilities, TerminalColourMode, stdout_size};

use crate::args::GlobalFlags;
use crate::exit::CommandExit;
use crate::jobs_args::{JobLogArgs, JobShowArgs, JobWhyArgs, JobsAction, JobsArgs};
use crate::jobs_context::{answer_of, configuration, context_of, found, jobs, now_ms, told_story};
use crate::output_args::{ListFormat, ListFormatArgs};
use crate::streams::{tell, to_stdout, unwritten};
use crate::{audit_command, jobs_output as output, kept_command, shell_command};

/// Runs one action.
pub fn run(global: &GlobalFlags, args: &JobsArgs) -> CommandExit {
    let done = match &args.action {
        JobsAction::List(list) => self::list(global, list),
        JobsAction::Show(show) => self::show(global, show),
        JobsAction::Why(why) => self::why(global, why),
        JobsAction::Audit(audit) => audit_command::run(global, audit),
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

fn list(global: &GlobalFlags, args: &ListFormatArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let jobs = jobs(&config.state_dir)?;
    let prices = config.prices.prices();
    let stories = stories_of(&config.state_dir, jobs.all(), &prices, now_ms());
    let text = match args.chosen() {
        ListFormat::Table => output::list_table(jobs.all(), &stories, columns()),
        ListFormat::Json => output::list_json(jobs.all(), &stories),
        ListFormat::Ndjson => output::list_ndjson(jobs.all(), &stories),
        ListFormat::Tsv => output::list_tsv(jobs.all(), &stories),
    };
    print(&text)?;
    tell!("{}", output::list_words(jobs.all()));
    Ok(CommandExit::Done)
}

fn show(global: &GlobalFlags, args: &JobShowArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let jobs = jobs(&config.state_dir)?;
    let job = &found_or_journaled(&jobs, &config.state_dir, &args.name.job)?;
    let told = told_story(&config, &job.key);
    // What the record says is of use without the history.
    let told = told.unwrap_or_else(|error| {
        tell!("warning: the history of this job is missing: {}", escape(&error));
        None
    });
    let answer = told.as_ref().map(|told| answer_of(told, args.attempt));
    print(&match (args.output.chosen(), &answer) {
        (ListFormat::Table, Some(answer)) => {
            let shown = show_text(answer, &style(args.events));
            format!("{shown}\n\n{}", output::record_lines(job))
        }
        (ListFormat::Table, None) => output::show_lines(job),
        (ListFormat::Json, _) => format!("{:#}", output::show_json(job, answer.as_ref())),
        (ListFormat::Ndjson, _) => output::show_json(job, answer.as_ref()).to_string(),
        (ListFormat::Tsv, _) => output::show_tsv(job),
    })?;
    Ok(CommandExit::Done)
}

fn why(global: &GlobalFlags, args: &JobWhyArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let jobs = jobs(&config.state_dir)?;
    let job = found_or_journaled(&jobs, &config.state_dir, &args.name.job)?;
    let told = told_story(&config, &job.key)?;
    let told = told.ok_or_else(|| {
        let name = escape(&job.name());
        format!("job {name} has no journal here: it is gone, or an older version ran the job\nhint: `fargate-runner jobs show {name}`")
    })?;
    let answer = answer_of(&told, None);
    print(&match args.output.chosen() {
        ListFormat::Table | ListFormat::Tsv => why_text(&answer, &style(false)),
        ListFormat::Json => format!("{:#}", output::why_json(&answer)),
        ListFormat::Ndjson => output::why_json(&answer).to_string(),
    })?;
    Ok(CommandExit::Done)
}

/// The job of this name: one that the state folder knows, else one that only a journal knows.
fn found_or_journaled(jobs: &HostJobs, state_dir: &Path, given: &str) -> Result<KnownJob, String> {
    let found = found(jobs, given).cloned();
    found.or_else(|error| journaled_job(state_dir, given).ok_or(error))
}

fn columns() -> Option<usize> {
    stdout_size().map(|size| size.columns)
}

fn style(events: bool) -> JobTextStyle {
    let shown = TerminalCapabilities::of_stdout(TerminalColourMode::Auto, ProgressMode::Auto);
    JobTextStyle { width: columns(), unicode: shown.unicode, events, now_ms: now_ms() }
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

fn print(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { to_stdout(text).map_err(unwritten) }
}
