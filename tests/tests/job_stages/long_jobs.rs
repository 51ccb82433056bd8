//! Jobs that may take longer than a week, up to the longest that GitLab allows, and longer.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fargate_tests::{CheckedHost, TestJob};
use serde_json::{Value, json};

const DAY_S: u64 = 24 * 3600;
/// `timeouts.lifetime_margin`.
const MARGIN_S: u64 = 15 * 60;

/// A job whose response names this time-out.
fn with_timeout(job: &mut TestJob, timeout_s: &Value) {
    let text = fs::read_to_string(job.response()).expect("a response");
    let mut response: Value = serde_json::from_str(&text).expect("JSON");
    response["runner_info"]["timeout"] = timeout_s.clone();
    fs::write(job.response(), response.to_string()).expect("a writable folder");
}

#[tokio::test]
async fn a_job_may_take_a_month_whatever_its_agent_takes_at_its_start() {
    let site = CheckedHost::open().await;
    let week = 7 * DAY_S;
    // The longest time-out for agents of version 0.1, one second more, GitLab's month, and more than
    // GitLab sends.
    for (timeout_s, expected_s) in [
        (json!(week - MARGIN_S), week - MARGIN_S),
        (json!(week - MARGIN_S + 1), week - MARGIN_S + 1),
        (json!(2_629_746), 2_629_746),
        (json!(u64::MAX), 31 * DAY_S),
    ] {
        let job = site.job_with(|job| with_timeout(job, &timeout_s));
        job.prepare().await.passed();
        job.run("true").await.passed();
        let task = site.task_of(&job);
        let lifetime_s = expected_s + MARGIN_S;
        let told = |name: &str| task.environment.get(name).map(|value| value.parse::<u64>());
        assert_eq!(told("FARGATE_RUNNER_LIFETIME_S"), Some(Ok(lifetime_s.min(week))));
        let lease = (lifetime_s > week).then_some(Ok(lifetime_s));
        assert_eq!(told("FARGATE_RUNNER_LEASE_S"), lease, "{timeout_s}");
        let deadline = task.tags["fargate-runner:deadline"].parse().expect("seconds");
        let deadline = UNIX_EPOCH + Duration::from_secs(deadline);
        let left = deadline.duration_since(SystemTime::now()).expect("to come");
        assert!(left.as_secs().abs_diff(lifetime_s) < 120, "{timeout_s}: {left:?}");
    }
    site.close().await;
}
