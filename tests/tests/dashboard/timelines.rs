//! The timeline of a job: its rows and times are those of the job's events and of ECS, whatever became of the job, and
//! each row is told apart without its pattern.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_sdk_ecs::primitives::DateTime;
use fargate_local_cloud::{CloudFault, CloudTaskPhase, TaskTiming};
use fargate_tests::{
    BUILD_FAILURE, CheckedHost, PipeReading, SYSTEM_FAILURE, TestJob, have, mark, replace_in,
    until, wait_at,
};
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_json::Value;

use crate::browser_and_server;
use crate::chromium::{BrowserTab, ChromiumBrowser};
use crate::real_jobs::RunningService;

/// A row as somebody sees it.
#[derive(Debug, Deserialize)]
struct ShownPhase {
    label: String,
    owner: String,
    took: String,
    /// The line under the figure when the row is chosen.
    detail: String,
    failed: String,
    /// The width of its bar in pixels.
    width: f64,
}

const ROWS: &str = r#"[...document.querySelectorAll(".timeline tbody tr")].map((row) => ({
  label: row.querySelector(".phase > span").innerText.trim(), owner: row.querySelector(".owner").innerText.trim(),
  took: row.querySelector(".took").innerText.trim(), detail: row.dataset.detail,
  failed: row.querySelector(".failure")?.innerText.trim() ?? "",
  width: Math.max(0, ...[...row.querySelectorAll("svg.bar > rect")].map((it) => it.getBoundingClientRect().width)),
}))"#;

async fn rows(tab: &BrowserTab<'_>) -> Vec<ShownPhase> {
    serde_json::from_value(tab.eval(ROWS).await).expect("rows")
}

/// The rows of a view of a finished job's page.
async fn rows_of(tab: &BrowserTab<'_>, url: &str) -> Vec<ShownPhase> {
    tab.open(url).await;
    tab.until(
        "the job is over on its page",
        "!document.querySelector('[data-open-from]') && Boolean(document.querySelector('.timeline'))",
    )
    .await;
    rows(tab).await
}

#[track_caller]
fn row<'a>(rows: &'a [ShownPhase], label: &str) -> &'a ShownPhase {
    rows.iter().find(|row| row.label == label).unwrap_or_else(|| panic!("{label}: {rows:#?}"))
}

/// `14:32:10.114`, as the page writes a moment.
fn clock(at_ms: u64) -> String {
    let (s, ms) = (at_ms / 1000 % 86_400, at_ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03}", s / 3600, s % 3600 / 60, s % 60)
}

async fn stage(job: &TestJob, name: &str, script: &str, code: i32) {
    let running = job.start_stage(name, script, PipeReading::Always);
    job.heard(running).await.with_code(code);
}

/// When each event of the job came, by its name; the last one of a name counts.
async fn moments(tab: &BrowserTab<'_>, id: &str) -> BTreeMap<String, u64> {
    let script = format!("fetch('/api/v1/jobs/{id}/events?per=200').then((it) => it.json())");
    let events = tab.eval(&script).await;
    let event =
        |event: &Value| Some((event["name"].as_str()?.to_owned(), event["at_ms"].as_u64()?));
    events["events"].as_array().expect("events").iter().filter_map(event).collect()
}

#[tokio::test]
async fn item_18_each_row_has_its_label_and_its_owner_without_patterns() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    let pages = [
        ("job-image-denied", "/jobs/gl-4420"),
        ("job-start", "/jobs/gl-4425?view=start"),
        ("job-stages", "/jobs/gl-4425?view=stages"),
        ("job-runs", "/jobs/gl-4300"),
    ];
    for (name, path) in pages {
        tab.open(&server.url(path)).await;
        tab.eval("document.querySelectorAll('pattern').forEach((it) => it.remove())").await;
        tab.picture(&format!("{name}-without-patterns")).await;
        let rows = rows(&tab).await;
        assert!(rows.len() > 2, "{name}: {rows:?}");
        for row in &rows {
            let owners =
                if row.label == "Stop" { &[""][..] } else { &["queue", "AWS", "runner", "job"] };
            assert!(!row.label.is_empty() && owners.contains(&row.owner.as_str()), "{row:?}");
        }
        // The outline of each bar is left, in a colour that is not the page's.
        let unseen = tab.eval(r#"[...document.querySelectorAll("svg.bar > rect")].filter((it) => {
            const style = getComputedStyle(it);
            return style.stroke === "none" || style.stroke === getComputedStyle(document.body).backgroundColor;
          }).map((it) => it.outerHTML)"#).await;
        assert_eq!(unseen, serde_json::json!([]), "{name}");
    }
}

#[tokio::test]
async fn item_19_rows_and_times_are_those_of_the_jobs_events_and_of_ecs() {
    if !have("chromium") {
        return;
    }
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    stage(&job, "get_sources", "echo sources", 0).await;
    stage(&job, "build_script", "exit 3", BUILD_FAILURE).await;
    stage(&job, "after_script", "true", 0).await;
    job.cleanup().await.passed();
    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    let start = rows_of(&tab, &service.url("/jobs/gl-4000?view=start")).await;
    tab.picture("real-timeline-start").await;
    let at = moments(&tab, "gl-4000").await;
    let arn = site.task_of(&job).arn;
    let described = site.ecs().describe_tasks().cluster("ci").tasks(arn).send().await;
    let described = described.expect("the cloud knows it");
    let task = &described.tasks()[0];
    let ms = |time: Option<&DateTime>| {
        time.expect("ECS reported it").to_millis().expect("a time").cast_unsigned()
    };
    let expected = [
        ("RunTask", at["task.requested"], at["task.accepted"]),
        ("Network", ms(task.created_at()), ms(task.connectivity_at())),
        ("Image pull", ms(task.pull_started_at()), ms(task.pull_stopped_at())),
        ("Container start", ms(task.pull_stopped_at()), ms(task.started_at())),
    ];
    for (label, from, to) in expected {
        let span = format!("{label}: {} to {} UTC, ", clock(from), clock(to));
        let shown = row(&start, label);
        assert!(shown.detail.starts_with(&span), "{shown:?} is not {span}");
        assert!(shown.width > 0.0, "{shown:?}");
    }
    for label in ["Agent reached", "Host proven"] {
        let shown = row(&start, label);
        assert!(shown.detail.contains(" to ") && shown.width > 0.0, "{shown:?}");
    }
    let stages = rows_of(&tab, &service.url("/jobs/gl-4000?view=stages")).await;
    tab.picture("real-timeline-stages").await;
    let labels: Vec<&str> = stages.iter().map(|row| row.label.as_str()).collect();
    assert_eq!(labels, ["Start", "get_sources", "build_script", "after_script", "Stop"]);
    assert_eq!(row(&stages, "build_script").failed, "exit 3");
    let (begun, over) = (clock(at["script.begun"]), clock(at["script.over"]));
    let last = &row(&stages, "after_script").detail;
    assert!(last.starts_with(&format!("after_script: {begun} to {over} UTC, ")), "{last}");
    let whole = &row(&stages, "Start").detail;
    assert!(whole.starts_with(&format!("Start: {} to ", clock(at["task.requested"]))), "{whole}");
    service.close().await;
    site.close().await;
}

#[tokio::test]
async fn item_19_a_phase_that_ecs_did_not_report_says_so() {
    if !have("chromium") {
        return;
    }
    let site = CheckedHost::open_with(|cloud| {
        // A start of about 1.5 s, so that RunTask's answer tells nothing of the pull.
        cloud.pace = TaskTiming::Measured { factor: 0.05 };
    })
    .await;
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("accepted").await;
    until("the task has an address", || site.task_of(&job).address.is_some()).await;
    site.say_it_runs_at(&job, site.task_of(&job).address.expect("it has one"));
    job.heard(running).await.with_code(0);
    stage(&job, "build_script", "true", 0).await;
    // Before the clean-up: the answer of StopTask tells all of it.
    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    tab.open(&service.url("/jobs/gl-4000?view=start")).await;
    let has_run =
        "document.querySelector('.timeline') && document.body.innerText.includes('build_script')";
    tab.until("the stage is on the page", &format!("Boolean({has_run})")).await;
    let rows = rows(&tab).await;
    tab.picture("real-timeline-not-reported").await;
    for label in ["Image pull", "Container start"] {
        let shown = row(&rows, label);
        assert_eq!(shown.took, "not reported by ECS", "{shown:?}");
        assert_eq!(shown.detail, format!("{label}: not reported by ECS"), "{shown:?}");
    }
    for label in ["RunTask", "Agent reached", "Host proven"] {
        assert!(row(&rows, label).width > 0.0, "{rows:?}");
    }
    service.close().await;
    site.cloud().clear_faults();
    job.cleanup().await.passed();
    site.close().await;
}

/// What is drawn of a start that was ended: its phases up to there, and no bar after it.
#[track_caller]
fn assert_ended_in(rows: &[ShownPhase], label: &str, words: &str) {
    let ended = rows.iter().position(|row| row.label == label);
    let ended = ended.unwrap_or_else(|| panic!("{label}: {rows:#?}"));
    for (n, row) in rows.iter().enumerate() {
        match n.cmp(&ended) {
            std::cmp::Ordering::Less => {
                assert!(row.width > 0.0 && row.failed.is_empty(), "{row:?}")
            }
            std::cmp::Ordering::Equal => assert!(row.width > 0.0 && row.failed == words, "{row:?}"),
            std::cmp::Ordering::Greater => assert_eq!(row.took, "not reached", "{row:?}"),
        }
    }
}

#[tokio::test]
async fn item_20_a_job_that_was_cancelled_while_it_started_draws_its_phases_up_to_there() {
    if !have("chromium") {
        return;
    }
    let site = CheckedHost::open().await;
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("accepted").await;
    until("the task waits for its image", || site.task_of(&job).last_status == "PENDING").await;
    running.signal(Signal::SIGTERM);
    job.heard(running).await.with_code(SYSTEM_FAILURE);
    job.cleanup().await.passed();
    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    let rows = rows_of(&tab, &service.url("/jobs/gl-4000?view=start")).await;
    tab.picture("real-timeline-cancelled-start").await;
    let ended = rows.iter().find(|row| !row.failed.is_empty()).map(|row| row.label.clone());
    let ended = ended.unwrap_or_else(|| panic!("no row says how it ended: {rows:#?}"));
    assert!(ended != "RunTask" && rows.len() == 6, "{ended}: {rows:#?}");
    assert_ended_in(&rows, &ended, "cancelled");
    assert!(tab.text(".verdict").await.contains("Cancelled"));
    service.close().await;
    site.close().await;
}

/// Ends the script of a job after this time; its time limit is 1 s.
async fn ended_script(site: &CheckedHost, after: Duration) {
    let job = site.job();
    if after > Duration::from_secs(1) {
        replace_in(&job.response(), r#""timeout":3600"#, r#""timeout":1"#);
    }
    let begun = Instant::now();
    job.prepare().await.passed();
    stage(&job, "get_sources", "echo sources", 0).await;
    let gate = mark("timeline-gate");
    let mut running = job.start_stage(
        "build_script",
        format!("echo begun; {}", wait_at(&gate)),
        PipeReading::Always,
    );
    running.wrote("begun").await;
    until("its time is over", || begun.elapsed() >= after).await;
    running.signal(Signal::SIGTERM);
    job.heard(running).await;
    job.cleanup().await.passed();
}

#[tokio::test]
async fn item_20_cancelled_and_timed_out_jobs_draw_all_phases_that_they_went_through() {
    if !have("chromium") {
        return;
    }
    let site = CheckedHost::open().await;
    ended_script(&site, Duration::ZERO).await;
    ended_script(&site, Duration::from_millis(1_500)).await;
    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    for (id, verdict, words, listed) in [
        ("gl-4000", "Cancelled", "cancelled", "Cancelled"),
        ("gl-4001", "Timed out", "timed out", "The job ran into its time limit"),
    ] {
        let stages = rows_of(&tab, &service.url(&format!("/jobs/{id}?view=stages"))).await;
        tab.picture(&format!("real-timeline-{}", words.replace(' ', "-"))).await;
        assert!(tab.text(".verdict").await.contains(verdict), "{id}");
        let labels: Vec<&str> = stages.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(labels, ["Start", "get_sources", "build_script", "Stop"], "{id}");
        for shown in &stages {
            let ended = if shown.label == "build_script" { words } else { "" };
            assert!(shown.width > 0.0 && shown.failed == ended, "{id}: {shown:?}");
        }
        let start = rows_of(&tab, &service.url(&format!("/jobs/{id}?view=start"))).await;
        let phases =
            ["RunTask", "Network", "Image pull", "Container start", "Agent reached", "Host proven"];
        for phase in phases {
            let shown = row(&start, phase);
            assert!(shown.width > 0.0 && shown.failed.is_empty(), "{id}: {shown:?}");
        }
        // The history marks it as such, too.
        tab.open(&service.url("/history")).await;
        let list = tab.text("main table").await;
        assert!(list.contains(listed), "{list}");
    }
    service.close().await;
    site.close().await;
}
