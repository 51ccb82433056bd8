//! `custom run` of an empty script on a stock `sshd`, beside `ssh` on the same server.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fargate_playground::programs;
use fargate_playground::test_host::TestHost;
use fargate_tests::SshdSetup;
use serde_json::Value;
use toml::Table;

use crate::bench_job::BenchJob;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, median, ms};
use crate::measured::measure as time;
use crate::openssh::{self, OpenSshLogin};

/// Pairs of one `run` and one `ssh`.
const PAIRS: usize = 60;
/// Of both, before anything counts.
const WARM_UPS: usize = 3;
/// The job's number.
const JOB: u64 = 3;
/// Of the figures.
const NAMES: [&str; 2] = ["stock-run-wall-beside-ssh", "stock-run-cpu"];

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    if let Some(why) = missing() {
        NAMES.iter().for_each(|name| report.skip(name, &why));
        return Ok(());
    }
    let (job, login) = prepare(host, JOB)?;
    let empty = host.folder().join("empty-for-stock");
    fs::write(&empty, "")?;
    let (mut ours, mut cpu, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..WARM_UPS + PAIRS {
        let run = time(&mut job.script("")?)?;
        let ssh = time(&mut login.script(&empty)?)?;
        if pair >= WARM_UPS {
            ours.push(ms(run.wall));
            cpu.push(ms(run.cpu));
            theirs.push(ms(ssh.wall));
        }
    }
    job.cleanup()?;
    let (wall, ssh) = (median(&ours), median(&theirs));
    report.add(BenchFigure {
        name: NAMES[0],
        value: wall / ssh,
        unit: "ratio",
        goal: FigureGoal::AtMost(0.85),
        note: format!("an empty script: {wall:.1} ms, ssh {ssh:.1} ms; p50 of {PAIRS}"),
    });
    report.add(BenchFigure {
        name: NAMES[1],
        value: median(&cpu),
        unit: "ms",
        goal: FigureGoal::AtMost(15.0),
        note: format!("user and system time of the driver; p50 of {PAIRS}"),
    });
    Ok(())
}

/// What is missing on this machine, in words.
pub fn missing() -> Option<String> {
    let sandbox = || "sshd in a sandbox needs root, dropbear and busybox".to_owned();
    openssh::missing().or_else(|| (!SshdSetup::can_run()).then(sandbox))
}

/// A job whose task is a stock `sshd`, and OpenSSH's own way to it. One at a time.
pub fn prepare(
    host: &TestHost,
    number: u64,
) -> Result<(BenchJob<'_>, OpenSshLogin), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let server = SshdSetup::open_ssh().line("UseDNS no");
    let family = runtime.block_on(server.register(host.cloud(), "stock-sshd"));
    let job = BenchJob::with(host, number, &configuration(host, &family)?)?;
    job.prepare()?;
    Ok((job, login(host)?))
}

/// The host's configuration for tasks of `family`, with a state folder of its own.
fn configuration(host: &TestHost, family: &str) -> Result<PathBuf, Box<dyn Error>> {
    let mut settings: Table = fs::read_to_string(host.config())?.parse()?;
    settings.insert("state_dir".into(), state(host).to_string_lossy().into_owned().into());
    let defaults = settings.get_mut("defaults").and_then(toml::Value::as_table_mut);
    let defaults = defaults.ok_or("the cloud's configuration has no defaults")?;
    defaults.insert("task_definition".into(), family.into());
    defaults.insert("host_key".into(), "first_use".into());
    let path = host.folder().join("stock.toml");
    fs::write(&path, settings.to_string())?;
    Ok(path)
}

fn state(host: &TestHost) -> PathBuf {
    host.folder().join("stock-state")
}

/// OpenSSH's client with the key and the host key of the one job that is prepared.
fn login(host: &TestHost) -> Result<OpenSshLogin, Box<dyn Error>> {
    let mut jobs = fs::read_dir(state(host).join("jobs"))?;
    let file = jobs.next().ok_or("no state file of the job")??.path();
    let state: Value = serde_json::from_slice(&fs::read(file)?)?;
    let text = |name: &str| state[name].as_str().ok_or(format!("no {name} in the state file"));
    let place: std::net::SocketAddr = text("address")?.parse()?;
    let file = |name: &str| host.folder().join(name);
    let host_key: Vec<_> = text("host_key")?.split(' ').take(2).collect();
    let known = format!("[{}]:{} {}\n", place.ip(), place.port(), host_key.join(" "));
    fs::write(file("stock-known-hosts"), known)?;
    write_key(&file("stock-key"), text("client_key")?)?;
    Ok(OpenSshLogin {
        ssh: programs::installed("ssh", "openssh-client")?,
        key: file("stock-key"),
        known_hosts: Some(file("stock-known-hosts")),
        place,
        user: "root".to_owned(),
    })
}

fn write_key(path: &Path, key: &str) -> Result<(), Box<dyn Error>> {
    fs::write(path, key)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(())
}
