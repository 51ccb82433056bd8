//! A terminal that takes no more output while the task writes without end: the person can leave all the
//! same, and the job can end.

use fargate_tests::{CheckedHost, until};
use nix::sys::signal::Signal;

use crate::name_of;
use crate::person_at_terminal::PersonAtTerminal;

/// A person in a shell that floods a terminal which shows nothing any more.
async fn flooded(site: &CheckedHost, job: &str) -> PersonAtTerminal {
    let person = PersonAtTerminal::in_shell(site, job).await;
    person.looks_away();
    person.types("yes\r");
    until("the terminal is full", || person.has_full_terminal()).await;
    person
}

#[tokio::test]
async fn a_person_whose_terminal_is_full_can_leave() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129), (Signal::SIGINT, 130)] {
        let person = flooded(&site, &name_of(&job)).await;
        person.signals(signal);
        assert_eq!(person.ends_unseen().await, code, "{signal}");
    }
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_job_ends_under_a_full_terminal_and_so_does_its_shell() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let person = flooded(&site, &name_of(&job)).await;
    job.run("echo beside").await.passed();
    job.cleanup().await.passed();
    until("the task ended", || site.cloud().live_tasks() == 0).await;
    person.ends_unseen().await;
    site.close().await;
}
