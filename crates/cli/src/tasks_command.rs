//! `tasks reap`: stops what nobody needs any more, once; data on stdout, words on stderr.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fargate_config::{JobProfile, LoadedConfig, RunnerConfig, UnknownKeyPolicy};
use fargate_controller::{
    ClusterReaper, HostReaper, ReapError, ReapMode, ReaperSettings, SweepReport,
};
use fargate_model::text::{duration, escape};

use crate::args::{GlobalFlags, OutputFormat, ReapArgs, TasksAction, TasksArgs};
use crate::exit::CommandExit;
use crate::reap_output::ReapScope;
use crate::status::StatusLine;
use crate::streams::{tell, to_stdout};
use crate::{config_command, folder_owner, log, reap_output};

/// Runs it.
pub fn run(global: &GlobalFlags, args: &TasksArgs) -> ExitCode {
    let TasksAction::Reap(args) = &args.action;
    match reap(global, args) {
        Ok(exit) => exit.into(),
        Err(error) => {
            tell!("error: {error}");
            CommandExit::Not.into()
        }
    }
}

fn reap(global: &GlobalFlags, args: &ReapArgs) -> Result<CommandExit, String> {
    let (_, LoadedConfig { config, warnings, notices }) =
        config_command::load(global, UnknownKeyPolicy::Warn)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let host = host(&config, global.profile.as_deref())?;
    let root = config.state_dir.clone();
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[("stage", "tasks reap".into())]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting an event loop: {error}"))?;
    let intent = if args.dry_run { ReapMode::Look } else { ReapMode::End };
    let begun = Instant::now();
    let looked = async {
        match args.cluster {
            true => Ok(of_clusters(host.profiles, intent).await),
            false => of_host(host, intent).await,
        }
    };
    let (scope, sweep) = runtime.block_on(looked).map_err(|error| with_hint(&error, &root))?;
    let text = match args.format() {
        OutputFormat::Table => {
            reap_output::table(&sweep, crate::table::width().unwrap_or(usize::MAX))
        }
        OutputFormat::Json => reap_output::json(&scope, args.dry_run, &sweep),
        OutputFormat::Tsv => reap_output::tsv(&sweep),
    };
    if !text.is_empty() {
        to_stdout(&text).map_err(|error| format!("writing to stdout: {error}"))?;
    }
    for line in reap_output::words(&scope, &sweep, begun.elapsed()) {
        tell!("{line}");
    }
    Ok(if sweep.is_whole() { CommandExit::Done } else { CommandExit::Partly })
}

/// This host under every profile of the file, or under the one that is asked for.
fn host(config: &RunnerConfig, profile: Option<&str>) -> Result<ReaperSettings, String> {
    let (owner, state_dir) = (config.owner.clone(), config.state_dir.clone());
    let of = |name: Option<&str>| config.profile(name).map_err(|error| error.to_string());
    let (profiles, is_whole) = match profile {
        Some(name) => (vec![of(Some(name))?], false),
        None => {
            let names = config.profile_names();
            let named: Result<Vec<JobProfile>, String> =
                names.iter().map(|name| of(Some(name))).collect();
            // Where each profile has its own, `[defaults]` may lack what a job needs.
            let defaults = of(None);
            let mut profiles = named?;
            match defaults {
                Ok(defaults) => profiles.push(defaults),
                Err(error) if profiles.is_empty() => return Err(error),
                Err(_) => {}
            }
            (profiles, true)
        }
    };
    Ok(ReaperSettings { owner, state_dir, profiles, is_whole })
}

/// Both sightings in one call. Nothing of the first is kept on disk, so nothing of it can be stale.
async fn of_host(
    host: ReaperSettings,
    intent: ReapMode,
) -> Result<(ReapScope, SweepReport), ReapError> {
    let mut reaper = HostReaper::open(host, intent).await?;
    let scope = ReapScope::Host(reaper.owner().to_string());
    let apart = reaper.apart();
    let sweep = look_twice(apart, async |told| reaper.sweep(intent, told).await).await;
    Ok((scope, sweep))
}

/// The same for the tasks of all hosts.
async fn of_clusters(profiles: Vec<JobProfile>, intent: ReapMode) -> (ReapScope, SweepReport) {
    let mut reaper = ClusterReaper::open(profiles).await;
    let scope = ReapScope::Clusters(reaper.clusters());
    let apart = reaper.apart();
    (scope, look_twice(apart, async |told| reaper.sweep(intent, told).await).await)
}

async fn look_twice(
    apart: Duration,
    mut sweep: impl AsyncFnMut(&mut dyn FnMut(usize, usize)) -> SweepReport,
) -> SweepReport {
    let mut status = StatusLine::new(false);
    let mut told = |done: usize, all: usize| {
        status.show("v stopping orphans", &format!("v stopping orphans: {done} of {all}"));
    };
    let first = sweep(&mut told).await;
    let seen = first.seen_once();
    if seen == 0 {
        return first;
    }
    let (what, it) =
        if seen == 1 { ("1 orphan".to_owned(), "it") } else { (format!("{seen} orphans"), "them") };
    tell!("seen {what} once, looking at {it} again in {}", duration(apart));
    // A sleep may end in the tick before.
    tokio::time::sleep(apart + Duration::from_millis(1)).await;
    sweep(&mut told).await
}

fn with_hint(error: &ReapError, root: &Path) -> String {
    let hint = match error {
        ReapError::NoFolder { .. } => {
            Some("`fargate-runner config show` names `state_dir`".to_owned())
        }
        ReapError::Copied { path } => {
            let path = escape(&path.display().to_string());
            Some(format!(
                "of a copy, remove `owner`, `machine` and `jobs` in it; if this machine took the \
                 other one's place, `rm {path}/machine`"
            ))
        }
        ReapError::State(error) => folder_owner::hint(error, root),
        ReapError::Busy => Some("wait for its end; `--dry-run` may run beside it".to_owned()),
    };
    let hint = hint.map(|hint| format!("\nhint: {hint}"));
    format!("{error}{}", hint.unwrap_or_default())
}

impl ReapArgs {
    /// As asked for, else a table for a terminal and JSON for everything else.
    fn format(&self) -> OutputFormat {
        let terminal = || std::io::stdout().is_terminal();
        self.format
            .unwrap_or_else(|| if terminal() { OutputFormat::Table } else { OutputFormat::Json })
    }
}
