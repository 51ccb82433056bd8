//! C10 and version skew: agents that are older than the driver, and programs that only pretend to
//! be an agent.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use fargate_tests::{
    BUILD_FAILURE, CheckedHost, ConnectionCut, FaultyRelay, HostSshd, PipeReading, SYSTEM_FAILURE,
    SshdSetup, TestJob, TestProcessResult, memory_kib, until,
};

use crate::{events, lead, missing_line, site};

/// Nothing here may take longer, whatever the peer does.
const SOON: Duration = Duration::from_secs(30);
/// Largest driver beside such a peer.
const MEMORY_KIB: u64 = 64 << 10;

/// A stock `sshd` whose subsystem is an odd agent, behind a relay. It ends when this is dropped.
struct OddAgentServer {
    relay: FaultyRelay,
    server: HostSshd,
}

impl OddAgentServer {
    /// Takes the place of the task of `job`, with a host key that is pinned.
    async fn set(site: &CheckedHost, job: &TestJob, oddity: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_odd_agent");
        let subsystem = |folder: &Path| {
            format!("Subsystem fargate-runner {program} {oddity} {}", folder.display())
        };
        let server = HostSshd::start(site, job, oddity, subsystem).await;
        job.change_state(|state| state["host_key"] = server.host_key().into());
        let relay = FaultyRelay::to(server.address).await;
        lead(job, relay.address);
        Self { relay, server }
    }

    /// Ends it, so that the checks of the host find nothing left.
    async fn end(self) {
        self.server.end().await;
    }

    fn count(&self, file: &str) -> usize {
        let file = self.server.folder().join(file);
        fs::read_to_string(file).unwrap_or_default().lines().count()
    }
}

/// A job whose task's place such an agent has taken; none where there is no `sshd`.
async fn beside(oddity: &str) -> Option<(CheckedHost, Rc<TestJob>, OddAgentServer)> {
    if !SshdSetup::can_run() {
        return None;
    }
    let site = site().await;
    site.set("defaults.timeouts.reconnect", "4s");
    site.set("defaults.timeouts.stop_reason", "500ms");
    let job = site.prepared().await;
    let odd = OddAgentServer::set(&site, &job, oddity).await;
    Some((site, job, odd))
}

#[tokio::test]
async fn an_agent_from_before_resuming_works_and_the_operators_log_says_what_it_lacks() {
    let Some((site, job, odd)) = beside("older").await else { return };
    let ended = job.run("echo out; exit 9").await.with_code(BUILD_FAILURE);
    assert_eq!((ended.all(), job.exit_code().as_deref()), ("out\n".to_owned(), Some("9\n")));
    let events = events(&site, "session.no_resume");
    assert_eq!((events.len(), &events[0]["agent"]), (1, &"an odd agent".into()));
    assert_eq!((odd.count("scripts"), odd.count("resumed")), (1, 0));
    odd.end().await;
    site.close().await;
}

#[tokio::test]
async fn a_cut_with_an_agent_from_before_resuming_costs_the_job_and_is_told() {
    let Some((site, job, odd)) = beside("older").await else { return };
    let mut running = job.start_run("echo up; exec sleep 3");
    running.wrote("up").await;
    let before = odd.relay.accepted();
    odd.relay.cut(ConnectionCut::Rst);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert_eq!((ended.out().as_str(), job.exit_code()), ("up\n", None));
    insta::assert_snapshot!(missing_line(&ended), @"fargate-runner: output may be missing here, after 3 bytes: the connection was cut; this agent is too old to resume a script");
    assert_eq!(events(&site, "session.lost").len(), 1);
    assert_eq!((odd.count("scripts"), odd.count("resumed")), (1, 0));
    assert_eq!(odd.relay.accepted(), before);
    odd.end().await;
    site.close().await;
}

/// The one line, no verdict on the script, and no more than one script sent.
fn refused(oddity: &str, job: &TestJob, odd: &OddAgentServer, ended: &TestProcessResult) {
    assert_eq!(ended.code, SYSTEM_FAILURE, "{oddity}: {}", ended.all());
    assert!(ended.took < SOON, "{oddity}: {:?}", ended.took);
    let line = ended.error_line();
    let expected = "fargate-runner: error: the connection to the task was lost";
    assert!(line.starts_with(expected), "{oddity}: {line}");
    assert!(missing_line(ended).len() < 400, "{oddity}");
    assert_eq!((job.exit_code(), odd.count("scripts")), (None, 1), "{oddity}");
}

#[tokio::test]
async fn an_agent_that_breaks_the_protocol_ends_the_stage_at_once() {
    for (oddity, out) in
        [("gap", ""), ("other-end", "up\n"), ("twice", ""), ("long-frame", ""), ("no-frame", "")]
    {
        let Some((site, job, odd)) = beside(oddity).await else { return };
        let ended = job.run("echo never shown").await;
        refused(oddity, &job, &odd, &ended);
        assert_eq!((ended.out().as_str(), odd.count("resumed")), (out, 0), "{oddity}");
        odd.end().await;
        site.close().await;
    }
}

#[tokio::test]
async fn an_agent_that_takes_nothing_of_a_script_counts_as_cut_off_and_is_given_up() {
    let Some((site, job, odd)) = beside("unreading").await else { return };
    site.set("defaults.timeouts.send_stall", "300ms");
    // More than may be on its way at once.
    let script = "# a line that says nothing\n".repeat((8 << 20) / 27);
    let ended = job.run(script).await.with_code(SYSTEM_FAILURE);
    assert!(ended.took < SOON, "{:?}", ended.took);
    let line = ended.error_line();
    assert!(
        line.starts_with("fargate-runner: error: the connection to the task was lost"),
        "{line}"
    );
    let cuts = events(&site, "session.cut");
    let how = "the task took nothing of what it was sent for 0.30 s";
    assert!(cuts.iter().all(|cut| cut["message"] == how), "{cuts:?}");
    assert!(odd.count("resumed") >= 1 && cuts.len() > odd.count("resumed"));
    assert_eq!((job.exit_code(), odd.count("scripts")), (None, 0));
    odd.end().await;
    site.close().await;
}

#[tokio::test]
async fn an_agent_that_comes_back_wrongly_gets_no_second_script_and_ends_the_stage() {
    for oddity in ["forgetful", "rewinding", "abandoning", "dropping"] {
        let Some((site, job, odd)) = beside(oddity).await else { return };
        let ended = job.run("echo never shown").await;
        refused(oddity, &job, &odd, &ended);
        assert_eq!(ended.out(), "up\n", "{oddity}");
        let tries = odd.count("resumed");
        if oddity == "dropping" {
            // Each try waits longer than the one before.
            assert!((2..20).contains(&tries), "{tries}");
        } else {
            assert_eq!(tries, 1, "{oddity}");
        }
        odd.end().await;
        site.close().await;
    }
}

#[tokio::test]
async fn an_agent_that_minds_no_window_fills_no_memory() {
    let Some((site, job, odd)) = beside("flood").await else { return };
    let running = job.start_stage("build_script", "echo never shown", PipeReading::OnDemand);
    let driver = running.pid();
    let mut memory = 0;
    let lost = || {
        memory = memory.max(memory_of(driver));
        !events(&site, "session.broken").is_empty()
    };
    until("it was noticed", lost).await;
    running.read_on();
    let ended = job.heard(running).await;
    refused("flood", &job, &odd, &ended);
    assert!(ended.stdout.iter().all(|byte| *byte == b'x'));
    assert!(memory < MEMORY_KIB, "{memory} KiB");
    odd.end().await;
    site.close().await;
}

/// Its memory in KiB, 0 once it has ended.
fn memory_of(pid: nix::unistd::Pid) -> u64 {
    if fargate_tests::alive(pid) { memory_kib(pid) } else { 0 }
}
