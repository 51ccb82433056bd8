//! `tasks`, and of it `tasks reap`: stops the tasks that no job needs any more, once. Data on stdout, words on stderr.

use std::time::Instant;

use fargate_controller::host_journals::tell_orphans;
use fargate_controller::{
    ClusterReaper, HostReaper, ReapError, ReapMode, ReapProgress, ReaperSettings, SweepReport,
};
use fargate_model::text::duration;
use fargate_terminal::{OutputFormat, StateMark, stdout_size};

use crate::args::{GlobalFlags, ReapArgs, TasksAction, TasksArgs};
use crate::exit::CommandExit;
use crate::reap_hints::with_hint;
use crate::reap_output::ReapScope;
use crate::status::StatusLine;
use crate::streams::{masker, tell, to_stdout, unwritten};
use crate::tasks_site::begin;
use crate::{reap_output, tasks_list_command};

/// Runs it.
pub fn run(global: &GlobalFlags, args: &TasksArgs) -> CommandExit {
    let done = match &args.action {
        TasksAction::Reap(args) => reap(global, args),
        TasksAction::List(args) => tasks_list_command::list(global, args),
        TasksAction::Stop(args) => tasks_list_command::stop(global, args),
    };
    done.unwrap_or_else(|error| {
        tell!("error: {error}");
        CommandExit::NothingDone
    })
}

fn reap(global: &GlobalFlags, args: &ReapArgs) -> Result<CommandExit, String> {
    let (config, host, runtime) = begin(global, "tasks reap")?;
    let root = config.state_dir.clone();
    let begun = Instant::now();
    let looked = look(host, args);
    let (scope, sweep) = runtime.block_on(looked).map_err(|error| with_hint(&error, &root))?;
    if let ReapScope::Host(_) = &scope {
        tell_orphans(&root, &sweep.orphans, masker());
    }
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
