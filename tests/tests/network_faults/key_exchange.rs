//! C9: driver or server exchanges keys anew during a transfer, with scripts and logs much larger
//! than one pair of keys may encrypt.
//!
//! `FARGATE_TEST_MEGABYTES` makes the logs larger.

use std::rc::Rc;

use aws_sdk_ecs::types::{ContainerDefinition, KeyValuePair};
use fargate_tests::{
    BUILD_FAILURE, CheckedHost, ConnectionCut, FaultyRelay, PipeReading, RelayFault,
    RelayFaultKind, RelaySide, SshdSetup, TestJob, megabytes,
};
use fastrand::Rng;
use sha2::{Digest, Sha256};

use crate::{STARTS, events, relayed, site, starts};

/// Megabytes of a log.
const LOG: u64 = 12;
/// Bytes of a script.
const SCRIPT: usize = 6 << 20;
/// MiB after which keys are exchanged at the earliest, and at the latest.
const OFTEN: u32 = 1;
const SELDOM: u32 = 1024;

/// A script that tells the hash of a part of itself, and then writes a log of so many megabytes.
struct LargeLogScript {
    script: String,
    expected: Vec<u8>,
}

fn large(megabytes: u64) -> LargeLogScript {
    let line = "a line of a large script, of no meaning\n";
    let part = line.repeat(SCRIPT / line.len());
    // Seven digits and a newline.
    let last = 1_000_000 + megabytes * 125_000;
    let script = format!("{STARTS}; sha256sum <<'E'\n{part}E\nseq 1000000 {last}; exit 7\n");
    let mut expected = format!("{}  -\n", hex::encode(Sha256::digest(part))).into_bytes();
    (1_000_000..=last).for_each(|n| expected.extend_from_slice(format!("{n}\n").as_bytes()));
    LargeLogScript { script, expected }
}

/// A site whose driver and whose agents exchange keys so often, after MiB.
async fn site_with(driver: u32, agent: u32) -> CheckedHost {
    let site = site().await;
    site.set("defaults.ssh.rekey_after_mib", i64::from(driver));
    let variable = KeyValuePair::builder().name("FARGATE_RUNNER_REKEY_MIB");
    let variable = variable.value(agent.to_string()).build();
    let container = ContainerDefinition::builder().environment(variable);
    site.set("defaults.task_definition", site.register("rekeys", container).await);
    site
}

/// Runs the script and compares its output with what it must write. Gives how often keys were
/// exchanged anew.
async fn run(site: &CheckedHost, job: &TestJob, large: &LargeLogScript) -> usize {
    let before = events(site, "session.rekeyed").len();
    let ended = job.run(&large.script).await;
    assert_eq!(ended.code, BUILD_FAILURE, "{}", ended.err());
    assert!(ended.stdout == large.expected, "{} bytes", ended.stdout.len());
    assert_eq!((ended.err(), job.exit_code().as_deref()), (String::new(), Some("7\n")));
    events(site, "session.rekeyed").len() - before
}

#[tokio::test]
async fn keys_that_are_exchanged_anew_cost_no_byte_whoever_asks_for_it() {
    let log = megabytes(LOG);
    let large = large(log);
    // Both ask at the same byte where both have the same limit, as they do after 1 GiB.
    for (driver, agent) in [(OFTEN, SELDOM), (SELDOM, OFTEN), (OFTEN, OFTEN)] {
        let site = site_with(driver, agent).await;
        let (job, relay) = relayed(&site).await;
        let times = run(&site, &job, &large).await;
        let least = usize::try_from(log / 2).expect("a small number");
        assert!(times >= least, "{times} times with {driver} and {agent} MiB");
        assert_eq!((relay.accepted(), starts(&job).await), (1, 1));
        assert!(events(&site, "session.cut").is_empty());
        site.close().await;
    }
}

#[tokio::test]
async fn keys_are_not_exchanged_anew_for_less_than_the_limit() {
    let site = site_with(SELDOM, SELDOM).await;
    let job = site.prepared().await;
    assert_eq!(run(&site, &job, &large(4)).await, 0);
    site.close().await;
}

#[tokio::test]
async fn cuts_among_exchanges_of_keys_cost_no_byte() {
    let large = large(LOG);
    let site = site_with(OFTEN, OFTEN).await;
    let (job, relay) = relayed(&site).await;
    let mut random = Rng::with_seed(1);
    for n in 0..6 {
        let from = if n % 2 == 0 { RelaySide::Task } else { RelaySide::Client };
        let among = if n % 2 == 0 { 8_000_000 } else { 3_000_000 };
        let what =
            RelayFaultKind::Cut(if n % 3 == 0 { ConnectionCut::Fin } else { ConnectionCut::Rst });
        relay.plan(RelayFault { from, after: random.u64(..among), what });
    }
    run(&site, &job, &large).await;
    assert!(relay.accepted() > 1, "{} connections", relay.accepted());
    assert_eq!(starts(&job).await, 1);
    site.close().await;
}

#[tokio::test]
async fn a_reader_that_stops_among_exchanges_of_keys_gets_every_byte_later() {
    let large = large(LOG);
    let site = site_with(OFTEN, OFTEN).await;
    let (job, relay) = relayed(&site).await;
    let running = job.start_stage("build_script", &large.script, PipeReading::OnDemand);
    // The reader takes nothing, so the window fills.
    relay.until_passed(RelaySide::Task, 4 << 20).await;
    running.read_on();
    let ended = job.heard(running).await;
    assert_eq!(ended.code, BUILD_FAILURE, "{}", ended.err());
    assert!(ended.stdout == large.expected, "{} bytes", ended.stdout.len());
    assert_eq!((relay.accepted(), starts(&job).await), (1, 1));
    site.close().await;
}

/// A job in a stock server with this line of configuration, for a driver that exchanges keys so often.
async fn on_stock_server(driver: u32, line: &str) -> (CheckedHost, Rc<TestJob>, FaultyRelay) {
    let site = site().await;
    site.set("defaults.ssh.rekey_after_mib", i64::from(driver));
    SshdSetup::open_ssh().line(line).serve(&site).await;
    let (job, relay) = relayed(&site).await;
    (site, job, relay)
}

#[tokio::test]
async fn a_stock_server_that_exchanges_keys_costs_no_byte() {
    if !SshdSetup::can_run() {
        return;
    }
    let log = megabytes(LOG);
    let large = large(log);
    for (driver, line) in [
        (SELDOM, "RekeyLimit 1M"),
        (OFTEN, "RekeyLimit default none"),
        (OFTEN, "RekeyLimit 1M 10s"),
    ] {
        let (site, job, relay) = on_stock_server(driver, line).await;
        let times = run(&site, &job, &large).await;
        let least = usize::try_from(log / 2).expect("a small number");
        assert!(times >= least, "{times} times with {driver} MiB and {line}");
        assert_eq!((relay.accepted(), starts(&job).await), (1, 1));
        site.close().await;
    }
}

#[tokio::test]
async fn a_reader_that_stops_among_exchanges_with_a_stock_server_gets_every_byte_later() {
    if !SshdSetup::can_run() {
        return;
    }
    let large = large(LOG);
    let (site, job, relay) = on_stock_server(OFTEN, "RekeyLimit 1M 10s").await;
    let running = job.start_stage("build_script", &large.script, PipeReading::OnDemand);
    relay.until_passed(RelaySide::Task, 3 << 20).await;
    running.read_on();
    let ended = job.heard(running).await;
    assert_eq!(ended.code, BUILD_FAILURE, "{}", ended.err());
    assert!(ended.stdout == large.expected, "{} bytes", ended.stdout.len());
    assert!(events(&site, "session.rekeyed").len() >= 12);
    assert_eq!((relay.accepted(), starts(&job).await), (1, 1));
    site.close().await;
}

#[tokio::test]
async fn a_stock_server_that_exchanges_keys_for_their_age_costs_no_line() {
    if !SshdSetup::can_run() {
        return;
    }
    let (site, job, relay) = on_stock_server(SELDOM, "RekeyLimit default 1s").await;
    let script = "for n in 1 2 3 4; do sleep 1.2; echo $n; done; exit 7";
    let ended = job.run(script).await.with_code(BUILD_FAILURE);
    assert_eq!(ended.all(), "1\n2\n3\n4\n");
    assert!(events(&site, "session.rekeyed").len() >= 2, "{}", site.log());
    assert_eq!(relay.accepted(), 1);
    site.close().await;
}
