//! The one function that turns what is known of a script into a verdict.
//!
//! It asks nobody and waits for nothing. If ECS must be asked first, it says so. A script passes
//! only if exit status 0 was received, and only if no end of the task can have caused it: a script
//! that hears of such an end may save its work and exit with 0.

use std::time::Duration;

use fargate_mask::SharedMasker;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_protocol::{AgentRefusal, ScriptExit};
use fargate_state::JobRecord;

use super::{EcsAnswer, InferredVerdict, is_alive, of_ecs, of_refusal, own_container};
use crate::reconnect;
use crate::session::{ScriptOutcome, TaskCondition};

/// What is known when the session with the task is over.
pub struct VerdictFacts<'a> {
    /// How the session ended.
    pub outcome: &'a ScriptOutcome,
    /// Whether the watchdog of a stock server may have ended the script, before it ends the task.
    pub past_watchdog: bool,
    /// Whether the job was cleaned up in the meantime.
    pub cleaned_up: bool,
    /// Whether an earlier script of the job may have run in the task.
    pub ran_before: bool,
    /// What ECS said of the task. `None` if it was not asked.
    pub ecs: Option<&'a EcsAnswer>,
    /// Masks what ECS said.
    pub masker: &'a SharedMasker,
    /// The time of day.
    pub since_1970: Duration,
}

/// The verdict on a script.
#[derive(Debug)]
pub enum RunVerdict {
    /// The script passed.
    Passed,
    /// The script failed with this status, which is never 0.
    Script(u8),
    /// The job ended its own task. The status is never 0.
    Job(u8, Box<CauseReport>),
    /// Caused by us, by AWS or by a person.
    System(Box<CauseReport>),
    /// Somebody cancelled the script.
    Cancelled,
}

/// An end of which the session alone does not say who caused it.
struct UnclearEnd {
    /// What happened, without a full stop.
    how: String,
    /// Only then can it be the failure of this script.
    script_had_started: bool,
}

impl UnclearEnd {
    fn after_start(how: String) -> Self {
        Self { how, script_had_started: true }
    }

    fn before_start(how: String) -> Self {
        Self { how, script_had_started: false }
    }
}

/// The verdict on the script of `record`'s job. `None` if nobody said how the script ended, and ECS
/// was not asked.
#[must_use]
pub fn judge(record: &JobRecord, known: &VerdictFacts<'_>) -> Option<RunVerdict> {
    let system = |why: CauseReport| RunVerdict::System(Box::new(why));
    // The order matters: first what the agent itself said of an end, then the watchdog, then the plain
    // status.
    let unclear = match known.outcome {
        ScriptOutcome::Ended { stopped: true, .. } | ScriptOutcome::Left => {
            return Some(RunVerdict::Cancelled);
        }
        // The script ended by itself. Nothing that happens to the task later changes that.
        ScriptOutcome::Ended {
            ending: ScriptExit::Code { code: 0 },
            sign: TaskCondition::Alive | TaskCondition::EndingUnfelt,
            stopped: false,
            ..
        } => return Some(RunVerdict::Passed),
        // The script may have failed, or left with 0, only because it was told to end.
        ScriptOutcome::Ended { ending, sign: TaskCondition::Ending, stopped: false, .. } => {
            let status = ending.status();
            UnclearEnd::after_start(format!(
                "The task was told to end before the script ended with {status}"
            ))
        }
        ScriptOutcome::Ended {
            ending, sign: TaskCondition::EndingUnfelt, stopped: false, ..
        } => {
            let status = ending.status();
            // Other containers of the task had heard of its end. The script may have failed because
            // they left.
            match known.ecs {
                Some(EcsAnswer::Seen(seen)) if seen.containers.len() == 1 && !known.cleaned_up => {
                    return Some(RunVerdict::Script(status));
                }
                _ => UnclearEnd::after_start(format!(
                    "The script ended with {status} while the task was ending"
                )),
            }
        }
        // A stock server that is gone may have been told to end, and the script with it. Only if
        // ECS says that the task lives is the status the script's own.
        ScriptOutcome::Ended { ending, sign: TaskCondition::Gone, stopped: false, .. } => {
            let status = ending.status();
            match known.ecs {
                Some(EcsAnswer::Seen(seen))
                    if is_alive(seen, own_container(record, seen)) && !known.past_watchdog =>
                {
                    return Some(if status == 0 {
                        RunVerdict::Passed
                    } else {
                        RunVerdict::Script(status)
                    });
                }
                _ => UnclearEnd::after_start(format!(
                    "The SSH server was gone when the script had ended with {status}"
                )),
            }
        }
        // The watchdog may have killed the script, so its status says nothing.
        ScriptOutcome::Ended { .. } if known.past_watchdog => {
            UnclearEnd::before_start("The script ended after the task's deadline".to_owned())
        }
        ScriptOutcome::Ended { ending, sign: TaskCondition::Alive, stopped: false, .. } => {
            return Some(RunVerdict::Script(ending.status()));
        }
        ScriptOutcome::Lost { how, received, started: true, .. } => UnclearEnd::after_start(
            format!("The connection was cut after {received} bytes of output: {how}"),
        ),
        ScriptOutcome::Lost { how, started: false, .. } => UnclearEnd::before_start(format!(
            "The connection was cut before the script started: {how}"
        )),
        ScriptOutcome::Unreached { how } => UnclearEnd::before_start(how.clone()),
        ScriptOutcome::Refused(AgentRefusal::Ending) => UnclearEnd::before_start(
            "The agent started nothing, because the task is about to end".to_owned(),
        ),
        ScriptOutcome::Refused(refusal) => return Some(system(of_refusal(refusal))),
        ScriptOutcome::NoShell { how } => {
            let why = CauseReport::new(FailureCause::LoginShell);
            return Some(system(why.because(format!("Nothing was started: {how}."))));
        }
        ScriptOutcome::Superseded { .. } => {
            let why = CauseReport::new(FailureCause::Superseded);
            return Some(system(why.because("Another `run` of this job took its place.")));
        }
        ScriptOutcome::OutputClosed(failure) => {
            let why = CauseReport::new(FailureCause::Output);
            return Some(system(why.because(format!("{failure}."))));
        }
        ScriptOutcome::Shut { error, address, .. } => {
            return Some(system(reconnect::shut(error, *address)));
        }
    };
    // Checked before ECS's words: our own clean-up stops the task, and ECS then reports a stop by a
    // user.
    if known.cleaned_up {
        let why = CauseReport::new(FailureCause::StoppedByCleanup);
        return Some(system(why.because(format!("{}.", unclear.how))));
    }
    // An agent that said nothing of an end was not told to end from outside, which ECS's words
    // alone do not show.
    let heard = match known.outcome {
        ScriptOutcome::Ended { sign, .. } => *sign != TaskCondition::Alive,
        ScriptOutcome::Lost { warned, .. } => *warned,
        ScriptOutcome::Refused(_) => true,
        _ => false,
    };
    Some(match of_ecs(record, known, known.ecs?, &unclear.how, heard) {
        InferredVerdict::Job(status, why) if unclear.script_had_started || known.ran_before => {
            RunVerdict::Job(status, why)
        }
        // As long as no script has started, it cannot be the job's failure.
        InferredVerdict::Job(_, why) => RunVerdict::System(Box::new(of_nobody(*why))),
        InferredVerdict::System(why) => RunVerdict::System(why),
    })
}

/// The same cause for a task in which no script of the job has run.
fn of_nobody(why: CauseReport) -> CauseReport {
    let cause = match why.cause {
        FailureCause::EnvironmentEnded => FailureCause::ConnectionLost,
        cause => cause,
    };
    CauseReport { cause, ..why }.because("No script of the job had run in it.")
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use fargate_model::task::{StopCode, TaskStatus};
    use fargate_protocol::AgentRefusal;
    use proptest::prelude::*;

    use super::*;
    use crate::context::WallClock;
    use crate::session::{LoginError, OutputFailure};
    use crate::task::{ObservedContainer, ObservedTask, example as task};
    use fargate_state::TaskServer;
    use fargate_state::examples::record_of as example;

    fn ended(ending: ScriptExit, sign: TaskCondition, stopped: bool) -> ScriptOutcome {
        ScriptOutcome::Ended { ending, sign, stopped, output_left: false }
    }

    fn lost(started: bool) -> ScriptOutcome {
        ScriptOutcome::Lost { how: "a cut".to_owned(), received: 7, started, warned: false }
    }

    fn shut() -> ScriptOutcome {
        let error = LoginError::Denied { user: "root".to_owned() };
        ScriptOutcome::shut(error, SocketAddr::from(([127, 0, 0, 1], 22)))
    }

    /// All ways in which a session ends, each with a name for the table.
    fn outcomes() -> Vec<(&'static str, ScriptOutcome)> {
        use TaskCondition::{Alive, Ending, EndingUnfelt, Gone};
        let code = |code| fargate_protocol::ScriptExit::Code { code };
        let (passed, failed) = (code(0), code(3));
        let killed = fargate_protocol::ScriptExit::Signal { number: 9 };
        vec![
            ("exit 0", ended(passed, Alive, false)),
            ("exit 0 while the task ends", ended(passed, Ending, false)),
            ("exit 0 by itself while the task ends", ended(passed, EndingUnfelt, false)),
            ("exit 0, server gone", ended(passed, Gone, false)),
            ("exit 0 after a cancel", ended(passed, Alive, true)),
            ("exit 3", ended(failed, Alive, false)),
            ("exit 3 while the task ends", ended(failed, Ending, false)),
            ("exit 3 by itself while the task ends", ended(failed, EndingUnfelt, false)),
            ("exit 3, server gone", ended(failed, Gone, false)),
            ("exit 3 after a cancel", ended(failed, Ending, true)),
            ("signal 9", ended(killed, Alive, false)),
            ("signal 9 while the task ends", ended(killed, Ending, false)),
            ("left after a cancel", ScriptOutcome::Left),
            ("lost in mid-script", lost(true)),
            ("lost before the script", lost(false)),
            ("nobody answered", ScriptOutcome::Unreached { how: "nobody".to_owned() }),
            ("refused: ending", ScriptOutcome::Refused(AgentRefusal::Ending)),
            ("refused: busy", ScriptOutcome::Refused(AgentRefusal::Busy)),
            ("no shell", ScriptOutcome::NoShell { how: "noise".to_owned() }),
            ("another run", ScriptOutcome::Superseded { received: 0, started: true }),
            ("reader gone", ScriptOutcome::OutputClosed(OutputFailure::READER_GONE)),
            ("shut out", shut()),
        ]
    }

    fn seen(
        status: TaskStatus,
        code: Option<StopCode>,
        exit: Option<i32>,
        reason: &str,
    ) -> EcsAnswer {
        let reason = Some(reason.to_owned());
        let name = "job".to_owned();
        let job =
            ObservedContainer { name, exit_code: exit, reason, ..ObservedContainer::default() };
        saying(status, code, vec![job])
    }

    fn saying(
        status: TaskStatus,
        code: Option<StopCode>,
        containers: Vec<ObservedContainer>,
    ) -> EcsAnswer {
        let stopping = code.is_some();
        EcsAnswer::Seen(Box::new(ObservedTask {
            stopping,
            stop_code: code,
            containers,
            ..task(status)
        }))
    }

    /// A task of two containers that ended with these codes.
    fn with_sidecar(own: Option<i32>, other: Option<i32>) -> EcsAnswer {
        let named = |name: &str, exit_code| {
            let name = name.to_owned();
            ObservedContainer { name, exit_code, ..ObservedContainer::default() }
        };
        let containers = vec![named("proxy", other), named("job", own)];
        saying(TaskStatus::Stopping, Some(StopCode::EssentialContainerExited), containers)
    }

    /// Everything that ECS can say, each with a name for the table.
    fn says() -> Vec<(&'static str, EcsAnswer)> {
        use StopCode::EssentialContainerExited as Exited;
        let stopped = |code, exit, reason| seen(TaskStatus::Stopped, Some(code), exit, reason);
        let oom = "OutOfMemoryError: Container killed due to memory usage";
        vec![
            ("exited 0", stopped(Exited, Some(0), "")),
            ("exited 3", stopped(Exited, Some(3), "")),
            ("exited 137", stopped(Exited, Some(137), "")),
            ("exited -1", stopped(Exited, Some(-1), "")),
            ("exited, no code", stopped(Exited, None, "")),
            ("out of memory", stopped(Exited, Some(137), oom)),
            ("agent's idle timer", stopped(Exited, Some(70), "")),
            ("agent's deadline", stopped(Exited, Some(71), "")),
            ("ended from inside", stopped(Exited, Some(72), "")),
            ("sidecar first", with_sidecar(Some(143), Some(1))),
            ("sidecar, and not yet the job", with_sidecar(None, Some(0))),
            ("job first, and not yet the sidecar", with_sidecar(Some(137), None)),
            ("both killed", with_sidecar(Some(137), Some(137))),
            ("from inside, beside a sidecar", with_sidecar(Some(72), Some(143))),
            ("UserInitiated", stopped(StopCode::UserInitiated, Some(143), "")),
            ("SpotInterruption", stopped(StopCode::SpotInterruption, Some(0), "")),
            ("TerminationNotice", stopped(StopCode::TerminationNotice, Some(0), "")),
            ("TaskFailedToStart", stopped(StopCode::TaskFailedToStart, None, "")),
            ("ServiceScheduler", stopped(StopCode::ServiceSchedulerInitiated, Some(1), "")),
            ("InfrastructureHealth", stopped(StopCode::InfrastructureHealth, Some(1), "")),
            ("unheard-of code", stopped(StopCode::Other("New".to_owned()), Some(0), "")),
            ("stopped, no code", seen(TaskStatus::Stopped, None, Some(0), "")),
            ("stopping", seen(TaskStatus::Deprovisioning, Some(Exited), Some(3), "")),
            ("running", seen(TaskStatus::Running, None, None, "")),
            (
                "Spot, shown as running",
                seen(TaskStatus::Running, Some(StopCode::SpotInterruption), None, ""),
            ),
            ("running, and exited 9", seen(TaskStatus::Running, None, Some(9), "")),
            ("pending", seen(TaskStatus::Pending, None, None, "")),
            ("unknown task", EcsAnswer::Unknown),
            ("no answer", EcsAnswer::Nothing("no answer.".to_owned())),
        ]
    }

    fn record() -> JobRecord {
        let EcsAnswer::Seen(seen) = seen(TaskStatus::Running, None, None, "") else {
            unreachable!()
        };
        example(&seen.task)
    }

    /// The same job with a stock server.
    fn stock() -> JobRecord {
        let peer = Some(TaskServer::Sshd("SSH-2.0-OpenSSH_9.2p1".to_owned()));
        JobRecord { peer, deadline_unix_s: u64::MAX, ..record() }
    }

    fn word(told: Option<&RunVerdict>) -> String {
        match told {
            None => "ask ECS".to_owned(),
            Some(RunVerdict::Passed) => "PASSED".to_owned(),
            Some(RunVerdict::Script(status)) => format!("script {status}"),
            Some(RunVerdict::Job(status, why)) => format!("job {status}, {}", why.entry().slug),
            Some(RunVerdict::System(why)) => format!("system, {}", why.entry().slug),
            Some(RunVerdict::Cancelled) => "cancelled".to_owned(),
        }
    }

    /// Calls `look` with each combination of what can be known, and its verdict.
    fn each(
        record: &JobRecord,
        mut look: impl FnMut(&str, &str, &VerdictFacts<'_>, Option<&RunVerdict>),
    ) {
        let (outcomes, says) = (outcomes(), says());
        let asked = says.iter().map(|(name, says)| (*name, Some(says)));
        let ecs: Vec<_> = std::iter::once(("not asked", None)).chain(asked).collect();
        for (heard, outcome) in &outcomes {
            for (said, ecs) in &ecs {
                for flags in 0..8 {
                    let (past_watchdog, cleaned_up) = (flags & 1 == 1, flags & 2 == 2);
                    let ran_before = flags & 4 == 4;
                    let ecs = *ecs;
                    let masker = &SharedMasker::default();
                    let since_1970 = WallClock::system().since_1970();
                    let known = VerdictFacts {
                        outcome,
                        past_watchdog,
                        cleaned_up,
                        ran_before,
                        ecs,
                        masker,
                        since_1970,
                    };
                    look(heard, said, &known, judge(record, &known).as_ref());
                }
            }
        }
    }

    /// Whether ECS says that the task still runs.
    fn runs(known: &VerdictFacts<'_>) -> bool {
        matches!(known.ecs, Some(EcsAnswer::Seen(seen)) if is_alive(seen, "job"))
    }

    /// Whether the end is the script's own, whatever becomes of the task.
    fn is_own(known: &VerdictFacts<'_>, sign: TaskCondition, status: u8) -> bool {
        match sign {
            TaskCondition::Alive => status == 0 || !known.past_watchdog,
            TaskCondition::EndingUnfelt => {
                status == 0
                    || {
                        let alone = |seen: &ObservedTask| seen.containers.len() == 1;
                        matches!(known.ecs, Some(EcsAnswer::Seen(seen)) if alone(seen) && !known.cleaned_up)
                    }
            }
            TaskCondition::Gone => runs(known) && !known.past_watchdog,
            TaskCondition::Ending => false,
        }
    }

    /// Rules that hold for each combination.
    fn hold(row: &str, known: &VerdictFacts<'_>, told: Option<&RunVerdict>) {
        let own = match known.outcome {
            ScriptOutcome::Ended { ending, sign, stopped: false, .. } => {
                Some(ending.status()).filter(|status| is_own(known, *sign, *status))
            }
            _ => None,
        };
        assert_eq!(matches!(told, Some(RunVerdict::Passed)), own == Some(0), "{row}");
        match told {
            Some(RunVerdict::Script(status)) => {
                assert_eq!((Some(*status), *status == 0), (own, false), "{row}");
            }
            Some(RunVerdict::Job(status, _)) => {
                assert_ne!(*status, 0, "{row}");
                let may_run = known.ran_before
                    || match known.outcome {
                        ScriptOutcome::Ended { sign, .. } => *sign != TaskCondition::Alive,
                        ScriptOutcome::Lost { started, .. } => *started,
                        _ => false,
                    };
                assert!(may_run && !known.cleaned_up && !runs(known), "{row}");
            }
            Some(RunVerdict::System(why)) => {
                assert_ne!(
                    why.cause,
                    FailureCause::EnvironmentEnded,
                    "word and verdict differ: {row}"
                );
            }
            None => assert!(known.ecs.is_none() && !known.cleaned_up, "{row}"),
            Some(RunVerdict::Passed | RunVerdict::Cancelled) => {}
        }
    }

    #[test]
    fn of_all_combinations_only_a_script_s_own_exit_0_passes_and_each_blame_has_its_reason() {
        let mut combinations = 0;
        let mut look =
            |heard: &str, said: &str, known: &VerdictFacts<'_>, told: Option<&RunVerdict>| {
                combinations += 1;
                let row = format!("{heard}; ECS: {said}; {}", word(told));
                hold(&row, known, told);
                if let Some(RunVerdict::Job(..)) = told {
                    let own = [
                        "exited",
                        "out of memory",
                        "stopping",
                        "ended from inside",
                        "job first",
                        "both killed",
                    ];
                    let own = own.iter().any(|own| said.starts_with(own));
                    assert!(
                        own || ["from inside, beside a sidecar", "running, and exited 9"]
                            .contains(&said),
                        "{row}"
                    );
                }
            };
        each(&record(), &mut look);
        each(&stock(), &mut look);
        assert_eq!(combinations, 22 * 30 * 8 * 2);
    }

    #[test]
    fn the_table() {
        let mut rows: Vec<((String, String), Vec<String>)> = Vec::new();
        each(&record(), |heard, said, known, told| {
            if known.past_watchdog || known.cleaned_up {
                return;
            }
            let before = ["lost before the script", "nobody answered", "refused: ending"];
            let heard = match known.ran_before {
                false => heard.to_owned(),
                true if before.contains(&heard) => format!("{heard}, after another"),
                true => return,
            };
            let (row, said) = ((heard, word(told)), said.to_owned());
            match rows.iter_mut().find(|(known, _)| *known == row) {
                Some((_, sayings)) => sayings.push(said),
                None => rows.push((row, vec![said])),
            }
        });
        let line = |((_, told), said): &((String, String), Vec<String>)| {
            let said = if said.len() == 30 { "whatever".to_owned() } else { said.join("; ") };
            format!("  {told} | {said}\n")
        };
        let mut order: Vec<&String> = Vec::new();
        for ((heard, _), _) in &rows {
            if !order.contains(&heard) {
                order.push(heard);
            }
        }
        // Combinations with the same verdict share a row.
        let mut kinds: Vec<(Vec<&str>, String)> = Vec::new();
        for heard in order {
            let own = rows.iter().filter(|((other, _), _)| other == heard);
            let lines: String = own.map(line).collect();
            match kinds.iter_mut().find(|(_, known)| *known == lines) {
                Some((heards, _)) => heards.push(heard),
                None => kinds.push((vec![heard], lines)),
            }
        }
        let kinds = kinds.iter().map(|(heards, lines)| format!("{}\n{lines}", heards.join("; ")));
        insta::assert_snapshot!(kinds.collect::<String>(), @r"
        exit 0; exit 0 by itself while the task ends
          PASSED | whatever
        exit 0 while the task ends; exit 3 while the task ends; signal 9 while the task ends; refused: ending, after another
          ask ECS | not asked
          job 1, environment-ended | exited 0; exited -1
          job 3, environment-ended | exited 3; stopping
          job 137, environment-ended | exited 137; job first, and not yet the sidecar
          system, connection-lost | exited, no code; running; unknown task; no answer
          job 137, out-of-memory | out of memory
          system, idle | agent's idle timer
          system, max-lifetime | agent's deadline
          job 143, environment-ended | ended from inside; from inside, beside a sidecar
          system, container-ended | sidecar first; sidecar, and not yet the job; both killed
          system, stopped-by | UserInitiated
          system, spot | SpotInterruption; TerminationNotice; Spot, shown as running
          system, unknown | TaskFailedToStart; ServiceScheduler; unheard-of code; stopped, no code; pending
          system, host-retired | InfrastructureHealth
          job 9, environment-ended | running, and exited 9
        exit 0, server gone
          ask ECS | not asked
          job 1, environment-ended | exited 0; exited -1
          job 3, environment-ended | exited 3; stopping
          job 137, environment-ended | exited 137; job first, and not yet the sidecar
          system, connection-lost | exited, no code; unknown task; no answer
          job 137, out-of-memory | out of memory
          system, idle | agent's idle timer
          system, max-lifetime | agent's deadline
          job 143, environment-ended | ended from inside; from inside, beside a sidecar
          system, container-ended | sidecar first; sidecar, and not yet the job; both killed
          system, stopped-by | UserInitiated
          system, spot | SpotInterruption; TerminationNotice; Spot, shown as running
          system, unknown | TaskFailedToStart; ServiceScheduler; unheard-of code; stopped, no code; pending
          system, host-retired | InfrastructureHealth
          PASSED | running
          job 9, environment-ended | running, and exited 9
        exit 0 after a cancel; exit 3 after a cancel; left after a cancel
          cancelled | whatever
        exit 3
          script 3 | whatever
        exit 3 by itself while the task ends
          ask ECS | not asked
          script 3 | exited 0; exited 3; exited 137; exited -1; exited, no code; out of memory; agent's idle timer; agent's deadline; ended from inside; UserInitiated; SpotInterruption; TerminationNotice; TaskFailedToStart; ServiceScheduler; InfrastructureHealth; unheard-of code; stopped, no code; stopping; running; Spot, shown as running; running, and exited 9; pending
          system, container-ended | sidecar first; sidecar, and not yet the job; both killed
          job 137, environment-ended | job first, and not yet the sidecar
          job 143, environment-ended | from inside, beside a sidecar
          system, connection-lost | unknown task; no answer
        exit 3, server gone
          ask ECS | not asked
          job 1, environment-ended | exited 0; exited -1
          job 3, environment-ended | exited 3; stopping
          job 137, environment-ended | exited 137; job first, and not yet the sidecar
          system, connection-lost | exited, no code; unknown task; no answer
          job 137, out-of-memory | out of memory
          system, idle | agent's idle timer
          system, max-lifetime | agent's deadline
          job 143, environment-ended | ended from inside; from inside, beside a sidecar
          system, container-ended | sidecar first; sidecar, and not yet the job; both killed
          system, stopped-by | UserInitiated
          system, spot | SpotInterruption; TerminationNotice; Spot, shown as running
          system, unknown | TaskFailedToStart; ServiceScheduler; unheard-of code; stopped, no code; pending
          system, host-retired | InfrastructureHealth
          script 3 | running
          job 9, environment-ended | running, and exited 9
        signal 9
          script 137 | whatever
        lost in mid-script; lost before the script, after another; nobody answered, after another
          ask ECS | not asked
          job 1, environment-ended | exited 0; exited -1
          job 3, environment-ended | exited 3; stopping
          job 137, environment-ended | exited 137; job first, and not yet the sidecar; both killed
          system, connection-lost | exited, no code; running; unknown task; no answer
          job 137, out-of-memory | out of memory
          system, idle | agent's idle timer
          system, max-lifetime | agent's deadline
          job 143, environment-ended | ended from inside; from inside, beside a sidecar
          system, container-ended | sidecar first; sidecar, and not yet the job
          system, stopped-by | UserInitiated
          system, spot | SpotInterruption; TerminationNotice; Spot, shown as running
          system, unknown | TaskFailedToStart; ServiceScheduler; unheard-of code; stopped, no code; pending
          system, host-retired | InfrastructureHealth
          job 9, environment-ended | running, and exited 9
        lost before the script; nobody answered
          ask ECS | not asked
          system, connection-lost | exited 0; exited 3; exited 137; exited -1; exited, no code; ended from inside; job first, and not yet the sidecar; both killed; from inside, beside a sidecar; stopping; running; running, and exited 9; unknown task; no answer
          system, out-of-memory | out of memory
          system, idle | agent's idle timer
          system, max-lifetime | agent's deadline
          system, container-ended | sidecar first; sidecar, and not yet the job
          system, stopped-by | UserInitiated
          system, spot | SpotInterruption; TerminationNotice; Spot, shown as running
          system, unknown | TaskFailedToStart; ServiceScheduler; unheard-of code; stopped, no code; pending
          system, host-retired | InfrastructureHealth
        refused: ending
          ask ECS | not asked
          system, connection-lost | exited 0; exited 3; exited 137; exited -1; exited, no code; ended from inside; job first, and not yet the sidecar; from inside, beside a sidecar; stopping; running; running, and exited 9; unknown task; no answer
          system, out-of-memory | out of memory
          system, idle | agent's idle timer
          system, max-lifetime | agent's deadline
          system, container-ended | sidecar first; sidecar, and not yet the job; both killed
          system, stopped-by | UserInitiated
          system, spot | SpotInterruption; TerminationNotice; Spot, shown as running
          system, unknown | TaskFailedToStart; ServiceScheduler; unheard-of code; stopped, no code; pending
          system, host-retired | InfrastructureHealth
        refused: busy
          system, task-busy | whatever
        no shell
          system, login-shell | whatever
        another run
          system, superseded | whatever
        reader gone
          system, output-closed | whatever
        shut out
          system, login-refused | whatever
        ");
    }

    proptest! {
        #[test]
        fn no_path_invents_a_success(
            code in any::<u8>(),
            number in any::<u8>(),
            exit in proptest::option::of(any::<i32>()),
            other in proptest::option::of(proptest::option::of(any::<i32>())),
            flags in any::<[bool; 8]>(),
            kind in 0..6_usize,
            (stop, status) in (0..8_usize, 0..4_usize),
        ) {
            let [stopped, past_watchdog, cleaned_up, ran_before, asked, started, signal, sshd] = flags;
            let ending = if signal { ScriptExit::Signal { number } } else { ScriptExit::Code { code } };
            let outcome = match kind {
                0 => ended(ending, TaskCondition::Alive, stopped),
                1 => ended(ending, TaskCondition::Ending, stopped),
                2 => ended(ending, TaskCondition::EndingUnfelt, stopped),
                3 => ended(ending, TaskCondition::Gone, stopped),
                4 => lost(started),
                _ => ScriptOutcome::Unreached { how: String::new() },
            };
            let code_of_stop = [
                None,
                Some(StopCode::EssentialContainerExited),
                Some(StopCode::UserInitiated),
                Some(StopCode::SpotInterruption),
                Some(StopCode::TerminationNotice),
                Some(StopCode::InfrastructureHealth),
                Some(StopCode::ServiceSchedulerInitiated),
                Some(StopCode::Other(String::new())),
            ][stop]
                .clone();
            let shown = [TaskStatus::Stopped, TaskStatus::Running, TaskStatus::Stopping, TaskStatus::Pending];
            let named = |name: &str, exit_code| {
                let name = name.to_owned();
                ObservedContainer { name, exit_code, ..ObservedContainer::default() }
            };
            let others = other.map(|exit| named("proxy", exit));
            let containers = others.into_iter().chain([named("job", exit)]).collect();
            let says = saying(shown[status].clone(), code_of_stop, containers);
            let ecs = asked.then_some(&says);
            let masker = &SharedMasker::default();
            let since_1970 = WallClock::system().since_1970();
            let known = VerdictFacts { outcome: &outcome, past_watchdog, cleaned_up, ran_before, ecs, masker, since_1970 };
            let record = if sshd { stock() } else { record() };
            let told = judge(&record, &known);
            hold(&format!("{outcome:?}; {says:?}; {told:?}"), &known, told.as_ref());
        }
    }
}
