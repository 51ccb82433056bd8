//! `pause`, `drain` and `resume`, and what `prepare` does meanwhile.

use std::fs;
use std::os::unix::fs::symlink;

use fargate_tests::{CheckedHost, SYSTEM_FAILURE, TestProcessResult, until};
use nix::sys::signal::Signal;

use crate::site;

async fn say(site: &CheckedHost, arguments: &[&str]) -> TestProcessResult {
    site.start(arguments).ended().await
}

/// The environment of the host names no user, so the message has the number of the user.
fn without_who(text: &str) -> String {
    text.replace(&format!("user {}", nix::unistd::getuid()), "WHO")
}

#[tokio::test]
async fn a_new_job_waits_while_the_host_is_paused_and_starts_once_it_is_resumed() {
    let site = site().await;
    let before = site.prepared().await;
    let paused = say(&site, &["pause", "--note", "new disk"]).await.with_code(0);
    insta::assert_snapshot!(without_who(&paused.err()), @r#"paused by WHO: "new disk"; new jobs wait, running jobs continue"#);
    assert_eq!(paused.out(), "");
    let again = say(&site, &["pause"]).await.with_code(0);
    assert!(again.err().starts_with("already paused by "), "{}", again.err());
    assert!(again.err().ends_with(": \"new disk\"\n"), "{}", again.err());
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running
        .wrote("with the note \"new disk\"; running jobs go on. Waiting for at most 15m 00s.\n")
        .await;
    // Those that run go on, and end.
    before.run("true").await.passed();
    before.cleanup().await.passed();
    assert_eq!(site.calls("RunTask"), 1);
    let resumed = say(&site, &["resume"]).await.with_code(0);
    assert!(resumed.err().starts_with("this host takes new jobs again; "), "{}", resumed.err());
    let ended = job.heard(running).await.with_code(0);
    assert!(ended.out().starts_with("New jobs are paused by "), "{}", ended.out());
    assert!(ended.out().contains("Ready in "), "{}", ended.out());
    job.run("true").await.passed();
    let again = say(&site, &["resume"]).await.with_code(0);
    assert_eq!(again.err(), "this host takes new jobs already\n");
    site.close().await;
}

#[tokio::test]
async fn a_job_that_waited_too_long_fails_with_who_and_why() {
    let site = site().await;
    site.set("defaults.timeouts.paused_host", "300ms");
    say(&site, &["pause", "--reason", "new disk"]).await.with_code(0);
    let job = site.job();
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert!(ended.error_line().starts_with("error: new jobs are paused by "), "{}", ended.out());
    assert!(ended.out().contains("  Waited 0.30 s, then gave up.\n"), "{}", ended.out());
    assert!(ended.out().contains("    \x1b[36mfargate-runner resume\x1b[0m\n"), "{}", ended.out());
    assert_eq!(site.calls("RunTask"), 0);
    job.cleanup().await.passed();
    // The next attempt may succeed, so the failure is not final.
    say(&site, &["resume"]).await.with_code(0);
    job.prepare().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_job_that_waits_can_be_cancelled() {
    let site = site().await;
    say(&site, &["pause"]).await.with_code(0);
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("Waiting for at most").await;
    running.signal(Signal::SIGTERM);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(ended.out().ends_with("Cancelled: no task was started\n"), "{}", ended.out());
    job.cleanup().await.passed();
    say(&site, &["resume"]).await.with_code(0);
    site.close().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_a_pause_and_resume_takes_it_away() {
    let site = site().await;
    site.set("defaults.timeouts.paused_host", "100ms");
    site.job().cleanup().await.passed();
    let path = site.state_dir().join("paused");
    let elsewhere = site.folder().join("elsewhere");
    fs::write(&elsewhere, "kept").expect("a writable folder");
    let ruins: [&dyn Fn(); 3] = [
        &|| fs::write(&path, "gar\0bage").expect("a writable folder"),
        &|| symlink(&elsewhere, &path).expect("a new link"),
        &|| fs::create_dir(&path).expect("a new folder"),
    ];
    for ruin in ruins {
        ruin();
        let job = site.job();
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        let line = format!("error: new jobs wait, because {} cannot be read", path.display());
        assert_eq!(ended.error_line(), line);
        assert_eq!(site.calls("RunTask"), 0);
        say(&site, &["resume"]).await.with_code(0);
        assert!(fs::symlink_metadata(&path).is_err());
    }
    assert_eq!(fs::read_to_string(elsewhere).expect("a file"), "kept");
    let job = site.prepared().await;
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_drain_waits_for_the_jobs_that_are_here_and_no_new_one_comes() {
    let site = site().await;
    let job = site.prepared().await;
    let mut drain = site.start(&["drain", "--note", "kernel"]);
    drain.told("waiting for 1 job (gl-4000), ").await;
    let next = site.job();
    let mut waiting = next.start(&["prepare"]);
    waiting.wrote("This host takes no new jobs. ").await;
    job.run("true").await.passed();
    job.cleanup().await.passed();
    let ended = drain.ended().await.with_code(0);
    assert!(ended.err().contains("waiting for 1 job (gl-4000), "), "{}", ended.err());
    assert!(ended.err().contains("\ndrained in "), "{}", ended.err());
    // A pause does not end the drain, and a job that waits does not count as one that runs.
    let pause = say(&site, &["pause"]).await.with_code(0);
    assert!(pause.err().starts_with("this host is already being drained by "), "{}", pause.err());
    say(&site, &["drain", "--timeout", "1s"]).await.with_code(0);
    say(&site, &["resume"]).await.with_code(0);
    next.heard(waiting).await.with_code(0);
    site.close().await;
}

#[tokio::test]
async fn a_drain_that_takes_too_long_or_is_interrupted_goes_on_without_its_command() {
    let site = site().await;
    let job = site.prepared().await;
    let ended = say(&site, &["drain", "--timeout", "50ms"]).await.with_code(1);
    assert!(
        ended.err().contains("error: 1 job (gl-4000) is still on this host after "),
        "{}",
        ended.err()
    );
    let drain = site.start(&["drain"]);
    until("it waits", || site.log().matches("drain.waiting").count() == 2).await;
    drain.signal(Signal::SIGINT);
    let told = drain.ended().await.with_code(130).err();
    assert!(told.contains("; new jobs keep waiting until `fargate-runner resume`\n"), "{told}");
    assert!(site.state_dir().join("paused").exists());
    say(&site, &["resume"]).await.with_code(0);
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_drain_that_a_damaged_record_holds_up_says_what_ends_it() {
    let site = site().await;
    let job = site.prepared().await;
    job.note_key();
    let whole = std::fs::read(job.state_file()).expect("a record");
    std::fs::write(job.state_file(), "{").expect("a writable record");
    let told = say(&site, &["drain", "--timeout", "50ms"]).await.with_code(1).err();
    let path = fargate_model::text::shell_word(&job.state_file().display().to_string());
    assert!(
        told.contains(&format!("cannot be read: once its task has ended, `rm {path}`")),
        "{told}"
    );
    assert!(!told.contains("tasks reap"), "{told}");
    say(&site, &["resume"]).await.with_code(0);
    std::fs::write(job.state_file(), whole).expect("a writable record");
    site.close().await;
}

#[tokio::test]
async fn a_prepare_that_runs_already_is_waited_for() {
    let site = site().await;
    let held = fargate_local_cloud::CloudFault::TaskHeld {
        phase: fargate_local_cloud::CloudTaskPhase::Pending,
    };
    site.cloud().fail("RunTask", held);
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("accepted").await;
    say(&site, &["drain", "--timeout", "50ms"]).await.with_code(1);
    running.signal(Signal::SIGTERM);
    job.heard(running).await.with_code(SYSTEM_FAILURE);
    say(&site, &["drain", "--timeout", "20s"]).await.with_code(0);
    say(&site, &["resume"]).await.with_code(0);
    site.close().await;
}
