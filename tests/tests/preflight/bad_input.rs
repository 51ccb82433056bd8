//! An account that cannot be read, or only in part: unknown, with what is missing; never a pass, never a crash.

use std::time::Duration;

use fargate_tests::{CheckedHost, PATIENCE, TestJob, TestProcessResult, free_place, until};
use nix::sys::signal::Signal;

use crate::{checker, ids, report};

const JSON: [&str; 2] = ["--format", "json"];
/// Exit code of a report without a failure that does not know all.
const COULD_NOT_TELL: i32 = 2;

/// Checks with this change, and that nothing about the account passes.
async fn knows_nothing(site: &CheckedHost, change: impl FnOnce(&mut TestJob)) -> TestProcessResult {
    let person = checker(site, change);
    let ended = person.heard(person.start(&JSON)).await.with_code(COULD_NOT_TELL);
    assert!(!ended.err().contains("panic") && ended.took < PATIENCE, "{}", ended.err());
    let report = report(&ended);
    assert_eq!(ids(&report, "fail"), [""; 0], "{report:#}");
    assert!(!ids(&report, "unknown").is_empty(), "{report:#}");
    for id in ["cluster", "subnets", "way-out", "rights", "identity"] {
        assert!(!ids(&report, "pass").contains(&id.to_owned()), "{id} was not read: {report:#}");
    }
    ended
}

#[tokio::test]
async fn without_credentials_nothing_is_known() {
    let site = CheckedHost::open().await;
    let ended = knows_nothing(&site, |job| {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            job.environment.remove(std::ffi::OsStr::new(name));
        }
    });
    let ended = ended.await;
    assert!(ended.out().contains("credentials"), "{}", ended.out());
    assert_eq!(site.cloud().requests().len(), 0);
    crate::close(site).await;
}

#[tokio::test]
async fn an_expired_token_is_told_as_that() {
    let site = CheckedHost::open().await;
    let expired = site.cloud().issue_credentials(Duration::ZERO);
    let ended = knows_nothing(&site, |job| {
        job.set("AWS_ACCESS_KEY_ID", &expired.access_key_id);
        job.set("AWS_SECRET_ACCESS_KEY", &expired.secret_access_key);
        job.set("AWS_SESSION_TOKEN", &expired.session_token);
    });
    let ended = ended.await;
    assert!(ended.out().contains("xpired"), "{}", ended.out());
    assert!(!ended.all().contains(&expired.secret_access_key), "a secret in {}", ended.all());
    crate::close(site).await;
}

#[tokio::test]
async fn an_endpoint_that_is_dead_leaves_all_unknown_within_the_deadline() {
    let site = CheckedHost::open().await;
    let dead = format!("http://{}", free_place());
    knows_nothing(&site, |job| {
        job.set("AWS_ENDPOINT_URL", &dead);
        job.set("AWS_ENDPOINT_URL_ECS", &dead);
        job.arguments.extend(["--deadline".into(), "3s".into()]);
    })
    .await;
    crate::close(site).await;
}

#[tokio::test]
async fn an_endpoint_that_never_answers_leaves_all_unknown_at_the_deadline() {
    let site = CheckedHost::open().await;
    site.cloud().set_faults("any: hang".parse().expect("a rule"));
    knows_nothing(&site, |job| job.arguments.extend(["--deadline".into(), "1s".into()])).await;
    site.cloud().clear_faults();
    crate::close(site).await;
}

#[tokio::test]
async fn a_missing_right_is_named_with_what_to_allow_and_the_rest_is_known() {
    let site = CheckedHost::open().await;
    for (right, id) in [("ecs:DescribeClusters", "cluster"), ("ec2:DescribeSubnets", "subnets")] {
        site.cloud().deny(right);
        let person = checker(&site, |_| {});
        let ended = person.heard(person.start(&JSON)).await;
        let report = report(&ended);
        let lines = report["checks"].as_array().expect("a list");
        let line = lines.iter().find(|line| line["id"] == id).expect("a line");
        assert_eq!(line["outcome"], "unknown", "{line:#}");
        assert!(line["found"].to_string().contains(right), "{line:#}");
        assert!(line["fix"].to_string().contains(&format!("allow {right}")), "{line:#}");
        assert!(ids(&report, "pass").contains(&"identity".to_owned()), "{report:#}");
        site.cloud().allow(right);
    }
    crate::close(site).await;
}

#[tokio::test]
async fn without_a_configuration_it_says_what_is_missing() {
    let site = CheckedHost::open().await;
    let missing = site.folder().join("no-such.toml");
    let person = checker(&site, |job| job.set("FARGATE_RUNNER_CONFIG", &missing));
    let ended = person.heard(person.start(&["--format", "table"])).await.with_code(1);
    let told = ended.out().replace(&*site.folder().to_string_lossy(), "HERE");
    insta::assert_snapshot!(told, @"
    1 of 1 checks fails: no job can start without a configuration.

    x Configuration  HERE/no-such.toml: there is no such file
        Fix: write the file, and fill in cluster, subnets, security_groups, and image or task_definition
          fargate-runner config init

    checked in 0 ms, 1 failed
    ");
    assert_eq!(site.cloud().requests().len(), 0);
    crate::close(site).await;
}

#[tokio::test]
async fn ctrl_c_ends_it_at_once() {
    let site = CheckedHost::open().await;
    site.cloud().set_faults("any: hang".parse().expect("a rule"));
    let person = checker(&site, |_| {});
    let running = person.start(&JSON);
    until("AWS is asked", || !site.cloud().requests().is_empty()).await;
    running.signal(Signal::SIGINT);
    let ended = person.heard(running).await.with_code(130);
    assert!(ended.took < PATIENCE && ended.stdout.is_empty(), "{ended:?}");
    assert!(!site.state_dir().join("checks.json").exists(), "half a report is none");
    site.cloud().clear_faults();
    crate::close(site).await;
}
