//! A `run` that is told to end, or is killed without a word.

use std::time::Duration;

use fargate_tests::{BUILD_FAILURE, PATIENCE, SYSTEM_FAILURE, Site, process, until};
use nix::sys::signal::Signal;

/// How soon a cancelled stage is back, on a busy machine too. What would keep it longer is set to
/// last longer than this.
const SOON: Duration = Duration::from_secs(8);

/// The name of a process that no other test on this machine has.
fn mark(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

#[tokio::test]
async fn a_cancelled_script_ends_and_the_stages_after_it_still_run() {
    let site = Site::open().await;
    site.set("defaults.timeouts.cancel_return", "20s");
    let job = site.prepared().await;
    let script = "trap 'echo told to end; exit 7' TERM; echo started; sleep 1000 & wait";
    let mut running = job.start_run(script);
    running.wrote("started").await;
    let told = std::time::Instant::now();
    running.signal(Signal::SIGTERM);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
    assert_eq!(ended.out(), "started\ntold to end\n");
    assert_eq!(ended.err(), "");
    assert_eq!(job.exit_code(), None);
    assert_eq!(job.run("echo after_script").await.with_code(0).out(), "after_script\n");
    assert_eq!(site.calls("StopTask"), 0, "the task is kept");
    site.close().await;
}

#[tokio::test]
async fn a_script_that_ignores_term_is_gone_before_the_next_stage_begins() {
    let site = Site::open().await;
    site.set("defaults.timeouts.cancel_return", "300ms");
    site.set("defaults.timeouts.cancel_grace", "1m");
    let job = site.prepared().await;
    let (stubborn, escaped) = (mark("stubborn"), mark("escaped"));
    let script = format!(
        "trap '' TERM; echo started; setsid bash -c 'exec -a {escaped} sleep 1000' & \
         exec -a {stubborn} bash -c \"trap '' TERM; while :; do sleep 0.02; done\""
    );
    let mut running = job.start_run(script);
    running.wrote("started").await;
    for mark in [&stubborn, &escaped] {
        until(&format!("{mark} runs"), || process(mark).is_some()).await;
    }
    let told = std::time::Instant::now();
    running.signal(Signal::SIGTERM);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    assert_eq!(ended.err(), "");
    assert!(process(&stubborn).is_some(), "nobody waited for its end");
    // Without the next stage it would have a minute; with it, 2 s.
    let asked = std::time::Instant::now();
    let mut next = job.start_run("echo begun; exec sleep 1000");
    next.wrote("begun").await;
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
    for mark in [&stubborn, &escaped] {
        assert_eq!(process(mark), None, "{mark} of the cancelled script still runs");
    }
    next.signal(Signal::SIGTERM);
    job.heard(next).await.with_code(SYSTEM_FAILURE);
    site.close().await;
}

#[tokio::test]
async fn a_second_signal_returns_at_once() {
    let site = Site::open().await;
    site.set("defaults.timeouts.cancel_return", "1m");
    site.set("defaults.timeouts.cancel_grace", "20s");
    let job = site.prepared().await;
    let script = "trap 'echo told to end' TERM; echo started; while :; do sleep 0.02; done";
    let mut running = job.start_run(script);
    running.wrote("started").await;
    running.signal(Signal::SIGTERM);
    // Two signals that are one after the other, not merged into one.
    running.wrote("told to end").await;
    let told = std::time::Instant::now();
    running.signal(Signal::SIGTERM);
    job.heard(running).await.with_code(SYSTEM_FAILURE);
    // Sooner than the script could be ended.
    assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
    // The next stage ends the script, which would keep its task for long.
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_run_that_is_killed_leaves_its_script_to_the_next_run_to_end() {
    let site = Site::open().await;
    let job = site.prepared().await;
    let orphaned = mark("orphaned");
    let script =
        format!("echo start >> /builds/starts; echo started; exec -a {orphaned} sleep 1000");
    let mut running = job.start_run(script);
    running.wrote("started").await;
    until("the script runs", || process(&orphaned).is_some()).await;
    running.signal(Signal::SIGKILL);
    job.heard(running).await.with_code(128 + 9);
    let ended = job.run("cat /builds/starts").await.with_code(0);
    assert_eq!(ended.out(), "start\n", "it was started once");
    assert_eq!(process(&orphaned), None, "it is over");
    site.close().await;
}

#[tokio::test]
async fn a_script_whose_driver_was_killed_ends_when_its_client_is_gone_for_too_long() {
    let site = Site::open().await;
    site.set("defaults.timeouts.client_gone", "1s");
    let job = site.prepared().await;
    let abandoned = mark("abandoned");
    let mut running = job.start_run(format!("echo started; exec -a {abandoned} sleep 1000"));
    running.wrote("started").await;
    until("the script runs", || process(&abandoned).is_some()).await;
    running.signal(Signal::SIGKILL);
    job.heard(running).await.with_code(128 + 9);
    until("the script was ended", || process(&abandoned).is_none()).await;
    assert_eq!(job.run("echo still here").await.with_code(0).out(), "still here\n");
    site.close().await;
}

#[tokio::test]
async fn of_two_runs_at_once_the_later_one_wins_and_the_former_says_so() {
    let site = Site::open().await;
    let job = site.prepared().await;
    let mut former = job.start_run("echo former; exec sleep 1000");
    former.wrote("former").await;
    let ended = job.run("echo later; exit 4").await.with_code(BUILD_FAILURE);
    assert_eq!((ended.out(), ended.err()), ("later\n".to_owned(), String::new()));
    let ended = job.heard(former).await.with_code(SYSTEM_FAILURE);
    assert!(ended.took < PATIENCE);
    assert_eq!(ended.out(), "former\n");
    let line = ended.error_line();
    assert!(line.starts_with("fargate-runner: error: "), "{line}");
    site.close().await;
}
