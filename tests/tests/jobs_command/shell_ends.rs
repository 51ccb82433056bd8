//! What ends under a shell: its job, its task, its connection. Each time the person is told so, and the
//! terminal is itself again.

use std::net::SocketAddr;

use fargate_tests::{CheckedHost, ConnectionCut, FaultyRelay, RelayBehaviour, SshdSetup, TestJob};

use crate::name_of;
use crate::person_at_terminal::PersonAtTerminal;

/// Exit code where no status of the program arrived.
const NO_STATUS: i32 = 125;
/// Exit code of a lost connection.
const LOST: i32 = 255;

async fn a_job_ends_under_a_shell(site: &CheckedHost, job: &TestJob) {
    let person = PersonAtTerminal::in_shell(site, &name_of(job)).await;
    person.types("sleep 1000\r");
    job.cleanup().await.passed();
    let (code, shown) = person.ends().await;
    assert_eq!(code, NO_STATUS, "{shown:?}");
    let said = "the job ended, and this session with it. Exit 125";
    assert!(shown.contains(said), "{shown:?}");
}

#[tokio::test]
async fn a_job_that_ends_closes_the_shell_and_says_so() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    a_job_ends_under_a_shell(&site, &job).await;
    site.close().await;
}

#[tokio::test]
async fn a_job_that_ends_closes_the_shell_in_a_stock_server_too() {
    if !SshdSetup::can_run() {
        return;
    }
    let site = CheckedHost::open().await;
    SshdSetup::open_ssh().serve(&site).await;
    let job = site.prepared().await;
    a_job_ends_under_a_shell(&site, &job).await;
    site.close().await;
}

#[tokio::test]
async fn a_task_that_is_stopped_from_outside_is_told_with_ecs_words() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let person = PersonAtTerminal::in_shell(&site, &name_of(&job)).await;
    let arn = site.task_of(&job).arn;
    let words = ("SpotInterruption", "Your Spot Task was interrupted.");
    assert!(site.cloud().stop_task_from_outside(&arn, words.0, words.1));
    let (code, shown) = person.ends().await;
    assert_eq!(code, NO_STATUS, "{shown:?}");
    assert!(shown.contains("AWS took the Spot task back"), "{shown:?}");
    assert!(shown.contains("the task ended, and this session with it"), "{shown:?}");
    site.close().await;
}

#[tokio::test]
async fn a_lost_connection_has_a_code_of_its_own_and_leaves_the_job_alone() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let state = job.state().expect("a state file");
    let address = state["address"].as_str().expect("an address").to_owned();
    let real: SocketAddr = address.parse().expect("an address of ours");
    let relay = FaultyRelay::to(real).await;
    job.change_state(|state| state["address"] = relay.address.to_string().into());
    let person = PersonAtTerminal::in_shell(&site, &name_of(&job)).await;
    relay.set(RelayBehaviour::Refusing);
    relay.cut(ConnectionCut::Rst);
    let (code, shown) = person.ends().await;
    assert_eq!(code, LOST, "{shown:?}");
    assert!(shown.contains("the connection to its task is lost"), "{shown:?}");
    job.change_state(|state| state["address"] = address.into());
    job.run("echo still here").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_shell_keeps_no_task_from_being_idle() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.task_idle", "6s");
    let job = site.prepared().await;
    let person = PersonAtTerminal::in_shell(&site, &name_of(&job)).await;
    let (code, shown) = person.ends().await;
    assert_eq!(code, NO_STATUS, "{shown:?}");
    assert!(shown.contains("the task ended, and this session with it"), "{shown:?}");
    site.close().await;
}
