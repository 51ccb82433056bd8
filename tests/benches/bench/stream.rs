//! A large log through `custom run` into a pipe whose reader is fast.

use std::error::Error;
use std::io::Read;
use std::time::Instant;

use crate::bench_job::BenchJob;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, median};
use crate::measured::{kib, words};
use crate::run::megabytes;
use fargate_playground::test_host::TestHost;

/// Bytes of the log.
const BYTES: u64 = 200_000_000;
/// How often it is streamed.
const TIMES: usize = 3;
/// Bytes between two looks at the driver's memory; the last look comes before its end.
const LOOK_EVERY: u64 = 10_000_000;

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let job = BenchJob::new(host, 2)?;
    job.prepare()?;
    let (mut speeds, mut peak) = (Vec::new(), 0);
    for _ in 0..TIMES {
        let (speed, memory) = stream(&job)?;
        speeds.push(speed);
        peak = peak.max(memory);
    }
    job.cleanup()?;
    report.add(BenchFigure {
        name: "stream-speed",
        value: median(&speeds),
        unit: "MB/s",
        goal: FigureGoal::AtLeast(50.0),
        note: format!(
            "a log of 200 MB, from the script's start to the driver's end; p50 of {TIMES}"
        ),
    });
    report.add(BenchFigure {
        name: "stream-resident-memory",
        value: peak as f64 / 1024.0,
        unit: "MiB",
        goal: FigureGoal::AtMost(32.0),
        note: format!("the driver's VmHWM; worst of {TIMES}"),
    });
    Ok(())
}

/// Megabytes per second, and the peak of the driver's resident memory in KiB.
fn stream(job: &BenchJob<'_>) -> Result<(f64, u64), Box<dyn Error>> {
    let line = "2026-01-01 00:00:00 one line of a log as a build tool writes it, 80 characters";
    let mut command = job.script(&format!("yes '{line}' | head -c {BYTES}"))?;
    let began = Instant::now();
    let mut child = command.spawn()?;
    let mut stdout = child.stdout.take().ok_or("the driver's output is a pipe")?;
    let status_file = format!("/proc/{}/status", child.id());
    let (mut received, mut look_at, mut peak) = (0, 0, 0);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        if received >= look_at {
            look_at = received + LOOK_EVERY;
            let status = std::fs::read_to_string(&status_file).unwrap_or_default();
            peak = peak.max(kib(&status, &["VmHWM:"]));
        }
        match stdout.read(&mut buffer)? {
            0 => break,
            n => received += n as u64,
        }
    }
    let status = child.wait()?;
    let took = began.elapsed().as_secs_f64();
    if !status.success() || received != BYTES {
        let command = words(&command);
        return Err(format!("{status}, {received} of {BYTES} bytes came of {command}").into());
    }
    Ok((megabytes(BYTES) / took, peak))
}
