//! `exec`: runs one command in a new task. What it says goes to stderr; stdout is the command's alone.

use fargate_state::StateError;
use std::io::IsTerminal;
use std::time::Duration;

use fargate_config::{LoadedConfig, UnknownKeyPolicy};
use fargate_driver::context::{DriverSettings, JobContext, WallClock};
use fargate_driver::exec::{ExecReport, ExecStep, exec};
use fargate_driver::script_file::read_script;
use fargate_driver::session::{ConsoleWriter, TaskCommand, shell_for};
use fargate_driver::task::{TaskStartProgress, avoided_words, move_words, relaunch_words};
use fargate_model::cause::ColourMode;
use fargate_model::job::JobKey;
use fargate_model::random;
use fargate_model::size::FargateSize;
use fargate_model::text::{duration, escape, escape_within, ticking, tried};
use fargate_terminal::StateMark;

use crate::args::{ExecArgs, GlobalFlags};
use crate::exit::CommandExit;
use crate::journaling::traced_and_journaled;
use crate::status::{self, StatusLine};
use crate::streams::{masker, tell, to_stderr};
use crate::{config_command, log, signals};

/// Runs it.
pub fn run(global: &GlobalFlags, args: &ExecArgs) -> CommandExit {
    match prepare(global, args) {
        Ok((settings, job, name)) => start(args, &settings, &job, &name),
        Err(error) => {
            tell!("error: {error}");
            CommandExit::NoStatus
        }
    }
}

fn prepare(
    global: &GlobalFlags,
    args: &ExecArgs,
) -> Result<(DriverSettings, TaskCommand, String), String> {
    let (_, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Warn)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let mut profile =
        config.profile(global.profile.as_deref()).map_err(|error| error.to_string())?;
    profile.cpu_units = args.cpu.or(profile.cpu_units);
    profile.memory_mib = args.memory.or(profile.memory_mib);
    if let (Some(cpu), Some(memory)) = (profile.cpu_units, profile.memory_mib) {
        FargateSize::check(cpu, memory).map_err(|error| {
            let nearest = error.nearest();
            format!("{error}\nhint: `--cpu {} --memory {}`", nearest.cpu_units, nearest.memory_mib)
        })?;
    }
    let (job, name) = match &args.script {
        None => (TaskCommand::Argv(args.command.clone()), args.command.join(" ")),
        Some(script) => {
            let bytes = script_bytes(script)?;
            let shell = shell_for(profile.shell.as_str(), &bytes).map_err(|e| e.to_string())?;
            (TaskCommand::Script { shell, bytes }, script.display().to_string())
        }
    };
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[("stage", "exec".into())]);
    let settings =
        DriverSettings { owner: config.owner, state_dir: config.state_dir, profile, hold: None };
    Ok((settings, job, escape_within(&name, 60)))
}

fn script_bytes(path: &std::path::Path) -> Result<Vec<u8>, String> {
    read_script(path).map_err(|error| {
        let shown = path.display();
        let hint = match error.kind() {
            std::io::ErrorKind::FileTooLarge => "let it fetch its data inside the task",
            _ => "name a file that this user can read, or `-` for standard input",
        };
        format!("reading the script {shown}: {error}\nhint: {hint}")
    })
}

fn start(args: &ExecArgs, settings: &DriverSettings, job: &TaskCommand, name: &str) -> CommandExit {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (runtime, mut console) = match (runtime, ConsoleWriter::of_this_process(masker().clone())) {
        (Ok(runtime), Ok(console)) => (runtime, console),
        (Err(error), _) | (_, Err(error)) => {
            tell!("error: starting: {error}");
            return CommandExit::NoStatus;
        }
    };
    let key = match random::bytes() {
        Ok(bits) => JobKey::from_bits(bits),
        Err(error) => {
            tell!("error: drawing random bytes: {error}");
            return CommandExit::NoStatus;
        }
    };
    let mut status = StatusLine::new(args.quiet);
    let mut told = |step: ExecStep<'_>| match step {
        ExecStep::Starting(event) => tell(&mut status, &event),
        ExecStep::Running => status.clear(),
    };
    let heard = signals::heard(async |cancel| {
        let (settings, masker) = (settings.clone(), masker().clone());
        let clock = WallClock::system();
        let events = traced_and_journaled(&settings.state_dir, &key, "exec");
        let context = JobContext { settings, masker, cancel, clock, events };
        exec(&context, &key, job, &mut console, &mut told).await
    });
    let report = match runtime.block_on(heard) {
        Ok(report) => report,
        Err(error) => ExecReport::not_started(StateError::from(error).why()),
    };
    drop(status);
    conclude(args, name, &report, console.is_mid_line(), settings.profile.timeouts.exec_task_idle)
}

/// Shows how far the start of a task is.
pub fn tell(status: &mut StatusLine, event: &TaskStartProgress<'_>) {
    match event {
        TaskStartProgress::Held { why, waited, .. } => {
            let line = format!(". {}: waiting for {}", why.headline(), ticking(*waited));
            status.show(&why.headline(), &line);
        }
        TaskStartProgress::ImageWarning(words) => {
            let line = format!("warning: {words}");
            status.show(&line, &line);
        }
        TaskStartProgress::Accepted(seen) => {
            let line = format!("~ task {}: accepted", seen.task.short());
            status.show(&line, &line);
        }
        TaskStartProgress::Refused { why, tries, waited } => {
            let tried = tried(*tries, &ticking(*waited));
            let line = format!(". {}: {tried}; trying again", why.headline());
            status.show(&why.headline(), &line);
        }
        TaskStartProgress::Waiting { seen, age, .. } => {
            let what = format!("~ task {}: {}", seen.task.short(), seen.status);
            status.show(&what, &format!("{what} {}", ticking(*age)));
        }
        TaskStartProgress::Avoided { provider, left, next } => {
            let line = format!(". {}", avoided_words(provider, *left, next));
            status.show(&line, &line);
        }
        TaskStartProgress::Moving { why, tried, next } => {
            let line = format!(". {}", move_words(why, tried, next));
            status.show(&line, &line);
        }
        TaskStartProgress::Relaunching { why, n, of, after, next } => {
            let words = relaunch_words(*n, *of, *after, *next);
            let line = format!("~ {}: {words}", why.headline());
            status.show(&line, &line);
        }
    }
}

/// The last line, and the exit code.
fn conclude(
    args: &ExecArgs,
    name: &str,
    report: &ExecReport,
    mid_line: bool,
    idle: Duration,
) -> CommandExit {
    let terminal = status::capabilities();
    if mid_line && std::io::stderr().is_terminal() {
        tell!("");
    }
    for line in warnings(report, idle) {
        tell!("{line}");
    }
    if let Some(why) = &report.why {
        let colour = if terminal.colour { ColourMode::On } else { ColourMode::Off };
        to_stderr(&why.block(colour));
    }
    if report.cancelled {
        // Status 0 would say that all is well, although the command was interrupted.
        let status = report.status.filter(|status| *status != 0);
        let exit = status.map_or(CommandExit::Interrupted, CommandExit::Command);
        let code = exit.code();
        match &report.task {
            Some(task) => {
                let end = end_of_task(report, idle, "is being stopped");
                tell!("- {name}: interrupted, task {task} {end}. Exit {code}");
            }
            None => tell!("- {name}: interrupted before a task was known. Exit {code}"),
        }
        return exit;
    }
    let Some(status) = report.status else {
        let left = match report.undone.is_empty() {
            true => "No task is left".to_owned(),
            false => format!("Task {}", end_of_task(report, idle, "stopped")),
        };
        let exit = CommandExit::NoStatus;
        tell!("! {name}: no exit code arrived. {left}. Exit {}", exit.code());
        return exit;
    };
    if !args.quiet {
        let mark = if status == 0 { StateMark::Passed } else { StateMark::Failed };
        let mark = mark.symbol(terminal.unicode);
        let started = report.started_in.map(|d| format!(", started in {}", duration(d)));
        let took = duration(report.took);
        let started = started.unwrap_or_default();
        let end = end_of_task(report, idle, "stopped");
        tell!("{mark} {name}: exit {status} after {took}{started}, task {end}");
    }
    CommandExit::Command(status)
}

/// What could not be done. `--quiet` does not hide it.
fn warnings(report: &ExecReport, idle: Duration) -> Vec<String> {
    let idle = duration(idle);
    let undone = report.undone.iter().map(|undone| {
        format!("warning: {}; the task ends by itself within {idle}", escape(undone))
    });
    let record = report.unwritten.iter().map(|error| {
        format!("warning: the record of the task could not be removed: {}", escape(error))
    });
    undone.chain(record).collect()
}

/// What became of the task: `done`, if nothing is left to do.
fn end_of_task(report: &ExecReport, idle: Duration, done: &str) -> String {
    match report.undone.is_empty() {
        true => done.to_owned(),
        false => format!("not stopped; it ends by itself within {}", duration(idle)),
    }
}
