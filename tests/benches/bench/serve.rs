//! `fargate-runner serve` with 10,000 jobs in its history: how many answers a second, how fast events reach many
//! open streams, and what silent sockets cost everybody else.
//!
//! Client and server share the machine, so a figure is of both together.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use fargate_events::{EventSink, JobFact};
use fargate_history::{HistoryLocation, HistoryStore};
use fargate_job_journal::{JournalFolder, JournalSink};
use fargate_model::job::JobKey;
use fargate_playground::test_host::TestHost;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::bench_server::BenchServer;
use crate::figure::{BenchFigure, BenchReport, FigureGoal, median, ms, percentile};
use crate::history::put_jobs;

const JOBS: u32 = 10_000;
/// Connections that ask at the same time.
const CLIENTS: usize = 64;
const ASKED_FOR: Duration = Duration::from_secs(5);
const STREAMS: usize = 5_000;
const EVENTS_PER_SECOND: u64 = 20;
const STREAMED_FOR: Duration = Duration::from_secs(5);
const SILENT: usize = 2_000;

type BenchResult<T> = Result<T, Box<dyn Error>>;

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> BenchResult<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let config = folder.path().join("config.toml");
    let log = folder.path().join("log");
    let job = "cluster = \"ci\"\nsubnets = [\"subnet-0\"]\nsecurity_groups = [\"sg-0\"]\ntask_definition = \"ci\"";
    let text = format!(
        "config_version = 1\nstate_dir = {state:?}\nlog_file = {log:?}\n[defaults]\n{job}\n"
    );
    std::fs::write(&config, text)?;
    for command in ["pause", "resume"] {
        let mut made = Command::new(host.driver());
        made.arg("-c").arg(&config).arg(command).stderr(Stdio::null());
        if !made.status()?.success() {
            return Err(format!("`{command}` did not make the state folder").into());
        }
    }
    runtime.block_on(fill(&state))?;
    let mut command = Command::new(host.driver());
    command.arg("-c").arg(&config);
    let server = BenchServer::start(command)?;
    let measured = runtime.block_on(measure_server(&server, &state, report));
    drop(server);
    measured
}

async fn fill(state: &Path) -> BenchResult<()> {
    let location = HistoryLocation::Sqlite(state.join("history.db"));
    let store = HistoryStore::open(&location).await?.store;
    put_jobs(&store, JOBS).await?;
    store.close().await;
    Ok(())
}

async fn measure_server(
    server: &BenchServer,
    state: &Path,
    report: &mut BenchReport,
) -> BenchResult<()> {
    server.ready().await?;
    let window = "from=2026-11-01T00:00:00Z&to=2027-02-01T00:00:00Z";
    for (name, path, goal, late) in [
        ("serve-status", "/api/v1/now".to_owned(), 10_000.0, 25.0),
        ("serve-page-of-100", format!("/api/v1/jobs?per=100&{window}"), 3_000.0, 50.0),
    ] {
        let (rate, times) = asked(server.address, &path).await?;
        let note = format!("{CLIENTS} connections, {} answers, {JOBS} jobs", times.len());
        let names = match name {
            "serve-status" => ["serve-status-per-second", "serve-status-p99"],
            _ => ["serve-page-per-second", "serve-page-p99"],
        };
        let goal = FigureGoal::AtLeast(goal);
        report.add(BenchFigure {
            name: names[0],
            value: rate,
            unit: "1/s",
            goal,
            note: note.clone(),
        });
        let (value, goal) = (percentile(&times, 99), FigureGoal::AtMost(late));
        report.add(BenchFigure { name: names[1], value, unit: "ms", goal, note });
    }
    let quiet = server.resident_kib();
    report.add(BenchFigure {
        name: "serve-memory",
        value: server.peak_kib() as f64 / 1024.0,
        unit: "MiB",
        goal: FigureGoal::AtMost(256.0),
        note: format!("the most resident memory; {JOBS} jobs, after the load"),
    });
    streams(server, state, quiet, report).await?;
    silent(server, report).await
}

/// Answers per second, and how long each took in ms.
async fn asked(address: SocketAddr, path: &str) -> BenchResult<(f64, Vec<f64>)> {
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        clients.spawn(ask_on(address, request, began + ASKED_FOR));
    }
    let mut times = Vec::new();
    while let Some(client) = clients.join_next().await {
        times.extend(client?.map_err(|error| format!("asking {path}: {error}"))?);
    }
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    Ok((rate, times))
}

async fn ask_on(address: SocketAddr, request: String, until: Instant) -> std::io::Result<Vec<f64>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::with_capacity(64 * 1024, stream);
    let (mut times, mut line, mut body) = (Vec::new(), String::new(), Vec::new());
    while Instant::now() < until {
        let began = Instant::now();
        stream.get_mut().write_all(request.as_bytes()).await?;
        let mut length = 0;
        let mut is_right = false;
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let text = line.trim_end().to_ascii_lowercase();
            is_right |= text.starts_with("http/1.1 200");
            if let Some(number) = text.strip_prefix("content-length: ") {
                length = number.parse().unwrap_or(0);
            }
            if text.is_empty() {
                break;
            }
        }
        if !is_right {
            return Err(std::io::Error::other("the answer is not 200"));
        }
        body.resize(length, 0);
        stream.read_exact(&mut body).await?;
        times.push(ms(began.elapsed()));
    }
    Ok(times)
}

/// How long after the first stream each other stream got an event, and how long after it was written down.
async fn streams(
    server: &BenchServer,
    state: &Path,
    quiet_kib: u64,
    report: &mut BenchReport,
) -> BenchResult<()> {
    let mut readers = JoinSet::new();
    let began = Instant::now();
    for _ in 0..STREAMS {
        readers.spawn(read_events(server.address, began));
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let held = server.resident_kib().saturating_sub(quiet_kib) as f64 / STREAMS as f64;
    let telling = {
        let state = state.to_owned();
        tokio::task::spawn_blocking(move || tell_events(&state))
    };
    telling.await?.map_err(|error| error.to_string())?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut arrived: BTreeMap<u64, Vec<ArrivedEvent>> = BTreeMap::new();
    while let Some(reader) = readers.join_next().await {
        for event in reader.unwrap_or_default() {
            arrived.entry(event.id).or_default().push(event);
        }
    }
    let complete: Vec<&Vec<ArrivedEvent>> =
        arrived.values().filter(|all| all.len() * 100 > STREAMS * 99).collect();
    let late = complete.iter().flat_map(|all| {
        let first = all.iter().map(|event| event.at_ms).fold(f64::MAX, f64::min);
        all.iter().map(move |event| event.at_ms - first)
    });
    let late: Vec<f64> = late.collect();
    if late.is_empty() {
        return Err("no event reached the streams".into());
    }
    let ages: Vec<f64> =
        complete.iter().flat_map(|all| all.iter().map(|event| event.age_ms)).collect();
    let note = format!(
        "{STREAMS} streams, {} of {} events that all got; after the first stream that got it",
        complete.len(),
        EVENTS_PER_SECOND * STREAMED_FOR.as_secs()
    );
    for (name, value, goal, note) in [
        ("serve-events-p99", percentile(&late, 99), 150.0, note),
        (
            "serve-events-from-journal-p99",
            percentile(&ages, 99),
            500.0,
            format!(
                "from the moment that a process of the job tells it; p50 {:.0} ms",
                median(&ages)
            ),
        ),
    ] {
        let goal = FigureGoal::AtMost(goal);
        report.add(BenchFigure { name, value, unit: "ms", goal, note });
    }
    report.add(BenchFigure {
        name: "serve-memory-of-a-stream",
        value: held,
        unit: "KiB",
        goal: FigureGoal::AtMost(32.0),
        note: format!("{STREAMS} streams open"),
    });
    Ok(())
}

/// An event as a stream got it.
struct ArrivedEvent {
    /// Its place in the history.
    id: u64,
    /// When it came, since all streams began.
    at_ms: f64,
    /// How long before that it was written down.
    age_ms: f64,
}

/// Reads a stream to its end.
async fn read_events(address: SocketAddr, began: Instant) -> Vec<ArrivedEvent> {
    let mut seen = Vec::new();
    let Ok(stream) = TcpStream::connect(address).await else { return seen };
    let mut stream = BufReader::with_capacity(2048, stream);
    let head = format!("GET /api/v1/events HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let _ = stream.get_mut().write_all(head.as_bytes()).await;
    let until = tokio::time::Instant::now() + STREAMED_FOR + Duration::from_secs(6);
    let (mut line, mut id) = (String::new(), None);
    loop {
        line.clear();
        match tokio::time::timeout_at(until, stream.read_line(&mut line)).await {
            Ok(Ok(1..)) => {}
            _ => return seen,
        }
        if let Some(given) = line.strip_prefix("id: ") {
            id = given.trim().parse().ok();
        } else if let Some(told) = told_ms(&line)
            && let Some(id) = id.take()
        {
            let age_ms = ms(SystemTime::now().duration_since(told).unwrap_or_default());
            seen.push(ArrivedEvent { id, at_ms: ms(began.elapsed()), age_ms });
        }
    }
}

/// When the process of a job told what this line of a stream says.
fn told_ms(line: &str) -> Option<SystemTime> {
    let (_, rest) = line.strip_prefix("data: ")?.split_once("\"at_ms\":")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_millis(digits.parse().ok()?))
}

/// Writes events into the journal of a job, as its stages do.
fn tell_events(state: &Path) -> Result<(), String> {
    let folder = JournalFolder::of(state);
    let key = JobKey::try_from("ab".repeat(32)).map_err(|error| error.to_string())?;
    let sink = JournalSink::new(folder, key, "build_script".to_owned(), Default::default());
    let all = EVENTS_PER_SECOND * STREAMED_FOR.as_secs();
    for _ in 0..all {
        sink.take_fact(&JobFact::StageStarted { stage: "build_script".to_owned() });
        std::thread::sleep(Duration::from_secs(1) / u32::try_from(EVENTS_PER_SECOND).unwrap_or(1));
    }
    Ok(())
}

/// How long health takes while many sockets say nothing.
async fn silent(server: &BenchServer, report: &mut BenchReport) -> BenchResult<()> {
    let mut sockets = Vec::with_capacity(SILENT);
    for _ in 0..SILENT {
        sockets.push(TcpStream::connect(server.address).await?);
    }
    let mut times = Vec::new();
    for _ in 0..100 {
        let began = Instant::now();
        server.ask("/health/live").await?;
        times.push(ms(began.elapsed()));
    }
    let note = format!("{SILENT} silent sockets, slowest of {} answers", times.len());
    let (value, goal) = (percentile(&times, 100), FigureGoal::AtMost(100.0));
    report.add(BenchFigure { name: "serve-health-half-open", value, unit: "ms", goal, note });
    drop(sockets);
    Ok(())
}
