//! Another machine answers in the task's place. It gets no byte of a script.

use std::net::TcpListener;
use std::process::Stdio;

use aws_sdk_ecs::types::ContainerDefinition;
use fargate_tests::{CheckedHost, SYSTEM_FAILURE, agent, until};
use tokio::process::{Child, Command};

const HEADLINE: &str = "error: another machine answered in the task's place";

/// An agent with its own host key that would let the job's key in, outside any sandbox.
fn impostor(public_key: &str, address: &str) -> Child {
    let (ip, port) = address.split_once(':').expect("an address with a port");
    Command::new(agent())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("SSH_PUBLIC_KEY", public_key)
        .env("FARGATE_RUNNER_HOST_KEY_SEED", "11".repeat(32))
        .env("FARGATE_RUNNER_ADDRESS", ip)
        .env("FARGATE_RUNNER_PORT", port)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the agent starts")
}

/// An address of this machine that nobody uses now.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket").to_string()
}

#[tokio::test]
async fn run_sends_nothing_to_another_host_key_and_says_so() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let address = free_address();
    let mut other = impostor(&site.task_of(&job).environment["SSH_PUBLIC_KEY"], &address);
    until("the impostor listens", || std::net::TcpStream::connect(&address).is_ok()).await;
    let real = job.state().expect("a state file")["address"].clone();
    job.change_state(|state| state["address"] = address.as_str().into());
    let owned = site.folder().join("owned");
    let ended = job.run(format!("touch {}", owned.display())).await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.out(), "");
    insta::assert_snapshot!(ended.error_line(), @"fargate-runner: error: another machine answered in the task's place. Treat this as a security incident; find out which machine has the address (cause: wrong-host)");
    assert_eq!(ended.err().lines().count(), 1);
    let event = site.log().lines().any(|line| line.contains("\"security.wrong_host\""));
    assert!(event, "the operator is told: {}", site.log());
    assert!(!owned.exists(), "the script ran there");
    assert_eq!(job.exit_code(), None);
    // It does not give up the task: the right address still works.
    job.change_state(|state| state["address"] = real);
    job.run("true").await.passed();
    other.kill().await.expect("a child of ours");
    site.close().await;
}

#[tokio::test]
async fn prepare_refuses_a_task_with_another_host_key_at_once_and_stops_it() {
    let site = CheckedHost::open().await;
    let other_seed = "FARGATE_RUNNER_HOST_KEY_SEED=$(printf %064d 7) exec /.fargate/fargate-agent";
    let container = ContainerDefinition::builder().command("sh").command("-c").command(other_seed);
    site.set("defaults.task_definition", site.register("other-host", container).await);
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), HEADLINE);
    assert!(ended.out().contains("0 bytes of the script"), "{}", ended.out());
    assert_eq!(site.tasks_of(&job).len(), 1);
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    // It is an incident, so the next try does not try its luck.
    job.cleanup().await.passed();
    let again = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert!(again.error_line().contains("same cause as the first try"), "{}", again.out());
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.close().await;
}
