//! D3, D4, D8 and B6: a job is cancelled, killed or stopped while the network to its task is away.
//! It ends all the same.

use std::time::{Duration, Instant};

use fargate_tests::{
    BUILD_FAILURE, CheckedHost, ConnectionCut, FaultyRelay, PATIENCE, RelayBehaviour,
    SYSTEM_FAILURE, TestJob, TestProcess, process, until,
};
use nix::sys::signal::Signal;

use crate::{STARTS, events, lead, mark, missing_line, past_relays, relayed, site, starts};

/// A script that goes on while its driver tries to connect again.
async fn away(site: &CheckedHost, job: &TestJob, relay: &FaultyRelay, name: &str) -> TestProcess {
    let trap = "trap 'echo told to end; exit 7' TERM";
    let script = format!("{STARTS}; {trap}; echo up; (exec -a {name} sleep 1000) & wait");
    let mut running = job.start_run(script);
    running.wrote("up").await;
    until("the script is there", || process(name).is_some()).await;
    relay.set(RelayBehaviour::Refusing);
    relay.cut(ConnectionCut::Rst);
    until("it was cut", || events(site, "session.cut").len() == 1).await;
    running
}

#[tokio::test]
async fn a_cancel_without_a_network_returns_in_time_and_the_next_stage_ends_the_script() {
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let name = mark("cancelled-away");
    let running = away(&site, &job, &relay, &name).await;
    let told = Instant::now();
    running.signal(Signal::SIGTERM);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(told.elapsed() < PATIENCE, "{:?}", told.elapsed());
    assert_eq!((ended.out(), job.exit_code()), ("up\n".to_owned(), None));
    assert!(process(&name).is_some(), "nobody could tell it");
    relay.set(RelayBehaviour::Up);
    assert_eq!(starts(&job).await, 1);
    assert_eq!(process(&name), None);
    site.close().await;
}

#[tokio::test]
async fn a_cancel_reaches_the_script_once_the_network_is_back() {
    let site = site().await;
    site.set("defaults.timeouts.cancel_return", "20s");
    let (job, relay) = relayed(&site).await;
    let name = mark("cancelled-late");
    let running = away(&site, &job, &relay, &name).await;
    running.signal(Signal::SIGTERM);
    relay.set(RelayBehaviour::Up);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert_eq!((ended.out(), ended.err()), ("up\ntold to end\n".to_owned(), String::new()));
    until("nothing of it is left", || process(&name).is_none()).await;
    assert_eq!(starts(&job).await, 1);
    site.close().await;
}

#[tokio::test]
async fn a_second_signal_ends_the_search_at_once() {
    let site = site().await;
    site.set("defaults.timeouts.cancel_return", "1m");
    let (job, relay) = relayed(&site).await;
    let mut running = away(&site, &job, &relay, &mark("twice")).await;
    let told = Instant::now();
    // The system would merge two signals that come at once.
    until("it has left", || {
        let runs = running.runs();
        if runs {
            running.signal(Signal::SIGTERM);
        }
        !runs
    })
    .await;
    assert!(told.elapsed() < PATIENCE, "{:?}", told.elapsed());
    job.heard(running).await.with_code(SYSTEM_FAILURE);
    relay.set(RelayBehaviour::Up);
    site.close().await;
}

#[tokio::test]
async fn a_driver_that_is_killed_while_away_leaves_its_script_to_the_next_stage() {
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let name = mark("killed-away");
    let running = away(&site, &job, &relay, &name).await;
    running.signal(Signal::SIGKILL);
    job.heard(running).await.with_code(128 + 9);
    relay.set(RelayBehaviour::Up);
    assert_eq!(starts(&job).await, 1);
    assert_eq!(process(&name), None);
    site.close().await;
}

#[tokio::test]
async fn a_clean_up_beside_a_run_that_is_away_ends_it_at_once() {
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let running = away(&site, &job, &relay, &mark("cleaned-up")).await;
    let began = Instant::now();
    job.cleanup().await.passed();
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let line = ended.error_line();
    assert!(
        line.starts_with("fargate-runner: error: the job's clean-up stopped the task"),
        "{line}"
    );
    assert_eq!(job.exit_code(), None);
    site.close().await;
}

#[tokio::test]
async fn a_task_that_ends_while_its_driver_is_away_ends_the_wait() {
    for (stop, code, status) in [
        (("SpotInterruption", "Your Spot Task was interrupted."), SYSTEM_FAILURE, None),
        (
            ("EssentialContainerExited", "OutOfMemoryError: Container killed due to memory usage"),
            BUILD_FAILURE,
            Some("137\n"),
        ),
    ] {
        let site = site().await;
        let (job, relay) = relayed(&site).await;
        let running = away(&site, &job, &relay, &mark("ended-away")).await;
        let arn = site.task_of(&job).arn;
        assert!(site.cloud().stop_task_from_outside(&arn, stop.0, stop.1));
        let ended = job.heard(running).await.with_code(code);
        // Far less than the window of 2 minutes.
        assert!(ended.took < Duration::from_secs(30), "{:?}", ended.took);
        assert_eq!(job.exit_code().as_deref(), status);
        site.close().await;
    }
}

#[tokio::test]
async fn a_run_that_took_the_place_of_one_that_is_away_keeps_it() {
    let site = site().await;
    let (job, relay) = relayed(&site).await;
    let name = mark("superseded-away");
    let running = away(&site, &job, &relay, &name).await;
    let other = FaultyRelay::to(past_relays(&site, &job)).await;
    lead(&job, other.address);
    let later = job.beside_itself().run("echo later; exit 4").await;
    assert_eq!(later.with_code(BUILD_FAILURE).all(), "later\n");
    relay.set(RelayBehaviour::Up);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.out(), "up\n");
    insta::assert_snapshot!(missing_line(&ended), @"fargate-runner: output may be missing here, after 3 bytes: another `run` of this job took its place");
    assert_eq!(starts(&job).await, 1);
    assert_eq!(process(&name), None);
    site.close().await;
}
