//! Runs one command in one fresh task, for a person: starts the task, passes the output on, and
//! stops the task afterwards.
//!
//! It does not print anything by itself, apart from the command's output.

use std::time::Duration;

use fargate_events::{JobDescription, JobFact, StageVerdict, emit_fact};
use fargate_model::cause::CauseReport;
use fargate_model::job::JobKey;
use fargate_model::random;
use fargate_state::{RunnerProcess, StateFolder, TaskOrigin, user_name};
use nix::unistd::geteuid;
use tokio::time::Instant;

use crate::context::JobContext;
use crate::job::{
    CancelledTask, ProvisionError, ProvisionedTask, TaskRequest, count_interruption, provision,
    spot_notice,
};
use crate::reconnect;
use crate::session::TaskWatch;
use crate::session::{
    self, CancelRequest, CancelSignals, ConsoleWriter, ScriptOutcome, ScriptSignal, TaskCommand,
};
use crate::task::{TaskStartProgress, reason, release};
use crate::verdict::{self, JobFacts, RunVerdict};

/// How long an interrupted command has until KILL.
const INTERRUPT_GRACE: Duration = Duration::from_secs(10);
/// What the history calls the command.
const STAGE: &str = "exec";
/// Longest life of such a task.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How it went.
#[derive(Debug, Default)]
pub struct ExecReport {
    /// The command's status, as a shell reports it. `None` if the task never ran the command.
    pub status: Option<u8>,
    /// Why there is no status, or why it is not the command's own.
    pub why: Option<CauseReport>,
    /// Whether a signal ended it.
    pub cancelled: bool,
    /// Time from the call to the agent's answer.
    pub started_in: Option<Duration>,
    /// Time from the agent's answer to the command's end.
    pub took: Duration,
    /// The short name of the task.
    pub task: Option<String>,
    /// What could not be stopped. Such a task ends by itself.
    pub undone: Vec<String>,
    /// Why the record remains, although nothing is left to do for it.
    pub unwritten: Option<String>,
}

impl ExecReport {
    /// Of a command that no task was asked for.
    #[must_use]
    pub fn not_started(why: CauseReport) -> Self {
        Self { why: Some(why), ..Self::default() }
    }
}

/// What happens on the way.
pub enum ExecStep<'a> {
    /// The task is starting.
    Starting(TaskStartProgress<'a>),
    /// The command starts now. From here on, the terminal belongs to it.
    Running,
}

/// Runs `job` in a fresh task. Its output goes to `console`.
///
/// `key` is the key of its job: random, because no forge knows it.
pub async fn exec(
    context: &JobContext,
    key: &JobKey,
    job: &TaskCommand,
    console: &mut ConsoleWriter,
    told: &mut dyn FnMut(ExecStep<'_>),
) -> ExecReport {
    context.events.scope(exec_in_scope(context, key, job, console, told)).await
}

async fn exec_in_scope(
    context: &JobContext,
    key: &JobKey,
    job: &TaskCommand,
    console: &mut ConsoleWriter,
    told: &mut dyn FnMut(ExecStep<'_>),
) -> ExecReport {
    let began = Instant::now();
    let mut report = ExecReport::default();
    match bring_up(context, key, began, &mut report.undone, told).await {
        Ok((folder, mut stops, provisioned)) => {
            report.started_in = Some(began.elapsed());
            told(ExecStep::Running);
            let running = Instant::now();
            emit_fact(JobFact::StageStarted { stage: STAGE.to_owned() });
            run(context, folder, provisioned, job, console, &mut stops, &mut report).await;
            report.took = running.elapsed();
            tell_end(&report, console);
        }
        Err(ProvisionError::Why(why)) => {
            emit_fact(JobFact::Explained { report: why.clone(), is_final: true });
            report.why = Some(*why);
        }
        Err(ProvisionError::Cancelled { task }) => {
            report.cancelled = true;
            if let CancelledTask::Stopping(task) | CancelledTask::NotStopped(task) = task {
                report.task = Some(task);
            }
        }
    }
    emit_fact(JobFact::Finished {});
    report
}

/// Tells the history how the command ended.
fn tell_end(report: &ExecReport, console: &ConsoleWriter) {
    let verdict = match (report.status, &report.why) {
        _ if report.cancelled => StageVerdict::Cancelled,
        (Some(0), None) => StageVerdict::Passed,
        (Some(_), _) => StageVerdict::Failed,
        (None, _) => StageVerdict::SystemFailure,
    };
    if let Some(why) = &report.why {
        emit_fact(JobFact::Explained { report: Box::new(why.clone()), is_final: true });
    }
    emit_fact(JobFact::StageEnded {
        stage: STAGE.to_owned(),
        exit: report.status,
        output_bytes: console.progress().borrow().of_script(),
        resumed: 0,
        verdict,
    });
}

async fn bring_up(
    context: &JobContext,
    key: &JobKey,
    began: Instant,
    undone: &mut Vec<String>,
    told: &mut dyn FnMut(ExecStep<'_>),
) -> Result<(StateFolder, CancelSignals, ProvisionedTask), ProvisionError> {
    let timeouts = context.timeouts();
    let stop = CancelRequest {
        signal: ScriptSignal::Int,
        grace: INTERRUPT_GRACE,
        leave_after: INTERRUPT_GRACE,
    };
    let mut stops = CancelSignals::new(&context.cancel, stop);
    let folder = StateFolder::open(&context.settings.state_dir, timeouts.state_lock)?;
    let job_id = format!("exec-{}", &key.as_str()[..8]);
    let description = JobDescription {
        id: job_id.clone(),
        origin: STAGE.to_owned(),
        user: Some(user_name(geteuid())),
        timeout_s: Some(LIFETIME.as_secs()),
        ..JobDescription::default()
    };
    let request = TaskRequest {
        origin: TaskOrigin::Exec,
        job_id,
        job: key.clone(),
        description: Box::new(description),
        lifetime: LIFETIME,
        idle: timeouts.exec_task_idle,
        tags: std::collections::BTreeMap::new(),
        project: None,
        is_protected: false,
        hold: None,
        manager: RunnerProcess::this_process(),
    };
    let deadline = began + timeouts.prepare;
    let mut report = |event: TaskStartProgress<'_>| told(ExecStep::Starting(event));
    match provision(context, &request, &folder, &mut stops, deadline, &mut report).await {
        Ok(provisioned) => Ok((folder, stops, provisioned)),
        Err(error) => {
            // What could not be stopped stays in the record, and the task ends by itself.
            let record = folder.record(&request.job).ok().flatten();
            match &record {
                Some(record) if !record.launches.is_empty() => {
                    let _ = folder.keep_undone(record).await;
                    undone.push(match &record.location.task {
                        Some(task) => format!("task {} could not be stopped", task.short()),
                        None => "ECS did not say whether a task was started".to_owned(),
                    });
                }
                record => {
                    let _ = folder.bury(&request.job, record.as_ref()).await;
                }
            }
            Err(error)
        }
    }
}

async fn run(
    context: &JobContext,
    folder: StateFolder,
    provisioned: ProvisionedTask,
    job: &TaskCommand,
    console: &mut ConsoleWriter,
    stops: &mut CancelSignals,
    report: &mut ExecReport,
) {
    let ProvisionedTask { acquired, record_writer, ecs, .. } = provisioned;
    let timeouts = context.timeouts();
    report.task = Some(acquired.seen.task.short());
    let record = record_writer.record_now().clone();
    let reach = reconnect::to(&record, &context.settings.profile, &context.masker);
    let outcome = match (random::token(), &reach) {
        (Ok(run_id), Ok(reach)) => {
            let over = async || verdict::until_over(&folder, &record, context).await;
            let notice = async || spot_notice(&folder, &record, context).await;
            let watch = TaskWatch { over, notice };
            session::run(acquired.session, reach, run_id, job, console, stops, watch).await
        }
        (Err(error), _) => not_sent(error.to_string()),
        (_, Err(why)) => not_sent(why.headline()),
    };
    match &outcome {
        // A person who interrupts a command wants to see how it ended.
        ScriptOutcome::Ended { ending, stopped: true, .. } => {
            report.status = Some(ending.status());
            report.cancelled = true;
        }
        outcome => {
            // The command is the first script of its task, and nobody else cleans up its job.
            let facts = JobFacts::default();
            let verdict = verdict::of_outcome(&folder, &record, context, outcome, facts).await;
            count_interruption(&folder, &record, context, &verdict).await;
            match verdict {
                RunVerdict::Passed => report.status = Some(0),
                RunVerdict::Script(status) => report.status = Some(status),
                RunVerdict::Job(status, why) => {
                    report.status = Some(status);
                    report.why = Some(*why);
                }
                RunVerdict::System(why) => report.why = Some(*why),
                RunVerdict::Cancelled => report.cancelled = true,
            }
        }
    }
    let deadline = Instant::now() + timeouts.cleanup;
    let clock = &context.clock;
    let why = reason("the command has ended");
    report.undone =
        release(&ecs, &record.launches, &why, deadline, timeouts.task_visibility, clock)
            .await
            .undone;
    let written = if report.undone.is_empty() {
        folder.bury(&record.job, Some(&record)).await
    } else {
        folder.keep_undone(&record).await
    };
    report.unwritten = written.err().map(|error| error.to_string());
}

/// Nothing was sent, for a reason on this host.
fn not_sent(how: String) -> ScriptOutcome {
    ScriptOutcome::Lost { how, received: 0, started: false, warned: false }
}
