//! `check`: whether an account is as jobs will need it. Data on stdout, progress and words on stderr; what is
//! checked, and how a report reads, is the business of the preflight crate.

use std::path::Path;

use fargate_config::{LoadedConfig, RunnerConfig, UnknownKeyPolicy};
use fargate_driver::session::{CancelHandle, CancelRequest, CancelSignals, ScriptSignal};
use fargate_model::content_hash::sha256_hex;
use fargate_model::text::error_chain;
use fargate_preflight::probe::probe_not_begun;
use fargate_preflight::{
    CheckRequest, CheckVerdict, CheckedAccount, GivenManager, check_configuration, keep_report,
    no_configuration, report_of, verdict_of,
};
use fargate_status_answers::ChecksAnswer;
use fargate_terminal::{ProgressMode, TerminalCapabilities, TerminalColourMode, stdout_size};
use tokio::time::{Duration, Instant};

use crate::args::GlobalFlags;
use crate::check_args::CheckArgs;
use crate::exit::CommandExit;
use crate::output_args::ListFormat;
use crate::status::StatusLine;
use crate::streams::{masker, tell, to_stdout, unwritten};
use crate::{check_output, check_probe, config_command, folder_owner, log, signals};

/// Runs it.
pub fn run(global: &GlobalFlags, args: &CheckArgs) -> CommandExit {
    perform(global, args).unwrap_or_else(|error| {
        tell!("error: {error}");
        CommandExit::CouldNotTell
    })
}

fn perform(global: &GlobalFlags, args: &CheckArgs) -> Result<CommandExit, String> {
    // Read first: a file that is changed meanwhile was not checked.
    let config_sha256 = digest(&config_command::path(global));
    let LoadedConfig { config, warnings, notices } =
        match config_command::load(global, UnknownKeyPolicy::Warn) {
            Ok((_, loaded)) => loaded,
            Err(problems) => return unconfigured(global, args, &problems),
        };
    for warning in warnings.iter().chain(&notices) {
        tell!("warning: {warning}");
    }
    let debug = if global.debug { log::DebugMode::Stderr } else { log::DebugMode::Off };
    log::start(&config, debug, &[("stage", "check".into())]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("starting an event loop: {error}"))?;
    let heard = signals::heard(async |cancel| checked(global, args, &config, cancel).await);
    let Some(mut answer) = runtime.block_on(heard).map_err(|error| error.to_string())?? else {
        tell!("- check: interrupted. Exit {}", CommandExit::Interrupted.code());
        return Ok(CommandExit::Interrupted);
    };
    answer.config_sha256 = config_sha256;
    if let Err(why) = keep(&config.state_dir, &answer) {
        tell!("warning: the report is not kept, so the page does not show it: {why}");
    }
    show(args, &answer)
}

/// Keeps the report for the page. The state folder is never made here: it would belong to whoever asked first,
/// and the user whose jobs need it could not use it.
fn keep(state_dir: &Path, answer: &ChecksAnswer) -> Result<(), String> {
    if !state_dir.is_dir() {
        return Err(format!("there is no state folder {} yet", state_dir.display()));
    }
    folder_owner::by_this_user(state_dir)?;
    keep_report(state_dir, answer).map_err(|error| error_chain(&error))
}

/// The report on a configuration that cannot be used. Nothing says where reports are kept.
fn unconfigured(
    global: &GlobalFlags,
    args: &CheckArgs,
    problems: &str,
) -> Result<CommandExit, String> {
    let first = problems.lines().next().unwrap_or_default();
    let checked = no_configuration(&config_command::path(global), first);
    show(args, &report_of(vec![checked], Duration::ZERO))
}

fn digest(config_file: &Path) -> Option<String> {
    std::fs::read(config_file).ok().map(|bytes| sha256_hex(&bytes))
}

/// The report; `None` if a signal ended the work.
async fn checked(
    global: &GlobalFlags,
    args: &CheckArgs,
    config: &RunnerConfig,
    cancel: CancelHandle,
) -> Result<Option<ChecksAnswer>, String> {
    let started = Instant::now();
    let mut status = StatusLine::new(args.quiet);
    status.show("checking", "checking the account");
    let request = CheckRequest {
        profile: global.profile.clone(),
        concurrency: args.concurrency,
        gitlab_url: args.gitlab_url.clone(),
        manager: GivenManager {
            groups: args.manager_groups.clone(),
            address: args.manager_address,
        },
        pulls: args.pull,
    };
    let work = check_configuration(config, &request, masker(), args.deadline);
    let mut accounts: Vec<CheckedAccount> = tokio::select! {
        biased;
        () = interrupted(&cancel) => return Ok(None),
        accounts = work => accounts.map_err(|error| error.to_string())?,
    };
    status.clear();
    if args.probe {
        let probed = check_probe::run(global, args, config, &accounts, cancel).await;
        match probed {
            Ok(Some(probed)) => accounts.push(probed),
            Ok(None) => return Ok(None),
            // What the account was seen to have is worth a report all the same.
            Err(why) => accounts.push(probe_not_begun(&why, None)),
        }
    }
    Ok(Some(report_of(accounts, started.elapsed())))
}

/// Returns at the first signal.
async fn interrupted(cancel: &CancelHandle) {
    let stop = CancelRequest {
        signal: ScriptSignal::Int,
        grace: Duration::ZERO,
        leave_after: Duration::ZERO,
    };
    CancelSignals::new(cancel, stop).next().await;
}

fn show(args: &CheckArgs, answer: &ChecksAnswer) -> Result<CommandExit, String> {
    let can =
        TerminalCapabilities::of_stdout(TerminalColourMode::default(), ProgressMode::default());
    let text = match args.output.chosen() {
        ListFormat::Table => {
            check_output::table(answer, stdout_size().map(|size| size.columns), can)
        }
        ListFormat::Json => check_output::json(answer),
        ListFormat::Ndjson => check_output::ndjson(answer),
        ListFormat::Tsv => check_output::tsv(answer),
    };
    to_stdout(&masker().text(&text)).map_err(unwritten)?;
    Ok(match verdict_of(&answer.checks) {
        CheckVerdict::Ready => CommandExit::Done,
        CheckVerdict::Failed => CommandExit::CheckFailed,
        CheckVerdict::CouldNotTell => CommandExit::CouldNotTell,
    })
}
