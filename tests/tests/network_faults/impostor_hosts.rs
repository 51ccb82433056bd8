//! C4: another machine answers in the task's place after a cut. It gets no byte of a script.

use std::process::Stdio;

use fargate_tests::{
    ConnectionCut, RelaySide, RelayTarget, SYSTEM_FAILURE, agent, free_place, process, until,
};
use tokio::process::Command;

use crate::{STARTS, events, mark, missing_line, past_relays, relayed, site, starts};

#[tokio::test]
async fn another_machine_after_a_cut_gets_no_byte_and_is_asked_once() {
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let real = past_relays(&site, &job);
    // It would accept the job's key, and has another host key.
    let place = free_place();
    let _impostor = Command::new(agent())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("SSH_PUBLIC_KEY", &site.task_of(&job).environment["SSH_PUBLIC_KEY"])
        .env("FARGATE_RUNNER_HOST_KEY_SEED", "11".repeat(32))
        .env("FARGATE_RUNNER_ADDRESS", place.ip().to_string())
        .env("FARGATE_RUNNER_PORT", place.port().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the agent starts");
    until("the impostor listens", || std::net::TcpStream::connect(place).is_ok()).await;
    let owned = site.folder().join("owned");
    let name = mark("behind-an-impostor");
    let script = format!("{STARTS}; touch {}; echo up; exec -a {name} sleep 1000", owned.display());
    let mut running = job.start_run(script);
    running.wrote("up").await;
    until("the script is there", || process(&name).is_some()).await;
    // Its own folders are not those of this machine, so only the impostor could make this one.
    assert!(!owned.exists());
    relay.lead(RelayTarget::To(place));
    let (asked, sent) = (relay.accepted(), relay.passed(RelaySide::Client));
    relay.cut(ConnectionCut::Rst);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert_eq!((ended.out().as_str(), job.exit_code()), ("up\n", None));
    let line = ended.error_line();
    let expected = "fargate-runner: error: another machine answered in the task's place";
    assert!(line.starts_with(expected), "{line}");
    missing_line(&ended);
    assert_eq!(events(&site, "security.wrong_host").len(), 1, "{}", site.log());
    // Once, or twice if the first login took long.
    let asked = relay.accepted() - asked;
    assert!((1..=2).contains(&asked), "{asked}");
    // A version line and a key exchange: no more.
    assert!(relay.passed(RelaySide::Client) - sent < 4096 * asked as u64);
    assert!(!owned.exists(), "the script ran there");
    relay.lead(RelayTarget::To(real));
    assert_eq!(starts(&job).await, 1);
    assert_eq!(process(&name), None);
    site.close().await;
}

#[tokio::test]
async fn who_breaks_a_login_off_is_asked_again_and_is_no_impostor() {
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    relay.lead(RelayTarget::SaysAndCloses(b"SSH-2.0-odd\r\n".to_vec()));
    let running = job.start_run("echo on");
    until("it came again", || relay.accepted() >= 3).await;
    relay.lead(RelayTarget::To(past_relays(&site, &job)));
    assert_eq!(job.heard(running).await.with_code(0).all(), "on\n");
    assert!(events(&site, "security.wrong_host").is_empty());
    site.close().await;
}
