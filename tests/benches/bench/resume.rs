//! What a cut in mid-script costs: from the moment that the network is back to the next byte of the
//! script's output, through a relay between driver and task.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fargate_playground::test_host::TestHost;
use fargate_tests::{ConnectionCut, FaultyRelay, RelayBehaviour, write_whole};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio::time::timeout;
use toml::Table;

use crate::bench_job::BenchJob;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, ms, percentile};

/// The job's number.
const JOB: u64 = 4;
/// Cuts of each kind, all in one script.
const CUTS: u32 = 10;
/// How long the network is away; each time a little longer, so that its return meets every moment
/// of the driver's search.
const AWAY: Duration = Duration::from_millis(1500);
/// More of it each time.
const LONGER: Duration = Duration::from_millis(70);
/// Writes all the time, and says nothing else.
const SCRIPT: &str = "while :; do echo x; sleep 0.005; done";
/// Nothing takes longer unless it is broken.
const DEADLINE: Duration = Duration::from_secs(30);

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let job = BenchJob::with(host, JOB, &configuration(host)?)?;
    job.prepare()?;
    let mut lost = Vec::new();
    runtime.block_on(async {
        let relay = lead(host).await?;
        let mut command = tokio::process::Command::from(job.script(SCRIPT)?);
        let mut driver = command.kill_on_drop(true).spawn()?;
        let mut stdout = driver.stdout.take().ok_or("the driver's output is a pipe")?;
        for n in 0..CUTS {
            for kind in [NetworkCut::Reset, NetworkCut::Silent] {
                some(&mut stdout).await?;
                lost.push(ms(cut(&relay, kind, AWAY + LONGER * n, &mut stdout).await?));
            }
        }
        driver.kill().await?;
        Ok::<_, Box<dyn Error>>(())
    })?;
    job.cleanup()?;
    report.add(BenchFigure {
        name: "resume-after-network",
        value: percentile(&lost, 100) / 1000.0,
        unit: "s",
        goal: FigureGoal::AtMost(1.0),
        note: format!(
            "from the network's return to the next byte of output; worst of {} cuts, half of them \
             resets and half silence, p50 {:.0} ms",
            lost.len(),
            percentile(&lost, 50)
        ),
    });
    Ok(())
}

/// How the network goes.
#[derive(Clone, Copy)]
enum NetworkCut {
    /// Connections are reset, and new ones refused.
    Reset,
    /// Nothing passes, nobody is told, and what stood never speaks again.
    Silent,
}

/// From the network's return to the next byte.
async fn cut(
    relay: &FaultyRelay,
    kind: NetworkCut,
    away: Duration,
    stdout: &mut ChildStdout,
) -> Result<Duration, Box<dyn Error>> {
    match kind {
        NetworkCut::Reset => {
            relay.set(RelayBehaviour::Refusing);
            relay.cut(ConnectionCut::Rst);
        }
        NetworkCut::Silent => {
            relay.set(RelayBehaviour::Silent);
            relay.forget();
        }
    }
    // What was on its way before does not count.
    let passing = async { while some(stdout).await.is_ok() {} };
    let _ = timeout(away, passing).await;
    relay.set(RelayBehaviour::Up);
    let back = Instant::now();
    some(stdout).await?;
    Ok(back.elapsed())
}

async fn some(stdout: &mut ChildStdout) -> Result<(), Box<dyn Error>> {
    let mut buffer = [0; 64 * 1024];
    match timeout(DEADLINE, stdout.read(&mut buffer)).await?? {
        0 => Err("the driver ended".into()),
        _ => Ok(()),
    }
}

/// The host's configuration with a state folder of its own, and a driver that notices silence
/// within the outage.
fn configuration(host: &TestHost) -> Result<PathBuf, Box<dyn Error>> {
    let mut settings: Table = fs::read_to_string(host.config())?.parse()?;
    settings.insert("state_dir".into(), state(host).to_string_lossy().into_owned().into());
    let defaults = settings.get_mut("defaults").and_then(toml::Value::as_table_mut);
    let defaults = defaults.ok_or("the cloud's configuration has no defaults")?;
    for (table, key, value) in [
        ("timeouts", "keepalive_interval", toml::Value::from("200ms")),
        ("ssh", "keepalive_tries", 2.into()),
    ] {
        let table = defaults.entry(table).or_insert_with(|| Table::new().into());
        let table = table.as_table_mut().ok_or("a table of settings")?;
        table.insert(key.into(), value);
    }
    let path = host.folder().join("resume.toml");
    fs::write(&path, settings.to_string())?;
    Ok(path)
}

fn state(host: &TestHost) -> PathBuf {
    host.folder().join("resume-state")
}

/// Puts a relay between the one job that is prepared and its task.
async fn lead(host: &TestHost) -> Result<FaultyRelay, Box<dyn Error>> {
    let mut jobs = fs::read_dir(state(host).join("jobs"))?;
    let file = jobs.next().ok_or("no state file of the job")??.path();
    let mut state: Value = serde_json::from_slice(&fs::read(&file)?)?;
    let target: SocketAddr = state["address"].as_str().ok_or("no address")?.parse()?;
    let relay = FaultyRelay::to(target).await;
    state["address"] = relay.address.to_string().into();
    write_whole(&file, state.to_string())?;
    Ok(relay)
}
