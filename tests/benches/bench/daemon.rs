//! The daemon of a host, `fargate-runner serve`, with the jobs that it is built for: how often it asks ECS while a
//! thousand jobs wait for their tasks, and its memory with 10,000 live tasks and 100,000 jobs in its history.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fargate_history::{HistoryLocation, HistoryStore};
use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_playground::test_host::TestHost;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::bench_job::{BenchJob, open_host_with};
use crate::bench_server::{BenchAnswer, BenchServer};
use crate::figure::{BenchFigure, BenchReport, FigureGoal};
use crate::history::put_jobs;
use crate::job_sample::{JobSample, LiveCopy};

/// The number of the job that all others copy.
const FIRST: u64 = 6000;
/// Jobs that wait for their tasks.
const WAITING: usize = 1_000;
/// Live tasks.
const TASKS: usize = 10_000;
/// Of these, one in so many starts still.
const STARTING_EACH: usize = 10;
/// Jobs that are over.
const OVER: u32 = 100_000;
/// The longest that the daemon may take until it knows all jobs, or until it compares them again.
const LEARN_TIME: Duration = Duration::from_secs(180);
/// How long people look at all pages.
const WATCHED: Duration = Duration::from_secs(15);
/// What they look at.
const PAGES: [&str; 8] = [
    "/",
    "/api/v1/now",
    "/api/v1/tasks",
    "/metrics",
    "/history?from=2026-11-01T00:00:00Z&to=2027-02-01T00:00:00Z",
    "/api/v1/jobs?per=200&sort=-cost&from=2026-11-01T00:00:00Z&to=2027-02-01T00:00:00Z",
    "/start-time?from=2026-11-01T00:00:00Z&to=2027-02-01T00:00:00Z",
    "/cost?from=2026-11-01T00:00:00Z&to=2027-02-01T00:00:00Z",
];

type BenchResult<T> = Result<T, Box<dyn Error>>;

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> BenchResult<()> {
    let host = open_host_with(&host.folder().join("daemon"), |_| {})?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = runtime.block_on(measure_in(&host, report));
    host.close_thread();
    measured
}

async fn measure_in(host: &TestHost, report: &mut BenchReport) -> BenchResult<()> {
    let job = BenchJob::new(host, FIRST)?;
    job.prepare()?;
    let sample = JobSample::read(host)?;
    job.cleanup()?;
    // Without processes and addresses: what is measured is the host's own work.
    let held = CloudFault::TaskHeld { phase: CloudTaskPhase::Provisioning };
    host.cloud().fail_until_cleared("RunTask", held);
    let ecs = fargate_tests::ecs_client(host.cloud());
    let mut waiting = Vec::new();
    for number in 0..WAITING {
        waiting.push(sample.copy(&ecs, number, false).await?);
    }
    reads_of_waiting(host, &sample, &waiting, report).await?;
    for number in WAITING..TASKS {
        sample.copy(&ecs, number, number % STARTING_EACH != 0).await?;
    }
    let location = HistoryLocation::Sqlite(host.state_dir().join("history.db"));
    let store = HistoryStore::open(&location).await?.store;
    put_jobs(&store, OVER).await?;
    store.close().await;
    memory_of_many(host, report).await
}

fn start(host: &TestHost) -> BenchResult<BenchServer> {
    let mut command = Command::new(host.driver());
    command.arg("-c").arg(host.config()).env_clear().envs(host.environment());
    // As the systemd unit sets it.
    command.env("MALLOC_ARENA_MAX", "1");
    BenchServer::start(command)
}

/// Calls that ask ECS about tasks, from one comparison of all tasks and records to the next.
async fn reads_of_waiting(
    host: &TestHost,
    sample: &JobSample,
    waiting: &[LiveCopy],
    report: &mut BenchReport,
) -> BenchResult<()> {
    let server = start(host)?;
    let first = next_sweep(&server, 0.0).await?;
    let place = sample.place(host);
    let mut connections = Vec::new();
    for copy in waiting {
        connections.push(wait_for(host, &place, &copy.task).await?);
    }
    // What may be asked at once is asked before this sweep.
    let settled = next_sweep(&server, first).await?;
    let second = next_sweep(&server, settled).await?;
    let (began, before) = (Instant::now(), reads(host));
    next_sweep(&server, second).await?;
    let (took, [listed, described]) = (began.elapsed(), reads(host));
    drop(connections);
    let (listed, described) = (listed - before[0], described - before[1]);
    let calls = u32::try_from(listed + described)?;
    report.add(BenchFigure {
        name: "daemon-ecs-reads-1000-waiting",
        value: f64::from(calls) / took.as_secs_f64(),
        unit: "1/s",
        goal: FigureGoal::AtMost(1.0),
        note: format!(
            "{WAITING} jobs wait; {listed} ListTasks and {described} DescribeTasks from one sweep to \
             the next, {:.0} s",
            took.as_secs_f64()
        ),
    });
    Ok(())
}

/// Waits for a task as its driver does.
async fn wait_for(host: &TestHost, place: &Value, task: &str) -> BenchResult<UnixStream> {
    let mut stream = UnixStream::connect(host.state_dir().join("daemon.sock")).await?;
    let request = json!({ "watch": { "version": 1, "place": place, "task": task } }).to_string();
    let length = u32::try_from(request.len())?.to_be_bytes();
    stream.write_all(&[&length[..], request.as_bytes()].concat()).await?;
    let length = usize::try_from(stream.read_u32().await?)?;
    let mut reply = vec![0; length];
    stream.read_exact(&mut reply).await?;
    let reply: Value = serde_json::from_slice(&reply)?;
    match reply.get("seen") {
        Some(_) => Ok(stream),
        None => Err(format!("the daemon does not watch {task}: {reply}").into()),
    }
}

/// ListTasks and DescribeTasks so far.
fn reads(host: &TestHost) -> [usize; 2] {
    ["ListTasks", "DescribeTasks"].map(|operation| host.calls(operation))
}

/// When tasks and records were compared last, once that is later than `after`, in seconds since 1970.
async fn next_sweep(server: &BenchServer, after: f64) -> BenchResult<f64> {
    let swept = |answer: &BenchAnswer| {
        let name = "fargate_runner_last_reconcile_timestamp_seconds ";
        let line = answer.body.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|number| number.trim().parse::<f64>().ok()).filter(|at| *at > after)
    };
    let is_later = |answer: &BenchAnswer| swept(answer).is_some();
    server.until("the next sweep", LEARN_TIME, "/metrics", is_later).await?;
    swept(&server.ask("/metrics").await?).ok_or_else(|| "the sweep is forgotten".into())
}

/// The most memory that the daemon has until all pages were looked at.
async fn memory_of_many(host: &TestHost, report: &mut BenchReport) -> BenchResult<()> {
    let began = Instant::now();
    let server = start(host)?;
    server.ready().await?;
    let running = TASKS - WAITING - (TASKS - WAITING) / STARTING_EACH;
    let line = format!("fargate_runner_tasks{{state=\"running\"}} {running}\n");
    let is_known = |answer: &BenchAnswer| answer.body.contains(&line);
    server.until("all live jobs", LEARN_TIME, "/metrics", is_known).await?;
    next_sweep(&server, 0.0).await?;
    let learned = began.elapsed();
    let mut list = Command::new(host.driver());
    list.arg("-c").arg(host.config()).args(["tasks", "list"]);
    list.env_clear().envs(host.environment()).stdin(Stdio::null()).stdout(Stdio::piped());
    crate::measured::measure(&mut list)?;
    let (answers, slowest) = look_at_all(&server).await?;
    report.add(BenchFigure {
        name: "daemon-memory-10000-tasks",
        value: server.peak_kib() as f64 / 1024.0,
        unit: "MiB",
        goal: FigureGoal::AtMost(256.0),
        note: format!(
            "the most resident memory; {TASKS} live tasks, {OVER} jobs that are over; all learned in {:.0} \
             s; then {} MiB after {answers} answers, the slowest {:.1} s",
            learned.as_secs_f64(),
            server.resident_kib() / 1024,
            slowest.as_secs_f64()
        ),
    });
    Ok(())
}

/// How many answers people got who look at all pages, and the longest that one took.
async fn look_at_all(server: &BenchServer) -> BenchResult<(usize, Duration)> {
    let began = Instant::now();
    let look = async |first: usize| -> BenchResult<(usize, Duration)> {
        let (mut answers, mut slowest) = (0, Duration::ZERO);
        for path in PAGES.iter().cycle().skip(first) {
            let asked = Instant::now();
            let answer = server.ask(path).await?;
            if answer.status != 200 {
                return Err(format!("{path}: {} {}", answer.status, answer.body).into());
            }
            (answers, slowest) = (answers + 1, slowest.max(asked.elapsed()));
            if began.elapsed() > WATCHED {
                break;
            }
        }
        Ok((answers, slowest))
    };
    // Four people, each of whom begins with another page.
    let looks = tokio::join!(look(0), look(2), look(4), look(6));
    let looks = [looks.0?, looks.1?, looks.2?, looks.3?];
    let slowest = looks.iter().map(|(_, slowest)| *slowest).max().unwrap_or_default();
    Ok((looks.iter().map(|(answers, _)| answers).sum(), slowest))
}
