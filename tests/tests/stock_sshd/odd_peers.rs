//! A peer in the task's place that is not an SSH server, or a very odd one: the driver prints one
//! line, in time.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{
    CheckedHost, FaultyRelay, PATIENCE, RelayTarget, SYSTEM_FAILURE, SshdSetup, TestJob,
    TestProcessResult,
};

use crate::prepared_on;

/// Nothing here may take longer, whatever the other side does.
const SOON: Duration = PATIENCE;

/// What such a peer says, and whether it then closes.
fn oddities() -> Vec<(&'static str, RelayTarget)> {
    let lines = b"this is not the version yet\r\n".repeat((1 << 20) / 29);
    let garbage: Vec<u8> = (0..=255_u8).cycle().skip(7).step_by(3).take(64 << 10).collect();
    let version = b"SSH-2.0-odd\r\n".to_vec();
    let with_garbage = [&version[..], &garbage].concat();
    vec![
        ("a megabyte of lines", RelayTarget::Says(lines.clone())),
        ("a megabyte of lines, closed", RelayTarget::SaysAndCloses(lines)),
        ("a line without an end", RelayTarget::Says(vec![b'x'; 1 << 20])),
        ("garbage", RelayTarget::Says(garbage.clone())),
        ("garbage, closed", RelayTarget::SaysAndCloses(garbage)),
        ("silence", RelayTarget::Says(vec![])),
        ("a close", RelayTarget::SaysAndCloses(vec![])),
        ("a version and silence", RelayTarget::Says(version.clone())),
        ("a version and a close", RelayTarget::SaysAndCloses(version)),
        ("a version and garbage", RelayTarget::Says(with_garbage)),
        ("an old version", RelayTarget::SaysAndCloses(b"SSH-1.5-old\r\n".to_vec())),
        (
            "a version without an end",
            RelayTarget::Says([&b"SSH-2.0-"[..], &[b'x'; 1 << 20]].concat()),
        ),
        ("another protocol", RelayTarget::Says(b"220 mail.example ESMTP\r\n".to_vec())),
        ("a web server", RelayTarget::SaysAndCloses(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())),
    ]
}

fn short_waits(site: &CheckedHost) {
    let short = [
        ("ssh_handshake", "300ms"),
        ("connect_attempt", "100ms"),
        ("agent_start", "1s"),
        ("stop_reason", "500ms"),
        ("reconnect", "1s"),
    ];
    waits(site, short);
}

fn long_waits(site: &CheckedHost) {
    let names = ["ssh_handshake", "connect_attempt", "agent_start", "stop_reason", "reconnect"];
    waits(site, names.map(|name| (name, "1m")));
}

fn waits(site: &CheckedHost, waits: [(&str, &str); 5]) {
    for (name, wait) in waits {
        site.set(&format!("defaults.timeouts.{name}"), wait);
    }
}

/// `prepare` of a job whose task, as ECS says, answers at `address`.
async fn prepare_at(site: &CheckedHost, address: SocketAddr) -> (Rc<TestJob>, TestProcessResult) {
    site.set("defaults.host_key", "first_use");
    site.set("defaults.ssh.port", i64::from(address.port()));
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("accepted").await;
    site.say_it_runs_at(&job, address.ip());
    let ended = job.heard(running).await;
    (job, ended)
}

#[tokio::test]
async fn prepare_says_in_one_line_that_no_server_answers() {
    for (what, way) in oddities() {
        let site = CheckedHost::open().await;
        short_waits(&site);
        let relay = FaultyRelay::new(way).await;
        let (job, ended) = prepare_at(&site, relay.address).await;
        assert_eq!(ended.code, SYSTEM_FAILURE, "{what}: {}", ended.all());
        assert!(ended.took < SOON, "{what}: {:?}", ended.took);
        let line = ended.error_line();
        let known = [
            "error: the connection to the task was lost",
            "error: the SSH handshake did not finish",
            "error: no SSH server answers in the task",
        ];
        assert!(known.contains(&line.as_str()), "{what}: {line}");
        assert!(ended.out().len() < 4096, "{what}: {} bytes of output", ended.out().len());
        assert!(site.tasks_of(&job).iter().all(|task| task.desired_status == "STOPPED"), "{what}");
        assert!(!job.state_file().exists(), "{what}");
        site.close().await;
    }
}

#[tokio::test]
async fn run_says_in_one_line_that_no_server_answers_and_blames_no_script() {
    for (what, way) in oddities() {
        let Some((site, job)) = prepared_on(&SshdSetup::open_ssh()).await else { return };
        short_waits(&site);
        let relay = FaultyRelay::new(way).await;
        let real = job.state().expect("a state file")["address"].clone();
        job.change_state(|state| state["address"] = relay.address.to_string().into());
        let ended = job.run("echo never").await;
        assert_eq!(ended.code, SYSTEM_FAILURE, "{what}: {}", ended.all());
        assert!(ended.took < SOON, "{what}: {:?}", ended.took);
        assert_eq!(ended.out(), "", "{what}");
        assert_eq!(ended.err().lines().count(), 1, "{what}: {}", ended.err());
        assert!(ended.error_line().starts_with("fargate-runner: error: "), "{what}");
        assert_eq!(job.exit_code(), None, "{what}");
        // The task itself is well.
        long_waits(&site);
        job.change_state(|state| state["address"] = real);
        job.run("true").await.passed();
        site.close().await;
    }
}
