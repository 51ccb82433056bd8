//! Hundreds of `custom run` at once whose scripts say nothing: what they cost the host together.

use std::error::Error;
use std::io::Read;
use std::path::PathBuf;
use std::process::Child;
use std::thread::scope;
use std::time::{Duration, Instant};

use toml::Table;

use crate::bench_job::BenchJob;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, median};
use crate::measured::{measure as finish, until_found};
use crate::processes::{cpu, private, proportional};
use crate::run::megabytes;
use fargate_playground::test_host::TestHost;

/// Drivers, each with a job and a task of its own.
const DRIVERS: u64 = 500;
/// Number of the first job.
const FIRST: u64 = 10_000;
/// Stages that begin or end at a time.
const HANDS: usize = 4;
/// Says that it has begun, then nothing.
const SCRIPT: &str = "echo up; exec sleep 1000";
/// How long they are watched while nothing happens.
const WATCHED: Duration = Duration::from_secs(5);

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let configurations = halves(host)?;
    let jobs = (FIRST..FIRST + DRIVERS).zip(configurations.iter().cycle());
    let jobs = jobs.map(|(number, configuration)| BenchJob::with(host, number, configuration));
    let jobs = jobs.collect::<Result<Vec<_>, _>>()?;
    let drivers = each(&jobs, begin)?;
    let ids: Vec<_> = drivers.iter().map(Child::id).collect();
    let before = ids.iter().map(|id| cpu(*id)).sum::<Duration>();
    let from = Instant::now();
    // Nothing is waited for but the time in which an idle driver could have done something.
    until_found("the time to pass", WATCHED / 10, || (from.elapsed() >= WATCHED).then_some(()))?;
    let spent = ids.iter().map(|id| cpu(*id)).sum::<Duration>() - before;
    let share = spent.as_secs_f64() / from.elapsed().as_secs_f64();
    let own: Vec<_> = ids.iter().map(|id| megabytes(private(*id) * 1024)).collect();
    let together: u64 = ids.iter().map(|id| proportional(*id) * 1024).sum();
    for mut driver in drivers {
        driver.kill()?;
        driver.wait()?;
    }
    each(&jobs, |job| finish(&mut job.stage(&["cleanup"])))?;
    let gone = || (host.cloud().live_tasks() == 0).then_some(());
    until_found("every task to stop", WATCHED / 50, gone)?;
    report.add(BenchFigure {
        name: "500-idle-drivers-memory",
        value: megabytes(together) / 1000.0,
        unit: "GB",
        goal: FigureGoal::AtMost(1.5),
        note: format!(
            "Pss of {DRIVERS} `run` together; each {:.1} MB private (p50), {:.1} % of a core \
             together",
            median(&own),
            share * 100.0
        ),
    });
    Ok(())
}

/// A subnet holds no more than 251 tasks, so every other job begins with the second one.
fn halves(host: &TestHost) -> Result<[PathBuf; 2], Box<dyn Error>> {
    let mut settings: Table = std::fs::read_to_string(host.config())?.parse()?;
    let defaults = settings.get_mut("defaults").and_then(toml::Value::as_table_mut);
    let subnets = defaults.and_then(|defaults| defaults.get_mut("subnets"));
    let subnets = subnets.and_then(toml::Value::as_array_mut);
    subnets.ok_or("the cloud's configuration has no subnets")?.reverse();
    let other = host.folder().join("other-subnet-first.toml");
    std::fs::write(&other, settings.to_string())?;
    Ok([host.config(), other])
}

/// A driver whose script has begun.
fn begin(job: &BenchJob<'_>) -> Result<Child, Box<dyn Error>> {
    job.prepare()?;
    let mut driver = job.script(SCRIPT)?.spawn()?;
    let mut said = [0; 3];
    let stdout = driver.stdout.as_mut().ok_or("its output is a pipe")?;
    stdout.read_exact(&mut said)?;
    Ok(driver)
}

/// Does the same for each job, for a few at a time.
fn each<T: Send>(
    jobs: &[BenchJob<'_>],
    work: impl Fn(&BenchJob<'_>) -> Result<T, Box<dyn Error>> + Sync,
) -> Result<Vec<T>, Box<dyn Error>> {
    let share = jobs.len().div_ceil(HANDS);
    let one_hand = |jobs: &[BenchJob<'_>]| {
        let work = |job| work(job).map_err(|error: Box<dyn Error>| error.to_string());
        jobs.iter().map(work).collect::<Result<Vec<_>, String>>()
    };
    let done = scope(|scope| {
        let hands: Vec<_> = jobs.chunks(share).map(|jobs| scope.spawn(|| one_hand(jobs))).collect();
        let join = |hand: std::thread::ScopedJoinHandle<'_, _>| hand.join().expect("no panic");
        hands.into_iter().map(join).collect::<Result<Vec<_>, String>>()
    });
    Ok(done?.into_iter().flatten().collect())
}
