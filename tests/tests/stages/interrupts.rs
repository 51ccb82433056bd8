//! A `run` that is told to end, or is killed without a word.

use std::time::Duration;

use fargate_tests::{BUILD_FAILURE, PATIENCE, SYSTEM_FAILURE, Site, process, until};
use nix::sys::signal::Signal;

/// How soon a cancelled stage is back.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_cancelled_script_ends_and_the_stages_after_it_still_run() {
    let site = Site::open().await;
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
    let job = site.prepared().await;
    let script = "trap '' TERM; echo started; setsid -f bash -c 'exec -a escaped sleep 1000'; \
                  exec -a stubborn bash -c \"trap '' TERM; while :; do sleep 0.02; done\"";
    let mut running = job.start_run(script);
    running.wrote("started").await;
    let told = std::time::Instant::now();
    running.signal(Signal::SIGTERM);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
    assert_eq!(ended.err(), "");
    // Without the next stage it would have 10 s; with it, 2 s.
    let ended = job.run("ps -ww -eo args | grep -c '^[s]tubborn'; true").await.with_code(0);
    assert_eq!(ended.out(), "0\n", "a process of the cancelled script still runs");
    assert!(ended.took < Duration::from_secs(6), "{:?}", ended.took);
    site.close().await;
}

#[tokio::test]
async fn a_second_signal_returns_at_once() {
    let site = Site::open().await;
    site.set("defaults.timeouts.cancel_return", "1m");
    site.set("defaults.timeouts.cancel_grace", "4s");
    let job = site.prepared().await;
    let mut running = job.start_run("trap '' TERM; echo started; while :; do sleep 0.02; done");
    running.wrote("started").await;
    running.signal(Signal::SIGTERM);
    // Two signals that are one after the other, not merged into one.
    let pid = running.pid();
    until("the first signal was taken", || !pending(pid)).await;
    let told = std::time::Instant::now();
    running.signal(Signal::SIGTERM);
    job.heard(running).await.with_code(SYSTEM_FAILURE);
    // Sooner than the script could be ended.
    assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
    site.close().await;
}

/// True if a signal waits for the process.
fn pending(pid: nix::unistd::Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
    line.is_some_and(|mask| mask.trim().bytes().any(|digit| digit != b'0'))
}

#[tokio::test]
async fn a_run_that_is_killed_leaves_its_script_to_the_next_run_to_end() {
    let site = Site::open().await;
    let job = site.prepared().await;
    let script = "echo start >> /builds/starts; echo started; exec -a orphaned sleep 1000";
    let mut running = job.start_run(script);
    running.wrote("started").await;
    running.signal(Signal::SIGKILL);
    job.heard(running).await.with_code(128 + 9);
    let look = "cat /builds/starts; ps -ww -eo args | grep -c '^[o]rphaned'; true";
    let ended = job.run(look).await.with_code(0);
    assert_eq!(ended.out(), "start\n0\n", "it was started once, and is over");
    site.close().await;
}

#[tokio::test]
async fn a_script_whose_driver_was_killed_ends_when_its_client_is_gone_for_too_long() {
    let site = Site::open().await;
    site.set("defaults.timeouts.client_gone", "1s");
    let job = site.prepared().await;
    let mark = format!("abandoned-{}", std::process::id());
    let mut running = job.start_run(format!("echo started; exec -a {mark} sleep 1000"));
    running.wrote("started").await;
    running.signal(Signal::SIGKILL);
    job.heard(running).await.with_code(128 + 9);
    let there = || process(&mark).is_some();
    until("the script was ended", || !there()).await;
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
