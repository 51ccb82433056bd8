//! A trivial job with all its stages on real containers, alone and eight at once: an installation of
//! GitLab's Fargate driver with its own file and a stock `sshd`, on an ECS that others wrote.
//!
//! What that ECS needs by itself, from RunTask to RUNNING, is measured beside it and stands in the
//! note.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use fargate_playground::runner::{
    DriverCallKind, GitLabVerdict, JobControl, OUTPUT_LIMIT, PlayedJob, RunnerImitation,
    RunnerTimes, ScriptSource,
};
use fargate_tests::{ContainerEngine, RunnerInstallation};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::bench_job::trivial;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, median, ms};

/// Jobs that are played, one after the other.
const TIMES: u64 = 10;
/// Rounds of jobs that are played at once.
const ROUNDS: u64 = 5;
/// Jobs of one round.
const AT_ONCE: u64 = 8;
/// Number of the first job.
const FIRST: u64 = 3000;
/// Of the figures.
const NAMES: [&str; 2] = ["container-job-wall", "eight-container-jobs-wall"];

/// Measures it, and adds the figures to `report`.
pub fn measure(report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let containers = match ContainerEngine::start() {
        Ok(containers) => containers,
        Err(missing) => {
            NAMES.iter().for_each(|name| report.skip(name, &missing));
            return Ok(());
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let installation = RunnerInstallation::on(&containers);
    let runner = Arc::new(runner(&installation));
    let at_rest = || drop(runtime.block_on(installation.ended()));
    let walls = |first, rounds, at_once| {
        let rounds = JobRounds { first, rounds, at_once };
        rounds.walls(&runtime, &runner, &at_rest)
    };
    let (alone, alone_parts) = walls(FIRST, TIMES, 1)?;
    let (together, together_parts) = walls(FIRST + TIMES, ROUNDS, AT_ONCE)?;
    runtime.block_on(installation.close((TIMES + ROUNDS * AT_ONCE).try_into()?));
    let figure = |name, walls: &[f64], parts: &str, goal, rounds: u64, at_once: usize| {
        let starts = (0..rounds).map(|_| runtime.block_on(containers.plain_starts(at_once)));
        let own = median(&starts.map(|start| start.as_secs_f64()).collect::<Vec<_>>());
        BenchFigure {
            name,
            value: median(walls),
            unit: "s",
            goal: FigureGoal::AtMost(goal),
            note: format!(
                "p50 of {rounds}: {parts}; the emulator's own RunTask to RUNNING {own:.2} s"
            ),
        }
    };
    report.add(figure(NAMES[0], &alone, &alone_parts, 2.0, TIMES, 1));
    report.add(figure(NAMES[1], &together, &together_parts, 4.0, ROUNDS, AT_ONCE.try_into()?));
    Ok(())
}

fn runner(installation: &RunnerInstallation) -> RunnerImitation {
    RunnerImitation {
        driver: installation.driver(),
        environment: installation.environment(),
        builds_dir: "/builds".to_owned(),
        cache_dir: "/cache".to_owned(),
        short_token: "benchmark".to_owned(),
        folder: installation.jobs(),
        times: RunnerTimes::default(),
        output_limit: OUTPUT_LIMIT,
        scripts: ScriptSource::Written,
    }
}

/// Rounds of trivial jobs that are played at once.
pub struct JobRounds {
    /// Number of the first job.
    pub first: u64,
    pub rounds: u64,
    pub at_once: u64,
}

impl JobRounds {
    /// Seconds of each round, and the parts of a job. `at_rest` waits after a round until its jobs have left
    /// nothing.
    pub fn walls(
        &self,
        runtime: &Runtime,
        runner: &Arc<RunnerImitation>,
        at_rest: &dyn Fn(),
    ) -> Result<(Vec<f64>, String), Box<dyn Error>> {
        let mut walls = Vec::new();
        let mut parts = StageTimes::default();
        for round in 0..self.rounds {
            let began = Instant::now();
            let outcomes = runtime.block_on(async {
                let mut jobs = JoinSet::new();
                for job in 0..self.at_once {
                    let number = self.first + round * self.at_once + job;
                    let (runner, job) = (runner.clone(), trivial(number));
                    jobs.spawn(async move {
                        runner.play(&job, &JobControl::default(), Arc::new(|_| {})).await
                    });
                }
                jobs.join_all().await
            });
            walls.push(ms(began.elapsed()) / 1000.0);
            // A round begins on a quiet machine, not beside the end of the former one's containers.
            at_rest();
            outcomes.iter().try_for_each(passed)?;
            outcomes.iter().for_each(|outcome| parts.add(outcome));
        }
        Ok((walls, parts.in_words()))
    }
}

/// Where the time of the jobs went, in milliseconds.
#[derive(Default)]
struct StageTimes {
    prepare: Vec<f64>,
    run: Vec<f64>,
    cleanup: Vec<f64>,
}

impl StageTimes {
    fn add(&mut self, outcome: &PlayedJob) {
        for call in &outcome.calls {
            match call.verb {
                DriverCallKind::Prepare => self.prepare.push(ms(call.took)),
                DriverCallKind::Run => self.run.push(ms(call.took)),
                DriverCallKind::Cleanup => self.cleanup.push(ms(call.took)),
                DriverCallKind::Config => {}
            }
        }
    }

    fn in_words(&self) -> String {
        let [prepare, run, cleanup] = [&self.prepare, &self.run, &self.cleanup].map(|m| median(m));
        format!("prepare {prepare:.0} ms, each run {run:.0} ms, cleanup {cleanup:.0} ms")
    }
}

fn passed(outcome: &PlayedJob) -> Result<(), Box<dyn Error>> {
    if outcome.verdict == GitLabVerdict::Success {
        return Ok(());
    }
    let trace = String::from_utf8_lossy(&outcome.trace);
    Err(format!("{:?} of a trivial job:\n{trace}", outcome.verdict).into())
}
