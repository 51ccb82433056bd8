//! The clock of the host is set between the failure and the clean-up: a task is never kept for longer
//! than its time after that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fargate_tests::{BUILD_FAILURE, CheckedHost, TestJob};
use serde_json::Value;

use crate::{command, keep_until, name_of, prepared, site};

const HOLD: Duration = Duration::from_mins(10);
const YEAR: u64 = 365 * 24 * 3600;

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

/// A job that failed while the clock of the host was wrong: `failed` gives the time that it showed.
async fn failed(site: &CheckedHost, failed: impl Fn(u64) -> u64) -> std::rc::Rc<TestJob> {
    let job = prepared(site, "10m").await;
    job.run("exit 3").await.with_code(BUILD_FAILURE);
    let mark = job.state_file().with_extension("failed");
    let text = std::fs::read(&mark).expect("a mark of the failure");
    let mut noted: Value = serde_json::from_slice(&text).expect("JSON");
    let shown = failed(noted["failed_unix_s"].as_u64().expect("a time"));
    noted["failed_unix_s"] = shown.into();
    noted["tagged_until_unix_s"] = (shown + HOLD.as_secs()).into();
    std::fs::write(&mark, noted.to_string()).expect("a writable mark");
    job
}

#[tokio::test]
async fn a_clock_that_was_years_ahead_at_the_failure_keeps_no_task_for_years() {
    let site = site().await;
    let job = failed(&site, |failed| failed + YEAR).await;
    job.cleanup().await.passed();
    let until = keep_until(&job).expect("it is kept");
    assert!(until <= now() + HOLD.as_secs(), "{}s", until - now());
    let tags = site.task_of(&job).tags;
    assert_eq!(tags.get("fargate-runner:deadline"), Some(&until.to_string()), "{tags:?}");
    command(&site, &["jobs", "release", &name_of(&job)], 0).await;
    site.close().await;
}

#[tokio::test]
async fn a_clock_that_was_years_behind_at_the_failure_keeps_nothing() {
    let site = site().await;
    let job = failed(&site, |failed| failed - YEAR).await;
    job.cleanup().await.passed();
    assert_eq!(keep_until(&job), None);
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}
