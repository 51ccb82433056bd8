//! A stage that is killed at any step loses at most the event that it was about to write, and the rest still
//! tells the story.

use std::fs;

use fargate_tests::{CheckedHost, END_AT, skip};

use crate::{journaled, logged, told};

/// Far more steps than `prepare` has.
const MOST: usize = 100;
/// The number of the first job of a host in tests.
const FIRST_JOB: usize = 4000;

#[tokio::test]
async fn a_stage_that_is_killed_loses_at_most_its_last_event() {
    if !cfg!(debug_assertions) {
        return skip("the driver is built without debug assertions, so no step of it is told");
    }
    let site = CheckedHost::open().await;
    let mut killed = 0;
    for step in 1..MOST {
        let job = site.job();
        let reached = job.folder.join("reached");
        let doomed = site.same_job(&job, |job| {
            job.set(END_AT, format!("KILL {step}"));
            job.set("FARGATE_RUNNER_REACHED", &reached);
        });
        let ended = doomed.prepare().await;
        let steps = fs::read_to_string(&reached).unwrap_or_default();
        if steps.lines().nth(step - 1).is_none() {
            assert_eq!(ended.code, 0, "no step is left");
            job.cleanup().await.passed();
            break;
        }
        killed += 1;
        let name = format!("gl-{}", FIRST_JOB + step - 1);
        let (log, journal) = (logged(&site, &name), journaled(&site, &job));
        let lost = log.len() - journal.len();
        assert!(lost <= 1 && log.starts_with(&journal), "step {step}: {log:?} {journal:?}");
        job.cleanup().await.passed();
        let why = told(&site, "why", &job).await;
        assert_eq!(why["verdict"], "system_failure", "step {step}: {why:#}");
        assert_eq!(why["why"]["slug"], "driver-killed", "step {step}: {why:#}");
    }
    assert!(killed > 5, "{killed} steps");
    site.close().await;
}
