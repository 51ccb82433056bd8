//! A task that runs, but whose agent does not answer or is not the right one.

use std::net::IpAddr;

use aws_sdk_ecs::types::{ContainerDefinition, KeyValuePair};
use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, SYSTEM_FAILURE};

use crate::fault_rules::give;
use crate::{block, the_next_tries_are_short};

async fn with_command(site: &CheckedHost, command: &[&str]) {
    // A program that is not our agent may ignore SIGTERM as PID 1.
    let container = ContainerDefinition::builder().stop_timeout(2);
    let container = command.iter().fold(container, |container, word| container.command(*word));
    site.set("defaults.task_definition", site.register("own-command", container).await);
}

#[tokio::test]
async fn a_port_on_which_nobody_listens_is_told_as_refused() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.agent_start", "700ms");
    with_command(&site, &["sleep", "1000"]).await;
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    insta::assert_snapshot!(block(&ended), @"
    error: the task runs, but nothing listens on PLACE
      PLACE refused every dial in T.
      Fix: start the agent by hand in the image
        docker run --rm registry.example/job:2 fargate-agent --version
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: agent-refused
    ");
    let headline = ended.error_line().replace("error: ", "");
    the_next_tries_are_short(&site, &job, &headline).await;
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}

#[tokio::test]
async fn an_address_that_swallows_dials_is_told_as_blocked() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.agent_start", "700ms");
    site.set("defaults.timeouts.connect_attempt", "100ms");
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Running });
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("accepted").await;
    // No machine has an address that is reserved for documentation.
    site.say_it_runs_at(&job, IpAddr::from([192, 0, 2, 1]));
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    let line = ended.error_line();
    assert!(line.starts_with("error: the task runs, but "), "{line}");
    site.close().await;
}

#[tokio::test]
async fn a_running_task_without_an_address_blames_no_firewall() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.agent_start", "700ms");
    give(&site, "DescribeTasks: throttle");
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("accepted").await;
    let arn = site.task_of(&job).arn;
    let task = serde_json::json!({
        "taskArn": arn, "lastStatus": "RUNNING", "desiredStatus": "RUNNING", "attachments": [],
    });
    let answer = serde_json::json!({ "tasks": [task], "failures": [] }).to_string();
    give(&site, &format!("DescribeTasks: answer 200 {}", serde_json::json!(answer)));
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    insta::assert_snapshot!(block(&ended), @r"
    error: ECS gave no address for the running task
      Its description named none in T, so nobody was dialled.
      Fix: start the job again; if it happens again, look at the task's network interface
        aws ecs describe-tasks --cluster ci --tasks TASK
      Who can fix it: AWS. Your script did not start.
      Cause: address-missing
    ");
    site.cloud().clear_faults();
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn an_agent_that_ends_at_once_is_told_with_its_exit_code() {
    let site = CheckedHost::open().await;
    with_command(&site, &["sh", "-c", "exit 126"]).await;
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    insta::assert_snapshot!(block(&ended), @r#"
    error: the agent ended at once
      ECS: "Essential container in task exited"
      task ID is STOPPED: EssentialContainerExited, exit 126.
      Fix: look at the container's log; the usual reasons are a wrong architecture and a read-only root file system
        docker run --rm registry.example/job:2 fargate-agent --version
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: agent-exited
    "#);
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.close().await;
}

#[tokio::test]
async fn an_agent_that_refuses_its_settings_is_told_as_that() {
    let site = CheckedHost::open().await;
    // An older agent ends like this if the driver sends it more than it accepts.
    let variable = KeyValuePair::builder().name("FARGATE_RUNNER_REKEY_MIB").value("5000").build();
    let container = ContainerDefinition::builder().environment(variable);
    site.set("defaults.task_definition", site.register("bad-settings", container).await);
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    insta::assert_snapshot!(block(&ended), @r#"
    error: the agent refused its settings
      ECS: "Essential container in task exited"
      task ID is STOPPED: EssentialContainerExited, exit 78.
      Fix: look at the container's log, which names the variable; put the agent of this release into the image; the task definition may set FARGATE_RUNNER_REKEY_MIB and no other FARGATE_RUNNER_ variable
        docker run --rm registry.example/job:2 fargate-agent --version
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: agent-settings
    "#);
    site.close().await;
}

#[tokio::test]
async fn a_program_that_the_image_lacks_is_told_with_ecs_s_words() {
    let site = CheckedHost::open().await;
    with_command(&site, &["no-such-program"]).await;
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: the container could not start");
    assert!(ended.out().contains("executable file not found"), "{}", ended.out());
    site.close().await;
}

#[tokio::test]
async fn an_agent_that_serves_another_user_refuses_our_key() {
    let site = CheckedHost::open().await;
    let variable = KeyValuePair::builder().name("FARGATE_RUNNER_USER").value("ci").build();
    let container = ContainerDefinition::builder().environment(variable);
    site.set("defaults.task_definition", site.register("other-user", container).await);
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: the agent refused our key");
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    job.cleanup().await.passed();
    // With the right user it works.
    site.set("defaults.ssh.user", "ci");
    let job = site.prepared().await;
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn something_else_that_answers_on_the_port_is_not_taken_for_the_agent() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.ssh_handshake", "300ms");
    site.set("defaults.timeouts.connect_attempt", "100ms");
    site.set("defaults.timeouts.agent_start", "1s");
    // A server that says nothing, and one that speaks something else.
    for greeting in ["pass", "c.sendall(b'220 mail.example ESMTP\\r\\n')"] {
        let server = format!(
            "import os, socket\n\
             s = socket.create_server((os.environ['FARGATE_RUNNER_ADDRESS'], \
             int(os.environ['FARGATE_RUNNER_PORT'])))\n\
             held = []\n\
             while True:\n    c, _ = s.accept()\n    held.append(c)\n    {greeting}\n"
        );
        if !fargate_tests::have("python3") {
            break;
        }
        with_command(&site, &["python3", "-c", &server]).await;
        let job = site.job();
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        let line = ended.error_line();
        assert!(line.starts_with("error: "), "{line}");
        assert_eq!(site.task_of(&job).desired_status, "STOPPED", "{line}");
    }
    site.close().await;
}
