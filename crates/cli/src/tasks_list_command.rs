//! `tasks list` and `tasks stop`: the live tasks of this host. Data on stdout, words on stderr.

use std::io::{self, IsTerminal};

use fargate_controller::TaskListing;
use fargate_driver::daemon::ListedTask;
use fargate_model::text::escape;
use fargate_terminal::stdout_size;

use crate::args::{GlobalFlags, TaskListArgs, TaskStopArgs};
use crate::exit::CommandExit;
use crate::hold_command::who;
use crate::output_args::ListFormat;
use crate::streams::{tell, to_stdout, unwritten};
use crate::tasks_site::TasksSite;
use crate::{tasks_output as output, tasks_watch};

/// Fewest characters of an id that name a task.
const SHORTEST_PREFIX: usize = 4;

/// `tasks list`.
pub fn list(global: &GlobalFlags, args: &TaskListArgs) -> Result<CommandExit, String> {
    let site = TasksSite::open(global, "tasks list")?;
    if args.watch {
        return tasks_watch::watch(&site, args.output.chosen());
    }
    let listing = site.runtime.block_on(site.tasks.list());
    let text = text_of(&site, &listing, args.output.chosen())?;
    if !text.is_empty() {
        to_stdout(&text).map_err(unwritten)?;
    }
    for problem in &listing.problems {
        tell!("warning: {problem}");
    }
    tell!("{}", output::words(site.host(), &listing));
    Ok(if listing.problems.is_empty() { CommandExit::Done } else { CommandExit::Partly })
}

fn text_of(site: &TasksSite, listing: &TaskListing, format: ListFormat) -> Result<String, String> {
    let jobs = site.jobs()?;
    let tasks = output::live_tasks(listing, &jobs);
    Ok(match format {
        ListFormat::Table => output::table(&tasks, stdout_size().map(|size| size.columns)),
        ListFormat::Json => format!("{:#}", site.document(listing, &tasks)),
        ListFormat::Ndjson => output::ndjson(&tasks),
        ListFormat::Tsv => output::tsv(&tasks),
    })
}

/// `tasks stop`.
pub fn stop(global: &GlobalFlags, args: &TaskStopArgs) -> Result<CommandExit, String> {
    let site = TasksSite::open(global, "tasks stop")?;
    let listing = site.runtime.block_on(site.tasks.list());
    for problem in &listing.problems {
        tell!("warning: {problem}");
    }
    let jobs = site.jobs()?;
    let tasks = output::live_tasks(&listing, &jobs);
    let (task, job) = found(&tasks, &args.name)?;
    let of_job = job.map_or_else(String::new, |job| format!(" of {}", escape(&job)));
    let short = escape(&task.seen.task.short());
    if !args.yes {
        if !io::stdin().is_terminal() {
            tell!("error: stopping task {short}{of_job} needs --yes");
            return Ok(CommandExit::Usage);
        }
        tell!("{} [y/N]", output::stop_question(&short, &of_job));
        let mut answer = String::new();
        io::stdin()
            .read_line(&mut answer)
            .map_err(|error| format!("reading the answer: {error}"))?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            tell!("nothing was stopped");
            return Ok(CommandExit::Done);
        }
    }
    if let Err(words) = site.keep_stop(task) {
        tell!("warning: {}", escape(&words));
    }
    match site.runtime.block_on(site.tasks.stop(task, &who())) {
        Ok(()) => {
            tell!("task {short}{of_job} is being stopped");
            Ok(CommandExit::Done)
        }
        Err(error) => Err(format!("stopping task {short}{of_job}: {}", escape(&error.to_string()))),
    }
}

/// The one task that `given` names, and its job.
fn found<'a>(
    tasks: &'a [output::LiveTask<'_>],
    given: &str,
) -> Result<(&'a ListedTask, Option<String>), String> {
    let is_named = |task: &&output::LiveTask<'_>| {
        let arn = &task.task.seen.task;
        let by_id = given.len() >= SHORTEST_PREFIX && arn.task_id().starts_with(given);
        arn.0 == given || by_id || task.job_name().as_deref() == Some(given)
    };
    let named: Vec<_> = tasks.iter().filter(is_named).collect();
    match named[..] {
        [one] => Ok((one.task, one.job_name())),
        [] => Err(format!(
            "no live task of this host is {}; `fargate-runner tasks list` shows all",
            escape(given)
        )),
        _ => Err(format!("{} names {} tasks; give more of the id", escape(given), named.len())),
    }
}
