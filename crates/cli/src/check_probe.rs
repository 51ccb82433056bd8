//! `check --probe`: one task, by the same path as `exec`, that runs the script of a probe. The task leaves
//! the same traces as that of `exec`, so the reaper finds it if this process is killed.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use fargate_config::{ConfigError, JobProfile, RunnerConfig};
use fargate_driver::context::{DriverSettings, JobContext, WallClock};
use fargate_driver::exec::{ExecReport, ExecStep, exec};
use fargate_driver::session::{
    CancelHandle, CancelRequest, CancelSender, CancelSignals, ConsoleWriter, ScriptSignal,
    TaskCommand,
};
use fargate_job_journal::ToldStory;
use fargate_model::cause::CauseReport;
use fargate_model::job::JobKey;
use fargate_model::random;
use fargate_preflight::probe::{ProbeFailure, ProbePlan, ProbeRun, probe_lines, probe_not_begun};
use fargate_preflight::{CheckedAccount, DefinitionImages};
use fargate_status_answers::{EgressAddress, phase_words, phases_of};
use tokio::time::{Duration, sleep};

use crate::args::GlobalFlags;
use crate::check_args::CheckArgs;
use crate::exec_command;
use crate::jobs_context::now_ms;
use crate::journaling::traced_and_journaled;
use crate::status::StatusLine;
use crate::streams::masker;

/// Longest that the script may take once its task runs. Each of its requests has 10 s. Ours.
const SCRIPT_LIMIT: Duration = Duration::from_secs(120);
/// Most output that is kept: a line for each step.
const MOST_OUTPUT: usize = 64 * 1024;
/// The shell that every image with a shell has.
const SHELL: &str = "sh";

/// What the task found; `None` if a signal ended it. `accounts` is what the checks found before.
///
/// # Errors
///
/// In words, if the probe could not begin.
pub async fn run(
    global: &GlobalFlags,
    args: &CheckArgs,
    config: &RunnerConfig,
    accounts: &[CheckedAccount],
    cancel: CancelHandle,
) -> Result<Option<CheckedAccount>, String> {
    // The checks look at all profiles of a file. The task needs one, and the file may have no whole `[defaults]`.
    let profile = match config.profile(global.profile.as_deref()) {
        Ok(profile) => profile,
        Err(error) => return Ok(Some(without_profile(&error))),
    };
    let egress: Vec<EgressAddress> = accounts.iter().flat_map(|it| it.egress.clone()).collect();
    let images: DefinitionImages =
        accounts.iter().flat_map(|it| it.definition_images.clone()).collect();
    let plan = ProbePlan::of(&profile, &images, args.gitlab_url.as_deref(), &args.address_url);
    let job = TaskCommand::Script { shell: SHELL.to_owned(), bytes: plan.script().into_bytes() };
    let (report, key, output) = in_task(args, config, profile, &job, cancel).await?;
    if report.cancelled && !output.timed_out {
        return Ok(None);
    }
    let phases = start_phases(config, &key);
    let failure = match output.timed_out {
        true => Some(ProbeFailure {
            headline: format!("the script did not end within {} s", SCRIPT_LIMIT.as_secs()),
            ..ProbeFailure::default()
        }),
        false => report.why.as_ref().map(failure_of),
    };
    let run = ProbeRun {
        started_in: report.started_in,
        phases,
        failure,
        output: output.bytes,
        undone: report.undone,
    };
    Ok(Some(probe_lines(&plan, &run, &egress)))
}

/// The line of a probe that does not know for which profile it is.
fn without_profile(error: &ConfigError) -> CheckedAccount {
    match error.first() {
        Some(problem) => probe_not_begun(&problem.message, problem.hint.as_deref()),
        None => probe_not_begun(&error.to_string(), None),
    }
}

/// What the script wrote, and whether its time was over.
struct ProbeOutput {
    bytes: Vec<u8>,
    timed_out: bool,
}

async fn in_task(
    args: &CheckArgs,
    config: &RunnerConfig,
    profile: JobProfile,
    job: &TaskCommand,
    cancel: CancelHandle,
) -> Result<(ExecReport, JobKey, ProbeOutput), String> {
    let bits = random::bytes().map_err(|error| format!("drawing random bytes: {error}"))?;
    let key = JobKey::from_bits(bits);
    let kept = KeptOutput::default();
    let mut console = ConsoleWriter::into_sinks(kept.clone(), io::sink(), masker().clone())
        .map_err(|error| format!("starting a thread for the output: {error}"))?;
    let settings = DriverSettings {
        owner: config.owner.clone(),
        state_dir: config.state_dir.clone(),
        profile,
        hold: None,
    };
    let (sender, handle) = CancelSender::new();
    let events = traced_and_journaled(&settings.state_dir, &key, "exec");
    let clock = WallClock::system();
    let context = JobContext { settings, masker: masker().clone(), cancel: handle, clock, events };
    let (runs, mut is_running) = tokio::sync::watch::channel(false);
    let mut status = StatusLine::new(args.quiet);
    let mut told = |step: ExecStep<'_>| match step {
        ExecStep::Starting(event) => exec_command::tell(&mut status, &event),
        ExecStep::Running => {
            status.show("probe", "~ probe: the task looks around");
            let _ = runs.send(true);
        }
    };
    let mut timed_out = false;
    let report = {
        let work = exec(&context, &key, job, &mut console, &mut told);
        tokio::pin!(work);
        let pass_on = pass_on(&cancel, &sender);
        tokio::pin!(pass_on);
        let too_long = async {
            if is_running.wait_for(|runs| *runs).await.is_err() {
                std::future::pending::<()>().await;
            }
            sleep(SCRIPT_LIMIT).await;
        };
        tokio::pin!(too_long);
        loop {
            tokio::select! {
                biased;
                report = &mut work => break report,
                never = &mut pass_on => match never {},
                () = &mut too_long, if !timed_out => {
                    timed_out = true;
                    sender.cancel();
                }
            }
        }
    };
    console.drained().await;
    Ok((report, key, ProbeOutput { bytes: kept.bytes(), timed_out }))
}

/// Hands each signal of this process on to the task.
async fn pass_on(cancel: &CancelHandle, sender: &CancelSender) -> std::convert::Infallible {
    let stop = CancelRequest {
        signal: ScriptSignal::Int,
        grace: Duration::ZERO,
        leave_after: Duration::ZERO,
    };
    let mut signals = CancelSignals::new(cancel, stop);
    loop {
        signals.next().await;
        sender.cancel();
    }
}

/// The phases of the start with their lengths, from the journal of the task.
fn start_phases(config: &RunnerConfig, key: &JobKey) -> Vec<(String, Duration)> {
    let told = ToldStory::read(&config.state_dir, key, &config.prices.prices(), now_ms());
    let told = told.ok().flatten();
    let Some(last) = told.as_ref().and_then(|told| told.story.tries.last()) else {
        return Vec::new();
    };
    phases_of(last, None)
        .into_iter()
        .filter(|(phase, ..)| fargate_status_answers::is_of_start(*phase))
        .map(|(phase, from, to)| {
            (phase_words(phase).1.to_owned(), Duration::from_millis(to.saturating_sub(from)))
        })
        .collect()
}

fn failure_of(why: &CauseReport) -> ProbeFailure {
    ProbeFailure { headline: why.headline(), fix: Some(why.action()), command: why.command() }
}

/// Keeps the first bytes that are written to it.
#[derive(Clone, Default)]
struct KeptOutput(Arc<Mutex<Vec<u8>>>);

impl KeptOutput {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Write for KeptOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST_OUTPUT.saturating_sub(kept.len()).min(bytes.len());
        kept.extend_from_slice(&bytes[..room]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
