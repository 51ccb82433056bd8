//! Agents that are older or newer than the driver, by the dates of their versions.

use fargate_tests::CheckedHost;
use serde_json::json;

use crate::BinaryFolder;

/// Plays a short job with a driver of this day; the log of its `prepare`.
async fn played(site: &CheckedHost, day: &str) -> String {
    let binaries = BinaryFolder::new();
    let claim = json!({ "version": "7.0.0", "day": day });
    let program = binaries.make("fargate-runner", Some(&claim));
    let job = site.job_with(|job| job.program = program);
    let prepared = job.prepare().await.with_code(0).out();
    job.run("echo works").await.passed();
    job.cleanup().await.passed();
    prepared
}

#[tokio::test]
async fn an_agent_of_more_than_a_year_works_and_is_named_with_its_age_and_the_next_step() {
    let site = CheckedHost::open().await;
    let told = played(&site, "2030-01-21").await;
    let named: Vec<&str> = told.lines().filter(|line| line.starts_with("Warning: ")).collect();
    insta::assert_snapshot!(named.join("\n"), @"Warning: fargate-agent 0.1.0 of 2026-11-21 is more than 12 months older than this driver. Rebuild the image with fargate-agent 7.0.0");
    assert_eq!(site.log().matches("\"agent.old\"").count(), 1);
    site.close().await;
}

#[tokio::test]
async fn an_agent_of_less_than_a_year_and_one_of_the_future_are_nothing_to_complain_of() {
    let site = CheckedHost::open().await;
    for (day, events) in [("2027-11-21", 0), ("2020-02-29", 1)] {
        let told = played(&site, day).await;
        assert!(!told.contains("Warning"), "{told}");
        assert_eq!(site.log().matches("\"agent.newer\"").count(), events, "{day}");
    }
    assert!(!site.log().contains("agent.old"));
    site.close().await;
}
