//! `check`: what it finds in accounts that others play, what it says of accounts that it cannot read, and what
//! `--probe` finds from inside a task.
//!
//! In `broken_accounts` moto plays EC2 and EFS, ministack plays ECS, IAM, STS, Secrets Manager, KMS and CloudWatch
//! Logs, and the local cloud plays Service Quotas, which neither of them has for Fargate. All other tests use the
//! local cloud.

mod bad_input;
mod broken_accounts;
mod call_waves;
mod dry_runs;
mod emulated_accounts;
mod own_policy;
mod probe;
mod report_file;

use std::rc::Rc;

use fargate_tests::{CheckedHost, PolicyHolder, TestJob, TestProcessResult};
use serde_json::Value;

/// A person at this host who runs `check`; all services of AWS are the site's cloud.
pub(crate) fn checker(site: &CheckedHost, change: impl FnOnce(&mut TestJob)) -> Rc<TestJob> {
    site.also_acts_as(PolicyHolder::Check);
    site.job_with(|job| {
        job.environment.retain(|name, _| {
            let name = name.to_string_lossy();
            !(name.contains("EXIT_CODE")
                || name.starts_with("CUSTOM_ENV_")
                || name.starts_with("JOB_"))
        });
        job.set("FARGATE_RUNNER_CONFIG", site.config());
        job.set("AWS_ENDPOINT_URL", site.cloud().endpoint());
        job.arguments = vec!["check".into()];
        change(job);
    })
}

/// Closes the site. What is left of jobs is counted; the report is no job's, and stays for the page.
pub(crate) async fn close(site: CheckedHost) {
    match std::fs::remove_file(site.state_dir().join("checks.json")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => site.close().await,
    }
}

/// The report that a run of `check` printed as JSON.
#[track_caller]
pub(crate) fn report(ended: &TestProcessResult) -> Value {
    serde_json::from_slice(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error} in {}\n{}", ended.out(), ended.err()))
}

/// The ids of the checks with this outcome, each once, in order.
pub(crate) fn ids(report: &Value, outcome: &str) -> Vec<String> {
    let lines = report["checks"].as_array().expect("a list");
    let fitting = lines.iter().filter(|line| line["outcome"] == outcome);
    let mut ids: Vec<String> =
        fitting.map(|line| line["id"].as_str().expect("a text").to_owned()).collect();
    ids.sort();
    ids.dedup();
    ids
}
