//! `first_use`: the driver takes the first host key that a task shows, and no other one later.
//! Another machine gets no byte of a script.

use std::net::SocketAddr;

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{
    CheckedHost, FaultyRelay, RelayTarget, SYSTEM_FAILURE, SshdSetup, TestJob, TestProcessResult,
    until,
};

use crate::key_trap::RecordingSshServer;
use crate::{prepared_on, site_with};

/// The address of the job's task.
fn address_of(job: &TestJob) -> SocketAddr {
    let state = job.state().expect("a state file");
    state["address"].as_str().expect("an address").parse().expect("ours")
}

fn move_to(job: &TestJob, address: SocketAddr) {
    job.change_state(|state| state["address"] = address.to_string().into());
}

fn events(site: &CheckedHost) -> usize {
    site.log().lines().filter(|line| line.contains("\"security.wrong_host\"")).count()
}

/// The one line for the job, the event for the operator, and no verdict on the script.
fn refused(site: &CheckedHost, job: &TestJob, ended: &TestProcessResult) {
    assert_eq!(ended.out(), "");
    let line = "fargate-runner: error: another machine answered in the task's place. Treat this \
                as a security incident; find out which machine has the address (cause: wrong-host)";
    assert_eq!(ended.error_line(), line);
    assert_eq!(ended.err().lines().count(), 1);
    assert_eq!(events(site), 1, "the operator is told once: {}", site.log());
    assert_eq!(job.exit_code(), None);
}

#[tokio::test]
async fn a_machine_that_comes_in_between_after_the_first_stage_gets_no_byte() {
    let Some((site, job)) = prepared_on(&SshdSetup::open_ssh()).await else { return };
    let real = address_of(&job);
    let relay = FaultyRelay::to(real).await;
    move_to(&job, relay.address);
    assert_eq!(job.run("echo first").await.with_code(0).out(), "first\n");
    let trap = RecordingSshServer::set(&site, &job).await;
    relay.lead(RelayTarget::To(trap.address()));
    let before = relay.accepted();
    let ended = job.run("echo canary-of-a-script").await.with_code(SYSTEM_FAILURE);
    refused(&site, &job, &ended);
    assert_eq!(relay.accepted(), before + 1, "it was asked once and not again");
    assert_eq!((trap.logins_asked_for(), trap.received()), (0, None));
    // The task is not given up: when the other machine is gone, it still works.
    relay.lead(RelayTarget::To(real));
    assert_eq!(job.run("echo second").await.with_code(0).out(), "second\n");
    trap.takes_the_key_of(&job).await;
    drop(trap);
    site.close().await;
}

#[tokio::test]
async fn a_server_that_comes_back_with_another_host_key_is_another_machine() {
    let Some((site, job)) = prepared_on(&SshdSetup::open_ssh()).await else { return };
    let script = "rm /run/host_key*; ssh-keygen -q -t ed25519 -N '' -f /run/host_key; kill -HUP 1";
    job.run(script).await.passed();
    let log = site.task_of(&job).containers[0].log.clone().expect("a log");
    let listens = || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.matches("Server listening").count()
    };
    until("it listens again", || listens() == 2).await;
    let ended = job.run("touch /builds/owned").await.with_code(SYSTEM_FAILURE);
    refused(&site, &job, &ended);
    assert_eq!(site.calls("StopTask"), 0);
    site.close().await;
}

#[tokio::test]
async fn another_kind_of_host_key_is_another_key() {
    // A server with three host keys shows the same one each time, and an attacker cannot make it show
    // another.
    let server = SshdSetup::open_ssh()
        .before("for kind in rsa ecdsa; do ssh-keygen -q -t $kind -N '' -f /run/$kind; done")
        .line("HostKey /run/rsa")
        .line("HostKey /run/ecdsa");
    let Some((site, job)) = prepared_on(&server).await else { return };
    let pinned = job.state().expect("a state file")["host_key"].clone();
    for n in 0..3 {
        job.run(format!("echo {n}")).await.passed();
    }
    assert_eq!(job.state().expect("a state file")["host_key"], pinned);
    site.close().await;
}

#[tokio::test]
async fn nothing_is_dialled_before_ecs_says_running() {
    for (host_key, dialled) in [("first_use", false), ("seed", true)] {
        let site = CheckedHost::open().await;
        site.set("defaults.host_key", host_key);
        site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
        let job = site.job();
        let mut running = job.start(&["prepare"]);
        until("it has an address", || {
            site.tasks_of(&job).first().is_some_and(|task| task.address.is_some())
        })
        .await;
        // Nobody else answers there: the container never starts.
        let endpoint = site.cloud().endpoint();
        let port = endpoint.trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
        let ip = site.task_of(&job).address.expect("just seen");
        let listener = std::net::TcpListener::bind(format!("{ip}:{port}")).expect("nobody's");
        listener.set_nonblocking(true).expect("a socket");
        let asked = site.calls("DescribeTasks");
        let mut came = false;
        until("it looked often, or dialled", || {
            came |= listener.accept().is_ok();
            came || site.calls("DescribeTasks") >= asked + 6
        })
        .await;
        assert_eq!(came, dialled, "{host_key}");
        assert!(running.runs());
        running.signal(nix::sys::signal::Signal::SIGTERM);
        job.heard(running).await.with_code(SYSTEM_FAILURE);
        site.close().await;
    }
}

#[tokio::test]
async fn the_agent_under_first_use_is_known_as_an_agent() {
    let site = CheckedHost::open().await;
    site.set("defaults.host_key", "first_use");
    let job = site.prepared().await;
    let state = job.state().expect("a state file");
    assert!(state["peer"]["agent"].as_str().is_some(), "{}", state["peer"]);
    assert_eq!(site.task_of(&job).environment.get("FARGATE_RUNNER_HOST_KEY_SEED"), None);
    let ended = job.run("echo out; echo err >&2; exit 9").await.with_code(1);
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("out\n", "err\n"));
    assert_eq!(job.exit_code().as_deref(), Some("9\n"));
    site.close().await;
}

#[tokio::test]
async fn an_agent_never_turns_into_a_plain_server() {
    if !SshdSetup::can_run() {
        return;
    }
    let site = CheckedHost::open().await;
    site.set("defaults.host_key", "first_use");
    let job = site.prepared().await;
    let trap = RecordingSshServer::set(&site, &job).await;
    // The other machine has the agent's own host key, so that only its behaviour shows that it is no agent.
    job.change_state(|state| {
        state["address"] = trap.address().to_string().into();
        state["host_key"] = trap.host_key().into();
    });
    let ended = job.run("echo canary-of-a-script").await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.out(), "");
    assert_eq!(ended.err().lines().count(), 1, "{}", ended.err());
    let line = ended.error_line();
    let expected = "fargate-runner: error: the agent in the image is too old or too new";
    assert!(line.starts_with(expected), "{line}");
    assert_eq!(job.exit_code(), None);
    // That machine accepted the login, so the driver itself stopped: it started no command.
    assert!(trap.logins_asked_for() > 0);
    assert_eq!(trap.received(), None);
    drop(trap);
    site.close().await;
}

#[tokio::test]
async fn a_plain_server_never_gets_what_only_an_agent_may_have() {
    // With `host_key = "seed"`, a stock server cannot have the right host key.
    let Some(site) = site_with(&SshdSetup::open_ssh()).await else { return };
    site.set("defaults.host_key", "seed");
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: another machine answered in the task's place");
    assert!(ended.out().contains("0 bytes of the script"), "{}", ended.out());
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}
