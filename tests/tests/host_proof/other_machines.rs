//! A machine that takes over the task's address, and runs a real agent that lets the job's key in.

use std::net::SocketAddr;
use std::process::Stdio;

use fargate_tests::{
    CheckedHost, FaultyRelay, RelayBehaviour, RelaySide, RelayTarget, TestJob, agent, free_place,
    until,
};
use tokio::process::{Child, Command};

use crate::{events, gets_no_script, job, site, take_over, unproven};

/// Most bytes that a driver sends before the proof: versions, key exchange, login and hello.
const BEFORE_THE_PROOF: u64 = 16 * 1024;

/// An agent outside any sandbox that makes its own host key and would let the job's key in.
async fn machine(
    site: &CheckedHost,
    job: &TestJob,
    variables: &[(&str, &str)],
) -> (Child, SocketAddr) {
    until("the task was asked for", || !site.tasks_of(job).is_empty()).await;
    let place = free_place();
    let child = Command::new(agent())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("SSH_PUBLIC_KEY", &site.task_of(job).environment["SSH_PUBLIC_KEY"])
        .env("FARGATE_RUNNER_HOST_KEY", "sts")
        .env("FARGATE_RUNNER_ADDRESS", place.ip().to_string())
        .env("FARGATE_RUNNER_PORT", place.port().to_string())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the agent starts");
    until("the machine listens", || std::net::TcpStream::connect(place).is_ok()).await;
    (child, place)
}

/// A relay at the address of all tasks to come, which refuses everybody until it is led somewhere.
async fn closed_relay(site: &CheckedHost) -> FaultyRelay {
    let relay = take_over(site, RelayTarget::Says(Vec::new())).await;
    relay.set(RelayBehaviour::Refusing);
    relay
}

#[tokio::test]
async fn a_machine_with_its_own_key_and_no_role_gets_no_byte() {
    let site = site().await;
    let relay = closed_relay(&site).await;
    let job = job(&site);
    let running = job.start(&["prepare"]);
    let (mut other, place) = machine(&site, &job, &[]).await;
    relay.lead(RelayTarget::To(place));
    relay.set(RelayBehaviour::Up);
    insta::assert_snapshot!(unproven(&site, job.heard(running).await), @"");
    assert!(relay.passed(RelaySide::Client) < BEFORE_THE_PROOF);
    gets_no_script(&site, &job, &site.folder().join("owned")).await;
    assert_eq!(site.calls("GetCallerIdentity"), 0);
    other.kill().await.expect("a child of ours");
    site.close().await;
}

#[tokio::test]
async fn a_machine_with_the_credentials_of_another_task_of_the_same_role_gets_no_byte() {
    let site = site().await;
    let neighbour = job(&site);
    neighbour.prepare().await.passed();
    let said = neighbour.run("echo $AWS_CONTAINER_CREDENTIALS_FULL_URI").await.with_code(0);
    let relay = closed_relay(&site).await;
    let job = job(&site);
    let running = job.start(&["prepare"]);
    let url = said.out().trim().to_owned();
    let (mut other, place) =
        machine(&site, &job, &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]).await;
    relay.lead(RelayTarget::To(place));
    relay.set(RelayBehaviour::Up);
    insta::assert_snapshot!(unproven(&site, job.heard(running).await), @"");
    assert!(relay.passed(RelaySide::Client) < BEFORE_THE_PROOF);
    gets_no_script(&site, &job, &site.folder().join("owned")).await;
    assert_eq!(events(&site, "security.host_unproven").len(), 1);
    other.kill().await.expect("a child of ours");
    site.close().await;
}
