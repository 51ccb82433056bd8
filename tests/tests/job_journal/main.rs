//! What the history learns of jobs: real stages write the journal, and `jobs show | why | list` read it
//! without a daemon.

mod killed_stages;
mod told_jobs;
mod unwritable_journal;

use fargate_tests::{CheckedHost, TestJob};
use serde_json::Value;

/// What `jobs ACTION` says of `job` as JSON.
async fn told(site: &CheckedHost, action: &str, job: &TestJob) -> Value {
    let key = job.key();
    let words = ["jobs", action, &key.as_str()[..12], "-o", "json"];
    let text = site.start(&words).ended().await.with_code(0).out();
    serde_json::from_str(&text).expect("JSON")
}

/// The journal of `job`.
fn journal(site: &CheckedHost, job: &TestJob) -> String {
    let path = site.state_dir().join("journals").join(format!("{}.journal", job.key()));
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The names of the events that the operator's log has of this job, in order.
fn logged(site: &CheckedHost, job: &str) -> Vec<String> {
    let log = site.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_job = lines.filter(|line| line["job"] == job);
    of_job.filter_map(|line| line["event"].as_str().map(str::to_owned)).collect()
}

/// The names of the events that the journal has, in order; facts are left out.
fn journaled(site: &CheckedHost, job: &TestJob) -> Vec<String> {
    let text = journal(site, job);
    let entries = text.lines().filter_map(|line| {
        let (_checksum, json) = line.split_once(' ')?;
        serde_json::from_str::<Value>(json).ok()
    });
    entries.filter_map(|entry| entry["event"]["name"].as_str().map(str::to_owned)).collect()
}
