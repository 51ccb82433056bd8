//! A trivial job with all its stages, from the first call of the driver to the verdict.

use std::error::Error;
use std::sync::Arc;

use fargate_playground::runner::{GitLabVerdict, JobControl, RunnerTimes};
use fargate_playground::test_host::TestHost;

use crate::bench_job::trivial;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, median, ms};
use crate::measured::until;

/// Jobs that are played, one after the other.
const TIMES: u64 = 20;
/// Number of the first job.
const FIRST: u64 = 2000;

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let runner = host.runner("benchmark", RunnerTimes::default())?;
    let mut walls = Vec::new();
    let mut stages = 0;
    for number in FIRST..FIRST + TIMES {
        let (job, control) = (trivial(number), JobControl::default());
        let outcome = runtime.block_on(runner.play(&job, &control, Arc::new(|_| {})));
        if outcome.verdict != GitLabVerdict::Success {
            let trace = String::from_utf8_lossy(&outcome.trace);
            return Err(format!("{:?} of a trivial job:\n{trace}", outcome.verdict).into());
        }
        stages = outcome.calls.len();
        walls.push(ms(outcome.took) / 1000.0);
        until("the task to stop", || host.cloud().live_tasks() == 0)?;
    }
    report.add(BenchFigure {
        name: "trivial-job-wall",
        value: median(&walls),
        unit: "s",
        goal: FigureGoal::AtMost(0.6),
        note: format!("{stages} calls of the driver, instant states; p50 of {TIMES}"),
    });
    Ok(())
}
