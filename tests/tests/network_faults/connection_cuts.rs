//! C5: the connection is cut while a script runs, at any byte, by a close or by a reset.

use std::time::Duration;

use fargate_tests::{
    BUILD_FAILURE, ConnectionCut, FaultyRelay, PATIENCE, PipeReading, RelayBehaviour, RelayFault,
    RelayFaultKind, RelaySide, TestJob, memory_kib, process, until,
};
use fastrand::Rng;

use crate::test_seeds::seeds;
use crate::{
    STARTS, address_of, events, lead, mark, pass, relayed, site, starts, wait_at, written_by,
};

/// About 5 MB of every kind of byte.
const BINARY: &str = "seq 1400000 | gzip -1n";

/// A cut of what the task sends.
fn cut_after(after: u64, how: ConnectionCut) -> RelayFault {
    RelayFault { from: RelaySide::Task, after, what: RelayFaultKind::Cut(how) }
}

#[tokio::test]
async fn a_binary_log_of_5_mb_that_is_cut_at_random_bytes_arrives_whole() {
    let expected = written_by(BINARY);
    assert!(expected.len() > 3_000_000, "{}", expected.len());
    for seed in seeds(4) {
        let mut random = Rng::with_seed(seed);
        let site = site().await;
        let (job, relay) = relayed(&site).await;
        let cuts = 1 + random.u64(..4);
        for _ in 0..cuts {
            let how = if random.bool() { ConnectionCut::Fin } else { ConnectionCut::Rst };
            relay.plan(cut_after(random.u64(..expected.len() as u64 / 4), how));
        }
        let script = format!("{STARTS}; {BINARY}; seq 30000 >&2; exit 7");
        let ended = job.run(script).await.with_code(BUILD_FAILURE);
        assert!(ended.stdout == expected, "seed {seed}: {} bytes", ended.stdout.len());
        let err = (1..=30_000).fold(String::new(), |text, n| format!("{text}{n}\n"));
        assert!(ended.err() == err, "seed {seed}: {} bytes of stderr", ended.stderr.len());
        assert_eq!(job.exit_code().as_deref(), Some("7\n"), "seed {seed}");
        assert!(relay.accepted() > usize::try_from(cuts).expect("a few"), "seed {seed}");
        assert_eq!(starts(&job).await, 1, "seed {seed}");
        site.close().await;
    }
}

#[tokio::test]
async fn a_cut_and_its_end_stand_in_the_operators_log_and_nowhere_else() {
    for how in [ConnectionCut::Fin, ConnectionCut::Rst] {
        let site = site().await;
        let (job, relay) = relayed(&site).await;
        let gate = mark("gate");
        let script = format!("{STARTS}; echo one; {}; echo two; exit 3", wait_at(&gate));
        let mut running = job.start_run(script);
        running.wrote("one").await;
        relay.cut(how);
        until("it came back", || events(&site, "session.resumed").len() == 1).await;
        let (cut, back) = (&events(&site, "session.cut")[0], &events(&site, "session.resumed")[0]);
        assert_eq!((&cut["offset"], &back["offset"]), (&4.into(), &4.into()), "{cut} {back}");
        let away = back["away_ms"].as_u64().map(Duration::from_millis);
        assert!(away.is_some_and(|away| away < PATIENCE), "{back}");
        for line in [cut, back] {
            assert!(!line["time"].is_null() && !line["job"].is_null(), "{line}");
        }
        pass(&gate).await;
        let ended = job.heard(running).await.with_code(BUILD_FAILURE);
        assert_eq!((ended.out(), ended.err()), ("one\ntwo\n".to_owned(), String::new()));
        assert_eq!(job.exit_code().as_deref(), Some("3\n"));
        assert_eq!(starts(&job).await, 1);
        site.close().await;
    }
}

#[tokio::test]
async fn a_script_that_ends_while_nobody_is_connected_has_told_all_once_somebody_is() {
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let gate = mark("ends-meanwhile");
    let shell = mark("ends-for-good");
    let inner = format!("echo one; {}; seq 100000; exit 5", wait_at(&gate));
    let script = format!("{STARTS}; exec -a {shell} bash -c '{inner}'");
    let mut running = job.start_run(script);
    running.wrote("one").await;
    relay.set(RelayBehaviour::Refusing);
    relay.cut(ConnectionCut::Rst);
    until("it was cut", || events(&site, "session.cut").len() == 1).await;
    pass(&gate).await;
    until("the script has ended", || process(&shell).is_none()).await;
    relay.set(RelayBehaviour::Up);
    let ended = job.heard(running).await.with_code(BUILD_FAILURE);
    assert_eq!(ended.stdout, [b"one\n", &written_by("seq 100000")[..]].concat());
    assert_eq!((ended.err(), job.exit_code().as_deref()), (String::new(), Some("5\n")));
    assert_eq!(starts(&job).await, 1);
    site.close().await;
}

/// The bytes that the task sends for a whole `run` of this script, as near as they can be told.
async fn bytes_of(job: &TestJob, relay: &FaultyRelay, script: &str) -> u64 {
    let before = relay.passed(RelaySide::Task);
    job.run(script).await.with_code(4);
    relay.passed(RelaySide::Task) - before
}

#[tokio::test]
async fn cut_anywhere_between_the_last_output_and_the_goodbye_the_status_arrives() {
    let site = site().await;
    site.set("defaults.timeouts.next_stage_grace", "1s");
    let job = site.job_with(|job| job.set("BUILD_FAILURE_EXIT_CODE", "4"));
    job.prepare().await.passed();
    let relay = FaultyRelay::to(address_of(&job)).await;
    lead(&job, relay.address);
    let script = format!("{STARTS}; echo last; exit 9");
    let whole = bytes_of(&job, &relay, &script).await;
    let mut runs = 1;
    for (n, back) in (0..400).step_by(16).enumerate() {
        let how = if n % 2 == 0 { ConnectionCut::Fin } else { ConnectionCut::Rst };
        relay.plan(cut_after(whole - back, how));
        let ended = job.run(&script).await.with_code(4);
        assert_eq!(ended.all(), "last\n", "{back} bytes before the end");
        assert_eq!(job.exit_code().as_deref(), Some("9\n"));
        runs += 1;
    }
    assert_eq!(starts(&job).await, runs);
    assert!(events(&site, "session.cut").len() >= 5, "some of the cuts hit the session");
    site.close().await;
}

#[tokio::test]
async fn a_network_that_flaps_costs_no_byte() {
    let expected = written_by("seq 200000");
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    relay.always(Some(cut_after(150_000, ConnectionCut::Rst)));
    let ended = job.run(format!("{STARTS}; seq 200000; exit 6")).await.with_code(BUILD_FAILURE);
    assert!(ended.stdout == expected, "{} bytes", ended.stdout.len());
    assert_eq!((ended.err(), job.exit_code().as_deref()), (String::new(), Some("6\n")));
    assert!(events(&site, "session.resumed").len() >= 5);
    relay.always(None);
    assert_eq!(starts(&job).await, 1);
    site.close().await;
}

#[tokio::test]
async fn a_log_of_64_mb_with_two_cuts_arrives_whole_and_in_little_memory() {
    const BYTES: u64 = 64_000_000;
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    for after in [20_000_000, 25_000_001] {
        relay.plan(cut_after(after, ConnectionCut::Rst));
    }
    let words = format!("yes 'sixty-four million bytes of a log' | head -c {BYTES}");
    let running = job.start_run(format!("{STARTS}; {words}"));
    relay.until_passed(RelaySide::Task, 50_000_000).await;
    let memory = memory_kib(running.pid());
    let ended = job.heard(running).await.with_code(0);
    assert!(ended.stdout == written_by(&words), "{} bytes", ended.stdout.len());
    assert_eq!(ended.err(), "");
    assert!(memory < 48 << 10, "{memory} KiB");
    assert_eq!((relay.accepted(), starts(&job).await), (3, 1));
    site.close().await;
}

#[tokio::test]
async fn a_reader_that_stops_during_a_cut_gets_every_byte_later() {
    let expected = written_by("seq 2000000");
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let script = format!("{STARTS}; seq 2000000; exit 8");
    let running = job.start_stage("build_script", script, PipeReading::OnDemand);
    // The reader has taken nothing, so the window fills.
    relay.until_passed(RelaySide::Task, 4 << 20).await;
    relay.cut(ConnectionCut::Rst);
    until("it came back", || events(&site, "session.resumed").len() == 1).await;
    running.read_on();
    let ended = job.heard(running).await.with_code(BUILD_FAILURE);
    assert!(ended.stdout == expected, "{} bytes", ended.stdout.len());
    assert_eq!((ended.err(), job.exit_code().as_deref()), (String::new(), Some("8\n")));
    assert_eq!(starts(&job).await, 1);
    site.close().await;
}

#[tokio::test]
async fn a_script_that_writes_much_while_nobody_is_connected_waits_at_the_window() {
    let expected = written_by("seq 2000000");
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let (gate, writer) = (mark("much"), mark("writes-much"));
    let writes = format!("(exec -a {writer} seq 2000000)");
    let script = format!("{STARTS}; echo one; {}; {writes}; exit 2", wait_at(&gate));
    let mut running = job.start_run(script);
    running.wrote("one").await;
    relay.set(RelayBehaviour::Refusing);
    relay.cut(ConnectionCut::Rst);
    until("it was cut", || events(&site, "session.cut").len() == 1).await;
    pass(&gate).await;
    let blocked = || process(&writer).is_some_and(|pid| is_blocked(pid, 4 << 20));
    until("the writer waits at the window", blocked).await;
    relay.set(RelayBehaviour::Up);
    let ended = job.heard(running).await.with_code(BUILD_FAILURE);
    assert!(ended.stdout == [b"one\n", &expected[..]].concat(), "{} bytes", ended.stdout.len());
    assert_eq!(starts(&job).await, 1);
    site.close().await;
}

/// True if the process sleeps in a write after so many bytes.
fn is_blocked(pid: nix::unistd::Pid, bytes: u64) -> bool {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    let written = written.and_then(|count| count.parse::<u64>().ok()).unwrap_or_default();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    written >= bytes && stat.contains(") S ")
}
