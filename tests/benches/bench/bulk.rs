//! A log of 1 GB through `custom run`, beside `ssh` with the same cipher, every byte hashed; once more
//! into a reader that begins with 1 KB a second; and many short lines.
//!
//! Both sides start the same script, go through a pipe into the same reader, and have one process on
//! each side of the connection: `run` with the agent beside `ssh` with `sshd`, and then both clients
//! with one and the same `sshd`.

use std::convert::Infallible;
use std::error::Error;
use std::io::Read;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::bench_job::BenchJob;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, median};
use crate::measured::words;
use crate::openssh::{self, OpenSshServer};
use crate::processes::{descendants, peak_resident};
use crate::run::megabytes;
use crate::stock;
use fargate_playground::test_host::TestHost;

/// Bytes of the log.
const BYTES: u64 = 1_000_000_000;
/// Pairs of one `run` and one `ssh`.
const PAIRS: usize = 3;
/// Numbers of the jobs.
const JOB: u64 = 5;
const STOCK_JOB: u64 = 6;
/// One line of the log.
const LINE: &str = "2026-01-01 00:00:00 one line of a log as a build tool writes it, 80 characters";
/// Bytes between two looks at memory.
const LOOK_EVERY: u64 = 10_000_000;
/// What a slow reader takes at once, how often, and for how long before it is fast.
const SIP: usize = 1000;
const SIP_EVERY: Duration = Duration::from_secs(1);
const SIPS: usize = 10;
/// Short lines, each written by itself.
const SHORT_LINES: u64 = 1_000_000;
/// Of the figures.
const BESIDE_SSH: &str = "gigabyte-speed-beside-ssh";
const STOCK_BESIDE_SSH: &str = "gigabyte-stock-speed-beside-ssh";

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let expected = hash_of_log();
    with_agent(host, &expected, report)?;
    with_stock_server(host, &expected, report)
}

fn with_agent(
    host: &TestHost,
    expected: &[u8],
    report: &mut BenchReport,
) -> Result<(), Box<dyn Error>> {
    let job = BenchJob::new(host, JOB)?;
    job.prepare()?;
    let script = host.folder().join("gigabyte");
    std::fs::write(&script, self::script())?;
    let missing = openssh::missing();
    let server = match &missing {
        Some(_) => None,
        None => Some(OpenSshServer::start(&host.folder().join("openssh-for-a-gigabyte"))?),
    };
    let mut pair = TransferComparison::default();
    let mut agent = 0;
    for _ in 0..PAIRS {
        let run = read(&mut job.script(&self::script())?, 0)?.expecting(expected)?;
        agent = agent.max(run.agent_kib);
        pair.ours.push(run);
        if let Some(server) = &server {
            let ssh = read(&mut server.script(&script)?, 0);
            pair.theirs.push(ssh.map_err(|error| server.with_log(&*error))?.expecting(expected)?);
        }
    }
    let slow = read(&mut job.script(&self::script())?, SIPS)?.expecting(expected)?;
    report.add(short_lines(&job)?);
    job.cleanup()?;
    match missing {
        Some(why) => report.skip(BESIDE_SSH, &why),
        None => report.add(pair.figure(BESIDE_SSH, 1.0)),
    }
    let mib = |kib: u64| kib as f64 / 1024.0;
    for (name, kib, who) in [
        ("gigabyte-driver-memory", pair.driver_kib(), "the driver's VmHWM"),
        ("gigabyte-agent-memory", agent, "VmHWM of the agent and of its PID 1 together"),
        ("slow-reader-driver-memory", slow.driver_kib, "the driver's, behind a slow reader"),
        ("slow-reader-agent-memory", slow.agent_kib, "the agent's, behind a slow reader"),
    ] {
        report.add(BenchFigure {
            name,
            value: mib(kib),
            unit: "MiB",
            goal: FigureGoal::AtMost(32.0),
            note: format!("{who}; hashes equal"),
        });
    }
    Ok(())
}

fn with_stock_server(
    host: &TestHost,
    expected: &[u8],
    report: &mut BenchReport,
) -> Result<(), Box<dyn Error>> {
    if let Some(why) = stock::missing() {
        report.skip(STOCK_BESIDE_SSH, &why);
        return Ok(());
    }
    let (job, login) = stock::prepare(host, STOCK_JOB)?;
    let script = host.folder().join("gigabyte");
    let mut pair = TransferComparison::default();
    for _ in 0..PAIRS {
        pair.ours.push(read(&mut job.script(&self::script())?, 0)?.expecting(expected)?);
        pair.theirs.push(read(&mut login.script(&script)?, 0)?.expecting(expected)?);
    }
    job.cleanup()?;
    report.add(pair.figure(STOCK_BESIDE_SSH, 1.0));
    report.add(BenchFigure {
        name: "gigabyte-stock-driver-memory",
        value: pair.driver_kib() as f64 / 1024.0,
        unit: "MiB",
        goal: FigureGoal::AtMost(32.0),
        note: "the driver's VmHWM; hashes equal".to_owned(),
    });
    Ok(())
}

fn short_lines(job: &BenchJob<'_>) -> Result<BenchFigure, Box<dyn Error>> {
    let expected: String = (1..=SHORT_LINES).map(|n| format!("{n}\n")).collect();
    let log = read(&mut job.script(&format!("stdbuf -oL seq {SHORT_LINES}\n"))?, 0)?;
    if log.sha256 != Sha256::digest(&expected).as_slice() {
        return Err(format!("{} of {} bytes of short lines came", log.bytes, expected.len()).into());
    }
    Ok(BenchFigure {
        name: "short-lines-speed",
        value: SHORT_LINES as f64 / log.took.as_secs_f64(),
        unit: "lines/s",
        goal: FigureGoal::AtLeast(100_000.0),
        note: format!(
            "{SHORT_LINES} lines, each written by itself; the driver's VmHWM {:.1} MiB",
            log.driver_kib as f64 / 1024.0
        ),
    })
}

/// The same log through both, in turns.
#[derive(Default)]
struct TransferComparison {
    ours: Vec<LogTransfer>,
    theirs: Vec<LogTransfer>,
}

impl TransferComparison {
    fn figure(&self, name: &'static str, goal: f64) -> BenchFigure {
        let speed =
            |logs: &[LogTransfer]| median(&logs.iter().map(LogTransfer::speed).collect::<Vec<_>>());
        let (ours, theirs) = (speed(&self.ours), speed(&self.theirs));
        BenchFigure {
            name,
            value: ours / theirs,
            unit: "ratio",
            goal: FigureGoal::AtLeast(goal),
            note: format!("1 GB: {ours:.0} MB/s, ssh {theirs:.0} MB/s; p50 of {PAIRS} in turns"),
        }
    }

    fn driver_kib(&self) -> u64 {
        self.ours.iter().map(|log| log.driver_kib).max().unwrap_or_default()
    }
}

/// A log that was read to its end.
struct LogTransfer {
    took: Duration,
    bytes: u64,
    sha256: Vec<u8>,
    driver_kib: u64,
    agent_kib: u64,
}

impl LogTransfer {
    fn speed(&self) -> f64 {
        megabytes(self.bytes) / self.took.as_secs_f64()
    }

    fn expecting(self, sha256: &[u8]) -> Result<Self, Box<dyn Error>> {
        if self.bytes == BYTES && self.sha256 == sha256 {
            return Ok(self);
        }
        Err(format!("{} of {BYTES} bytes came, and their hash is wrong", self.bytes).into())
    }
}

/// Runs `command` to its end and reads what it writes, at first `sips` times a little.
fn read(command: &mut Command, sips: usize) -> Result<LogTransfer, Box<dyn Error>> {
    let began = Instant::now();
    let mut child = command.spawn()?;
    let mut stdout = child.stdout.take().ok_or("its output is a pipe")?;
    let agent = descendants("fargate-agent");
    let (mut hash, mut bytes, mut look_at) = (Sha256::new(), 0, 0);
    let (mut driver_kib, mut agent_kib) = (0, 0);
    let mut buffer = vec![0; 256 * 1024];
    let (_held, pause) = mpsc::channel::<Infallible>();
    for _ in 0..sips {
        stdout.read_exact(&mut buffer[..SIP])?;
        hash.update(&buffer[..SIP]);
        bytes += SIP as u64;
        // Nothing comes through it: that nothing came in time is the tick of this clock.
        pause.recv_timeout(SIP_EVERY).ok();
    }
    loop {
        if bytes >= look_at {
            look_at = bytes + LOOK_EVERY;
            driver_kib = driver_kib.max(peak_resident(&[child.id()]));
            agent_kib = agent_kib.max(peak_resident(&agent));
        }
        match stdout.read(&mut buffer)? {
            0 => break,
            n => {
                hash.update(&buffer[..n]);
                bytes += n as u64;
            }
        }
    }
    let status = child.wait()?;
    let took = began.elapsed();
    if !status.success() {
        return Err(format!("{status} of {}, after {bytes} bytes", words(command)).into());
    }
    Ok(LogTransfer { took, bytes, sha256: hash.finalize().to_vec(), driver_kib, agent_kib })
}

fn script() -> String {
    format!("yes '{LINE}' | head -c {BYTES}\n")
}

/// What [`script`] writes, hashed here.
fn hash_of_log() -> Vec<u8> {
    let lines = format!("{LINE}\n").repeat(10_000);
    let (mut hash, mut left) = (Sha256::new(), BYTES);
    while left > 0 {
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(lines.len());
        hash.update(&lines.as_bytes()[..n]);
        left -= n as u64;
    }
    hash.finalize().to_vec()
}
