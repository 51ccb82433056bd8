//! `jobs list | show | why | logs`: the jobs of this host, and those that only the history knows. `jobs audit`,
//! `jobs shell`, `jobs hold` and `jobs release` have modules of their own. Data on stdout, words on stderr.

use std::path::Path;
use std::time::SystemTime;

use fargate_config::RunnerConfig;
use fargate_controller::host_jobs::{HostJobs, KnownJob};
use fargate_controller::host_journals::{journaled_job, stories_of};
use fargate_driver::task::{TaskLogError, TaskLogReader};
use fargate_history::JobPage;
use fargate_job_journal::ToldStory;
use fargate_model::moment::unix_ms;
use fargate_model::text::escape;
use fargate_status_answers::{JobAnswer, JobTextStyle, show_text, why_text};
use fargate_terminal::{ProgressMode, TerminalCapabilities, TerminalColourMode, stdout_size};

use crate::args::GlobalFlags;
use crate::exit::CommandExit;
use crate::host_history::HistoryJob;
use crate::jobs_args::{JobListArgs, JobLogArgs, JobShowArgs, JobWhyArgs, JobsAction, JobsArgs};
use crate::jobs_context::{
    answer_with_usual, configuration, context_of, found, jobs, now_ms, told_story,
};
use crate::jobs_output::ListedJobs;
use crate::output_args::ListFormat;
use crate::streams::{tell, to_stdout, unwritten};
use crate::{
    audit_command, history_rows, host_history, jobs_output as output, kept_command, shell_command,
};

/// So far back `jobs list` looks into the history, unless it is told: a day.
const USUAL_LIST_MS: u64 = 24 * 3600 * 1000;

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

fn list(global: &GlobalFlags, args: &JobListArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let now_ms = now_ms();
    let known = jobs(&config.state_dir);
    let since_ms = match args.since {
        Some(since) => unix_ms(since.moment(SystemTime::now())),
        None => now_ms.saturating_sub(USUAL_LIST_MS),
    };
    let page = host_history::jobs_since(&config, since_ms);
    let known: &[KnownJob] = match (&known, &page) {
        (Ok(jobs), _) => jobs.all(),
        // What other hosts did is of use without this one's folder.
        (Err(words), Some(_)) => {
            tell!("warning: {words}");
            &[]
        }
        (Err(words), None) => return Err(words.clone()),
    };
    let JobPage { rows: mut past, next, .. } = page.unwrap_or_default();
    past.retain(|row| known.iter().all(|job| job.key.as_str() != row.key));
    let stories = &stories_of(&config.state_dir, known, &config.prices.prices(), now_ms);
    let listed = ListedJobs { known, stories, past: &past, now_ms };
    print(&match args.output.chosen() {
        ListFormat::Table => listed.table(columns()),
        ListFormat::Json => listed.json(),
        ListFormat::Ndjson => listed.ndjson(),
        ListFormat::Tsv => listed.tsv(),
    })?;
    tell!("{}", listed.words());
    if next.is_some() {
        tell!("the history has older ones, too; its page `/history` shows all");
    }
    Ok(CommandExit::Done)
}

fn show(global: &GlobalFlags, args: &JobShowArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let job = match known_job(&config, &args.name.job) {
        Ok(job) => job,
        Err(words) => return show_of_history(&config, args, words),
    };
    let told = told_story(&config, &job.key);
    // What the record says is of use without the history.
    let told = told.unwrap_or_else(|error| {
        tell!("warning: the history of this job is missing: {}", escape(&error));
        None
    });
    let answer = match told {
        Some(told) => Some(usual_answer(&config, &told, args.attempt)),
        None => host_history::job(&config, job.key.as_str())?
            .map(|told| answer_of_history(told, args.attempt)),
    };
    print(&match (args.output.chosen(), &answer) {
        (ListFormat::Table, Some(answer)) => {
            let shown = show_text(answer, &style(args.events));
            format!("{shown}\n\n{}", output::record_lines(&job))
        }
        (ListFormat::Table, None) => output::show_lines(&job),
        (ListFormat::Json, _) => format!("{:#}", output::show_json(&job, answer.as_ref())),
        (ListFormat::Ndjson, _) => output::show_json(&job, answer.as_ref()).to_string(),
        (ListFormat::Tsv, _) => output::show_tsv(&job),
    })?;
    Ok(CommandExit::Done)
}

/// Shows a job that this host does not know; `unknown` says so.
fn show_of_history(
    config: &RunnerConfig,
    args: &JobShowArgs,
    unknown: String,
) -> Result<CommandExit, String> {
    let told = host_history::job(config, &args.name.job)?.ok_or(unknown)?;
    let answer = answer_of_history(told, args.attempt);
    print(&match args.output.chosen() {
        ListFormat::Table => show_text(&answer, &style(args.events)),
        ListFormat::Json => format!("{:#}", history_rows::show_document(&answer)),
        ListFormat::Ndjson => history_rows::show_document(&answer).to_string(),
        ListFormat::Tsv => history_rows::show_tsv(&answer),
    })?;
    Ok(CommandExit::Done)
}

fn why(global: &GlobalFlags, args: &JobWhyArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let answer = why_answer(&config, &args.name.job)?;
    print(&match args.output.chosen() {
        ListFormat::Table | ListFormat::Tsv => why_text(&answer, &style(false)),
        ListFormat::Json => format!("{:#}", output::why_json(&answer)),
        ListFormat::Ndjson => output::why_json(&answer).to_string(),
    })?;
    Ok(CommandExit::Done)
}

/// The answer of the job's journal, else that of the history.
fn why_answer(config: &RunnerConfig, given: &str) -> Result<JobAnswer, String> {
    let (given, unknown) = match known_job(config, given) {
        Err(words) => (given.to_owned(), words),
        Ok(job) => match told_story(config, &job.key)? {
            Some(told) => return Ok(usual_answer(config, &told, None)),
            None => {
                let name = escape(&job.name());
                let words = format!(
                    "job {name} has no journal here: it is gone, or an older version ran the job\nhint: \
                     `fargate-runner jobs show {name}`"
                );
                (job.key.as_str().to_owned(), words)
            }
        },
    };
    let told = host_history::job(config, &given)?.ok_or(unknown)?;
    Ok(answer_of_history(told, None))
}

/// The answer of a journal, with what the history knows to be usual.
fn usual_answer(config: &RunnerConfig, told: &ToldStory, attempt: Option<u32>) -> JobAnswer {
    let usual = host_history::usual(config, &told.story);
    answer_with_usual((&told.story, &told.entries[..]), usual, attempt)
}

fn answer_of_history(told: HistoryJob, attempt: Option<u32>) -> JobAnswer {
    let HistoryJob { story, entries, usual } = told;
    answer_with_usual((&story, &entries[..]), usual, attempt)
}

/// The job of this host that has this name.
fn known_job(config: &RunnerConfig, given: &str) -> Result<KnownJob, String> {
    let jobs = jobs(&config.state_dir)?;
    found_or_journaled(&jobs, &config.state_dir, given)
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
