//! Cuts while a script is sent: the script starts once, and only when the agent has all of it.

use fargate_tests::{
    BUILD_FAILURE, ConnectionCut, RelayBehaviour, RelayFault, RelayFaultKind, RelaySide, until,
};
use fastrand::Rng;

use crate::test_seeds::seeds;
use crate::{STARTS, events, relayed, site, starts};

/// A script of about this many bytes.
fn long_script(bytes: usize) -> String {
    let mut script = format!("{STARTS}\n");
    while script.len() < bytes {
        script += ": a line that does nothing, so that the script is long enough to be cut\n";
    }
    script + "echo whole; exit 4\n"
}

#[tokio::test]
async fn a_script_that_is_cut_on_its_way_at_any_byte_starts_once_and_whole() {
    let script = long_script(300_000);
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let mut random = Rng::with_seed(5);
    let mut runs = 0;
    // From the first byte of the handshake to the last ones of the script.
    let edges = [0, 1, 21, 22, 1000, 2000, 3000, 4000, 300_000, 301_000, 302_000];
    let others = seeds(12).map(|_| random.u64(..303_000)).collect::<Vec<_>>();
    for (n, after) in edges.into_iter().chain(others).enumerate() {
        let how = if n % 2 == 0 { ConnectionCut::Rst } else { ConnectionCut::Fin };
        relay.plan(RelayFault { from: RelaySide::Client, after, what: RelayFaultKind::Cut(how) });
        let ended = job.run(&script).await.with_code(BUILD_FAILURE);
        assert_eq!(ended.all(), "whole\n", "{after}");
        assert_eq!(job.exit_code().as_deref(), Some("4\n"), "{after}");
        runs += 1;
    }
    assert_eq!(starts(&job).await, runs);
    assert!(events(&site, "session.sent_again").len() >= 5, "most of the cuts hit the script");
    site.close().await;
}

#[tokio::test]
async fn two_cuts_of_the_same_upload_and_one_of_its_answer_start_it_once() {
    let script = long_script(300_000);
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    for after in [100_000, 200_000] {
        relay.plan(RelayFault {
            from: RelaySide::Client,
            after,
            what: RelayFaultKind::Cut(ConnectionCut::Rst),
        });
    }
    // The agent has the whole script and answers, and the answer does not arrive.
    relay.plan(RelayFault {
        from: RelaySide::Task,
        after: 2600,
        what: RelayFaultKind::Cut(ConnectionCut::Rst),
    });
    let ended = job.run(&script).await.with_code(BUILD_FAILURE);
    assert_eq!((ended.all(), starts(&job).await), ("whole\n".to_owned(), 1));
    assert!(relay.accepted() >= 4);
    site.close().await;
}

#[tokio::test]
async fn a_script_that_never_arrived_whole_is_not_started_and_not_blamed() {
    // More than may be on its way at once.
    let script = long_script(6 << 20);
    let site = site().await;
    site.set("defaults.timeouts.reconnect", "1s");
    let (job, relay) = relayed(&site).await;
    relay.plan(RelayFault {
        from: RelaySide::Client,
        after: 200_000,
        what: RelayFaultKind::Cut(ConnectionCut::Rst),
    });
    relay.always(Some(RelayFault {
        from: RelaySide::Client,
        after: 0,
        what: RelayFaultKind::Cut(ConnectionCut::Rst),
    }));
    let ended = job.run(&script).await.with_code(fargate_tests::SYSTEM_FAILURE);
    assert_eq!((ended.out().as_str(), job.exit_code()), ("", None));
    assert_eq!(ended.err().lines().count(), 1, "nothing is missing: {}", ended.err());
    relay.always(None);
    relay.set(RelayBehaviour::Up);
    assert_eq!(starts(&job).await, 0);
    until("the agent waits for nothing", || site.cloud().live_tasks() == 1).await;
    site.close().await;
}

#[tokio::test]
async fn a_script_that_arrives_late_takes_nobody_s_place() {
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let reached = site.folder().join("reached");
    let killed = site.same_job(&job, |job| job.set("FARGATE_RUNNER_REACHED", &reached));
    relay.plan(RelayFault { from: RelaySide::Client, after: 100_000, what: RelayFaultKind::Stall });
    let former = killed.start_run(long_script(300_000));
    let sent = || std::fs::read_to_string(&reached).unwrap_or_default().contains("ScriptSent");
    if cfg!(debug_assertions) {
        until("all of it is on its way", sent).await;
    }
    until("its end is held up", || relay.stalls() == 1).await;
    former.signal(nix::sys::signal::Signal::SIGKILL);
    job.heard(former).await;
    let mut next = job.start_run("echo up; sleep 2; echo done");
    next.wrote("up").await;
    relay.go_on();
    assert_eq!(job.heard(next).await.with_code(0).all(), "up\ndone\n");
    assert_eq!(starts(&job).await, 0, "the late one has not started");
    site.close().await;
}
