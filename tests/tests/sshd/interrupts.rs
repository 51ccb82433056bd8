//! A `run` on a stock server that is told to end, or is killed without a word.

use std::time::{Duration, Instant};

use fargate_tests::{BUILD_FAILURE, PATIENCE, SYSTEM_FAILURE, Sshd, process, until};
use nix::sys::signal::Signal;

use crate::{mark, prepared_on, site_with};

/// How soon a cancelled stage is back, on a busy machine too. What would keep it longer is set to
/// last longer than this.
const SOON: Duration = Duration::from_secs(8);

/// Servers whose cancel differs: who forwards a signal, who reaps, whose shell waits, whose user may
/// end what.
fn servers() -> [(&'static str, Sshd); 4] {
    [
        ("bash", Sshd::open_ssh()),
        ("bash", Sshd::open_ssh().login("ci", "/bin/dash")),
        ("bash", Sshd::dropbear()),
        ("sh", Sshd::dropbear().login("ci", "/run/shells/ash")),
    ]
}

#[tokio::test]
async fn a_cancelled_script_ends_and_the_stages_after_it_still_run() {
    for (shell, server) in servers() {
        let Some(site) = site_with(&server).await else { return };
        site.set("defaults.shell", shell);
        site.set("defaults.timeouts.cancel_return", "20s");
        let job = site.prepared().await;
        let script = "trap 'echo told to end; exit 7' TERM; echo started; sleep 1000 & wait";
        let mut running = job.start_run(script);
        running.wrote("started").await;
        let told = Instant::now();
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
}

#[tokio::test]
async fn children_that_ignore_term_are_killed_after_the_grace_without_a_next_stage() {
    for (_, server) in servers().into_iter().filter(|(shell, _)| *shell == "bash") {
        let Some(site) = site_with(&server).await else { return };
        site.set("defaults.timeouts.cancel_return", "20s");
        site.set("defaults.timeouts.cancel_grace", "1s");
        let job = site.prepared().await;
        let (leader, child) = (mark("leader"), mark("child"));
        let stubborn = "trap '' TERM; while :; do sleep 0.02; done";
        let script = format!(
            "trap '' TERM; (exec -a {child} bash -c \"{stubborn}\") & echo started; \
             exec -a {leader} bash -c \"{stubborn}\""
        );
        let mut running = job.start_run(script);
        running.wrote("started").await;
        for mark in [&leader, &child] {
            until(&format!("{mark} runs"), || process(mark).is_some()).await;
        }
        let told = Instant::now();
        running.signal(Signal::SIGTERM);
        let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
        assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
        assert_eq!((ended.out().as_str(), ended.err().as_str()), ("started\n", ""));
        for mark in [&leader, &child] {
            until(&format!("{mark} is gone"), || process(mark).is_none()).await;
        }
        job.run("true").await.passed();
        site.close().await;
    }
}

#[tokio::test]
async fn a_stage_returns_in_time_and_what_ignores_term_is_gone_before_the_next_one_begins() {
    for (_, server) in servers().into_iter().filter(|(shell, _)| *shell == "bash") {
        let Some(site) = site_with(&server).await else { return };
        site.set("defaults.timeouts.cancel_return", "300ms");
        site.set("defaults.timeouts.cancel_grace", "1m");
        let job = site.prepared().await;
        let stubborn = mark("stubborn");
        let script = format!(
            "trap '' TERM; echo started; \
             exec -a {stubborn} bash -c \"trap '' TERM; while :; do sleep 0.02; done\""
        );
        let mut running = job.start_run(script);
        running.wrote("started").await;
        until("it runs", || process(&stubborn).is_some()).await;
        let told = Instant::now();
        running.signal(Signal::SIGTERM);
        let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
        assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
        assert_eq!(ended.err(), "");
        assert!(process(&stubborn).is_some(), "nobody waited for its end");
        // Without the next stage it would have a minute; with it, 2 s.
        let asked = Instant::now();
        let mut next = job.start_run("echo begun; exec sleep 1000");
        next.wrote("begun").await;
        assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
        assert_eq!(process(&stubborn), None, "it still runs");
        next.signal(Signal::SIGTERM);
        job.heard(next).await.with_code(SYSTEM_FAILURE);
        site.close().await;
    }
}

#[tokio::test]
async fn a_run_that_is_killed_leaves_no_script_beside_the_next_one() {
    // Its first line looks for the former script, by every process that the task has.
    let look = |mark: &str| {
        format!(
            "for one in /proc/[0-9]*; do case $(tr '\\0' ' ' <$one/cmdline 2>/dev/null) in \
             {mark}*) echo beside;; esac; done; cat /builds/starts; echo looked"
        )
    };
    for (_, server) in servers().into_iter().filter(|(shell, _)| *shell == "bash") {
        let server = server.before("chmod 777 /builds");
        let Some((site, job)) = prepared_on(&server).await else { return };
        let orphaned = mark("orphaned");
        let script = format!(
            "echo start >>/builds/starts; trap '' TERM HUP; echo started; \
             exec -a {orphaned} sleep 1000"
        );
        let mut running = job.start_run(script);
        running.wrote("started").await;
        until("the script runs", || process(&orphaned).is_some()).await;
        running.signal(Signal::SIGKILL);
        job.heard(running).await.with_code(128 + 9);
        let ended = job.run(look(&orphaned)).await.with_code(0);
        assert_eq!(ended.out(), "start\nlooked\n", "it was started once and is gone");
        assert_eq!(process(&orphaned), None);
        site.close().await;
    }
}

#[tokio::test]
async fn a_script_whose_driver_was_killed_ends_when_its_client_is_gone_for_too_long() {
    for (_, server) in servers().into_iter().filter(|(shell, _)| *shell == "bash") {
        let Some(site) = site_with(&server).await else { return };
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
}

#[tokio::test]
async fn a_second_signal_returns_at_once() {
    let Some(site) = site_with(&Sshd::open_ssh()).await else { return };
    site.set("defaults.timeouts.cancel_return", "1m");
    site.set("defaults.timeouts.cancel_grace", "20s");
    let job = site.prepared().await;
    let script = "trap 'echo told to end' TERM; echo started; while :; do sleep 0.02; done";
    let mut running = job.start_run(script);
    running.wrote("started").await;
    running.signal(Signal::SIGTERM);
    // Two signals that are one after the other, not merged into one.
    running.wrote("told to end").await;
    let told = Instant::now();
    running.signal(Signal::SIGTERM);
    job.heard(running).await.with_code(SYSTEM_FAILURE);
    // Sooner than the script could be ended.
    assert!(told.elapsed() < SOON, "{:?}", told.elapsed());
    // The next stage ends the script, which would keep its task for long.
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn of_two_runs_at_once_the_later_one_wins() {
    let Some((site, job)) = prepared_on(&Sshd::open_ssh()).await else { return };
    let mut former = job.start_run("echo former; exec sleep 1000");
    former.wrote("former").await;
    let ended = job.run("echo later; exit 4").await.with_code(BUILD_FAILURE);
    assert_eq!((ended.out(), ended.err()), ("later\n".to_owned(), String::new()));
    let ended = job.heard(former).await;
    assert!(ended.took < PATIENCE);
    assert_eq!(ended.out(), "former\n");
    assert_ne!(ended.code, 0);
    site.close().await;
}
