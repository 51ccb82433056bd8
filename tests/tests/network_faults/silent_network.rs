//! C3 and C6: the network is silent, before the script is sent and while it runs.

use std::time::Duration;

use fargate_tests::{
    BUILD_FAILURE, CheckedHost, ConnectionCut, PATIENCE, RelayBehaviour, RelayFault,
    RelayFaultKind, RelaySide, until,
};

use crate::{STARTS, events, mark, pass, relayed, site, starts, wait_at, written_by};

/// How long a login has for itself before another one is tried beside it.
const ALONE: Duration = Duration::from_secs(4);

/// A host whose drivers notice silence soon, and do not mistake a busy machine for silence.
async fn attentive() -> CheckedHost {
    let site = site().await;
    site.set("defaults.timeouts.keepalive_interval", "1s");
    site.set("defaults.ssh.keepalive_tries", 2);
    site
}

#[tokio::test]
async fn a_connection_whose_other_end_is_gone_is_noticed_and_replaced() {
    let site = attentive().await;
    let (job, relay) = relayed(&site).await;
    let gate = mark("half-open");
    let script = format!("{STARTS}; echo one; {}; seq 50000; exit 3", wait_at(&gate));
    let mut running = job.start_run(script);
    running.wrote("one").await;
    relay.forget();
    until("it came back", || !events(&site, "session.resumed").is_empty()).await;
    pass(&gate).await;
    let ended = job.heard(running).await.with_code(BUILD_FAILURE);
    assert_eq!(ended.stdout, [b"one\n", &written_by("seq 50000")[..]].concat());
    assert_eq!((ended.err(), job.exit_code().as_deref()), (String::new(), Some("3\n")));
    assert!(relay.accepted() >= 2, "{}", relay.accepted());
    assert_eq!(starts(&job).await, 1);
    site.close().await;
}

#[tokio::test]
async fn a_network_that_is_silent_in_both_directions_for_a_while_costs_no_byte() {
    let site = attentive().await;
    let (job, relay) = relayed(&site).await;
    let script = format!("{STARTS}; for i in {{1..2000}}; do echo $i; done; seq 300000; exit 3");
    let mut running = job.start_run(script);
    running.wrote("\n10\n").await;
    relay.set(RelayBehaviour::Silent);
    until("it was noticed", || !events(&site, "session.cut").is_empty()).await;
    relay.set(RelayBehaviour::Up);
    let ended = job.heard(running).await.with_code(BUILD_FAILURE);
    let expected = written_by("seq 2000; seq 300000");
    assert!(ended.stdout == expected, "{} bytes", ended.stdout.len());
    assert_eq!((ended.err(), starts(&job).await), (String::new(), 1));
    site.close().await;
}

#[tokio::test]
async fn a_short_silence_is_no_cut() {
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let mut running = job.start_run(format!("{STARTS}; echo one; seq 500000; exit 3"));
    running.wrote("one").await;
    relay.plan(RelayFault {
        from: RelaySide::Task,
        after: 0,
        what: RelayFaultKind::Cut(ConnectionCut::Rst),
    });
    relay.set(RelayBehaviour::Silent);
    let before = relay.passed(RelaySide::Task);
    relay.set(RelayBehaviour::Up);
    relay.until_passed(RelaySide::Task, before + 1).await;
    let ended = job.heard(running).await.with_code(BUILD_FAILURE);
    let expected = [b"one\n", &written_by("seq 500000")[..]].concat();
    assert!(ended.stdout == expected, "{} bytes", ended.stdout.len());
    assert!(events(&site, "session.cut").is_empty());
    assert_eq!(relay.accepted(), 1);
    site.close().await;
}

#[tokio::test]
async fn stalled_after_any_byte_of_the_login_it_dials_anew() {
    let site = attentive().await;
    site.set("defaults.timeouts.connect_attempt", "300ms");
    for step in ["ssh_handshake", "ssh_authentication", "session_open"] {
        site.set(&format!("defaults.timeouts.{step}"), "2s");
    }
    // Side by side, because each of them mostly waits.
    let (a, b, c, d) =
        tokio::join!(stalled(&site, 0), stalled(&site, 1), stalled(&site, 2), stalled(&site, 3));
    assert!(a + b + c + d > 25, "{a} {b} {c} {d}");
    site.close().await;
}

/// Every fourth of the stalls, from the one with this number on; how many of them were reached.
async fn stalled(site: &CheckedHost, from: usize) -> usize {
    let (job, relay) = relayed(site).await;
    let script = format!("{STARTS}; echo said; exit 5");
    job.run(&script).await.with_code(BUILD_FAILURE);
    let whole = relay.passed(RelaySide::Task);
    let mut runs = 1;
    // The whole version line, then parts of all that follows.
    for after in (0..22).chain((22..whole).step_by(211)).skip(from).step_by(4) {
        relay.plan(RelayFault { from: RelaySide::Task, after, what: RelayFaultKind::Stall });
        let (stalls, begun) = (relay.stalls(), relay.accepted());
        let ended = job.run(&script).await.with_code(BUILD_FAILURE);
        assert_eq!(ended.all(), "said\n", "{after}");
        assert_eq!(job.exit_code().as_deref(), Some("5\n"), "{after}");
        assert!(ended.took < PATIENCE, "{after}: {:?}", ended.took);
        assert!(relay.stalls() == stalls || relay.accepted() >= begun + 2, "{after}");
        relay.go_on();
        runs += 1;
    }
    assert_eq!(starts(&job).await, runs);
    relay.stalls()
}

#[tokio::test]
async fn what_stalled_and_goes_on_in_time_is_not_dialled_anew() {
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    for after in [10, 1500] {
        relay.plan(RelayFault { from: RelaySide::Task, after, what: RelayFaultKind::Stall });
        let (stalls, begun) = (relay.stalls(), relay.accepted());
        let running = job.start_run("echo said");
        until("it stalled", || relay.stalls() == stalls + 1).await;
        relay.go_on();
        let ended = job.heard(running).await.with_code(0);
        assert_eq!(ended.all(), "said\n");
        assert!(relay.accepted() == begun + 1 || ended.took > ALONE, "{:?}", ended.took);
    }
    site.close().await;
}
