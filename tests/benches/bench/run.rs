//! `custom run` of an empty script, beside `ssh` doing the same, and its memory while a script runs.

use std::error::Error;

use crate::bench_job::BenchJob;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, median, ms};
use crate::measured::{measure as time, peak_private, words};
use crate::openssh::{self, OpenSshServer};
use fargate_playground::test_host::TestHost;

/// Pairs of one `run` and one `ssh`.
const PAIRS: usize = 60;
/// Of both, before anything counts.
const WARM_UPS: usize = 3;
/// Runs whose memory is looked at.
const LOOKS: usize = 5;
/// Long enough for hundreds of looks at a process that has nothing left to do.
const WAITING: &str = "echo up; sleep 0.3";

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let job = BenchJob::new(host, 1)?;
    job.prepare()?;
    beside_ssh(host, &job, report)?;
    memory(&job, report)?;
    job.cleanup()
}

fn beside_ssh(
    host: &TestHost,
    job: &BenchJob<'_>,
    report: &mut BenchReport,
) -> Result<(), Box<dyn Error>> {
    let empty = host.folder().join("empty");
    std::fs::write(&empty, "")?;
    let missing = openssh::missing();
    let server = match &missing {
        Some(_) => None,
        None => Some(OpenSshServer::start(&host.folder().join("openssh"))?),
    };
    let (mut ours, mut cpu, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..WARM_UPS + PAIRS {
        let run = time(&mut job.script("")?)?;
        let ssh = match &server {
            Some(server) => {
                let ssh = time(&mut server.script(&empty)?);
                Some(ssh.map_err(|error| server.with_log(&*error))?)
            }
            None => None,
        };
        if pair >= WARM_UPS {
            ours.push(ms(run.wall));
            cpu.push(ms(run.cpu));
            theirs.extend(ssh.map(|ssh| ms(ssh.wall)));
        }
    }
    let wall = median(&ours);
    match missing {
        Some(why) => report.skip("run-wall-beside-ssh", &why),
        None => report.add(BenchFigure {
            name: "run-wall-beside-ssh",
            value: wall / median(&theirs),
            unit: "ratio",
            goal: FigureGoal::AtMost(0.25),
            note: format!(
                "an empty script: {wall:.1} ms, ssh {:.1} ms; p50 of {PAIRS}",
                median(&theirs)
            ),
        }),
    }
    report.add(BenchFigure {
        name: "run-cpu",
        value: median(&cpu),
        unit: "ms",
        goal: FigureGoal::AtMost(15.0),
        note: format!("user and system time of the driver; p50 of {PAIRS}"),
    });
    Ok(())
}

fn memory(job: &BenchJob<'_>, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let mut peak = 0;
    for _ in 0..LOOKS {
        let mut command = job.script(WAITING)?;
        let mut child = command.spawn()?;
        peak = peak.max(peak_private(&mut child)?);
        let status = child.wait()?;
        if !status.success() {
            return Err(format!("{status} of {}", words(&command)).into());
        }
    }
    report.add(BenchFigure {
        name: "run-private-memory",
        value: megabytes(peak),
        unit: "MB",
        goal: FigureGoal::AtMost(10.0),
        note: format!("peak of a whole run, Private_Clean and Private_Dirty; worst of {LOOKS}"),
    });
    Ok(())
}

/// Of 1,000,000 bytes.
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
