//! What each job of a torture does and what is done to it, drawn from the seed and its number alone.

use std::fmt;

use fastrand::Rng;

use super::network::Network;
use crate::runner::{GitInfo, Job, Verb};

/// Written before the job's own bytes; the command that is echoed does not hold it in one piece.
pub const BEGIN: &str = "begin-of-data\n";
/// The job's variable that holds the port of the witness.
pub const WITNESS: &str = "TORTURE_WITNESS";

/// What a job's script does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It writes so many lines and passes.
    Passes {
        /// Lines of eight bytes.
        lines: u32,
    },
    /// It writes so many lines and exits with this code.
    Exits {
        /// From 1 to 255.
        code: u8,
        /// Lines of eight bytes.
        lines: u32,
    },
}

/// What is done to a job from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Nothing.
    None,
    /// SIGKILL of every call of this program that lives so long, in milliseconds.
    Killed {
        /// Which program.
        verb: Verb,
        /// Milliseconds of its life.
        after_ms: u64,
    },
    /// A signal to every call of this program behind its `step`th step; debug builds only.
    Ended {
        /// Which program.
        verb: Verb,
        /// `KILL` or `TERM`.
        signal: &'static str,
        /// Counted from 1.
        step: usize,
    },
    /// The button of GitLab, once the script runs.
    Cancelled,
    /// A cancel that waits for nothing, when this stage begins.
    Aborted {
        /// `prepare`, or the name of a stage.
        stage: &'static str,
    },
    /// gitlab-runner itself is told to end, once the script runs.
    RunnerStopped,
    /// gitlab-runner and the host die once the script runs, and nobody ever cleans up.
    HostLost,
    /// AWS ends the task once the script runs.
    TaskStopped {
        /// ECS's `stopCode`.
        code: &'static str,
        /// ECS's words.
        reason: &'static str,
    },
    /// What the local cloud does to the job's calls or tasks: a rule of its language.
    Rule {
        /// With [`JOB`] in the place of the job's tasks.
        rule: &'static str,
        /// Whether it may cost the job.
        costs: bool,
    },
}

/// Stands for the tasks of the job in a rule.
pub const JOB: &str = "JOB";

/// What must be ridden out: it costs no job anything.
const RIDDEN_OUT: [&str; 18] = [
    "RunTask for JOB call 1: throttle",
    "RunTask for JOB calls 1-2: server error",
    "RunTask for JOB call 1: reset before commit",
    "RunTask for JOB call 1: reset after commit",
    "RunTask for JOB calls 1-2: reset after commit",
    "RunTask for JOB call 1: slow 300ms",
    "RunTask for JOB call 1: answer 200 \"{}\"",
    "RunTask for JOB call 1: failure \"Capacity is unavailable at this time. Please try again later or in a different availability zone\"",
    "RunTask for JOB call 1: at PROVISIONING stop TaskFailedToStart \"Timeout waiting for network interface provisioning to complete.\"",
    "DescribeTasks for JOB 40%: throttle",
    "DescribeTasks for JOB 40%: server error",
    "DescribeTasks for JOB 30%: reset after commit",
    "DescribeTasks for JOB 50%: remove /tasks/0/attachments",
    "DescribeTasks for JOB call 2: set /tasks/*/lastStatus = \"UNHEARD_OF\"",
    "DescribeTasks for JOB: stale 400ms",
    "StopTask for JOB calls 1-2: throttle",
    "StopTask for JOB call 1: reset after commit",
    "StopTask for JOB call 1: server error",
];
/// What may cost the job, and then is the system's failure.
const COSTS: [&str; 4] = [
    "JOB at RUNNING + 500ms: interrupt 1s",
    "JOB at RUNNING + 800ms: stop SpotInterruption \"Your Spot Task was interrupted.\"",
    "JOB at RUNNING + 600ms: stop UserInitiated \"Task stopped by user\"",
    "JOB at RUNNING + 700ms: forget",
];

/// One job and what is done to it.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Its place in the torture, from 0.
    pub number: u64,
    /// The job.
    pub job: Job,
    /// What its script does.
    pub kind: Kind,
    /// What is done to it.
    pub harm: Harm,
    /// What the network does to it.
    pub network: Network,
}

impl Guest {
    /// Whether the job may end as the system's failure because of what is done to it.
    #[must_use]
    pub fn may_be_lost(&self) -> bool {
        self.harm.may_cost_the_job() || self.network.may_cost_the_job()
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing"),
            Self::Killed { verb, .. } => write!(f, "SIGKILL of {verb}"),
            Self::Ended { verb, signal, .. } => write!(f, "SIG{signal} behind a step of {verb}"),
            Self::Cancelled => f.write_str("cancel"),
            Self::Aborted { stage } => write!(f, "abort at {stage}"),
            Self::RunnerStopped => f.write_str("SIGTERM of gitlab-runner"),
            Self::HostLost => f.write_str("host lost"),
            Self::TaskStopped { code, .. } => write!(f, "task stopped: {code}"),
            Self::Rule { rule, .. } => f.write_str(rule),
        }
    }
}

impl Harm {
    fn draw(rng: &mut Rng) -> Self {
        let verb = [Verb::Prepare, Verb::Run, Verb::Cleanup][rng.usize(0..3)];
        match rng.u8(0..24) {
            0..=3 => Self::None,
            4..=5 => Self::Killed { verb, after_ms: rng.u64(5..400) },
            6..=8 if cfg!(debug_assertions) => {
                let signal = if rng.bool() { "KILL" } else { "TERM" };
                Self::Ended { verb, signal, step: rng.usize(1..16) }
            }
            6..=8 => Self::Killed { verb, after_ms: rng.u64(5..80) },
            9 => Self::Cancelled,
            10 => {
                let stages =
                    ["config", "prepare", "prepare_script", "build_script", "after_script"];
                Self::Aborted { stage: stages[rng.usize(0..stages.len())] }
            }
            11 => Self::RunnerStopped,
            12 => Self::HostLost,
            13..=14 => {
                let ends = [
                    ("SpotInterruption", "Your Spot Task was interrupted."),
                    ("UserInitiated", "Task stopped by user"),
                    (
                        "EssentialContainerExited",
                        "OutOfMemoryError: Container killed due to memory usage",
                    ),
                ];
                let (code, reason) = ends[rng.usize(0..ends.len())];
                Self::TaskStopped { code, reason }
            }
            15..=16 => Self::Rule { rule: COSTS[rng.usize(0..COSTS.len())], costs: true },
            _ => Self::Rule { rule: RIDDEN_OUT[rng.usize(0..RIDDEN_OUT.len())], costs: false },
        }
    }

    /// Whether it goes together with a broken network: a lost host has none, and answers of ECS that
    /// are changed already cannot show another address.
    fn is_one_of_a_pair(&self) -> bool {
        match self {
            Self::HostLost => false,
            Self::Rule { rule, .. } => !rule.contains(": set ") && !rule.contains(": remove "),
            _ => true,
        }
    }

    /// Whether the job may end as the system's failure because of it.
    #[must_use]
    pub fn may_cost_the_job(&self) -> bool {
        match self {
            Self::None => false,
            Self::Rule { costs, .. } => *costs,
            // What ends a clean-up cannot change a verdict that is told already.
            Self::Killed { verb, .. } | Self::Ended { verb, .. } => *verb != Verb::Cleanup,
            Self::Cancelled
            | Self::Aborted { .. }
            | Self::RunnerStopped
            | Self::HostLost
            | Self::TaskStopped { .. } => true,
        }
    }
}

impl Kind {
    fn draw(rng: &mut Rng) -> Self {
        // Most are short; some are larger than what one frame holds.
        let lines = if rng.u8(0..4) == 0 { rng.u32(10_000..60_000) } else { rng.u32(0..200) };
        match rng.u8(0..3) {
            0 => Self::Exits { code: rng.u8(1..=255), lines },
            _ => Self::Passes { lines },
        }
    }

    /// The exit status of the script.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Passes { .. } => 0,
            Self::Exits { code, .. } => code,
        }
    }

    fn lines(self) -> u32 {
        match self {
            Self::Passes { lines } | Self::Exits { lines, .. } => lines,
        }
    }

    /// How many bytes it writes behind [`BEGIN`].
    fn bytes(self) -> u64 {
        8 * u64::from(self.lines())
    }

    /// What the script writes behind [`BEGIN`].
    #[must_use]
    pub fn data(self) -> Vec<u8> {
        (1..=self.lines()).flat_map(|n| format!("{n:07}\n").into_bytes()).collect()
    }
}

/// The `number`th job of the torture of `seed`.
#[must_use]
pub fn guest(seed: u64, number: u64) -> Guest {
    let mut rng = Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(number));
    let kind = Kind::draw(&mut rng);
    let network = Network::draw(&mut rng, kind.bytes());
    let mut harm = Harm::draw(&mut rng);
    // A network that breaks is harm enough for every second job.
    if network != Network::Plain && (rng.bool() || !harm.is_one_of_a_pair()) {
        harm = Harm::None;
    }
    let pause_ms = rng.u32(0..300);
    let git = GitInfo {
        repo_url: "http://gitlab.example/group/project.git".to_owned(),
        ..GitInfo::default()
    };
    let id = number + 1;
    let tell = |what: &str| format!("echo {id} {what} >/dev/tcp/127.0.0.1/${WITNESS}");
    let script = [
        tell("started"),
        "printf 'begin-of-%s\\n' data".to_owned(),
        format!("sleep 0.{pause_ms:03}"),
        format!("seq -f %07.0f 1 {}", kind.lines()),
        tell(&format!("ended {}", kind.status())),
        format!("exit {}", kind.status()),
    ];
    // One command, or its parts would be echoed among the data.
    let mut job = Job::new(id, &format!("job-{number}"), git, &[&script.join("\n")])
        .with_variable("GIT_STRATEGY", "none")
        // What a job sets selects nothing.
        .with_variable("FARGATE_TASK_DEFINITION", "another:1")
        .with_variable("FARGATE_SUBNETS", "subnet-another");
    job.token = format!("glcbt-canary-{seed:x}-{number:x}-{:x}", rng.u64(..));
    if rng.bool() {
        job = job.with_after_script(&["echo after"]);
    }
    Guest { number, job, kind, harm, network }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_the_same_whenever_it_is_drawn_and_seeds_differ() {
        let told = |seed, number| {
            let guest = guest(seed, number);
            let (kind, harm, network) = (guest.kind, guest.harm, guest.network);
            format!("{kind:?} {harm:?} {network:?} {}", guest.job.response())
        };
        assert_eq!(told(7, 3), told(7, 3));
        assert_ne!(told(7, 3), told(8, 3));
        assert_ne!(told(7, 3), told(7, 4));
    }

    #[test]
    fn every_kind_of_harm_is_drawn_within_a_few_hundred_jobs() {
        let drawn: std::collections::BTreeSet<_> = (0..500)
            .map(|n| std::mem::discriminant(&guest(1, n).harm))
            .map(|d| format!("{d:?}"))
            .collect();
        assert_eq!(drawn.len(), if cfg!(debug_assertions) { 9 } else { 8 });
    }

    #[test]
    fn pairs_are_drawn_and_none_of_them_hides_the_relay() {
        let guests: Vec<_> = (0..2000).map(|number| guest(1, number)).collect();
        let pairs: Vec<_> = guests
            .iter()
            .filter(|guest| guest.network != Network::Plain && guest.harm != Harm::None)
            .collect();
        assert!(pairs.len() > 200, "{}", pairs.len());
        assert!(pairs.iter().all(|guest| guest.harm.is_one_of_a_pair()));
        let with = |harm: fn(&Harm) -> bool| pairs.iter().any(|guest| harm(&guest.harm));
        assert!(with(|harm| *harm == Harm::Cancelled));
        assert!(with(|harm| matches!(harm, Harm::Killed { .. })));
        assert!(with(|harm| matches!(harm, Harm::Rule { .. })));
    }

    #[test]
    fn every_rule_is_one_of_the_local_cloud() {
        for rule in RIDDEN_OUT.iter().chain(&COSTS) {
            let rule = rule.replace(JOB, "task of job 5f3ac07e");
            rule.parse::<fargate_local_cloud::Rules>().unwrap_or_else(|error| panic!("{error}"));
        }
    }

    #[test]
    fn data_is_eight_bytes_a_line() {
        assert_eq!(Kind::Passes { lines: 2 }.data(), b"0000001\n0000002\n");
        assert_eq!(Kind::Passes { lines: 2 }.bytes(), 16);
        assert_eq!(Kind::Exits { code: 3, lines: 0 }.data(), b"");
    }
}
