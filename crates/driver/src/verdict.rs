//! The verdict on a script. If nobody said how the script ended, ECS is asked why its task stopped.
//!
//! These ends are a system failure: our own stop, Spot, maintenance, a lost host, one of our
//! limits, or another container that ended. If the task's own container exited for none of these
//! reasons, and a script of the job has run in it, the job ended the task itself. That is the job's
//! failure, because a job that could force a system failure could collect automatic retries.
//!
//! If ECS cannot be asked, it is a system failure, and the log says that the reason is not known.
//! It starts and stops nothing.

mod judge;

use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_model::backoff::{RetryBackoff, jittered, up_to};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::task::TaskStatus;
use fargate_protocol::{AgentRefusal, ENDED_FROM_INSIDE};
use fargate_state::{JobRecord, LaunchRequest, StateFolder, TaskServer};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::context::JobContext;
use crate::session::ScriptOutcome;
use crate::task::{
    CauseFacts, EssentialFlags, ObservedTask, add_last_lines, stopped, unless_other,
};

pub use judge::{RunVerdict, VerdictFacts, judge};

/// How long a task is watched that ECS still calls RUNNING after its connection was lost. The end
/// of a container reaches ECS only after a moment.
const SETTLE: Duration = Duration::from_secs(10);
/// How long to wait before ECS is asked the first time about a task whose connection was cut. Most
/// cuts are over by then.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// How many times `timeouts.ecs_poll_max` the pauses between these looks may grow to. Many jobs may be
/// cut at once, and ECS answers 20 DescribeTasks a second for the whole account.
const GENTLE: u32 = 3;
/// Exit status of a process that the kernel killed for lack of memory: 128 + SIGKILL.
const OUT_OF_MEMORY_STATUS: u8 = 137;
/// Status for a job whose own process told the agent to end: 128 + SIGTERM.
const TERMINATED_STATUS: u8 = 143;

/// A verdict on a script whose end nobody saw. It never says that a script passed.
#[derive(Debug)]
enum InferredVerdict {
    /// The job ended its own task. The status is never 0.
    Job(u8, Box<CauseReport>),
    /// Caused by us, by AWS or by a person.
    System(Box<CauseReport>),
}

/// Why the agent refused to start the script.
fn of_refusal(refusal: &AgentRefusal) -> CauseReport {
    let why = |cause| CauseReport::new(cause).quoting("The task", refusal.to_string());
    match refusal {
        AgentRefusal::Start { program, .. } => {
            why(FailureCause::ShellMissing).with("program", program)
        }
        // ECS knows why the task ends.
        AgentRefusal::Ending => why(FailureCause::ConnectionLost),
        AgentRefusal::Kept => why(FailureCause::StoppedByCleanup),
        AgentRefusal::Busy => why(FailureCause::TaskBusy),
        AgentRefusal::Script { .. } => why(FailureCause::ScriptTooLarge),
        AgentRefusal::Version { .. }
        | AgentRefusal::Target { .. }
        | AgentRefusal::Keep { .. }
        | AgentRefusal::Protocol { .. } => why(FailureCause::AgentVersion),
    }
}

/// What ECS says of a task whose script nobody saw end.
#[derive(Clone, Debug)]
pub enum EcsAnswer {
    /// This description.
    Seen(Box<ObservedTask>),
    /// It does not know the task.
    Unknown,
    /// It could not be asked, for this reason.
    Nothing(String),
}

/// What this host knows of a job beside the session of its script.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobFacts {
    /// Whether the job was cleaned up in the meantime.
    pub cleaned_up: bool,
    /// Whether an earlier script of the job may have run in the task.
    pub ran_before: bool,
}

/// The verdict on the script of `record`'s job, whose session ended with `outcome`. Asks ECS if
/// nobody else can say how the script ended.
pub async fn of_outcome(
    folder: &StateFolder,
    record: &JobRecord,
    context: &JobContext,
    outcome: &ScriptOutcome,
    facts: JobFacts,
) -> RunVerdict {
    let masker = &context.masker;
    let since_1970 = context.clock.since_1970();
    let past_watchdog = is_past_watchdog(record, since_1970);
    let known = VerdictFacts {
        outcome,
        past_watchdog,
        cleaned_up: facts.cleaned_up,
        ran_before: facts.ran_before,
        ecs: None,
        masker,
        since_1970,
    };
    if let Some(told) = judge(record, &known) {
        return told;
    }
    let says = observe(folder, record, context).await;
    if let EcsAnswer::Seen(seen) = &says {
        seen.tell();
    }
    let since_1970 = context.clock.since_1970();
    let known = VerdictFacts { ecs: Some(&says), since_1970, ..known };
    let told = judge(record, &known).expect("ECS was asked");
    match (told, &says) {
        (RunVerdict::System(why), EcsAnswer::Seen(seen))
            if why.cause == FailureCause::ContainerEnded =>
        {
            RunVerdict::System(Box::new(with_last_lines(*why, folder, record, context, seen).await))
        }
        (told, _) => told,
    }
}

/// The launch that started the task of `seen`.
fn launch_of<'a>(record: &'a JobRecord, seen: &ObservedTask) -> Option<&'a LaunchRequest> {
    record.launches.iter().find(|launch| launch.task.as_ref() == Some(&seen.task))
}

/// The name of the job's container, if the record says it.
fn own_container<'a>(record: &'a JobRecord, seen: &ObservedTask) -> &'a str {
    let container = launch_of(record, seen).and_then(|launch| launch.containers.first());
    container.map_or("", |container| container.name.as_str())
}

/// Adds the last lines that the ended container wrote.
async fn with_last_lines(
    why: CauseReport,
    folder: &StateFolder,
    record: &JobRecord,
    context: &JobContext,
    seen: &ObservedTask,
) -> CauseReport {
    let Some(launch) = launch_of(record, seen) else { return why };
    let Ok(ecs) = context.ecs_in(Some(record.location.region.clone())).await else {
        return why;
    };
    let deadline = Instant::now() + context.timeouts().stop_reason;
    add_last_lines(why, &ecs, folder, launch, seen, deadline).await
}

/// The verdict that follows from what ECS says of the task. `heard`: the peer had said that the
/// task would end.
fn of_ecs(
    record: &JobRecord,
    known: &VerdictFacts<'_>,
    says: &EcsAnswer,
    how: &str,
    heard: bool,
) -> InferredVerdict {
    let system = |why: CauseReport| InferredVerdict::System(Box::new(why));
    match says {
        EcsAnswer::Seen(seen) => decide(record, known, seen, how, heard),
        EcsAnswer::Unknown => system(lost(record, how).because("ECS does not know the task.")),
        EcsAnswer::Nothing(doubt) => system(lost(record, how).because(doubt.clone())),
    }
}

/// Watches the task of `record`, whose connection was cut. Returns the reason once ECS says that
/// the task has ended. Never returns if ECS cannot be asked.
pub async fn until_over(folder: &StateFolder, record: &JobRecord, context: &JobContext) -> String {
    match watch(folder, record, context).await {
        Ok(why) => why.to_owned(),
        Err(why) => {
            emit(JobEvent::DescribeFailed { request_id: None, message: why });
            std::future::pending().await
        }
    }
}

async fn watch(
    folder: &StateFolder,
    record: &JobRecord,
    context: &JobContext,
) -> Result<&'static str, String> {
    let timeouts = context.timeouts();
    let Some(task) = &record.location.task else { return Err("no task is known".to_owned()) };
    let mut backoff = RetryBackoff::doubling(FIRST_LOOK, timeouts.ecs_poll_max * GENTLE);
    sleep(FIRST_LOOK + up_to(FIRST_LOOK)).await;
    let ecs = context
        .ecs_in(Some(record.location.region.clone()))
        .await
        .map_err(|why| why.headline())?
        .sharing(folder, context.profile());
    let mut unknown_since = None;
    let mut lost_since: Option<Instant> = None;
    loop {
        match ecs.describe_in_turn(&record.location.cluster, task).await {
            Ok(Some(seen)) if seen.is_decided(own_container(record, &seen)) => {
                return Ok("ECS says that the task has ended");
            }
            Ok(Some(seen)) => {
                unknown_since = None;
                // If there is only an exit code so far, ECS may still add a reason, so wait for it.
                let is_lost = seen.has_lost(own_container(record, &seen));
                lost_since = is_lost.then(|| lost_since.unwrap_or_else(Instant::now));
                if lost_since.is_some_and(|since| since.elapsed() >= SETTLE) {
                    return Ok("ECS says that the task's container has ended");
                }
            }
            Ok(None) => {
                let since = *unknown_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= timeouts.task_visibility {
                    return Ok("ECS does not know the task any more");
                }
            }
            Err(error) if error.is_transient() => {
                emit(JobEvent::DescribeFailed { request_id: None, message: error.to_string() });
            }
            Err(error) => return Err(error.to_string()),
        }
        sleep(jittered(backoff.next_pause())).await;
    }
}

fn facts(record: &JobRecord) -> CauseFacts {
    let mut facts = CauseFacts::default();
    facts.set("cluster", record.location.cluster.clone());
    facts.set("region", record.location.region.clone());
    if let Some(task) = &record.location.task {
        facts.set("task", task.task_id().to_owned());
    }
    facts
}

fn lost(record: &JobRecord, how: &str) -> CauseReport {
    facts(record).why(FailureCause::ConnectionLost).because(format!("{how}."))
}

/// Looks until ECS says that the task has ended, or that it is clearly alive.
async fn observe(folder: &StateFolder, record: &JobRecord, context: &JobContext) -> EcsAnswer {
    match look(folder, record, context).await {
        Ok(Some(seen)) => EcsAnswer::Seen(Box::new(seen)),
        Ok(None) => EcsAnswer::Unknown,
        Err(doubt) => EcsAnswer::Nothing(doubt),
    }
}

async fn look(
    folder: &StateFolder,
    record: &JobRecord,
    context: &JobContext,
) -> Result<Option<ObservedTask>, String> {
    let timeouts = context.timeouts();
    let Some(task) = &record.location.task else { return Ok(None) };
    let begun = Instant::now();
    let deadline = begun + timeouts.stop_reason;
    let ecs = context
        .ecs_in(Some(record.location.region.clone()))
        .await
        .map_err(|why| format!("ECS could not be asked: {}.", why.headline()))?
        .sharing(folder, context.profile());
    let mut backoff = RetryBackoff::doubling(timeouts.ecs_poll_min, timeouts.ecs_poll_max);
    let mut last = None;
    let mut flags = EssentialFlags::unasked();
    loop {
        let error = match timeout_at(deadline, ecs.describe(&record.location.cluster, task)).await {
            Ok(Ok(Some(mut seen))) => {
                let filled = flags.fill_in(&mut seen, &ecs, folder, &record.location.cluster);
                // A container of which this is not known in time counts as essential.
                let _ = timeout_at(deadline, filled).await;
                let own = own_container(record, &seen);
                let settled = begun.elapsed() > SETTLE.min(timeouts.stop_reason / 4);
                if seen.is_decided(own) || settled && (is_alive(&seen, own) || seen.has_lost(own)) {
                    return Ok(Some(seen));
                }
                last = Some(seen);
                None
            }
            Ok(Ok(None)) => return Ok(last),
            Ok(Err(error)) if error.is_transient() => Some(error.to_string()),
            Ok(Err(error)) => return Err(format!("ECS could not be asked: {error}.")),
            Err(_) => Some("no answer".to_owned()),
        };
        if let Some(error) = &error {
            emit(JobEvent::DescribeFailed { request_id: None, message: error.clone() });
        }
        let next = Instant::now() + jittered(backoff.next_pause());
        if next >= deadline {
            return match (last, error) {
                (Some(seen), _) => Ok(Some(seen)),
                (None, Some(error)) => Err(format!("ECS could not be asked: {error}.")),
                (None, None) => Ok(None),
            };
        }
        sleep_until(next).await;
    }
}

/// Whether ECS knows of no end, neither of the task nor of the job's container.
fn is_alive(seen: &ObservedTask, own: &str) -> bool {
    let is_running = seen.status == TaskStatus::Running && !seen.stopping;
    is_running && seen.stop_code.is_none() && !seen.has_lost(own)
}

fn decide(
    record: &JobRecord,
    known: &VerdictFacts<'_>,
    seen: &ObservedTask,
    how: &str,
    heard: bool,
) -> InferredVerdict {
    let container = own_container(record, seen);
    if is_alive(seen, container) {
        let why = lost(record, how).because("ECS says that the task still runs.");
        return InferredVerdict::System(Box::new(why));
    }
    let mut facts = facts(record);
    if let Some(launch) = launch_of(record, seen) {
        facts.set("task_definition", launch.task_definition.clone());
    }
    let mut why = stopped(seen, container, &facts, known.masker);
    let exit = seen.container(container).and_then(|container| container.exit_code);
    match why.cause {
        FailureCause::OutOfMemory => InferredVerdict::Job(OUT_OF_MEMORY_STATUS, Box::new(why)),
        // A watchdog beside a stock server ends the task without an exit code of ours.
        FailureCause::EnvironmentEnded if is_past_watchdog(record, known.since_1970) => {
            why.cause = FailureCause::MaxLifetime;
            InferredVerdict::System(Box::new(why))
        }
        FailureCause::EnvironmentEnded => {
            // Only an agent says this.
            let was_warned = heard || !matches!(record.peer, Some(TaskServer::Agent(_)));
            let mut why = unless_other(why, seen, container, was_warned, known.masker);
            match exit.map(|code| u8::try_from(code).unwrap_or(1)) {
                _ if why.cause == FailureCause::ContainerEnded => {
                    InferredVerdict::System(Box::new(why))
                }
                // 0 would say that the script passed, and nobody said that.
                Some(0) => InferredVerdict::Job(1, Box::new(why)),
                Some(ENDED_FROM_INSIDE) => InferredVerdict::Job(TERMINATED_STATUS, Box::new(why)),
                Some(code) => InferredVerdict::Job(code, Box::new(why)),
                None => {
                    why.cause = FailureCause::ConnectionLost;
                    InferredVerdict::System(Box::new(why))
                }
            }
        }
        _ => InferredVerdict::System(Box::new(why)),
    }
}

/// Whether the watchdog of a stock server has ended the task by now.
fn is_past_watchdog(record: &JobRecord, since_1970: Duration) -> bool {
    matches!(record.peer, Some(TaskServer::Sshd(_)))
        && since_1970.as_secs() >= record.deadline_unix_s
}

#[cfg(test)]
mod tests {
    use fargate_model::task::StopCode;

    use super::*;
    use crate::context::WallClock;
    use crate::task::{ObservedContainer, example as task};
    use fargate_mask::SharedMasker;
    use fargate_state::examples::record_of;

    fn stopped_task(code: StopCode, exit: Option<i32>, reason: &str) -> ObservedTask {
        let container = ObservedContainer {
            name: "job".to_owned(),
            exit_code: exit,
            reason: Some(reason.to_owned()),
            ..ObservedContainer::default()
        };
        ObservedTask {
            stopping: true,
            stop_code: Some(code),
            containers: vec![container],
            ..task(TaskStatus::Stopped)
        }
    }

    fn decide_now(record: &JobRecord, seen: &ObservedTask) -> InferredVerdict {
        let known = VerdictFacts {
            outcome: &ScriptOutcome::Left,
            past_watchdog: false,
            cleaned_up: false,
            ran_before: false,
            ecs: None,
            masker: &SharedMasker::default(),
            since_1970: WallClock::system().since_1970(),
        };
        decide(record, &known, seen, "cut", false)
    }

    fn decided(seen: &ObservedTask) -> (String, Option<u8>) {
        let (verdict, status) = match decide_now(&record_of(&seen.task), seen) {
            InferredVerdict::Job(status, why) => (why, Some(status)),
            InferredVerdict::System(why) => (why, None),
        };
        (verdict.entry().slug.to_owned(), status)
    }

    #[test]
    fn only_what_the_job_did_itself_is_its_failure() {
        use StopCode::{EssentialContainerExited as Exited, SpotInterruption, UserInitiated};
        let oom = "OutOfMemoryError: Container killed due to memory usage";
        let cases = [
            (stopped_task(Exited, Some(137), oom), ("out-of-memory", Some(137))),
            (stopped_task(Exited, Some(143), ""), ("environment-ended", Some(143))),
            (stopped_task(Exited, Some(0), ""), ("environment-ended", Some(1))),
            (stopped_task(Exited, None, ""), ("connection-lost", None)),
            (stopped_task(Exited, Some(70), ""), ("idle", None)),
            (stopped_task(Exited, Some(71), ""), ("max-lifetime", None)),
            (stopped_task(Exited, Some(72), ""), ("environment-ended", Some(143))),
            (stopped_task(UserInitiated, Some(143), ""), ("stopped-by", None)),
            (stopped_task(SpotInterruption, Some(137), ""), ("spot", None)),
            (stopped_task(StopCode::InfrastructureHealth, None, ""), ("host-retired", None)),
            (stopped_task(StopCode::Other("X".into()), Some(1), ""), ("unknown", None)),
            (task(TaskStatus::Running), ("connection-lost", None)),
        ];
        for (seen, (slug, status)) in cases {
            assert_eq!(decided(&seen), (slug.to_owned(), status), "{seen:?}");
        }
    }

    #[test]
    fn what_a_stock_server_s_watchdog_has_ended_is_not_the_job_s_failure() {
        let seen = stopped_task(StopCode::EssentialContainerExited, Some(0), "");
        let mut record = record_of(&seen.task);
        record.peer = Some(TaskServer::Sshd("SSH-2.0-OpenSSH_9.2p1".to_owned()));
        record.deadline_unix_s = u64::MAX;
        assert!(matches!(decide_now(&record, &seen), InferredVerdict::Job(1, _)));
        record.deadline_unix_s = 1;
        let InferredVerdict::System(why) = decide_now(&record, &seen) else { panic!("the job's") };
        assert_eq!(why.cause, FailureCause::MaxLifetime);
        record.peer = Some(TaskServer::Agent("fargate-agent".to_owned()));
        assert!(matches!(decide_now(&record, &seen), InferredVerdict::Job(1, _)));
    }

    #[test]
    fn an_exit_code_that_may_still_come_is_waited_for() {
        let ending = |exit| ObservedTask {
            status: TaskStatus::Deprovisioning,
            ..stopped_task(StopCode::EssentialContainerExited, exit, "")
        };
        assert!(!ending(None).is_decided("job"));
        assert!(ending(Some(1)).is_decided("job"));
        assert!(!task(TaskStatus::Running).is_decided("job"));
    }
}
