//! One command in one fresh task, for a person: started, streamed, and gone afterwards.

use std::time::Duration;

use fargate_model::job::JobKey;
use fargate_model::why::Why;
use tokio::time::Instant;

use crate::provision::{CancelledTask, Order, ProvisionError, Provisioned, Settings, provision};
use crate::session::{self, Console, Job, Outcome, Signal, Stop, Stops};
use crate::state::{Folder, Manager, Origin, StateError};
use crate::task::{Event, reason, release};
use crate::verdict::{self, Told};
use crate::{random, way_back};

/// How long an interrupted command has before KILL.
const INTERRUPT_GRACE: Duration = Duration::from_secs(10);
/// Longest life of such a task.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How it went.
#[derive(Debug)]
pub struct Report {
    /// The command's status as a shell reports it; none if the task never ran it.
    pub status: Option<u8>,
    /// Why there is no status, or why it is not the command's own.
    pub why: Option<Why>,
    /// True if a signal ended it.
    pub cancelled: bool,
    /// From the call to the agent's answer.
    pub started_in: Option<Duration>,
    /// From the agent's answer to the command's end.
    pub took: Duration,
    /// The task, as people see it.
    pub task: Option<String>,
    /// What could not be stopped; such a task ends by itself.
    pub undone: Vec<String>,
    /// Why the record stays although nothing of it is left to be done.
    pub unwritten: Option<String>,
}

/// What happens on the way.
pub enum Step<'a> {
    /// The task is coming up.
    Starting(Event<'a>),
    /// The command starts now; from here on the terminal is its own.
    Running,
}

/// Runs `job` in a fresh task. Its output goes to `console`.
pub async fn exec(
    settings: &Settings,
    job: &Job,
    console: &mut Console,
    told: &mut dyn FnMut(Step<'_>),
) -> Report {
    let began = Instant::now();
    let mut report = Report {
        status: None,
        why: None,
        cancelled: false,
        started_in: None,
        took: Duration::ZERO,
        task: None,
        undone: Vec::new(),
        unwritten: None,
    };
    match bring_up(settings, began, &mut report.undone, told).await {
        Ok((folder, mut stops, provisioned)) => {
            report.started_in = Some(began.elapsed());
            told(Step::Running);
            let running = Instant::now();
            run(settings, folder, provisioned, job, console, &mut stops, &mut report).await;
            report.took = running.elapsed();
        }
        Err(ProvisionError::Why(why)) => report.why = Some(*why),
        Err(ProvisionError::Cancelled { task }) => {
            report.cancelled = true;
            if let CancelledTask::Stopping(task) | CancelledTask::NotStopped(task) = task {
                report.task = Some(task);
            }
        }
    }
    report
}

async fn bring_up(
    settings: &Settings,
    began: Instant,
    undone: &mut Vec<String>,
    told: &mut dyn FnMut(Step<'_>),
) -> Result<(Folder, Stops, Provisioned), ProvisionError> {
    let timeouts = &settings.profile.timeouts;
    let stop = Stop { signal: Signal::Int, grace: INTERRUPT_GRACE, leave_after: INTERRUPT_GRACE };
    let mut stops = Stops::new(stop).map_err(StateError::host("listening for signals"))?;
    let folder = Folder::open(&settings.state_dir, timeouts.lock)?;
    let key = JobKey::from_bits(random::bytes().map_err(StateError::host("drawing random bytes"))?);
    let order = Order {
        origin: Origin::Exec,
        job_id: format!("exec-{}", &key.as_str()[..8]),
        job: key,
        tries: 0,
        lifetime: LIFETIME,
        idle: timeouts.exec_idle,
        tags: std::collections::BTreeMap::new(),
        manager: Manager::this_process(),
    };
    let deadline = began + timeouts.prepare;
    let mut report = |event: Event<'_>| told(Step::Starting(event));
    match provision(settings, &order, &folder, &mut stops, deadline, &mut report).await {
        Ok(provisioned) => Ok((folder, stops, provisioned)),
        Err(error) => {
            // What could not be stopped stays in the record; the task ends by itself.
            let record = folder.record(&order.job).ok().flatten();
            match &record {
                Some(record) if !record.launches.is_empty() => {
                    let _ = folder.keep_undone(record);
                    undone.push(match &record.core.task {
                        Some(task) => format!("task {} could not be stopped", task.short()),
                        None => "ECS did not say whether a task was started".to_owned(),
                    });
                }
                record => {
                    let _ = folder.bury(&order.job, record.as_ref());
                }
            }
            Err(error)
        }
    }
}

async fn run(
    settings: &Settings,
    folder: Folder,
    provisioned: Provisioned,
    job: &Job,
    console: &mut Console,
    stops: &mut Stops,
    report: &mut Report,
) {
    let Provisioned { acquired, ledger, ecs, .. } = provisioned;
    let timeouts = &settings.profile.timeouts;
    report.task = Some(acquired.seen.task.short());
    let record = ledger.record_now().clone();
    let reach = way_back::to(&record, timeouts);
    let outcome = match (random::token(), &reach) {
        (Ok(run_id), Ok(reach)) => {
            let over = || verdict::until_over(&folder, &record, &settings.profile);
            session::run(acquired.session, reach, run_id, job, console, stops, over).await
        }
        (Err(error), _) => not_sent(error.to_string()),
        (_, Err(why)) => not_sent(why.headline()),
    };
    match &outcome {
        // Whoever interrupts a command sees how it ended.
        Outcome::Ended { ending, stopped: true, .. } => {
            report.status = Some(ending.status());
            report.cancelled = true;
        }
        outcome => {
            match verdict::of_outcome(&folder, &record, &settings.profile, outcome, (false, false))
                .await
            {
                Told::Passed => report.status = Some(0),
                Told::Script(status) => report.status = Some(status),
                Told::Job(status, why) => {
                    report.status = Some(status);
                    report.why = Some(*why);
                }
                Told::System(why) => report.why = Some(*why),
                Told::Cancelled => report.cancelled = true,
            }
        }
    }
    let deadline = Instant::now() + timeouts.cleanup;
    let why = reason("the command has ended");
    report.undone = release(&ecs, &record.launches, &why, deadline, timeouts.visible).await.undone;
    let written = if report.undone.is_empty() {
        folder.bury(&record.job, Some(&record))
    } else {
        folder.keep_undone(&record)
    };
    report.unwritten = written.err().map(|error| error.to_string());
}

/// Nothing was sent, for a reason of this host's.
fn not_sent(how: String) -> Outcome {
    Outcome::Lost { how, received: 0, started: false, warned: false }
}
