//! A `run` on a stock server that is told to end, or gets SIGKILL.

use std::time::Instant;

use fargate_tests::{PATIENCE, SYSTEM_FAILURE, SshdSetup, mark, process, scenes, until};
use nix::sys::signal::Signal;

use crate::{prepared_on, site_with};

/// Servers on which a cancel works differently: which process forwards a signal, which one reaps,
/// whose shell waits,
/// and which processes the user may end.
fn servers() -> [(&'static str, SshdSetup); 4] {
    [
        ("bash", SshdSetup::open_ssh()),
        ("bash", SshdSetup::open_ssh().login("ci", "/bin/dash")),
        ("bash", SshdSetup::dropbear()),
        ("sh", SshdSetup::dropbear().login("ci", "/run/shells/ash")),
    ]
}

#[tokio::test]
async fn a_cancelled_script_ends_and_the_stages_after_it_still_run() {
    for (shell, server) in servers() {
        let Some(site) = site_with(&server).await else { return };
        site.set("defaults.shell", shell);
        scenes::a_cancelled_script_ends(&site).await;
        site.close().await;
    }
}

#[tokio::test]
async fn children_that_ignore_term_are_killed_after_the_grace_without_a_next_stage() {
    for (_, server) in servers().into_iter().filter(|(shell, _)| *shell == "bash") {
        let Some(site) = site_with(&server).await else { return };
        site.set("defaults.timeouts.cancel_return", "1m");
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
        assert!(told.elapsed() < PATIENCE, "{:?}", told.elapsed());
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
        let stubborn = mark("stubborn");
        let script = format!(
            "trap '' TERM; echo started; \
             exec -a {stubborn} bash -c \"trap '' TERM; while :; do sleep 0.02; done\""
        );
        let marks = [stubborn.as_str()];
        scenes::what_ignores_term_is_gone_before_the_next_stage(&site, &script, &marks).await;
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
        let before = "echo start >>/builds/starts; trap '' TERM HUP";
        scenes::killed_while_it_runs(&job, before, &orphaned).await;
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
        scenes::a_script_without_its_client_ends(&site).await;
        site.close().await;
    }
}

#[tokio::test]
async fn a_second_signal_returns_at_once() {
    let Some(site) = site_with(&SshdSetup::open_ssh()).await else { return };
    scenes::a_second_signal_returns_at_once(&site).await;
    site.close().await;
}

#[tokio::test]
async fn of_two_runs_at_once_the_later_one_wins() {
    let Some((site, job)) = prepared_on(&SshdSetup::open_ssh()).await else { return };
    let former = scenes::of_two_runs_the_later_one_wins(&job).await;
    assert_ne!(former.code, 0);
    site.close().await;
}
