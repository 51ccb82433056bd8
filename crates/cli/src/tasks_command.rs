//! `tasks reap`: stops what nobody needs any more, once; data on stdout, words on stderr.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fargate_config::{Config, Loaded, Profile, Unknown};
use fargate_controller::{Host, Intent, ReapError, Reaper, Sweep};
use fargate_model::text::{duration, escape};

use crate::args::{Format, Global, ReapArgs, TasksAction, TasksArgs};
use crate::exit::Exit;
use crate::status::Status;
use crate::streams::{tell, to_stdout};
use crate::{config_command, log, owned, reaped};

/// Runs it.
pub fn run(global: &Global, args: &TasksArgs) -> ExitCode {
    let TasksAction::Reap(args) = &args.action;
    match reap(global, args) {
        Ok(exit) => exit.into(),
        Err(error) => {
            tell!("error: {error}");
            Exit::Not.into()
        }
    }
}

fn reap(global: &Global, args: &ReapArgs) -> Result<Exit, String> {
    let (_, Loaded { config, warnings, notices }) = config_command::load(global, Unknown::Warn)?;
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let host = host(&config, global.profile.as_deref())?;
    let root = config.state_dir.clone();
    let debug = if global.debug { log::Debug::Stderr } else { log::Debug::Off };
    log::start(&config, debug, &[("stage", "tasks reap".into())]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting an event loop: {error}"))?;
    let intent = if args.dry_run { Intent::Look } else { Intent::End };
    let begun = Instant::now();
    let (owner, sweep) =
        runtime.block_on(look_twice(host, intent)).map_err(|error| with_hint(&error, &root))?;
    let text = match args.format() {
        Format::Table => reaped::table(&sweep, crate::table::width().unwrap_or(usize::MAX)),
        Format::Json => reaped::json(&owner, args.dry_run, &sweep),
        Format::Tsv => reaped::tsv(&sweep),
    };
    if !text.is_empty() {
        to_stdout(&text).map_err(|error| format!("writing to stdout: {error}"))?;
    }
    for line in reaped::words(&owner, &sweep, begun.elapsed()) {
        tell!("{line}");
    }
    Ok(if sweep.is_whole() { Exit::Done } else { Exit::Partly })
}

/// This host under every profile of the file, or under the one that is asked for.
fn host(config: &Config, profile: Option<&str>) -> Result<Host, String> {
    let (owner, state_dir) = (config.owner.clone(), config.state_dir.clone());
    let of = |name: Option<&str>| config.profile(name).map_err(|error| error.to_string());
    let (profiles, is_whole) = match profile {
        Some(name) => (vec![of(Some(name))?], false),
        None => {
            let names = config.profile_names();
            let named: Result<Vec<Profile>, String> =
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
    Ok(Host { owner, state_dir, profiles, is_whole })
}

/// Both sightings in one call. Nothing of the first is kept on disk, so nothing of it can be stale.
async fn look_twice(host: Host, intent: Intent) -> Result<(String, Sweep), ReapError> {
    let mut reaper = Reaper::open(host, intent).await?;
    let owner = reaper.owner().to_string();
    let mut status = Status::new(false);
    let mut told = |done: usize, all: usize| {
        status.show("v stopping orphans", &format!("v stopping orphans: {done} of {all}"));
    };
    let first = reaper.sweep(intent, &mut told).await;
    let seen = first.seen_once();
    if seen == 0 {
        return Ok((owner, first));
    }
    let apart = reaper.apart();
    let (what, it) =
        if seen == 1 { ("1 orphan".to_owned(), "it") } else { (format!("{seen} orphans"), "them") };
    tell!("seen {what} once, looking at {it} again in {}", duration(apart));
    // A sleep may end in the tick before.
    tokio::time::sleep(apart + Duration::from_millis(1)).await;
    Ok((owner, reaper.sweep(intent, &mut told).await))
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
        ReapError::State(error) => owned::hint(error, root),
        ReapError::Busy => Some("wait for its end; `--dry-run` may run beside it".to_owned()),
    };
    let hint = hint.map(|hint| format!("\nhint: {hint}"));
    format!("{error}{}", hint.unwrap_or_default())
}

impl ReapArgs {
    /// As asked for, else a table for a terminal and JSON for everything else.
    fn format(&self) -> Format {
        let terminal = || std::io::stdout().is_terminal();
        self.format.unwrap_or_else(|| if terminal() { Format::Table } else { Format::Json })
    }
}
