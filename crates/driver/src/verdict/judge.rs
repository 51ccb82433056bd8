//! The one function from what is known of a script to what is told of it.
//!
//! It asks nobody and waits for nothing: where ECS must be asked first, it says so. Exit status 0
//! that was received is the only thing that passes.

use fargate_model::why::{Cause, Why};
use fargate_protocol::Ending;

use super::{EcsSays, Verdict, of_ecs, of_refusal};
use crate::session::Outcome;
use crate::state::Record;
use crate::way_back;

/// What is known once a session with the task is over.
pub struct Known<'a> {
    /// What the session came to.
    pub outcome: &'a Outcome,
    /// A stock server's watchdog may have ended the script, before it ends the task.
    pub past_watchdog: bool,
    /// The job was cleaned up meanwhile.
    pub cleaned_up: bool,
    /// What ECS said of the task; none if it was not asked.
    pub ecs: Option<&'a EcsSays>,
}

/// What is told.
#[derive(Debug)]
pub enum Told {
    /// The script passed.
    Passed,
    /// The script failed with this status, never 0.
    Script(u8),
    /// The job ended its own task; the status that is told for it, never 0.
    Job(u8, Box<Why>),
    /// Ours, AWS's or a person's doing.
    System(Box<Why>),
    /// Somebody asked for an end.
    Cancelled,
}

/// What is told of the script of `record`'s job; `None` where nobody said how it ended and ECS was
/// not asked.
#[must_use]
pub fn judge(record: &Record, known: &Known<'_>) -> Option<Told> {
    let system = |why: Why| Told::System(Box::new(why));
    let (how, started) = match known.outcome {
        Outcome::Ended { stopped: true, .. } | Outcome::Left => {
            return Some(Told::Cancelled);
        }
        // Nothing that happens to the task can take it back.
        Outcome::Ended { ending: Ending::Code { code: 0 }, stopped: false, .. } => {
            return Some(Told::Passed);
        }
        Outcome::Ended { terminating: true, stopped: false, .. } => {
            ("The task was ended while the script ran".to_owned(), true)
        }
        Outcome::Ended { .. } if known.past_watchdog => {
            ("The script ended after the task's deadline".to_owned(), false)
        }
        Outcome::Ended { ending, terminating: false, stopped: false, .. } => {
            return Some(Told::Script(ending.status()));
        }
        Outcome::Lost { how, received, started: true } => {
            (format!("The connection was cut after {received} bytes of output: {how}"), true)
        }
        Outcome::Lost { how, started: false, .. } => {
            (format!("The connection was cut before the script started: {how}"), false)
        }
        Outcome::Unreached { how } => (how.clone(), false),
        Outcome::Refused(refusal) => return Some(system(of_refusal(refusal))),
        Outcome::NoShell { how } => {
            let why = Why::new(Cause::LoginShell);
            return Some(system(why.because(format!("Nothing was started: {how}."))));
        }
        Outcome::Superseded { .. } => {
            let why = Why::new(Cause::Superseded);
            return Some(system(why.because("Another `run` of this job took its place.")));
        }
        Outcome::OutputClosed => {
            let why = Why::new(Cause::Output);
            return Some(system(why.because("Whoever read this process's output is gone.")));
        }
        Outcome::Shut { error, address, .. } => {
            return Some(system(way_back::shut(error, *address)));
        }
    };
    if known.cleaned_up {
        let why = Why::new(Cause::StoppedByCleanup);
        return Some(system(why.because(format!("{how}."))));
    }
    Some(match of_ecs(record, known.ecs?, &how) {
        Verdict::Job(status, why) if started => Told::Job(status, why),
        // Before a script was started, nothing can be the job's failure.
        Verdict::Job(_, why) | Verdict::System(why) => Told::System(why),
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use fargate_model::task::{Status, StopCode};
    use fargate_protocol::Refusal;
    use proptest::prelude::*;

    use super::*;
    use crate::session::LoginError;
    use crate::state::example;
    use crate::task::{Container, Observation, example as task};

    fn ended(ending: Ending, terminating: bool, stopped: bool) -> Outcome {
        Outcome::Ended { ending, terminating, stopped, output_left: false }
    }

    fn lost(started: bool) -> Outcome {
        Outcome::Lost { how: "a cut".to_owned(), received: 7, started }
    }

    fn shut() -> Outcome {
        let error = LoginError::Denied { user: "root".to_owned() };
        Outcome::shut(error, SocketAddr::from(([127, 0, 0, 1], 22)))
    }

    /// Every way in which a session ends, with a name for the table.
    fn outcomes() -> Vec<(&'static str, Outcome)> {
        let (passed, failed) = (Ending::Code { code: 0 }, Ending::Code { code: 3 });
        let killed = Ending::Signal { number: 9 };
        vec![
            ("exit 0", ended(passed, false, false)),
            ("exit 0 while the task ends", ended(passed, true, false)),
            ("exit 0 after a cancel", ended(passed, false, true)),
            ("exit 3", ended(failed, false, false)),
            ("exit 3 while the task ends", ended(failed, true, false)),
            ("exit 3 after a cancel", ended(failed, false, true)),
            ("signal 9", ended(killed, false, false)),
            ("signal 9 while the task ends", ended(killed, true, false)),
            ("left after a cancel", Outcome::Left),
            ("lost in mid-script", lost(true)),
            ("lost before the script", lost(false)),
            ("nobody answered", Outcome::Unreached { how: "nobody".to_owned() }),
            ("refused", Outcome::Refused(Refusal::Ending)),
            ("no shell", Outcome::NoShell { how: "noise".to_owned() }),
            ("another run", Outcome::Superseded { received: 0, started: true }),
            ("reader gone", Outcome::OutputClosed),
            ("shut out", shut()),
        ]
    }

    fn seen(status: Status, code: Option<StopCode>, exit: Option<i32>, reason: &str) -> EcsSays {
        let container = Container {
            name: "job".to_owned(),
            image: None,
            digest: None,
            exit_code: exit,
            reason: Some(reason.to_owned()),
        };
        let stopping = code.is_some();
        let containers = vec![container];
        EcsSays::Seen(Box::new(Observation {
            stopping,
            stop_code: code,
            containers,
            ..task(status)
        }))
    }

    /// Everything that ECS says, with a name for the table.
    fn says() -> Vec<(&'static str, EcsSays)> {
        use StopCode::EssentialContainerExited as Exited;
        let stopped = |code, exit, reason| seen(Status::Stopped, Some(code), exit, reason);
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
            ("UserInitiated", stopped(StopCode::UserInitiated, Some(143), "")),
            ("SpotInterruption", stopped(StopCode::SpotInterruption, Some(0), "")),
            ("TerminationNotice", stopped(StopCode::TerminationNotice, Some(0), "")),
            ("TaskFailedToStart", stopped(StopCode::TaskFailedToStart, None, "")),
            ("ServiceScheduler", stopped(StopCode::ServiceSchedulerInitiated, Some(1), "")),
            ("InfrastructureHealth", stopped(StopCode::InfrastructureHealth, Some(1), "")),
            ("unheard-of code", stopped(StopCode::Other("New".to_owned()), Some(0), "")),
            ("stopped, no code", seen(Status::Stopped, None, Some(0), "")),
            ("stopping", seen(Status::Deprovisioning, Some(Exited), Some(3), "")),
            ("running", seen(Status::Running, None, None, "")),
            ("pending", seen(Status::Pending, None, None, "")),
            ("unknown task", EcsSays::Unknown),
            ("no answer", EcsSays::Nothing("no answer.".to_owned())),
        ]
    }

    fn record() -> Record {
        let EcsSays::Seen(seen) = seen(Status::Running, None, None, "") else { unreachable!() };
        example(&seen.task)
    }

    fn word(told: Option<&Told>) -> String {
        match told {
            None => "ask ECS".to_owned(),
            Some(Told::Passed) => "PASSED".to_owned(),
            Some(Told::Script(status)) => format!("script {status}"),
            Some(Told::Job(status, why)) => format!("job {status}, {}", why.entry().slug),
            Some(Told::System(why)) => format!("system, {}", why.entry().slug),
            Some(Told::Cancelled) => "cancelled".to_owned(),
        }
    }

    /// Each combination of all that is known, and what is told.
    fn each(mut look: impl FnMut(&str, &str, &Known<'_>, Option<&Told>)) {
        let record = record();
        let (outcomes, says) = (outcomes(), says());
        let asked = says.iter().map(|(name, says)| (*name, Some(says)));
        let ecs: Vec<_> = std::iter::once(("not asked", None)).chain(asked).collect();
        for (heard, outcome) in &outcomes {
            for (said, ecs) in &ecs {
                for flags in 0..4 {
                    let (past_watchdog, cleaned_up) = (flags & 1 == 1, flags & 2 == 2);
                    let known = Known { outcome, past_watchdog, cleaned_up, ecs: *ecs };
                    look(heard, said, &known, judge(&record, &known).as_ref());
                }
            }
        }
    }

    #[test]
    fn of_all_combinations_only_a_received_exit_0_passes_and_each_blame_has_its_reason() {
        let mut combinations = 0;
        each(|heard, said, known, told| {
            combinations += 1;
            let place = format!("{heard}; ECS: {said}; {}", word(told));
            let heard_0 = matches!(
                known.outcome,
                Outcome::Ended { ending: Ending::Code { code: 0 }, stopped: false, .. }
            );
            assert_eq!(matches!(told, Some(Told::Passed)), heard_0, "{place}");
            match told {
                Some(Told::Passed | Told::Cancelled | Told::System(_)) => {}
                Some(Told::Script(status)) => {
                    let Outcome::Ended { ending, terminating: false, stopped: false, .. } =
                        known.outcome
                    else {
                        panic!("{place}")
                    };
                    assert_eq!((*status, known.past_watchdog), (ending.status(), false), "{place}");
                    assert_ne!(*status, 0, "{place}");
                }
                Some(Told::Job(status, _)) => {
                    assert_ne!(*status, 0, "{place}");
                    let by_itself = ["exited", "out of memory", "stopping"];
                    assert!(by_itself.iter().any(|own| said.starts_with(own)), "{place}");
                    let may_run = matches!(
                        known.outcome,
                        Outcome::Lost { started: true, .. }
                            | Outcome::Ended { terminating: true, .. }
                    );
                    assert!(may_run && !known.cleaned_up, "{place}");
                }
                None => assert!(known.ecs.is_none() && !known.cleaned_up, "{place}"),
            }
        });
        assert_eq!(combinations, 17 * 22 * 4);
    }

    #[test]
    fn the_table() {
        let mut rows: Vec<((String, String), Vec<String>)> = Vec::new();
        each(|heard, said, known, told| {
            if known.past_watchdog || known.cleaned_up {
                return;
            }
            let (row, said) = ((heard.to_owned(), word(told)), said.to_owned());
            match rows.iter_mut().find(|(known, _)| *known == row) {
                Some((_, sayings)) => sayings.push(said),
                None => rows.push((row, vec![said])),
            }
        });
        let line = |((heard, told), said): &((String, String), Vec<String>)| {
            let said = if said.len() == 22 { "whatever".to_owned() } else { said.join("; ") };
            format!("{heard} | {told} | {said}\n")
        };
        insta::assert_snapshot!(rows.iter().map(line).collect::<String>(), @r"
        exit 0 | PASSED | whatever
        exit 0 while the task ends | PASSED | whatever
        exit 0 after a cancel | cancelled | whatever
        exit 3 | script 3 | whatever
        exit 3 while the task ends | ask ECS | not asked
        exit 3 while the task ends | job 1, environment-ended | exited 0; exited -1
        exit 3 while the task ends | job 3, environment-ended | exited 3; stopping
        exit 3 while the task ends | job 137, environment-ended | exited 137
        exit 3 while the task ends | system, connection-lost | exited, no code; running; unknown task; no answer
        exit 3 while the task ends | job 137, out-of-memory | out of memory
        exit 3 while the task ends | system, idle | agent's idle timer
        exit 3 while the task ends | system, max-lifetime | agent's deadline
        exit 3 while the task ends | system, stopped-by | UserInitiated
        exit 3 while the task ends | system, spot | SpotInterruption; TerminationNotice
        exit 3 while the task ends | system, unknown | TaskFailedToStart; ServiceScheduler; unheard-of code; stopped, no code; pending
        exit 3 while the task ends | system, host-retired | InfrastructureHealth
        exit 3 after a cancel | cancelled | whatever
        signal 9 | script 137 | whatever
        signal 9 while the task ends | ask ECS | not asked
        signal 9 while the task ends | job 1, environment-ended | exited 0; exited -1
        signal 9 while the task ends | job 3, environment-ended | exited 3; stopping
        signal 9 while the task ends | job 137, environment-ended | exited 137
        signal 9 while the task ends | system, connection-lost | exited, no code; running; unknown task; no answer
        signal 9 while the task ends | job 137, out-of-memory | out of memory
        signal 9 while the task ends | system, idle | agent's idle timer
        signal 9 while the task ends | system, max-lifetime | agent's deadline
        signal 9 while the task ends | system, stopped-by | UserInitiated
        signal 9 while the task ends | system, spot | SpotInterruption; TerminationNotice
        signal 9 while the task ends | system, unknown | TaskFailedToStart; ServiceScheduler; unheard-of code; stopped, no code; pending
        signal 9 while the task ends | system, host-retired | InfrastructureHealth
        left after a cancel | cancelled | whatever
        lost in mid-script | ask ECS | not asked
        lost in mid-script | job 1, environment-ended | exited 0; exited -1
        lost in mid-script | job 3, environment-ended | exited 3; stopping
        lost in mid-script | job 137, environment-ended | exited 137
        lost in mid-script | system, connection-lost | exited, no code; running; unknown task; no answer
        lost in mid-script | job 137, out-of-memory | out of memory
        lost in mid-script | system, idle | agent's idle timer
        lost in mid-script | system, max-lifetime | agent's deadline
        lost in mid-script | system, stopped-by | UserInitiated
        lost in mid-script | system, spot | SpotInterruption; TerminationNotice
        lost in mid-script | system, unknown | TaskFailedToStart; ServiceScheduler; unheard-of code; stopped, no code; pending
        lost in mid-script | system, host-retired | InfrastructureHealth
        lost before the script | ask ECS | not asked
        lost before the script | system, environment-ended | exited 0; exited 3; exited 137; exited -1; stopping
        lost before the script | system, connection-lost | exited, no code; running; unknown task; no answer
        lost before the script | system, out-of-memory | out of memory
        lost before the script | system, idle | agent's idle timer
        lost before the script | system, max-lifetime | agent's deadline
        lost before the script | system, stopped-by | UserInitiated
        lost before the script | system, spot | SpotInterruption; TerminationNotice
        lost before the script | system, unknown | TaskFailedToStart; ServiceScheduler; unheard-of code; stopped, no code; pending
        lost before the script | system, host-retired | InfrastructureHealth
        nobody answered | ask ECS | not asked
        nobody answered | system, environment-ended | exited 0; exited 3; exited 137; exited -1; stopping
        nobody answered | system, connection-lost | exited, no code; running; unknown task; no answer
        nobody answered | system, out-of-memory | out of memory
        nobody answered | system, idle | agent's idle timer
        nobody answered | system, max-lifetime | agent's deadline
        nobody answered | system, stopped-by | UserInitiated
        nobody answered | system, spot | SpotInterruption; TerminationNotice
        nobody answered | system, unknown | TaskFailedToStart; ServiceScheduler; unheard-of code; stopped, no code; pending
        nobody answered | system, host-retired | InfrastructureHealth
        refused | system, stopped-by | whatever
        no shell | system, login-shell | whatever
        another run | system, superseded | whatever
        reader gone | system, output-closed | whatever
        shut out | system, login-refused | whatever
        ");
    }

    proptest! {
        #[test]
        fn no_path_invents_a_success(
            code in any::<u8>(),
            number in any::<u8>(),
            exit in proptest::option::of(any::<i32>()),
            flags in any::<[bool; 7]>(),
            kind in 0..4_usize,
            stop in 0..8_usize,
        ) {
            let [terminating, stopped, past_watchdog, cleaned_up, asked, started, signal] = flags;
            let ending = if signal { Ending::Signal { number } } else { Ending::Code { code } };
            let outcome = match kind {
                0 | 1 => ended(ending, terminating, stopped),
                2 => lost(started),
                _ => Outcome::Unreached { how: String::new() },
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
            let says = seen(Status::Stopped, code_of_stop, exit, "");
            let ecs = asked.then_some(&says);
            let known = Known { outcome: &outcome, past_watchdog, cleaned_up, ecs };
            let told = judge(&record(), &known);
            let heard_0 = kind < 2 && !signal && code == 0 && !stopped;
            prop_assert_eq!(matches!(told, Some(Told::Passed)), heard_0);
            prop_assert!(!matches!(told, Some(Told::Script(0) | Told::Job(0, _))));
        }
    }
}
