//! `efs plan | apply | show`. Data on stdout, words on stderr. What is missing and how it is made is the
//! business of the efs crate.

use std::io::{self, BufRead, IsTerminal};

use fargate_config::{LoadedConfig, RunnerConfig, UnknownKeyPolicy};
use fargate_efs::{
    ApplyProgress, FileSystemPlan, FileSystemState, StorageError, StorageSite, StorageStep, calls,
    unused_volumes,
};
use fargate_model::text::escape;
use fargate_terminal::{OutputFormat, StateMark, stdout_size};

use crate::args::GlobalFlags;
use crate::efs_args::{EfsAction, EfsApplyArgs, EfsArgs};
use crate::exit::CommandExit;
use crate::output_args::FormatArgs;
use crate::status::{self, StatusLine};
use crate::streams::{masker, tell, to_stdout, unwritten};
use crate::{config_command, efs_output as output, log};

/// Runs it.
pub fn run(global: &GlobalFlags, args: &EfsArgs) -> CommandExit {
    perform(global, args).unwrap_or_else(|error| {
        tell!("error: {error}");
        CommandExit::NothingDone
    })
}

fn perform(global: &GlobalFlags, args: &EfsArgs) -> Result<CommandExit, String> {
    let (_, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Warn)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[("stage", "efs".into())]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting an event loop: {error}"))?;
    runtime.block_on(async {
        let site = StorageSite::open(&config, &args.projects, masker()).await;
        let site = site.map_err(|error| words(&error))?;
        tell!("as {} in account {}", site.identity.arn, site.identity.account);
        match &args.action {
            EfsAction::Plan => plan(&site, &config),
            EfsAction::Apply(apply) if apply.print => print_calls(&site),
            EfsAction::Apply(apply) => self::apply(&site, &config, apply).await,
            EfsAction::Show(format) => show(&site, format),
        }
    })
}

/// The plan of each file system.
fn plans(site: &StorageSite) -> Result<Vec<(&FileSystemState, FileSystemPlan)>, String> {
    let plans = site.file_systems.iter().map(|state| Ok((state, state.plan()?)));
    plans.collect::<Result<_, StorageError>>().map_err(|error| words(&error))
}

fn plan(site: &StorageSite, config: &RunnerConfig) -> Result<CommandExit, String> {
    let plans = plans(site)?;
    tell_notices(site, config, &plans);
    let lines = step_lines(&plans);
    if !lines.is_empty() {
        to_stdout(&lines.join("\n")).map_err(unwritten)?;
    }
    let problems = tell_problems(&plans);
    match lines.len() {
        0 => tell!("nothing is missing"),
        1 => tell!("1 step to do: `fargate-runner efs apply`"),
        n => tell!("{n} steps to do: `fargate-runner efs apply`"),
    }
    Ok(if lines.is_empty() && !problems { CommandExit::Done } else { CommandExit::Partly })
}

fn print_calls(site: &StorageSite) -> Result<CommandExit, String> {
    let calls: Vec<_> = plans(site)?.iter().flat_map(|(_, plan)| calls(plan)).collect();
    let text = serde_json::to_string_pretty(&calls).expect("texts are JSON");
    to_stdout(&masker().text(&text)).map_err(unwritten)?;
    Ok(CommandExit::Done)
}

async fn apply(
    site: &StorageSite,
    config: &RunnerConfig,
    args: &EfsApplyArgs,
) -> Result<CommandExit, String> {
    let plans = plans(site)?;
    tell_notices(site, config, &plans);
    let problems = tell_problems(&plans);
    let lines = step_lines(&plans);
    if lines.is_empty() {
        tell!("nothing is missing");
        return Ok(if problems { CommandExit::Partly } else { CommandExit::Done });
    }
    for line in &lines {
        tell!("  {line}");
    }
    if !args.yes && !agreed()? {
        tell!("nothing is done");
        return Ok(CommandExit::NothingDone);
    }
    let mut is_whole = !problems;
    for (state, plan) in &plans {
        if plan.steps.is_empty() {
            continue;
        }
        let mut status = StatusLine::new(false);
        let done = state.apply(&mut |progress| tell_progress(&mut status, &progress)).await;
        status.clear();
        let left = done.and_then(|now| now.plan()).map_err(|error| words(&error))?;
        for step in &left.steps {
            tell!("still to do on {}: {}", left.file_system, step.line());
            is_whole = false;
        }
    }
    if is_whole {
        tell!("done");
        return Ok(CommandExit::Done);
    }
    tell!(
        "not all is done; if no problem is named above, run it again: `fargate-runner efs apply`"
    );
    Ok(CommandExit::Partly)
}

/// Asks a person. Without a terminal nobody can be asked.
fn agreed() -> Result<bool, String> {
    if !io::stdin().is_terminal() {
        return Err(
            "standard input is no terminal, so nobody can be asked\nhint: look at the steps \
                    above, and add `--yes`"
                .to_owned(),
        );
    }
    tell!("Proceed? [y/N]");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| format!("reading the answer: {error}"))?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

fn tell_progress(status: &mut StatusLine, progress: &ApplyProgress) {
    match progress {
        ApplyProgress::Done(what) => {
            status.clear();
            let mark = StateMark::Passed.symbol(status::capabilities().unicode);
            tell!("{mark} {}", escape(what));
        }
        ApplyProgress::Waiting { what, state } => {
            let what = format!("waiting for {}", escape(what));
            status.show(&what, &format!("{what}: {}", escape(state)));
        }
    }
}

fn tell_notices(
    site: &StorageSite,
    config: &RunnerConfig,
    plans: &[(&FileSystemState, FileSystemPlan)],
) {
    let wanted: Vec<_> = site.file_systems.iter().map(|state| state.wanted.clone()).collect();
    for name in unused_volumes(config, &wanted) {
        tell!("notice: no profile mounts the volume `{name}`, so nothing is made for it");
    }
    for (_, plan) in plans {
        for notice in &plan.notices {
            tell!("notice: {}: {}", plan.file_system, escape(notice));
        }
    }
}

fn tell_problems(plans: &[(&FileSystemState, FileSystemPlan)]) -> bool {
    let all = plans
        .iter()
        .flat_map(|(_, plan)| plan.problems.iter().map(|problem| (&plan.file_system, problem)));
    let mut has_some = false;
    for (file_system, problem) in all {
        tell!("problem: {file_system}: {}", escape(problem));
        has_some = true;
    }
    has_some
}

fn step_lines(plans: &[(&FileSystemState, FileSystemPlan)]) -> Vec<String> {
    let line = |plan: &FileSystemPlan, step: &StorageStep| {
        format!("{}: {}", plan.file_system, escape(&step.line()))
    };
    plans.iter().flat_map(|(_, plan)| plan.steps.iter().map(move |step| line(plan, step))).collect()
}

fn show(site: &StorageSite, args: &FormatArgs) -> Result<CommandExit, String> {
    let text = match OutputFormat::or_default(args.format) {
        OutputFormat::Table => output::table(site, stdout_size().map(|size| size.columns)),
        OutputFormat::Json => output::json(site),
        OutputFormat::Tsv => output::tsv(site),
    };
    to_stdout(&masker().text(&text)).map_err(unwritten)?;
    Ok(CommandExit::Done)
}

fn words(error: &StorageError) -> String {
    match error {
        // Our own words, which may have several lines.
        StorageError::Setting(text) => text.clone(),
        error => escape(&error.to_string()),
    }
}
