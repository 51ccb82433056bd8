//! Whatever answers in a task's place and is no SSH server, or a very odd one: one line, in time.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use fargate_local_cloud::{Fault, Phase};
use fargate_tests::{Ended, Job, PATIENCE, Relay, SYSTEM_FAILURE, Site, Sshd, Way};

use crate::prepared_on;

/// Nothing here may take longer, whatever the other side does.
const SOON: Duration = PATIENCE;

/// What such a peer says, and whether it then closes.
fn oddities() -> Vec<(&'static str, Way)> {
    let lines = b"this is not the version yet\r\n".repeat((1 << 20) / 29);
    let garbage: Vec<u8> = (0..=255_u8).cycle().skip(7).step_by(3).take(64 << 10).collect();
    let version = b"SSH-2.0-odd\r\n".to_vec();
    let with_garbage = [&version[..], &garbage].concat();
    vec![
        ("a megabyte of lines", Way::Says(lines.clone())),
        ("a megabyte of lines, closed", Way::SaysAndCloses(lines)),
        ("a line without an end", Way::Says(vec![b'x'; 1 << 20])),
        ("garbage", Way::Says(garbage.clone())),
        ("garbage, closed", Way::SaysAndCloses(garbage)),
        ("silence", Way::Says(vec![])),
        ("a close", Way::SaysAndCloses(vec![])),
        ("a version and silence", Way::Says(version.clone())),
        ("a version and a close", Way::SaysAndCloses(version)),
        ("a version and garbage", Way::Says(with_garbage)),
        ("an old version", Way::SaysAndCloses(b"SSH-1.5-old\r\n".to_vec())),
        ("a version without an end", Way::Says([&b"SSH-2.0-"[..], &[b'x'; 1 << 20]].concat())),
        ("another protocol", Way::Says(b"220 mail.example ESMTP\r\n".to_vec())),
        ("a web server", Way::SaysAndCloses(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())),
    ]
}

fn short_waits(site: &Site) {
    let short = [
        ("handshake", "300ms"),
        ("dial", "100ms"),
        ("ready", "1s"),
        ("verdict", "500ms"),
        ("resume", "1s"),
    ];
    waits(site, short);
}

fn long_waits(site: &Site) {
    waits(site, ["handshake", "dial", "ready", "verdict", "resume"].map(|name| (name, "1m")));
}

fn waits(site: &Site, waits: [(&str, &str); 5]) {
    for (name, wait) in waits {
        site.set(&format!("defaults.timeouts.{name}"), wait);
    }
}

/// `prepare` of a job whose task, as ECS says, answers at `address`.
async fn prepare_at(site: &Site, address: SocketAddr) -> (Rc<Job>, Ended) {
    site.set("defaults.host_key", "first_use");
    site.set("defaults.ssh.port", i64::from(address.port()));
    site.cloud().fail("RunTask", Fault::TaskHeld { phase: Phase::Pending });
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
        let site = Site::open().await;
        short_waits(&site);
        let relay = Relay::new(way).await;
        let (job, ended) = prepare_at(&site, relay.address).await;
        assert_eq!(ended.code, SYSTEM_FAILURE, "{what}: {}", ended.all());
        assert!(ended.took < SOON, "{what}: {:?}", ended.took);
        let line = ended.error_line();
        let known = [
            "error: the connection to the task was lost",
            "error: the SSH handshake did not end",
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
        let Some((site, job)) = prepared_on(&Sshd::open_ssh()).await else { return };
        short_waits(&site);
        let relay = Relay::new(way).await;
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
