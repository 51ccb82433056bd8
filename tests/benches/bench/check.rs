//! `fargate-runner check` against an account whose answers take 50 ms each.

use std::error::Error;
use std::process::{Command, Stdio};

use fargate_playground::test_host::TestHost;

use crate::bench_job::open_host_with;
use crate::figure::{BenchFigure, BenchReport, FigureGoal};
use crate::measured::measure as run;

/// Each answer of the account comes this much later.
const SLOW: &str = "any: slow 50ms";

/// Measures it, and adds the figure to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let host = open_host_with(&host.folder().join("check"), |_| {})?;
    let measured = measure_in(&host, report);
    host.close_thread();
    measured
}

fn measure_in(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    host.cloud().set_faults(SLOW.parse()?);
    let before = host.cloud().requests().len();
    let mut check = Command::new("/bin/sh");
    // Its exit code says what the account lacks, which is not measured here.
    check.args(["-c", r#""$0" -c "$1" check --format json; [ $? -le 2 ]"#]);
    check.arg(host.driver()).arg(host.config());
    check.env_clear().envs(host.environment()).env("AWS_ENDPOINT_URL", host.cloud().endpoint());
    check.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let took = run(&mut check)?.wall;
    host.cloud().clear_faults();
    let calls = host.cloud().requests().len() - before;
    report.add(BenchFigure {
        name: "check",
        value: took.as_secs_f64(),
        unit: "s",
        goal: FigureGoal::AtMost(3.0),
        note: format!("wall of `check` with 50 ms for each of {calls} calls"),
    });
    Ok(())
}
