//! A trivial job with all its stages, from the first call of the driver to the verdict.

use std::error::Error;
use std::sync::Arc;

use fargate_playground::runner::{
    DriverCommands, GitLabVerdict, JobControl, OUTPUT_LIMIT, RunnerImitation, RunnerTimes,
    ScriptSource,
};

use crate::figure::{BenchFigure, BenchReport, FigureGoal, median, ms};
use crate::house::{BenchHost, trivial};
use crate::measured::until;

/// Jobs that are played, one after the other.
const TIMES: u64 = 20;
/// Number of the first job.
const FIRST: u64 = 2000;

/// See the module.
pub fn measure(house: &BenchHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let runner = runner(house)?;
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
        until("the task to stop", || house.cloud.live_tasks() == 0)?;
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

/// gitlab-runner as it calls the house's driver.
pub fn runner(house: &BenchHost) -> Result<RunnerImitation, Box<dyn Error>> {
    let folder = house.folder.join("jobs");
    std::fs::create_dir(&folder)?;
    let configuration = house.configuration.to_string_lossy();
    Ok(RunnerImitation {
        driver: DriverCommands::new(&house.driver, &["custom"], &["-c", &configuration]),
        environment: house.environment(),
        builds_dir: "/builds".to_owned(),
        cache_dir: "/cache".to_owned(),
        short_token: "benchmark".to_owned(),
        folder,
        times: RunnerTimes::default(),
        output_limit: OUTPUT_LIMIT,
        scripts: ScriptSource::Written,
    })
}
