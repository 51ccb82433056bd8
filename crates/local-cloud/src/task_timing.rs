//! How long each state of a task lasts. It knows delays, not what happens after them.

use std::sync::Mutex;
use std::time::Duration;

use crate::chance::fraction;

/// How long the states of a task last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TaskTiming {
    /// No delays: a task is RUNNING when its processes run, and STOPPED when they have ended.
    Instant,
    /// The delays measured on Fargate, times `factor`, with a small seeded jitter.
    Measured {
        /// 1.0 is real time, 0.025 is forty times as fast.
        factor: f64,
    },
}

/// Seconds from `createdAt` to the end of PROVISIONING.
///
/// Source: timelines of real tasks in several Regions, 2020 to 2026: 9.5 to 24.2 s.
const PROVISION_S: (f64, f64) = (10.0, 24.0);
/// Seconds that an image of 250 MiB takes at the 31 MiB/s that were measured.
const PULL_S: (f64, f64) = (7.0, 9.5);
/// Seconds from the end of the pull to RUNNING.
const START_S: (f64, f64) = (2.0, 4.0);
/// Seconds that EFS mounts add to the start.
const FILE_SYSTEM_S: (f64, f64) = (20.0, 24.0);
/// Seconds from the end of the processes to STOPPED.
const DEPROVISION_S: (f64, f64) = (22.0, 24.0);

/// The delays of one task.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct TaskDelays {
    pub provision: Duration,
    pub pull: Duration,
    pub start: Duration,
    pub deprovision: Duration,
}

/// Takes the delays of each task from one sequence with a seed.
pub(crate) struct DelayGenerator {
    pace: TaskTiming,
    seed: u64,
    drawn: Mutex<u64>,
}

impl DelayGenerator {
    /// The same `seed` gives the same delays in the same order.
    pub fn new(pace: TaskTiming, seed: u64) -> Self {
        Self { pace, seed, drawn: Mutex::new(0) }
    }

    /// The delays of the next task.
    pub fn next(&self, mounts_file_systems: bool) -> TaskDelays {
        let TaskTiming::Measured { factor } = self.pace else {
            return TaskDelays::default();
        };
        let draw = |(low, high): (f64, f64)| low + (high - low) * self.fraction();
        let scaled =
            |seconds: f64| Duration::try_from_secs_f64(seconds * factor).unwrap_or(Duration::ZERO);
        let mount = if mounts_file_systems { draw(FILE_SYSTEM_S) } else { 0.0 };
        TaskDelays {
            provision: scaled(draw(PROVISION_S)),
            pull: scaled(draw(PULL_S)),
            start: scaled(draw(START_S) + mount),
            deprovision: scaled(draw(DEPROVISION_S)),
        }
    }

    /// The next number of the sequence, from 0 up to 1.
    fn fraction(&self) -> f64 {
        let mut drawn = self.drawn.lock().expect("no one panics while drawing");
        let number = fraction(self.seed, *drawn);
        *drawn += 1;
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_delays_and_they_lie_in_the_measured_range() {
        let draw = |seed| {
            let timetable = DelayGenerator::new(TaskTiming::Measured { factor: 1.0 }, seed);
            (0..50).map(|i| timetable.next(i % 2 == 0)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        for (i, delays) in draw(7).into_iter().enumerate() {
            let provision = delays.provision.as_secs_f64();
            assert!((10.0..24.0).contains(&provision), "{provision}");
            let start = delays.start.as_secs_f64();
            let expected = if i % 2 == 0 { 22.0..28.0 } else { 2.0..4.0 };
            assert!(expected.contains(&start), "{start}");
        }
    }

    #[test]
    fn a_factor_scales_every_delay() {
        let at = |factor| DelayGenerator::new(TaskTiming::Measured { factor }, 1).next(false);
        let (real, fast) = (at(1.0), at(0.025));
        let ratio = fast.provision.as_secs_f64() / real.provision.as_secs_f64();
        assert!((ratio - 0.025).abs() < 1e-6, "{ratio}");
        assert_eq!(DelayGenerator::new(TaskTiming::Instant, 1).next(true), TaskDelays::default());
    }
}
