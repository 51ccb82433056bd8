//! The network does not come back in time: the log has one mark, the verdict follows the rule, and
//! no script goes on.

use fargate_tests::{BUILD_FAILURE, ConnectionCut, RelayBehaviour, SYSTEM_FAILURE, process, until};

use crate::{STARTS, events, mark, missing_line, relayed, site, starts};

#[tokio::test]
async fn an_expired_window_leaves_one_mark_and_the_agent_ends_the_script() {
    for how in [ConnectionCut::Fin, ConnectionCut::Rst] {
        let site = site().await;
        site.set("defaults.timeouts.client_gone", "1s");
        let (job, relay) = relayed(&site).await;
        let name = mark("expired");
        let mut running = job.start_run(format!("{STARTS}; printf up; exec -a {name} sleep 1000"));
        running.wrote("up").await;
        until("the script is there", || process(&name).is_some()).await;
        relay.set(RelayBehaviour::Refusing);
        relay.cut(how);
        let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
        assert_eq!((ended.out().as_str(), job.exit_code()), ("up", None));
        insta::allow_duplicates! {
            insta::assert_snapshot!(missing_line(&ended), @"fargate-runner: output may be missing here, after 2 bytes: the connection was cut, and it did not come back within 1.0 s (the connection was refused)");
        }
        let line = ended.error_line();
        let expected = "fargate-runner: error: the connection to the task was lost";
        assert!(line.starts_with(expected), "{line}");
        assert_eq!(
            ended.err().lines().count(),
            3,
            "a fresh line, the mark, the error: {}",
            ended.err()
        );
        assert_eq!(events(&site, "session.cut").len(), 1);
        until("the agent ended the script", || process(&name).is_none()).await;
        relay.set(RelayBehaviour::Up);
        assert_eq!(starts(&job).await, 1);
        site.close().await;
    }
}

#[tokio::test]
async fn who_comes_back_after_the_agent_gave_up_says_so_and_takes_no_signal_for_a_verdict() {
    let site = site().await;
    site.set("defaults.timeouts.client_gone", "1s");
    let (job, relay) = relayed(&site).await;
    // The task has a window of one second. This driver would wait longer.
    site.set("defaults.timeouts.client_gone", "1m");
    let name = mark("given-up");
    let mut running = job.start_run(format!("{STARTS}; echo up; exec -a {name} sleep 1000"));
    running.wrote("up").await;
    until("the script is there", || process(&name).is_some()).await;
    relay.set(RelayBehaviour::Refusing);
    relay.cut(ConnectionCut::Rst);
    until("the agent ended the script", || process(&name).is_none()).await;
    relay.set(RelayBehaviour::Up);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert_eq!((ended.out().as_str(), job.exit_code()), ("up\n", None));
    insta::assert_snapshot!(missing_line(&ended), @"fargate-runner: output may be missing here, after 3 bytes: the agent has ended the script, because nobody listened for too long");
    assert_eq!(starts(&job).await, 1);
    site.close().await;
}

#[tokio::test]
async fn a_job_that_ends_its_own_task_is_told_so_at_once_and_not_after_the_window() {
    let site = site().await;
    let job = site.prepared().await;
    // A signal without a name ends the agent before it can report anything.
    let ended = job.run("echo up; kill -40 2; sleep 1000").await.with_code(BUILD_FAILURE);
    let line = ended.error_line();
    assert!(line.starts_with("fargate-runner: error: the job ended its own environment"), "{line}");
    assert!(missing_line(&ended).contains("ECS says that the task has ended"));
    assert_eq!(job.exit_code().as_deref(), Some("137\n"));
    site.close().await;
}
