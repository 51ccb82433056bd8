//! A stock `sshd` in the task: after a cut no driver can go on with a script, and both logs say so.

use std::rc::Rc;

use fargate_tests::{
    CheckedHost, ConnectionCut, FaultyRelay, RelayBehaviour, RelayFault, RelayFaultKind, RelaySide,
    SYSTEM_FAILURE, SshdSetup, TestJob, process, until,
};

use crate::{STARTS, address_of, events, lead, mark, missing_line, site, starts};

/// A job on a stock server, which is reached through a relay; none where there is no such server.
async fn stock() -> Option<(CheckedHost, Rc<TestJob>, FaultyRelay)> {
    if !SshdSetup::can_run() {
        return None;
    }
    let site = site().await;
    SshdSetup::open_ssh().serve(&site).await;
    let job = site.prepared().await;
    let relay = FaultyRelay::to(address_of(&job)).await;
    lead(&job, relay.address);
    Some((site, job, relay))
}

#[tokio::test]
async fn a_cut_with_a_stock_server_costs_the_job_and_both_logs_say_why() {
    let Some((site, job, relay)) = stock().await else { return };
    let name = mark("stock-cut");
    let mut running = job.start_run(format!("{STARTS}; echo up; exec -a {name} sleep 1000"));
    running.wrote("up").await;
    until("the script is there", || process(&name).is_some()).await;
    let before = relay.accepted();
    relay.cut(ConnectionCut::Rst);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert_eq!((ended.out().as_str(), job.exit_code()), ("up\n", None));
    insta::assert_snapshot!(missing_line(&ended), @"fargate-runner: output may be missing here, after 3 bytes: the server left without saying how it ended; a stock SSH server cannot resume it");
    assert_eq!(events(&site, "session.lost").len(), 1);
    assert_eq!(relay.accepted(), before, "the script is not looked for");
    assert_eq!(starts(&job).await, 1);
    site.close().await;
}

#[tokio::test]
async fn a_stock_server_that_refuses_for_a_while_gets_its_script() {
    let Some((site, job, relay)) = stock().await else { return };
    relay.set(RelayBehaviour::Refusing);
    let asked = site.calls("DescribeTasks");
    let running = job.start_run(format!("{STARTS}; echo at last"));
    until("it was refused for long", || site.calls("DescribeTasks") > asked).await;
    relay.set(RelayBehaviour::Up);
    assert_eq!(job.heard(running).await.with_code(0).all(), "at last\n");
    assert_eq!(starts(&job).await, 1);
    site.close().await;
}

#[tokio::test]
async fn cut_anywhere_near_its_end_a_job_passes_only_with_all_of_its_output() {
    let Some((site, job, relay)) = stock().await else { return };
    let script = "seq 1 2000";
    let before = relay.passed(RelaySide::Task);
    let whole = job.run(script).await.with_code(0).out();
    let bytes = relay.passed(RelaySide::Task) - before;
    let mut costs = 0;
    // The status, the end of the output and the end of the connection are among the last bytes.
    for back in (0..400).step_by(25) {
        let what = RelayFaultKind::Cut(ConnectionCut::Rst);
        relay.plan(RelayFault { from: RelaySide::Task, after: bytes - back, what });
        let ended = job.run(script).await;
        costs += usize::from(ended.code != 0);
        assert!(whole.starts_with(&ended.out()), "{back} bytes before the end");
        assert!(ended.code != 0 || ended.out() == whole, "{back} bytes before the end");
    }
    assert!(costs > 0, "some cut cost the job");
    site.close().await;
}

/// A script that says "up", and behind its end does this.
fn writes_behind_its_end(and: &str) -> String {
    format!("(while kill -0 $$ 2>/dev/null; do sleep 0.02; done; {and}) & echo up")
}

#[tokio::test]
async fn a_cut_between_the_status_and_the_end_of_the_output_passes_no_job() {
    let Some((site, job, relay)) = stock().await else { return };
    let mut running = job.start_run(writes_behind_its_end("while echo late; do sleep 0.02; done"));
    // The server sends the status when the script has ended, although a writer goes on.
    running.wrote(&"late\n".repeat(20)).await;
    relay.cut(ConnectionCut::Rst);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert_eq!(job.exit_code(), None);
    let line = missing_line(&ended);
    assert!(line.contains("the connection was cut before all output had come"), "{line}");
    site.close().await;
}

#[tokio::test]
async fn a_silence_of_the_network_behind_the_status_is_not_taken_for_the_end() {
    let Some((site, job, relay)) = stock().await else { return };
    let late = "for n in {1..60}; do echo late; sleep 0.02; done";
    let mut running = job.start_run(writes_behind_its_end(late));
    running.wrote(&"late\n".repeat(20)).await;
    relay.set(RelayBehaviour::Silent);
    until("the server is asked", || events(&site, "session.silent").len() == 1).await;
    relay.set(RelayBehaviour::Up);
    let ended = job.heard(running).await.with_code(0);
    assert_eq!(ended.all(), format!("up\n{}", "late\n".repeat(60)));

    let mut running = job.start_run(writes_behind_its_end("while echo late; do sleep 0.02; done"));
    running.wrote(&"late\n".repeat(20)).await;
    relay.set(RelayBehaviour::Silent);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    let line = missing_line(&ended);
    assert!(line.contains("fell silent before all output had come"), "{line}");
    site.close().await;
}
