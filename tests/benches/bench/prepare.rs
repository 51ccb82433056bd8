//! `prepare`: from the moment that the agent answers to the end of the stage, and its memory while
//! the task is PENDING.
//!
//! "Answers" is judged from outside: a second client dials the task's address every half
//! millisecond, and the first connection that is accepted is the moment. So the figure contains
//! whatever the driver loses until it dials again, and the login that it needs.

use std::error::Error;
use std::net::{SocketAddr, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

use fargate_local_cloud::{CloudFault, CloudTaskPhase, LocalCloud};
use fargate_playground::test_host::TestHost;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bench_job::BenchJob;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, ms, percentile};
use crate::measured::{peak_private, until, until_found};
use crate::run::megabytes;

/// Tasks that are brought up.
const TIMES: u64 = 100;
/// Number of the first job.
const FIRST: u64 = 1000;
/// Runs whose memory is looked at, of each kind.
const LOOKS: u64 = 3;
/// Between two dials.
const DIAL_AGAIN: Duration = Duration::from_micros(500);
/// Looks of the driver at a task that is held, before its memory counts as that of a waiting one.
const DESCRIBED: usize = 3;

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let mut after_answer = Vec::new();
    for number in FIRST..FIRST + TIMES {
        after_answer.push(ms(one(host, number)?));
    }
    for (name, percent, goal) in
        [("prepare-after-answer-p50", 50, 100.0), ("prepare-after-answer-p99", 99, 400.0)]
    {
        report.add(BenchFigure {
            name,
            value: percentile(&after_answer, percent),
            unit: "ms",
            goal: FigureGoal::AtMost(goal),
            note: format!("from the first accepted connection to the end; p{percent} of {TIMES}"),
        });
    }
    memory(host, report)
}

/// One task; the time from its first accepted connection to the end of `prepare`.
fn one(host: &TestHost, number: u64) -> Result<Duration, Box<dyn Error>> {
    let job = BenchJob::new(host, number)?;
    let (prepared, answered) = std::thread::scope(|scope| {
        let answer = scope.spawn(|| first_answer(host.cloud()).map_err(|error| error.to_string()));
        let prepared = job.prepare();
        (prepared, answer.join().expect("dialling does not panic"))
    });
    let (prepared, answered) = (prepared?, answered?);
    job.cleanup()?;
    Ok(prepared.ended.saturating_duration_since(answered))
}

/// Dials the one live task of the cloud until a connection is accepted.
fn first_answer(cloud: &LocalCloud) -> Result<Instant, Box<dyn Error>> {
    let port = cloud.endpoint().rsplit(':').next().unwrap_or_default().parse()?;
    let address = until_found("the task's address", DIAL_AGAIN, || {
        let live = cloud.tasks().pop().filter(|task| task.last_status != "STOPPED");
        live.and_then(|task| task.address)
    })?;
    let address = SocketAddr::new(address, port);
    until_found(&format!("an agent at {address}"), DIAL_AGAIN, || {
        TcpStream::connect(address).ok().map(|_| Instant::now())
    })
}

fn memory(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let mut peak = 0;
    for look in 0..LOOKS {
        let job = BenchJob::new(host, FIRST + TIMES + look)?;
        let mut child = job.stage(&["prepare"]).spawn()?;
        peak = peak.max(peak_private(&mut child)?);
        job.cleanup()?;
    }
    let mut held = 0;
    for look in 0..LOOKS {
        let job = BenchJob::new(host, FIRST + TIMES + LOOKS + look)?;
        host.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
        let before = host.cloud().requests().len();
        let mut child = job.stage(&["prepare"]).spawn()?;
        held = held.max(std::thread::scope(|scope| {
            let id = child.id();
            let ending = scope.spawn(move || end_when_described(host, before, id));
            let peak = peak_private(&mut child).map_err(|error| error.to_string());
            ending.join().expect("waiting does not panic").and(peak)
        })?);
        expect_cancelled(&mut child)?;
        job.cleanup()?;
    }
    report.add(BenchFigure {
        name: "prepare-private-memory",
        value: megabytes(peak.max(held)),
        unit: "MB",
        goal: FigureGoal::AtMost(12.0),
        note: format!(
            "peak, Private_Clean and Private_Dirty: whole {:.1}, held in PENDING {:.1}; worst of {LOOKS}",
            megabytes(peak),
            megabytes(held)
        ),
    });
    Ok(())
}

/// Ends the process `id` once it has looked at its task a few times.
fn end_when_described(host: &TestHost, before: usize, id: u32) -> Result<(), String> {
    let described = || {
        let requests = host.cloud().requests();
        let since = requests.iter().skip(before);
        since.filter(|request| request.operation == "DescribeTasks").count() >= DESCRIBED
    };
    until("prepare to look at its task", described).map_err(|error| error.to_string())?;
    let pid = i32::try_from(id).map_err(|error| error.to_string())?;
    kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|error| error.to_string())
}

/// A `prepare` that was told to end is a system failure.
fn expect_cancelled(child: &mut Child) -> Result<(), Box<dyn Error>> {
    let status = child.wait()?;
    match status.code() {
        Some(2) => Ok(()),
        _ => Err(format!("{status} of a cancelled prepare, where exit 2 was expected").into()),
    }
}
