//! The alert rules and the Grafana dashboard of `packaging/` ask for metrics and labels that are served.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use fargate_model::cause::FailureCause;
use fargate_tests::{CheckedHost, have, until_found};
use regex::Regex;

use crate::server::StatusServer;

/// What Prometheus adds to each sample, and what a histogram has.
const ADDED: [&str; 3] = ["instance", "job", "le"];
/// Metrics without a value in this run: nothing was refused, and no image has a channel. For their labels the
/// samples of `status-api` stand.
const UNCOUNTED: [&str; 4] = [
    "fargate_runner_ecs_requests_total",
    "fargate_runner_launch_failures_total",
    "fargate_runner_image_age_seconds",
    "fargate_runner_notices_total",
];
const SAMPLES: &str = "crates/status-api/src/snapshots/fargate_status_api__metrics__tests__names_and_labels_are_those_that_alerts_know.snap";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("the member has a parent").to_owned()
}

/// The labels of each sample by its name.
fn labels_by_name(samples: &str) -> BTreeMap<String, BTreeSet<String>> {
    let sample =
        Regex::new(r"(?m)^(fargate_runner_\w+)(?:\{([^}]*)\})? \S").expect("an expression");
    let label = Regex::new(r#"(\w+)=""#).expect("an expression");
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for found in sample.captures_iter(samples) {
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        let labels = label.captures_iter(labels).map(|label| label[1].to_owned());
        known.entry(found[1].to_owned()).or_default().extend(labels);
    }
    known
}

/// The metrics after a job that passed and one that failed.
async fn metrics_of_a_real_run() -> String {
    let site = CheckedHost::open().await;
    let passed = site.prepared().await;
    passed.run("true").await.passed();
    passed.cleanup().await.passed();
    let server = StatusServer::of(&site).await;
    let failed = site.prepared().await;
    failed.run("exit 3").await.with_code(1);
    failed.cleanup().await.passed();
    let text = until_found("both jobs are counted", async || {
        let text = server.get("/metrics").await.text();
        let is_counted = text.contains(r#"reason="script-failed"} 1"#)
            && text.contains("fargate_runner_job_start_seconds_bucket")
            && text.contains(r#"fargate_runner_tasks{state="waiting"}"#);
        if is_counted { Ok(text) } else { Err(text) }
    })
    .await;
    server.close().await;
    site.close().await;
    text
}

#[tokio::test]
async fn each_metric_and_label_of_alerts_and_dashboard_is_served() {
    let served = metrics_of_a_real_run().await;
    let samples = std::fs::read_to_string(root().join(SAMPLES)).expect("the samples");
    let mut known = labels_by_name(&served);
    for (name, labels) in labels_by_name(&samples) {
        let is_served = known.contains_key(&name) || UNCOUNTED.contains(&name.as_str());
        assert!(is_served, "{name} is not served:\n{served}");
        known.entry(name).or_default().extend(labels);
    }
    let used = Regex::new(r"(fargate_runner_\w+)(?:\{([^}]*)\})?").expect("an expression");
    let label = Regex::new(r#"(\w+)(?:=|!=|=~|!~)\\?""#).expect("an expression");
    let grouped = Regex::new(r"\b(?:by|ignoring|on) \(([^)]*)\)").expect("an expression");
    let all: BTreeSet<&str> = known.values().flatten().map(String::as_str).chain(ADDED).collect();
    let mut names = BTreeSet::new();
    for file in ["prometheus/alerts.yml", "grafana/fargate-runner.json"] {
        let text = std::fs::read_to_string(root().join("packaging").join(file)).expect(file);
        // A word of a sentence ends at no brace; Grafana's own variables are values.
        for found in used.captures_iter(&text) {
            let labels = known.get(&found[1]);
            let labels = labels.unwrap_or_else(|| panic!("{file}: {} is not served", &found[1]));
            names.insert(found[1].to_owned());
            for named in label.captures_iter(found.get(2).map_or("", |labels| labels.as_str())) {
                let is_known = labels.contains(&named[1]) || ADDED.contains(&&named[1]);
                assert!(is_known, "{file}: {} has no label {}", &found[1], &named[1]);
            }
        }
        for found in grouped.captures_iter(&text) {
            for word in found[1].split(',').map(str::trim) {
                assert!(all.contains(word), "{file}: no metric has the label {word}");
            }
        }
    }
    assert!(names.len() > 10, "the metrics were not found: {names:?}");
    assert_values_exist(&served);
}

/// States, phases and causes that the rules compare with.
fn assert_values_exist(served: &str) {
    let rules = root().join("packaging/prometheus/alerts.yml");
    let rules = std::fs::read_to_string(rules).expect("the rules");
    let value = Regex::new(r#"(state|phase|reason)=~?"([^"]+)""#).expect("an expression");
    let slugs: BTreeSet<&str> = FailureCause::ALL.iter().map(|cause| cause.entry().slug).collect();
    for found in value.captures_iter(&rules) {
        for one in found[2].split('|') {
            let is_served = served.contains(&format!("{}=\"{one}\"", &found[1]));
            assert!(is_served || slugs.contains(one), "no metric has {}=\"{one}\"", &found[1]);
        }
    }
    // Where an alert's action names a page by its cause, the page is docs/runbook/SLUG.md.
    let page = Regex::new(r"docs/runbook/([a-z-]+)\.md").expect("an expression");
    for found in page.captures_iter(&rules) {
        assert!(slugs.contains(&found[1]), "there is no cause {}", &found[1]);
    }
}

#[test]
fn prometheus_takes_the_rules_and_their_own_tests_pass() {
    if !have("promtool") {
        return;
    }
    let folder = root().join("packaging/prometheus");
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]] {
        let output = Command::new("promtool").args(arguments).current_dir(&folder).output();
        let output = output.expect("promtool");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
}
