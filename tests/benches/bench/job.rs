//! A trivial job with all its stages, from the first call of the driver to the verdict.

use std::error::Error;
use std::sync::Arc;

use fargate_playground::runner::{Control, Driver, OUTPUT_LIMIT, Runner, Scripts, Times, Verdict};

use crate::figure::{Figure, Goal, Report, median, ms};
use crate::house::{House, trivial};
use crate::measured::until;

/// Jobs that are played, one after the other.
const TIMES: u64 = 20;
/// Number of the first job.
const FIRST: u64 = 2000;

/// See the module.
pub fn measure(house: &House, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let runner = runner(house)?;
    let mut walls = Vec::new();
    let mut stages = 0;
    for number in FIRST..FIRST + TIMES {
        let (job, control) = (trivial(number), Control::default());
        let outcome = runtime.block_on(runner.play(&job, &control, Arc::new(|_| {})));
        if outcome.verdict != Verdict::Success {
            let trace = String::from_utf8_lossy(&outcome.trace);
            return Err(format!("{:?} of a trivial job:\n{trace}", outcome.verdict).into());
        }
        stages = outcome.calls.len();
        walls.push(ms(outcome.took) / 1000.0);
        until("the task to stop", || house.cloud.live_tasks() == 0)?;
    }
    report.add(Figure {
        name: "trivial-job-wall",
        value: median(&walls),
        unit: "s",
        goal: Goal::AtMost(0.6),
        note: format!("{stages} calls of the driver, instant states; p50 of {TIMES}"),
    });
    Ok(())
}

/// gitlab-runner as it calls the house's driver.
pub fn runner(house: &House) -> Result<Runner, Box<dyn Error>> {
    let folder = house.folder.join("jobs");
    std::fs::create_dir(&folder)?;
    let configuration = house.configuration.to_string_lossy();
    Ok(Runner {
        driver: Driver::new(&house.driver, &["custom"], &["-c", &configuration]),
        environment: house.environment(),
        builds_dir: "/builds".to_owned(),
        cache_dir: "/cache".to_owned(),
        short_token: "benchmark".to_owned(),
        folder,
        times: Times::default(),
        output_limit: OUTPUT_LIMIT,
        scripts: Scripts::Written,
    })
}
