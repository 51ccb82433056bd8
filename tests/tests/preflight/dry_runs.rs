//! EC2 says by a dry run whether the manager may ask for the public address of a task; IAM is not needed for that.

use fargate_tests::CheckedHost;
use serde_json::Value;

use crate::{checker, report};

const RIGHT: &str = "ec2:DescribeNetworkInterfaces";

/// A site whose manager dials public addresses, for which it asks EC2.
async fn dialling() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.set("defaults.public_ip", "dialled");
    site
}

/// The lines about the rights of the manager, each with outcome and text.
async fn rights(site: &CheckedHost) -> Vec<(String, String)> {
    let person = checker(site, |_| {});
    let told = report(&person.heard(person.start(&["--format", "json"])).await);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let lines = told["checks"].as_array().expect("a list").iter();
    let mine = lines.filter(|line| line["id"] == "rights");
    mine.map(|line| (text(&line["outcome"]), text(&line["found"]))).collect()
}

/// How often the right was asked for by a dry run.
fn dry_runs(site: &CheckedHost) -> usize {
    let requests = site.cloud().requests();
    let is_dry = |operation: &str, body: &Value| {
        operation == "DescribeNetworkInterfaces" && body["DryRun"] == "true"
    };
    requests.iter().filter(|request| is_dry(&request.operation, &request.body)).count()
}

#[tokio::test]
async fn a_right_that_a_dry_run_shows_missing_fails_although_iam_may_not_be_asked() {
    let site = dialling().await;
    site.cloud().deny("iam:SimulatePrincipalPolicy");
    site.cloud().deny(RIGHT);
    let told = rights(&site).await;
    let failed = told.iter().find(|(outcome, _)| outcome == "fail");
    let (_, found) = failed.unwrap_or_else(|| panic!("no failure: {told:?}"));
    assert!(found.contains(RIGHT), "{found}");
    assert!(
        told.iter().any(|(outcome, _)| outcome == "unknown"),
        "the rest is not known: {told:?}"
    );
    assert_eq!(dry_runs(&site), 1);
    crate::close(site).await;
}

#[tokio::test]
async fn a_right_that_a_dry_run_shows_is_none_of_the_unknown_ones() {
    let site = dialling().await;
    site.cloud().deny("iam:SimulatePrincipalPolicy");
    let told = rights(&site).await;
    assert!(!told.is_empty() && told.iter().all(|(_, found)| !found.contains(RIGHT)), "{told:?}");
    assert!(told.iter().all(|(outcome, _)| outcome == "unknown"), "{told:?}");
    assert_eq!(dry_runs(&site), 1);
    crate::close(site).await;
}

#[tokio::test]
async fn without_public_addresses_to_dial_ec2_is_asked_for_no_right() {
    let site = CheckedHost::open().await;
    rights(&site).await;
    assert_eq!(dry_runs(&site), 0);
    crate::close(site).await;
}
