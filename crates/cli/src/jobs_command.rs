//! `jobs list | show | logs`: the jobs of this host. `jobs shell`, `jobs hold` and `jobs release` have
//! modules of their own. Data on stdout, words on stderr.

use fargate_driver::task::{TaskLogError, TaskLogReader};
use fargate_model::text::escape;
use fargate_terminal::{OutputFormat, stdout_size};

use crate::args::GlobalFlags;
use crate::exit::CommandExit;
use crate::jobs_args::{JobLogArgs, JobShowArgs, JobsAction, JobsArgs};
use crate::jobs_context::{configuration, context_of, found, jobs};
use crate::output_args::FormatArgs;
use crate::streams::{tell, to_stdout, unwritten};
use crate::{jobs_output as output, kept_command, shell_command};

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

fn print(text: &str) -> Result<(), String> {
    if text.is_empty() { Ok(()) } else { to_stdout(text).map_err(unwritten) }
}
