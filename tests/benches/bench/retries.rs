//! Tries 2 and 3 of a job whose first try met a cause that lasts: from the start of `prepare` to its
//! end. gitlab-runner makes them within seconds, with a clean-up between, and nothing they could do
//! would help.

use std::error::Error;
use std::time::Duration;

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_playground::test_host::TestHost;

use crate::bench_job::BenchJob;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, ms, percentile};

/// Number of the first job.
const FIRST: u64 = 7000;
/// Jobs.
const JOBS: u64 = 20;
/// Tries of a job after the first one. Source: GitLab Runner's documentation, `PreparationRetries`.
const TRIES: usize = 2;
/// What a stage is told to exit with on a system failure.
const SYSTEM_FAILURE: i32 = 2;

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let reason = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed \
                  to resolve ref registry.example/ci/job:1: registry.example/ci/job:1: not found";
    host.cloud().fail_until_cleared(
        "RunTask",
        CloudFault::TaskStops {
            phase: CloudTaskPhase::Pending,
            after: Duration::ZERO,
            stop_code: "TaskFailedToStart".to_owned(),
            stopped_reason: reason.to_owned(),
            container_reason: None,
            exit_code: None,
        },
    );
    let tried: Result<Vec<_>, Box<dyn Error>> =
        (FIRST..FIRST + JOBS).map(|number| tries(host, &BenchJob::new(host, number)?)).collect();
    host.cloud().clear_faults();
    let took = tried?.concat();
    report.add(BenchFigure {
        name: "prepare-after-lasting-failure",
        value: percentile(&took, 100) / 1000.0,
        unit: "s",
        goal: FigureGoal::AtMost(1.0),
        note: format!(
            "wall of `prepare`, worst of {} tries, p50 {:.0} ms; no RunTask",
            took.len(),
            percentile(&took, 50)
        ),
    });
    Ok(())
}

/// The tries of one job after its first, in ms.
fn tries(host: &TestHost, job: &BenchJob<'_>) -> Result<Vec<f64>, Box<dyn Error>> {
    failed_prepare(job)?;
    let launches = || {
        let requests = host.cloud().requests();
        requests.iter().filter(|request| request.operation == "RunTask").count()
    };
    let before = launches();
    let mut took = Vec::new();
    for _ in 0..TRIES {
        job.cleanup()?;
        took.push(ms(failed_prepare(job)?));
    }
    job.cleanup()?;
    if launches() != before {
        return Err("a try after a failure that lasts has started a task".into());
    }
    Ok(took)
}

fn failed_prepare(job: &BenchJob<'_>) -> Result<Duration, Box<dyn Error>> {
    let begun = std::time::Instant::now();
    let ended = job.stage(&["prepare"]).output()?;
    let took = begun.elapsed();
    match ended.status.code() {
        Some(SYSTEM_FAILURE) => Ok(took),
        _ => Err(format!("{} of a prepare that cannot pass", ended.status).into()),
    }
}
