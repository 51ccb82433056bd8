//! What is done to a job from outside, drawn from the seed. Some harms may make the job fail; the others
//! must not.

use std::fmt;

use fastrand::Rng;

use super::sidecar::SidecarContainer;
use crate::runner::DriverCallKind;

/// What is done to a job from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobHarm {
    /// Nothing.
    None,
    /// Every call of this program gets SIGKILL when it has run for this long.
    Killed {
        /// Which program.
        verb: DriverCallKind,
        /// Milliseconds from its start.
        after_ms: u64,
    },
    /// Every call of this program gets a signal after its `step`th step. Only debug builds can do that.
    Ended {
        /// Which program.
        verb: DriverCallKind,
        /// `KILL` or `TERM`.
        signal: &'static str,
        /// Counted from 1.
        step: usize,
    },
    /// The cancel button of GitLab, when the script runs.
    Cancelled,
    /// A cancel at once, when this stage begins.
    Aborted {
        /// `prepare`, or the name of a stage.
        stage: &'static str,
    },
    /// gitlab-runner itself is told to end, when the script runs.
    RunnerStopped,
    /// gitlab-runner and the host die when the script runs, and nobody cleans up.
    HostLost,
    /// AWS ends the task when the script runs.
    TaskStopped {
        /// ECS's `stopCode`.
        code: &'static str,
        /// ECS's words.
        reason: &'static str,
    },
    /// The task is told to end when the script runs, and has the usual 30 s of ECS.
    ToldToEnd(StopOrigin),
    /// The script leaves a process behind that ends the agent, and with it the task.
    EndsItself,
    /// A second container of the task ends.
    SidecarEnds(SidecarContainer),
    /// The driver uses a role whose keys stop working at a certain call. New keys of the role work.
    KeysExpire {
        /// With [`JOB`] in the place of the job's tasks.
        rules: &'static str,
    },
    /// The task ends, and ECS shows why while its `lastStatus` stays behind.
    KnownEarly(&'static AnnouncedTaskEnd),
    /// What the local cloud does to the job's calls or tasks: a rule of its language.
    Rule {
        /// With [`JOB`] in the place of the job's tasks.
        rule: &'static str,
        /// Whether it may cost the job.
        costs: bool,
    },
}

/// The origin of the order to end a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopOrigin {
    /// AWS, for Spot; the task shows RUNNING until it has ended.
    Spot,
    /// A person, by StopTask.
    Person,
}

/// An end of a task that ECS knows before it says STOPPED.
#[derive(Debug, PartialEq, Eq)]
pub struct AnnouncedTaskEnd {
    /// For the report.
    name: &'static str,
    /// How the task ends once the script runs; empty where it never comes so far.
    pub ends: &'static str,
    /// From the start, what ECS shows; both with [`JOB`] in the place of the job's tasks.
    shows: &'static str,
    /// What the driver must repeat of it.
    pub says: &'static str,
}

/// Placeholder for the tasks of the job in a rule.
pub const JOB: &str = "JOB";

/// Harms that must not make a job fail.
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
/// Harms that may make the job fail, and then as a system failure.
const COSTS: [&str; 4] = [
    "JOB at RUNNING + 500ms: interrupt 1s",
    "JOB at RUNNING + 800ms: stop SpotInterruption \"Your Spot Task was interrupted.\"",
    "JOB at RUNNING + 600ms: stop UserInitiated \"Task stopped by user\"",
    "JOB at RUNNING + 700ms: forget",
];
/// Keys that expire in `prepare`, in a stage whose task ended, in `cleanup`, and in several.
const EXPIRING: [&str; 6] = [
    "RunTask for JOB call 1: expire",
    "DescribeTasks for JOB call 1: expire",
    "DescribeTasks for JOB calls 2-3: expire",
    "StopTask for JOB call 1: expire",
    "RunTask, DescribeTasks, StopTask for JOB 30%: expire",
    "JOB at RUNNING + 600ms: stop UserInitiated \"Task stopped by user\"\n\
     DescribeTasks for JOB 50%: expire",
];
/// Ends for which ECS shows the code and the reason, or the exit code, while `lastStatus` says something
/// else.
const KNOWN_EARLY: [AnnouncedTaskEnd; 5] = [
    AnnouncedTaskEnd {
        name: "stopped by a person",
        ends: "JOB at RUNNING: stop UserInitiated \"Task stopped by user\"",
        shows: "DescribeTasks for JOB: behind 20s",
        says: "Task stopped by user",
    },
    AnnouncedTaskEnd {
        name: "stopped by a person, and it is to run",
        ends: "JOB at RUNNING: stop UserInitiated \"Task stopped by user\"",
        shows: "DescribeTasks for JOB: behind 20s\n\
                DescribeTasks for JOB: set /tasks/*/desiredStatus = \"RUNNING\"",
        says: "Task stopped by user",
    },
    AnnouncedTaskEnd {
        name: "interrupted, and it is to run",
        ends: "JOB at RUNNING: interrupt 500ms",
        shows: "DescribeTasks for JOB: behind 20s\n\
                DescribeTasks for JOB: set /tasks/*/desiredStatus = \"RUNNING\"",
        says: "Your Spot Task was interrupted",
    },
    AnnouncedTaskEnd {
        name: "out of memory, without a stop code",
        ends: "JOB at RUNNING: stop EssentialContainerExited \"Essential container in task exited\" container \"OutOfMemoryError: Container killed due to memory usage\" exit 137",
        shows: "DescribeTasks for JOB: behind 20s\n\
                DescribeTasks for JOB: remove /tasks/*/stopCode",
        says: "OutOfMemoryError",
    },
    AnnouncedTaskEnd {
        name: "no image",
        ends: "",
        shows: "JOB at PENDING: stop TaskFailedToStart \"CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref registry.example/ci/job:1: not found\"\n\
                DescribeTasks for JOB: behind 20s",
        says: "CannotPullContainerError",
    },
];

impl fmt::Display for JobHarm {
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
            Self::ToldToEnd(StopOrigin::Spot) => f.write_str("task told to end by Spot"),
            Self::ToldToEnd(StopOrigin::Person) => f.write_str("task told to end by a person"),
            Self::EndsItself => f.write_str("its script ends the task"),
            Self::SidecarEnds(sidecar) => write!(f, "{sidecar}"),
            Self::KeysExpire { rules } => write!(f, "keys expire: {}", rules.replace('\n', "; ")),
            Self::KnownEarly(known) => write!(f, "known before STOPPED: {}", known.name),
            Self::Rule { rule, .. } => f.write_str(rule),
        }
    }
}

impl JobHarm {
    /// One of them.
    pub fn draw(rng: &mut Rng) -> Self {
        let verb = [DriverCallKind::Prepare, DriverCallKind::Run, DriverCallKind::Cleanup]
            [rng.usize(0..3)];
        match rng.u8(0..33) {
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
            17..=18 => {
                Self::ToldToEnd(if rng.bool() { StopOrigin::Spot } else { StopOrigin::Person })
            }
            19..=20 => Self::SidecarEnds(SidecarContainer::draw(rng)),
            21..=22 => Self::KeysExpire { rules: EXPIRING[rng.usize(0..EXPIRING.len())] },
            23..=24 => Self::KnownEarly(&KNOWN_EARLY[rng.usize(0..KNOWN_EARLY.len())]),
            25 => Self::EndsItself,
            _ => Self::Rule { rule: RIDDEN_OUT[rng.usize(0..RIDDEN_OUT.len())], costs: false },
        }
    }

    /// The rules of the local cloud from the start, with [`JOB`] in the place of the job's tasks.
    #[must_use]
    pub fn rules(&self) -> Option<&'static str> {
        match self {
            Self::Rule { rule: rules, .. } | Self::KeysExpire { rules } => Some(rules),
            Self::KnownEarly(known) => Some(known.shows),
            _ => None,
        }
    }

    /// Whether it goes together with a broken network: a lost host has none, and answers of ECS that
    /// are changed already cannot show another address.
    #[must_use]
    pub fn is_one_of_a_pair(&self) -> bool {
        let changes = |rules: &str| rules.contains(": set ") || rules.contains(": remove ");
        *self != Self::HostLost && !self.rules().is_some_and(changes)
    }

    /// Whether the job may end as the system's failure because of it.
    #[must_use]
    pub fn may_cost_the_job(&self) -> bool {
        match self {
            Self::None => false,
            Self::Rule { costs, .. } => *costs,
            // The verdict is known before the clean-up, so ending the clean-up cannot change it.
            Self::Killed { verb, .. } | Self::Ended { verb, .. } => {
                *verb != DriverCallKind::Cleanup
            }
            Self::SidecarEnds(sidecar) => sidecar.essential,
            Self::KeysExpire { rules } => rules.contains(": stop "),
            Self::Cancelled
            | Self::Aborted { .. }
            | Self::RunnerStopped
            | Self::HostLost
            | Self::TaskStopped { .. }
            | Self::ToldToEnd(_)
            | Self::EndsItself
            | Self::KnownEarly(_) => true,
        }
    }

    /// Whether the job itself ends its task, for its memory or on purpose: its own failure, and its
    /// output is what it is.
    #[must_use]
    pub fn is_of_the_job(&self) -> bool {
        match self {
            Self::EndsItself => true,
            Self::TaskStopped { code, .. } => *code == "EssentialContainerExited",
            Self::KnownEarly(known) => known.says == "OutOfMemoryError",
            _ => false,
        }
    }

    /// Whether `cleanup` itself is ended by it.
    #[must_use]
    pub fn ends_cleanup(&self) -> bool {
        matches!(self, Self::Killed { verb, .. } | Self::Ended { verb, .. } if *verb == DriverCallKind::Cleanup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_one_of_the_local_cloud() {
        let early = KNOWN_EARLY.iter().flat_map(|known| [&known.shows, &known.ends]);
        for rules in RIDDEN_OUT.iter().chain(&COSTS).chain(&EXPIRING).chain(early) {
            let rules = rules.replace(JOB, "task of job 5f3ac07e");
            rules
                .parse::<fargate_local_cloud::FaultRules>()
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }
}
