//! `tasks reap`: stops the tasks that no job needs any more, once. Data on stdout, words on stderr.

use std::path::Path;
use std::time::Instant;

use fargate_config::{LoadedConfig, UnknownKeyPolicy};
use fargate_controller::{
    ClusterReaper, HostReaper, ReapError, ReapMode, ReapProgress, ReaperSettings, SweepReport,
};
use fargate_model::text::{duration, escape};
use fargate_terminal::{OutputFormat, StateMark, stdout_size};

use crate::args::{GlobalFlags, ReapArgs, TasksAction, TasksArgs};
use crate::exit::CommandExit;
use crate::reap_output::ReapScope;
use crate::status::StatusLine;
use crate::streams::{masker, tell, to_stdout, unwritten};
use crate::{config_command, folder_owner, log, reap_output};

/// Runs it.
pub fn run(global: &GlobalFlags, args: &TasksArgs) -> CommandExit {
    let TasksAction::Reap(args) = &args.action;
    reap(global, args).unwrap_or_else(|error| {
        tell!("error: {error}");
        CommandExit::NothingDone
    })
}

fn reap(global: &GlobalFlags, args: &ReapArgs) -> Result<CommandExit, String> {
    let (_, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Warn)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let host = ReaperSettings::of_config(&config, global.profile.as_deref(), masker());
    let host = host.map_err(|error| error.to_string())?;
    let root = config.state_dir.clone();
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[("stage", "tasks reap".into())]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting an event loop: {error}"))?;
    let begun = Instant::now();
    let looked = look(host, args);
    let (scope, sweep) = runtime.block_on(looked).map_err(|error| with_hint(&error, &root))?;
    let text = match OutputFormat::or_default(args.format) {
        OutputFormat::Table => reap_output::table(&sweep, stdout_size().map(|size| size.columns)),
        OutputFormat::Json => reap_output::json(&scope, args.dry_run, &sweep),
        OutputFormat::Tsv => reap_output::tsv(&sweep),
    };
    if !text.is_empty() {
        to_stdout(&text).map_err(unwritten)?;
    }
    for line in reap_output::words(&scope, &sweep, begun.elapsed()) {
        tell!("{line}");
    }
    Ok(if sweep.is_whole() { CommandExit::Done } else { CommandExit::Partly })
}

/// Looks at the tasks that are asked for, and tells how far it is.
async fn look(
    host: ReaperSettings,
    args: &ReapArgs,
) -> Result<(ReapScope, SweepReport), ReapError> {
    let intent = if args.dry_run { ReapMode::Look } else { ReapMode::End };
    let mut status = StatusLine::new(false);
    let mut told = |progress| tell_progress(&mut status, progress);
    if args.cluster {
        let mut reaper = ClusterReaper::open(host.profiles, &host.masker).await;
        let scope = ReapScope::Clusters(reaper.clusters());
        Ok((scope, reaper.reap(intent, &mut told).await))
    } else {
        let mut reaper = HostReaper::open(host, intent).await?;
        let scope = ReapScope::Host(reaper.owner().to_string());
        Ok((scope, reaper.reap(intent, &mut told).await))
    }
}

fn tell_progress(status: &mut StatusLine, progress: ReapProgress) {
    match progress {
        ReapProgress::Stopping { done, all } => {
            let mark = StateMark::Stopping.symbol(false);
            let what = format!("{mark} stopping orphans");
            status.show(&what, &format!("{what}: {done} of {all}"));
        }
        ReapProgress::SeenOnce { orphans, again_in } => {
            let again_in = duration(again_in);
            match orphans {
                1 => tell!("found 1 orphan; checking it again in {again_in}"),
                n => tell!("found {n} orphans; checking them again in {again_in}"),
            }
        }
    }
}

fn with_hint(error: &ReapError, root: &Path) -> String {
    let hint = match error {
        ReapError::NoFolder { .. } => {
            Some("`fargate-runner config show` prints `state_dir`".to_owned())
        }
        ReapError::Copied { path } => {
            let path = escape(&path.display().to_string());
            Some(format!(
                "if the folder is a copy, remove `owner`, `machine` and `jobs` in it; if this machine \
                 replaces the other one, `rm {path}/machine`"
            ))
        }
        ReapError::State(error) => folder_owner::hint(error, root),
        ReapError::Busy => {
            Some("wait until it has ended; `--dry-run` can run at the same time".to_owned())
        }
    };
    let hint = hint.map(|hint| format!("\nhint: {hint}"));
    format!("{error}{}", hint.unwrap_or_default())
}
