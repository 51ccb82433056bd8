//! Two hundred jobs that begin together, on a cloud with the delays and the rate limits of an account:
//! whether all succeed, what a driver costs, and how many calls of ECS a job takes.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::scope;
use std::time::{Duration, Instant};

use fargate_local_cloud::{CloudRateLimits, TaskTiming};
use fargate_playground::runner::{
    DriverCallKind, GitLabJob, GitLabVerdict, JobControl, JobStep, PlayedJob, RunnerTimes,
};
use fargate_playground::test_host::TestHost;
use tokio::task::JoinSet;

use crate::bench_job::{open_host_with, trivial};
use crate::figure::{BenchFigure, BenchReport, FigureGoal, median, percentile};
use crate::processes::{descendants, private};
use crate::run::megabytes;

/// Jobs.
const JOBS: u64 = 200;
/// Number of the first job.
const FIRST: u64 = 20_000;
/// Calls of `run` in each job.
const STAGES: usize = 8;
/// Steps that a job has beyond a trivial one.
const STEPS: [&str; 3] = ["one", "two", "three"];
/// Between two looks at all drivers.
const LOOK: Duration = Duration::from_millis(250);
/// The longest that 200 jobs may take here.
const DEADLINE: Duration = Duration::from_secs(600);

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let host = open_host_with(&host.folder().join("crowd"), |options| {
        options.pace = TaskTiming::Measured { factor: 1.0 };
        options.limits = CloudRateLimits::of_aws();
    })?;
    let measured = measure_in(&host, report);
    host.close_thread();
    measured
}

fn measure_in(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let over = AtomicBool::new(false);
    let began = Instant::now();
    let (outcomes, memory) = scope(|scope| {
        let looking = scope.spawn(|| look(&over));
        let outcomes = play(host).map_err(|error| error.to_string());
        over.store(true, Ordering::Relaxed);
        (outcomes, looking.join().expect("looking does not panic"))
    });
    let (outcomes, took) = (outcomes?, began.elapsed());
    let memory: Vec<_> = memory.values().map(|kib| megabytes(kib * 1024)).collect();
    if memory.is_empty() {
        return Err("no driver was seen".into());
    }
    report.add(succeeded(&outcomes, took));
    report.add(calls(host));
    report.add(BenchFigure {
        name: "200-jobs-private-memory",
        value: percentile(&memory, 95),
        unit: "MB",
        goal: FigureGoal::AtMost(10.0),
        note: format!(
            "p95 of {} driver processes, each at the most that was seen; p50 {:.1}, worst {:.1}",
            memory.len(),
            median(&memory),
            percentile(&memory, 100)
        ),
    });
    Ok(())
}

/// Plays all jobs; each task must have been told to stop.
fn play(host: &TestHost) -> Result<Vec<PlayedJob>, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let runner = Arc::new(host.runner("benchmark", RunnerTimes::default())?);
    let outcomes = runtime.block_on(async {
        let mut jobs = JoinSet::new();
        for number in FIRST..FIRST + JOBS {
            let (runner, job) = (runner.clone(), eight_stages(number));
            jobs.spawn(
                async move { runner.play(&job, &JobControl::default(), Arc::new(|_| {})).await },
            );
        }
        tokio::time::timeout(DEADLINE, jobs.join_all()).await
    })?;
    let mut tasks = host.cloud().tasks();
    tasks.retain(|task| task.desired_status != "STOPPED");
    match tasks.len() {
        0 => Ok(outcomes),
        left => Err(format!("{left} tasks that nobody has stopped").into()),
    }
}

fn eight_stages(number: u64) -> GitLabJob {
    let mut job = trivial(number);
    job.steps.extend(STEPS.map(|name| JobStep::new(name, &["true"])));
    job
}

/// The most private memory in KiB that each driver was seen to have, by its process.
fn look(over: &AtomicBool) -> BTreeMap<u32, u64> {
    let mut seen = BTreeMap::new();
    let mut next = Instant::now();
    while !over.load(Ordering::Relaxed) {
        for id in descendants("fargate-runner") {
            let most: &mut u64 = seen.entry(id).or_default();
            *most = private(id).max(*most);
        }
        next += LOOK;
        std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
    }
    // Those that ended between being found and being looked at.
    seen.retain(|_, kib| *kib > 0);
    seen
}

fn succeeded(outcomes: &[PlayedJob], took: Duration) -> BenchFigure {
    let good = |outcome: &&PlayedJob| {
        let runs = outcome.calls.iter().filter(|call| call.verb == DriverCallKind::Run).count();
        let prepares =
            outcome.calls.iter().filter(|call| call.verb == DriverCallKind::Prepare).count();
        outcome.verdict == GitLabVerdict::Success && (runs, prepares) == (STAGES, 1)
    };
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !good(outcome)).collect();
    for outcome in &failed {
        eprintln!("{:?}:\n{}", outcome.verdict, String::from_utf8_lossy(&outcome.trace));
    }
    let seconds = |verb| {
        let calls = outcomes.iter().flat_map(|outcome| &outcome.calls);
        let calls = calls.filter(|call| call.verb == verb);
        median(&calls.map(|call| call.took.as_secs_f64()).collect::<Vec<_>>())
    };
    BenchFigure {
        name: "200-jobs-failed",
        value: failed.len() as f64,
        unit: "jobs",
        goal: FigureGoal::AtMost(0.0),
        note: format!(
            "{STAGES} stages each, one `prepare` each, all in {:.0} s; p50 of prepare {:.1} s, of \
             run {:.2} s, of cleanup {:.2} s",
            took.as_secs_f64(),
            seconds(DriverCallKind::Prepare),
            seconds(DriverCallKind::Run),
            seconds(DriverCallKind::Cleanup)
        ),
    }
}

/// Calls of ECS for each job, and how many of all were throttled.
fn calls(host: &TestHost) -> BenchFigure {
    let requests = host.cloud().requests();
    let mut counts = BTreeMap::new();
    for request in &requests {
        *counts.entry(request.operation.as_str()).or_insert(0_u64) += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let refused = requests.iter().filter(|request| request.status == Some(400)).count();
    BenchFigure {
        name: "200-jobs-ecs-calls-per-job",
        value: requests.len() as f64 / JOBS as f64,
        unit: "calls",
        goal: FigureGoal::AtMost(20.0),
        note: format!("{}; {refused} of them refused as too fast", counts.join(", ")),
    }
}
