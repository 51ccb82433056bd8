//! `tasks reap --cluster`: the tasks of hosts that are gone for good, with their records and their
//! names.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_ecs::types::Tag;
use fargate_tests::CheckedHost;

use crate::{ReapOutput, desired, exception, job_key, reap, reap_with, site, stray, stray_tagged};

/// Seconds since 1970 by the cloud's clock, this many seconds from now.
fn by_then(site: &CheckedHost, seconds: i64) -> String {
    let now = site.cloud().now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    now.checked_add_signed(seconds).expect("a time").to_string()
}

const HOUR: i64 = 3600;

/// Our tags, as another host wrote them.
fn tags(deadline: &str) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("fargate-runner:owner", "host-gone".to_owned()),
        ("fargate-runner:job", job_key(7)),
        ("fargate-runner:deadline", deadline.to_owned()),
    ])
}

async fn with_tags(site: &CheckedHost, tags: &BTreeMap<&'static str, String>) -> String {
    let tag = |(name, value): (&&str, &String)| Tag::builder().key(*name).value(value).build();
    stray_tagged(site, "host-gone", &[], tags.iter().map(tag).collect()).await
}

/// A configuration of a host that has never run a job.
fn of_a_new_host(site: &CheckedHost) -> std::path::PathBuf {
    let text = std::fs::read_to_string(site.config()).expect("a configuration");
    let mut settings: toml::Table = text.parse().expect("TOML");
    let state = site.folder().join("no-such-folder");
    settings.insert("state_dir".to_owned(), state.display().to_string().into());
    let config = site.folder().join("new-host.toml");
    std::fs::write(&config, settings.to_string()).expect("a writable folder");
    config
}

/// One `tasks reap --cluster` of such a host.
async fn reap_cluster(site: &CheckedHost, arguments: &[&str], code: i32) -> ReapOutput {
    let all = [&["--cluster"], arguments].concat();
    reap_with(site, &of_a_new_host(site), &all, code).await
}

#[tokio::test]
async fn only_tasks_of_ours_whose_deadline_is_long_over_are_ended_whoever_started_them() {
    let site = site().await;
    let job = site.prepared().await;
    let overdue = with_tags(&site, &tags(&by_then(&site, -2 * HOUR))).await;
    let mut spared = vec![
        with_tags(&site, &tags(&by_then(&site, -HOUR / 2))).await,
        with_tags(&site, &tags(&by_then(&site, HOUR))).await,
        with_tags(&site, &tags("soon")).await,
        with_tags(&site, &BTreeMap::from([("deadline", "1000".to_owned())])).await,
        stray(&site, "somebody", &[]).await,
        // The same happens where ecs:TagResource is refused.
        stray(&site, "host-gone", &[("FARGATE_RUNNER_JOB", &job_key(8))]).await,
    ];
    let mut some = tags("1000");
    some.remove("fargate-runner:job");
    spared.push(with_tags(&site, &some).await);
    let seen = reap_cluster(&site, &["--dry-run"], 0).await;
    assert_eq!(seen.orphans(), ["would-stop overdue"], "{}", seen.document);
    assert_eq!(site.calls("StopTask"), 0);
    let seen = reap_cluster(&site, &[], 0).await;
    assert_eq!(seen.orphans(), ["stopped overdue"], "{}", seen.document);
    assert_eq!(seen.ended_for("overdue"), [job_key(7)]);
    // Each task that cannot be judged has a tag or a variable of ours. The job here and two others go on.
    assert_eq!((seen.needed(), seen.left_alone()), (3, vec!["no-deadline"; 3]));
    let clusters = serde_json::json!([{ "cluster": "ci", "region": "eu-west-1" }]);
    assert!(seen.document["host"].is_null() && seen.document["clusters"] == clusters);
    insta::assert_snapshot!(fargate_tests::redacted(seen.ended.err().lines().last().unwrap()), @"orphans of all hosts in cluster ci in eu-west-1: 1 stopped in T; 3 tasks of jobs keep running");
    assert_eq!(desired(&site, &overdue), "STOPPED");
    assert!(spared.iter().all(|arn| desired(&site, arn) == "RUNNING"));
    assert!(!site.folder().join("no-such-folder").exists());
    job.run("echo still here").await.passed();
    for arn in spared {
        site.ecs().stop_task().cluster("ci").task(arn).send().await.expect("a stop");
    }
    site.close().await;
}

#[tokio::test]
async fn a_jobs_own_deadline_counts_by_the_clock_of_ecs_and_not_by_this_hosts() {
    let site = site().await;
    let job = site.prepared().await;
    let task = site.task_of(&job);
    let deadline: u64 = task.tags["fargate-runner:deadline"].parse().expect("seconds");
    let deadline = UNIX_EPOCH + Duration::from_secs(deadline);
    // The job's hour and its margin.
    let lifetime = deadline.duration_since(SystemTime::now()).expect("to come");
    assert!(lifetime > Duration::from_secs(4000), "{lifetime:?}");
    site.cloud().advance(lifetime + Duration::from_secs(3000));
    let seen = reap_cluster(&site, &[], 0).await;
    assert_eq!((seen.orphans().len(), seen.needed()), (0, 1), "{}", seen.document);
    site.cloud().advance(Duration::from_secs(700));
    let seen = reap_cluster(&site, &[], 0).await;
    assert_eq!(seen.orphans(), ["stopped overdue"], "{}", seen.document);
    assert_eq!(desired(&site, &task.arn), "STOPPED");
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn what_may_not_be_stopped_is_told_once_for_all() {
    let site = site().await;
    let overdue = tags(&by_then(&site, -3 * HOUR));
    let strays = [with_tags(&site, &overdue).await, with_tags(&site, &overdue).await];
    site.cloud().deny("ecs:StopTask");
    let seen = reap_cluster(&site, &[], 1).await;
    assert_eq!(seen.orphans(), ["not-stopped overdue", "not-stopped overdue"]);
    assert_eq!(seen.ended.err().matches("warning: ").count(), 1, "{}", seen.ended.err());
    site.cloud().allow("ecs:StopTask");
    site.cloud().fail("ListTasks", exception(500, "ServerException", "Service Unavailable."));
    assert_eq!(reap_cluster(&site, &[], 0).await.orphans().len(), 2);
    assert!(strays.iter().all(|arn| desired(&site, arn) == "STOPPED"));
    // The reaper of this host itself never touched them.
    site.job().cleanup().await.passed();
    assert_eq!(reap(&site, &[], 0).await.orphans().len(), 0);
    site.close().await;
}
