//! `jobs shell`: a shell or a command in the task of a running job. Its streams are the person's own and
//! pass as they are; what this program says goes to stderr, before and after.

use std::io::IsTerminal;
use std::time::Duration;

use fargate_controller::ReachableJob;
use fargate_driver::session::{
    ConsoleWriter, PersonTerminal, PersonTerminalSize, SideSessionRequest,
};
use fargate_driver::task_shell::{TaskShell, TaskShellEnd, TaskShellError};
use fargate_model::cause::{CauseReport, ColourMode};
use fargate_model::text::escape;
use fargate_terminal::RawTerminal;

use crate::args::GlobalFlags;
use crate::exit::CommandExit;
use crate::hold_command::who;
use crate::jobs_args::JobShellArgs;
use crate::jobs_context::{configuration, context_of, found, jobs};
use crate::shell_input::{InputReader, ShellSignals, terminal_size};
use crate::status;
use crate::streams::{masker, tell, to_stderr};

/// The kind of a terminal that does not tell its own.
const DUMB: &str = "dumb";
/// How long the terminal may take for the last line.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Runs it.
pub fn run(global: &GlobalFlags, args: &JobShellArgs) -> CommandExit {
    perform(global, args).unwrap_or_else(|error| {
        tell!("error: {error}");
        CommandExit::NoStatus
    })
}

fn perform(global: &GlobalFlags, args: &JobShellArgs) -> Result<CommandExit, String> {
    let config = configuration(global)?;
    let jobs = jobs(&config.state_dir)?;
    let job = found(&jobs, &args.name.job)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting an event loop: {error}"))?;
    runtime.block_on(async {
        let here = jobs.folder().owner(config.owner.as_deref()).await;
        let here = here.map_err(|error| error.to_string())?.owner;
        let job = jobs.reachable(job, &here).map_err(|error| error.to_string())?;
        let context = context_of(&config, global, job.record)?;
        let request = request(args);
        let opened = TaskShell::open(&context, jobs.folder(), job.record, &request, &who()).await;
        match opened {
            Ok(shell) => converse(shell, &request, &job).await,
            Err(TaskShellError::Unreachable(why)) => {
                explain(&why);
                Ok(CommandExit::NoStatus)
            }
            Err(TaskShellError::Session(error)) => Err(error.to_string()),
        }
    })
}

/// A terminal is asked for if a person sits at both ends. A pipe must get the bytes as they are.
fn request(args: &JobShellArgs) -> SideSessionRequest {
    let is_at_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let terminal = is_at_terminal.then(|| PersonTerminal {
        kind: std::env::var("TERM").ok().filter(|kind| !kind.is_empty()).unwrap_or(DUMB.to_owned()),
        size: terminal_size().unwrap_or(PersonTerminalSize { columns: 80, rows: 24 }),
    });
    SideSessionRequest { command: args.command.clone(), terminal }
}

async fn converse(
    shell: TaskShell<'_>,
    request: &SideSessionRequest,
    job: &ReachableJob<'_>,
) -> Result<CommandExit, String> {
    let starting = |error: std::io::Error| format!("starting: {error}");
    let has_terminal = request.terminal.is_some();
    let mut console = ConsoleWriter::of_this_process(masker().clone()).map_err(starting)?;
    let mut signals = ShellSignals::listen().map_err(starting)?;
    let (reader, mut input, orders) = InputReader::start().map_err(starting)?;
    if has_terminal && request.command.is_empty() {
        let (task, name) = (job.task.short(), escape(&job.record.job_id));
        tell!("a shell in task {task} of {name}, beside the job; `exit` closes it");
    }
    let raw = match has_terminal {
        true => Some(RawTerminal::on_stdin().map_err(starting)?),
        false => None,
    };
    let end = tokio::select! {
        end = shell.run(&mut console, &mut input) => end,
        never = signals.pass_on(&orders, has_terminal) => never,
    };
    // The terminal is itself again before anything is said.
    drop(raw);
    drop(input);
    drop(reader);
    let is_mid_line =
        console.is_mid_line() && has_terminal && !matches!(end, TaskShellEnd::Status(_));
    let exit = exit_of(&end);
    let job = escape(&job.record.job_id);
    said_in_time(move || {
        if is_mid_line {
            tell!("");
        }
        say_last(&end, &job, exit.code());
    });
    Ok(exit)
}

/// Says something at a terminal that may take no more output. That must not keep this process, for
/// which signals are only orders.
fn said_in_time(words: impl FnOnce() + Send + 'static) {
    let (done, said) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new().name("last words".to_owned()).spawn(move || {
        words();
        let _ = done.send(());
    });
    if thread.is_ok() {
        // The thread that still waits for the terminal ends with the process.
        let _ = said.recv_timeout(LAST_WORD);
    }
}

fn exit_of(end: &TaskShellEnd) -> CommandExit {
    match end {
        TaskShellEnd::Status(status) | TaskShellEnd::Left(status) => CommandExit::Command(*status),
        TaskShellEnd::Lost(_) => CommandExit::ConnectionLost,
        TaskShellEnd::JobOver
        | TaskShellEnd::TaskEnded(_)
        | TaskShellEnd::Closed
        | TaskShellEnd::Unread(_) => CommandExit::NoStatus,
    }
}

/// The last line. A program that ended by itself has had its say.
fn say_last(end: &TaskShellEnd, job: &str, exit: u8) {
    match end {
        TaskShellEnd::Status(_) | TaskShellEnd::Left(_) => {}
        TaskShellEnd::JobOver => {
            tell!("! {job}: the job ended, and this session with it. Exit {exit}");
        }
        TaskShellEnd::TaskEnded(why) => {
            explain(why);
            tell!("! {job}: the task ended, and this session with it. Exit {exit}");
        }
        TaskShellEnd::Closed => {
            tell!("! {job}: the task's server ended the session without a status. Exit {exit}");
        }
        TaskShellEnd::Lost(how) => {
            let how = escape(how);
            tell!("! {job}: the connection to its task is lost: {how}. Exit {exit}");
        }
        TaskShellEnd::Unread(why) => tell!("! {job}: {}. Exit {exit}", escape(why)),
    }
}

fn explain(why: &CauseReport) {
    let colour = if status::capabilities().colour { ColourMode::On } else { ColourMode::Off };
    to_stderr(&why.block(colour));
}
