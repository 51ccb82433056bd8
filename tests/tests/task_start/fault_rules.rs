//! The real driver and the rules of the fault language: lost answers, late reads, and a task that
//! is taken away.

use std::time::Duration;

use fargate_local_cloud::FaultRecord;
use fargate_tests::{CheckedHost, SYSTEM_FAILURE};

/// From now on these rules, and no others.
pub fn give(site: &CheckedHost, rules: &str) {
    site.cloud().set_faults(rules.parse().unwrap_or_else(|error| panic!("{error}")));
}

/// How often a rule with this beginning took effect.
pub fn strikes(struck: &[FaultRecord], rule: &str) -> usize {
    struck.iter().filter(|one| one.rule.starts_with(rule)).count()
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_launch_starts_no_second_task() {
    let site = CheckedHost::open().await;
    give(&site, "RunTask calls 1-2: reset after commit\nRunTask call 3: reset before commit");
    let job = site.job();
    job.prepare().await.passed();
    assert_eq!((site.calls("RunTask"), site.tasks_of(&job).len()), (4, 1));
    let requests = site.cloud().requests();
    let asked = requests.iter().filter(|request| request.operation == "RunTask");
    let tokens: Vec<_> = asked.map(|request| request.body["clientToken"].clone()).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
    job.run("true").await.passed();
    assert_eq!(strikes(&site.cloud().struck(), "RunTask call"), 3);
    site.close().await;
}

#[tokio::test]
async fn a_reader_that_is_behind_is_waited_for() {
    let site = CheckedHost::open().await;
    give(&site, "DescribeTasks: stale 1s\nListTasks: lag 5s");
    let job = site.job();
    job.prepare().await.passed();
    assert_eq!(site.tasks_of(&job).len(), 1);
    job.run("true").await.passed();
    assert!(strikes(&site.cloud().struck(), "DescribeTasks: stale") > 0);
    site.close().await;
}

#[tokio::test]
async fn a_task_that_spot_takes_back_fails_the_system_and_not_the_script() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    give(&site, "task 1 at RUNNING: interrupt 0s");
    let ended = job.run("sleep 60").await.with_code(SYSTEM_FAILURE);
    assert!(ended.took < Duration::from_secs(40), "{:?}", ended.took);
    assert_eq!(site.task_of(&job).stop_code.as_deref(), Some("SpotInterruption"));
    let struck = site.cloud().struck();
    assert_eq!(struck[0].task.as_deref(), Some(site.task_of(&job).arn.as_str()));
    site.close().await;
}
