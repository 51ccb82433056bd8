//! What the network between driver and task does to a job, drawn from the seed. Some harms may make the
//! job fail, the others must not, and some put another machine in the task's place.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

use crate::relay::{ConnectionCut, RelayBehaviour, RelayFault, RelayFaultKind, RelaySide};

/// Connections of a job: of `prepare` and of five stages, `build_script` the fourth of all.
const CONNECTIONS: usize = 6;
const SCRIPT: usize = 3;

/// What the network does to one job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NetworkHarm {
    /// Nothing: the job has no relay.
    #[default]
    Plain,
    /// Connections, counted from 0, are cut or pause at a byte.
    Faults(Vec<(usize, RelayFault)>),
    /// A byte arrives changed.
    Changed(usize, RelayFault),
    /// Bytes pass in pieces of so many at most.
    Pieces(usize),
    /// gitlab-runner reads the log slowly.
    SlowReader,
    /// Once the script runs, this for so long; short enough for the window.
    Down(RelayBehaviour, Duration),
    /// Once the script runs, the connection falls silent for ever; the next one passes.
    HalfOpen,
    /// Once the script runs, this until the driver has given up.
    Gone(RelayBehaviour),
    /// Another machine answers in the task's place.
    Replaced(ReplacementMoment, ReplacementMachine),
}

/// Since when another machine answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplacementMoment {
    /// From the beginning: `prepare` meets it.
    Beginning,
    /// After `prepare`: no script has begun.
    Prepared,
    /// Since a cut in mid-script.
    Running,
}

/// Which machine that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplacementMachine {
    /// One with a key of its own, which lets everybody in.
    Impostor,
    /// One that says what the task said before.
    Replay,
    /// The task of another job, as where an address is used again.
    Neighbour,
}

impl fmt::Display for NetworkHarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain => f.write_str("nothing"),
            Self::Faults(faults) => match &faults[..] {
                [(_, RelayFault { what: RelayFaultKind::Cut(how), .. })] => {
                    write!(f, "cut at a byte by {how}")
                }
                [(_, _)] => f.write_str("pause at a byte"),
                _ => f.write_str("several cuts and pauses"),
            },
            Self::Changed(..) => f.write_str("a bit changed"),
            Self::Pieces(1) => f.write_str("bytes one by one"),
            Self::Pieces(_) => f.write_str("small pieces"),
            Self::SlowReader => f.write_str("slow reader of the log"),
            Self::Down(line, _) => write!(f, "{line} for a while"),
            Self::HalfOpen => f.write_str("half-open"),
            Self::Gone(line) => write!(f, "{line} for longer than the window"),
            Self::Replaced(moment, other) => {
                let other = match other {
                    ReplacementMachine::Impostor => "an impostor",
                    ReplacementMachine::Replay => "a replay",
                    ReplacementMachine::Neighbour => "another task",
                };
                let moment = match moment {
                    ReplacementMoment::Beginning => "from the beginning",
                    ReplacementMoment::Prepared => "after prepare",
                    ReplacementMoment::Running => "after a cut",
                };
                write!(f, "{other} {moment}")
            }
        }
    }
}

impl NetworkHarm {
    /// For a job whose script writes so many bytes.
    pub fn draw(rng: &mut Rng, output: u64) -> Self {
        let how = if rng.bool() { ConnectionCut::Rst } else { ConnectionCut::Fin };
        let line = match rng.u8(0..3) {
            0 => RelayBehaviour::Silent,
            1 => RelayBehaviour::Refusing,
            _ => RelayBehaviour::Cutting(how),
        };
        match rng.u8(0..40) {
            0..=4 => Self::Faults(vec![fault(rng, output, RelayFaultKind::Cut(how))]),
            5..=6 => Self::Faults((0..rng.usize(2..5)).map(|_| any_fault(rng, output)).collect()),
            7 => Self::Faults(vec![pause(rng, output)]),
            8 => {
                let (connection, fault) = fault(rng, output, RelayFaultKind::Flip);
                Self::Changed(connection, fault)
            }
            // A large log in single bytes would only keep this machine busy.
            9 if output < 4096 => Self::Pieces(1),
            9 => Self::Pieces([64, 536][rng.usize(0..2)]),
            10 => Self::SlowReader,
            11 => Self::Down(line, Duration::from_millis(rng.u64(20..1500))),
            12 => Self::HalfOpen,
            13 => Self::Gone(line),
            14..=15 => {
                let others = [
                    ReplacementMachine::Impostor,
                    ReplacementMachine::Replay,
                    ReplacementMachine::Neighbour,
                ];
                match (rng.u8(0..3), others[rng.usize(0..3)]) {
                    // There is no earlier conversation to replay.
                    (0, ReplacementMachine::Replay) => {
                        Self::Replaced(ReplacementMoment::Beginning, ReplacementMachine::Impostor)
                    }
                    (0, other) => Self::Replaced(ReplacementMoment::Beginning, other),
                    (1, other) => Self::Replaced(ReplacementMoment::Prepared, other),
                    (_, other) => Self::Replaced(ReplacementMoment::Running, other),
                }
            }
            _ => Self::Plain,
        }
    }

    /// Whether the job may end as the system's failure because of it.
    #[must_use]
    pub fn may_cost_the_job(&self) -> bool {
        matches!(self, Self::Changed(..) | Self::Gone(_) | Self::Replaced(..))
    }

    /// Whether no script of the job may have started.
    #[must_use]
    pub fn lets_nothing_start(&self) -> bool {
        matches!(
            self,
            Self::Replaced(ReplacementMoment::Beginning | ReplacementMoment::Prepared, _)
        )
    }
}

fn any_fault(rng: &mut Rng, output: u64) -> (usize, RelayFault) {
    match rng.u8(0..3) {
        0 => pause(rng, output),
        1 => fault(rng, output, RelayFaultKind::Cut(ConnectionCut::Fin)),
        _ => fault(rng, output, RelayFaultKind::Cut(ConnectionCut::Rst)),
    }
}

fn pause(rng: &mut Rng, output: u64) -> (usize, RelayFault) {
    let pause = RelayFaultKind::Pause(Duration::from_millis(rng.u64(20..2500)));
    fault(rng, output, pause)
}

/// At a byte of the login, of the script or of its output; every second one while the script runs.
fn fault(rng: &mut Rng, output: u64, what: RelayFaultKind) -> (usize, RelayFault) {
    let connection = if rng.bool() { SCRIPT } else { rng.usize(0..CONNECTIONS) };
    let from = if rng.u8(0..3) == 0 { RelaySide::Client } else { RelaySide::Task };
    let login = 5000;
    let end = match from {
        RelaySide::Task if rng.bool() => login + output,
        _ => login,
    };
    (connection, RelayFault { from, after: rng.u64(0..end), what })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everything_is_drawn_and_reads_as_words() {
        let mut rng = Rng::with_seed(1);
        let sizes = [4000, 100_000].into_iter().cycle().take(4000);
        let drawn: BTreeSet<_> =
            sizes.map(|output| NetworkHarm::draw(&mut rng, output).to_string()).collect();
        let drawn: Vec<_> = drawn.into_iter().collect();
        insta::assert_snapshot!(drawn.join("\n"), @"
        a bit changed
        a replay after a cut
        a replay after prepare
        an impostor after a cut
        an impostor after prepare
        an impostor from the beginning
        another task after a cut
        another task after prepare
        another task from the beginning
        bytes one by one
        cut at a byte by FIN
        cut at a byte by RST
        cutting by FIN for a while
        cutting by FIN for longer than the window
        cutting by RST for a while
        cutting by RST for longer than the window
        half-open
        nothing
        pause at a byte
        refusing for a while
        refusing for longer than the window
        several cuts and pauses
        silent for a while
        silent for longer than the window
        slow reader of the log
        small pieces
        ");
    }

    #[test]
    fn what_costs_no_job_leaves_it_its_task_and_its_window() {
        assert!(!NetworkHarm::HalfOpen.may_cost_the_job());
        assert!(
            !NetworkHarm::Down(RelayBehaviour::Silent, Duration::from_secs(1)).may_cost_the_job()
        );
        assert!(NetworkHarm::Gone(RelayBehaviour::Silent).may_cost_the_job());
        let replaced = |moment| NetworkHarm::Replaced(moment, ReplacementMachine::Replay);
        assert!(replaced(ReplacementMoment::Prepared).lets_nothing_start());
        assert!(!replaced(ReplacementMoment::Running).lets_nothing_start());
    }
}
