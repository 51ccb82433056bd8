//! The report that a run leaves for the page.

use std::os::unix::fs::PermissionsExt;

use fargate_tests::CheckedHost;
use serde_json::Value;

use crate::{checker, report};

#[tokio::test]
async fn each_run_leaves_its_report_and_remembers_the_runs_before() {
    let site = CheckedHost::open().await;
    // A job makes the state folder; `check` does not.
    let job = site.prepared().await;
    job.cleanup().await.passed();
    let person = checker(&site, |_| {});
    let first = report(&person.heard(person.start(&["--format", "json"])).await);
    let second = report(&person.heard(person.start(&["--format", "json"])).await);
    let file = site.state_dir().join("checks.json");
    let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept: Value = serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON");
    assert_eq!(kept["checks"], second["checks"]);
    let runs: Vec<&Value> =
        kept["runs"].as_array().expect("a list").iter().map(|run| &run["at_ms"]).collect();
    assert_eq!(runs, [&first["checked_ms"], &second["checked_ms"]]);
    assert_eq!(kept["config_sha256"].as_str().map(str::len), Some(64));
    crate::close(site).await;
}

#[tokio::test]
async fn a_pipe_gets_a_report_for_programs_and_no_escape() {
    let site = CheckedHost::open().await;
    let person = checker(&site, |_| {});
    let ended = person.heard(person.start::<&str>(&[])).await;
    let told = report(&ended);
    assert!(told["checks"].as_array().is_some_and(|lines| !lines.is_empty()));
    let table = person.heard(person.start(&["--format", "table"])).await;
    assert!(!table.all().contains('\x1b'), "{}", table.all());
    let rows = person.heard(person.start(&["--format", "tsv"])).await;
    let lines = told["checks"].as_array().map(Vec::len);
    assert_eq!(Some(rows.out().lines().count()), lines);
    let documents = person.heard(person.start(&["--format", "ndjson"])).await.out();
    let ids = documents.lines().map(|line| {
        let document: Value = serde_json::from_str(line).expect("a document for each check");
        document["id"].clone()
    });
    let known = told["checks"].as_array().expect("a list").iter().map(|line| line["id"].clone());
    assert!(ids.eq(known), "{documents}");
    crate::close(site).await;
}
