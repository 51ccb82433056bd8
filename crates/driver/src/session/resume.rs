//! Runs one script over as many connections as needed. After a cut, it dials the task again, proves
//! it with the pinned key, and goes on at the byte where the output stopped.
//!
//! A script never starts twice. After a cut, it is attached to by its run id. It is sent again only
//! if the agent says that it does not know the run.

use std::cell::RefCell;
use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_model::id::RandomToken;
use fargate_model::optional::or_never;
use fargate_model::text::duration;
use tokio::time::{Instant, sleep, sleep_until};

use super::agent::AgentSession;
use super::cancel::CancelSignals;
use super::connect::{TaskConnectError, TaskConnector};
use super::console::ConsoleWriter;
use super::peer::TaskSession;
use super::script_outcome::{ScriptOutcome, TaskCommand, TaskCondition};
use super::script_progress::{ConnectionOutcome, ScriptProgress, ScriptStartMode};

/// A connection that brought nothing and ended before this time belongs to the same outage. So a
/// peer that lets us in and drops us is not asked for ever.
const HELD: Duration = Duration::from_secs(10);
/// Why a cut is final.
const OLDER: &str = "this agent is too old to resume a script";
/// Why no more output comes.
const SUPERSEDED: &str = "another `run` of this job took its place";
/// Pause before such a peer is asked again. It begins with the first value and doubles up to the
/// second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// What the caller finds out about the task, beside the session.
pub struct TaskWatch<O, N> {
    /// Returns the reason once nobody can connect again, because the task has ended. It is called
    /// again at each cut.
    pub over: O,
    /// Returns a line for the console, if there is one, once the task was told to end.
    pub notice: N,
}

/// Runs `job` through `session`, and after a cut through new sessions that `reach` opens.
///
/// `stops` brings requests to cancel the job. If bytes of the output may be missing, a line of ours
/// behind it says so.
pub async fn run(
    session: TaskSession,
    reach: &TaskConnector,
    run_id: RandomToken,
    job: &TaskCommand,
    console: &mut ConsoleWriter,
    stops: &mut CancelSignals,
    watch: TaskWatch<impl AsyncFn() -> String, impl AsyncFn() -> Option<String>>,
) -> ScriptOutcome {
    let outcome = match session {
        TaskSession::Agent(agent) => {
            let resumes = agent.resumes();
            if !resumes {
                emit(JobEvent::SessionNotResumable {
                    agent: agent.agent.name.clone(),
                    message: format!("{OLDER}: if the connection is cut, the job fails"),
                });
            }
            let script_progress = ScriptProgress::new(console.joins_streams());
            let mut run = AgentRun { reach, run_id, job, script_progress, resumes, watch };
            run.hold(agent, console, stops).await
        }
        TaskSession::Stock(stock) => {
            let outcome = stock.run(run_id, job, console, stops).await;
            match outcome {
                ScriptOutcome::Lost { mut how, received, started, warned } => {
                    if started {
                        how += "; a stock SSH server cannot resume it";
                    }
                    emit(JobEvent::SessionLost { offset: received, message: how.clone() });
                    ScriptOutcome::Lost { how, received, started, warned }
                }
                // A server may close the connection by itself, and still accept the next one.
                ScriptOutcome::Ended {
                    ending,
                    sign: TaskCondition::Gone,
                    stopped,
                    output_left,
                } if reach.is_answered().await => ScriptOutcome::Ended {
                    ending,
                    sign: TaskCondition::Alive,
                    stopped,
                    output_left,
                },
                outcome => outcome,
            }
        }
    };
    let ended_unseen = match &outcome {
        ScriptOutcome::Lost { how, received, started: true, .. }
        | ScriptOutcome::Shut { how, received, started: true, .. } => {
            Some((*received, how.as_str()))
        }
        ScriptOutcome::Superseded { received, started: true } => Some((*received, SUPERSEDED)),
        _ => None,
    };
    if let Some((received, how)) = ended_unseen {
        let notice = missing(received, how);
        tokio::select! {
            () = say_last(console, &notice) => {}
            _ = stops.next() => return ScriptOutcome::Left,
        }
    }
    outcome
}

/// Writes a line behind all output that came, however slowly it is read.
async fn say_last(console: &mut ConsoleWriter, notice: &str) {
    console.drained().await;
    console.say(notice);
    console.drained().await;
}

/// The line that marks where bytes are missing in the job's log.
fn missing(received: u64, how: &str) -> String {
    format!("fargate-runner: output may be missing here, after {received} bytes: {how}\n")
}

/// A script, and how to reach it.
struct AgentRun<'a, O, N> {
    reach: &'a TaskConnector,
    run_id: RandomToken,
    job: &'a TaskCommand,
    script_progress: ScriptProgress,
    resumes: bool,
    watch: TaskWatch<O, N>,
}

/// A time in which no connection has lasted.
#[derive(Clone, Copy)]
struct ConnectionOutage {
    since: Instant,
    pause: Duration,
}

impl ConnectionOutage {
    /// The outage after another connection was cut. `held` says whether that connection had lasted.
    fn after(former: Option<Self>, held: bool) -> Self {
        match former {
            Some(former) if !held => {
                let pause = (former.pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
                Self { pause, ..former }
            }
            _ => Self { since: Instant::now(), pause: Duration::ZERO },
        }
    }
}

impl<O: AsyncFn() -> String, N: AsyncFn() -> Option<String>> AgentRun<'_, O, N> {
    async fn hold(
        &mut self,
        mut agent: Box<AgentSession>,
        console: &mut ConsoleWriter,
        stops: &mut CancelSignals,
    ) -> ScriptOutcome {
        let mut begin = ScriptStartMode::Send;
        let mut outage = None;
        loop {
            let before = self.script_progress.received();
            self.script_progress.attached_at.set(None);
            let Self { run_id, job, script_progress, watch, .. } = self;
            let attended = tokio::select! {
                attended = agent.attend(run_id, job, begin, script_progress, console, stops) => attended,
                never = script_progress.ask_for_notice(&watch.notice) => match never {},
            };
            let how = match attended {
                ConnectionOutcome::Done(outcome) => {
                    if let ScriptOutcome::Lost { how, received, .. } = &outcome {
                        let (offset, message) = (*received, how.clone());
                        emit(JobEvent::SessionBroken { offset, message });
                    }
                    return outcome;
                }
                ConnectionOutcome::Cut(how) => how,
            };
            let offset = self.script_progress.received();
            if !self.resumes || self.script_progress.is_terminating() {
                let why = if self.resumes { "the task is ending" } else { OLDER };
                let how = format!("{how}; {why}");
                emit(JobEvent::SessionLost { offset, message: how.clone() });
                return self.script_progress.lost(how);
            }
            emit(JobEvent::SessionCut { offset, message: how.clone() });
            // A peer that lets us in and then says nothing does not end an outage.
            let attached_at = self.script_progress.attached_at.get();
            let held = offset > before || attached_at.is_some_and(|at| at.elapsed() > HELD);
            let now = ConnectionOutage::after(outage, held);
            // The outage goes on until a connection lasts, so its pause grows and its window runs out
            // even if the peer accepts each new connection.
            outage = Some(now);
            agent = match self.reconnect(now, &how, stops).await {
                Ok(agent) => agent,
                Err(outcome) => return *outcome,
            };
            begin = ScriptStartMode::Attach { cut_at: now.since };
        }
    }

    /// Opens a new session with the agent. If that fails for good, returns how the script ended.
    async fn reconnect(
        &self,
        outage: ConnectionOutage,
        how: &str,
        stops: &mut CancelSignals,
    ) -> Result<Box<AgentSession>, Box<ScriptOutcome>> {
        let reach = self.reach.again();
        let window = reach.timeouts.reconnect_window();
        let last: RefCell<Option<TaskConnectError>> = RefCell::default();
        let opening = async {
            sleep(outage.pause).await;
            reach.open(|missed| drop(last.replace(Some(missed)))).await
        };
        let over = (self.watch.over)();
        tokio::pin!(opening, over);
        loop {
            tokio::select! {
                opened = &mut opening => return match opened {
                    Ok(TaskSession::Agent(agent)) if agent.resumes() => Ok(agent),
                    // The key is the same, but this agent can do less than the one before. It is
                    // not the one that runs our script.
                    Ok(_) => Err(Box::new(self.script_progress.lost("the agent that answered is older than the one before"))),
                    Err(error) => {
                        let how = format!("{how}, and then {error}");
                        Err(Box::new(self.script_progress.shut(how, error, self.reach.address)))
                    }
                },
                why = &mut over => {
                    return Err(Box::new(self.script_progress.lost(format!("{how}; {why}"))));
                }
                () = sleep_until(outage.since + window) => {
                    let last = last.borrow();
                    let last = last.as_ref().map_or_else(String::new, |last| format!(" ({last})"));
                    let window = duration(window);
                    let how = format!("{how}, and it did not come back within {window}{last}");
                    return Err(Box::new(self.script_progress.lost(how)));
                }
                stop = stops.next() => {
                    // A script that was not sent completely does not run, and nobody will send the
                    // rest.
                    if !self.script_progress.wish(stop) || !self.script_progress.may_run() {
                        return Err(Box::new(ScriptOutcome::Left));
                    }
                }
                () = or_never(self.script_progress.leave_at().map(sleep_until)) => return Err(Box::new(ScriptOutcome::Left)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_connections_that_hold_give_the_peer_its_window_back() {
        let first = ConnectionOutage::after(None, false);
        assert_eq!(first.pause, Duration::ZERO);
        tokio::time::advance(Duration::from_secs(3)).await;
        let mut now = first;
        for _ in 0..10 {
            now = ConnectionOutage::after(Some(now), false);
        }
        assert_eq!((now.since, now.pause), (first.since, LAST_PAUSE));
        let next = ConnectionOutage::after(Some(now), true);
        assert_eq!(
            (next.since.duration_since(first.since), next.pause),
            (Duration::from_secs(3), Duration::ZERO)
        );
    }
}
