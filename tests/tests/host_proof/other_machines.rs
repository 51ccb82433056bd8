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
    insta::assert_snapshot!(unproven(&site, job.heard(running).await), @r#"
    error: the task gave no proof of its host key by its role
      At PLACE: the host key SHA256:FINGERPRINT is not proven: the task has no task role: neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set in its container.
      Nothing was sent: 0 bytes of the script.
      Fix: put the agent of this release into the image and name `taskRoleArn` in the task definition, or choose another mode: `host_key = "seed"`, or `"first_use"` for images with an sshd of their own
        aws ecs describe-task-definition --task-definition proven
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: host-proof-missing
    "#);
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
    insta::assert_snapshot!(unproven(&site, job.heard(running).await), @r#"
    error: another task than ours proved the host key
      At PLACE: the host key SHA256:FINGERPRINT is not proven: arn:aws:sts::123456789012:assumed-role/ci-task/TASK signed the proof; the session of our task has its id as its name, TASK.
      Nothing was sent: 0 bytes of the script.
      Fix: treat this as a security incident; if the session's name is of another form than the id of a task, choose another mode: `host_key = "seed"`, or `"first_use"` for images with an sshd of their own
        aws ecs describe-tasks --cluster ci --tasks TASK
      Who can fix it: whoever did it. Your script did not start.
      Cause: host-proof-task
    "#);
    assert!(relay.passed(RelaySide::Client) < BEFORE_THE_PROOF);
    gets_no_script(&site, &job, &site.folder().join("owned")).await;
    assert_eq!(events(&site, "security.host_unproven").len(), 1);
    other.kill().await.expect("a child of ours");
    site.close().await;
}
