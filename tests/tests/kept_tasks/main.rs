//! The task of a failed job is kept for a person: for how long, without which secrets, and how it ends
//! whatever happens to the host.

mod at_once;
mod clock_jumps;
mod each_step;
mod how_it_ends;
mod refusals;
mod what_is_kept;
mod wiped_secrets;

use std::rc::Rc;

use fargate_tests::{BUILD_FAILURE, CheckedHost, TestJob, TestProcessResult};
use serde_json::Value;

/// A host whose profile lets tasks be kept, with a short wait between two sightings of an orphan.
async fn site() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.set("defaults.job_max_hold", "30m");
    site.set("defaults.timeouts.orphan_recheck", "20ms");
    site
}

/// A job that asks to keep its task for `hold`, and whose `prepare` has passed.
async fn prepared(site: &CheckedHost, hold: &str) -> Rc<TestJob> {
    let job = site.job_with(|job| job.set("CUSTOM_ENV_FARGATE_HOLD", hold));
    job.prepare().await.passed();
    job
}

/// The same, after a script that failed and the clean-up.
async fn kept(site: &CheckedHost, hold: &str) -> Rc<TestJob> {
    let job = prepared(site, hold).await;
    job.run("exit 3").await.with_code(BUILD_FAILURE);
    job.cleanup().await.passed();
    assert!(keep_until(&job).is_some(), "not kept: {}", site.log());
    job
}

/// The time in its record until which its task is kept.
fn keep_until(job: &TestJob) -> Option<u64> {
    job.state()?["kept"]["keep_until_unix_s"].as_u64()
}

/// The name by which people know `job`.
fn name_of(job: &TestJob) -> String {
    job.state().expect("a state file")["job_id"].as_str().expect("a name").to_owned()
}

/// A command of a person, which must end with `code`.
async fn command(site: &CheckedHost, words: &[&str], code: i32) -> TestProcessResult {
    site.start(words).ended().await.with_code(code)
}

/// What `tasks reap` prints.
async fn reap(site: &CheckedHost) -> Value {
    let ended = command(site, &["tasks", "reap", "--format", "json"], 0).await;
    serde_json::from_str(&ended.out()).expect("one document")
}

/// Result and reason of each orphan.
fn orphans(document: &Value) -> Vec<String> {
    let orphans = document["orphans"].as_array().expect("a list").iter();
    let word = |orphan: &Value, name: &str| orphan[name].as_str().expect("a word").to_owned();
    orphans.map(|orphan| format!("{} {}", word(orphan, "result"), word(orphan, "reason"))).collect()
}
