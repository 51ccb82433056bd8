//! Pages of the real `fargate-runner serve` while real stages of jobs run beside it.

use fargate_tests::{BUILD_FAILURE, CheckedHost, TestProcess, have, mark, pass, wait_at};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::chromium::ChromiumBrowser;

/// A running service.
pub(crate) struct RunningService {
    process: TestProcess,
    base: String,
}

impl RunningService {
    pub(crate) async fn of(site: &CheckedHost) -> Self {
        let mut process = site.start(&["serve", "--listen", "127.0.0.1:0"]);
        process.wrote("http://").await;
        process.wrote("/\n").await;
        let base =
            String::from_utf8_lossy(&process.stdout()).trim().trim_end_matches('/').to_owned();
        Self { process, base }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) async fn close(self) {
        self.process.signal(Signal::SIGTERM);
        self.process.ended().await.with_code(0);
    }
}

/// How many reports of a broken policy the service has.
pub(crate) const REPORTS: &str =
    "fetch('/api/v1/csp-report').then((answer) => answer.json()).then((it) => it.count)";

#[tokio::test]
async fn item_7_a_real_job_appears_runs_and_ends_on_an_open_page() {
    if !have("chromium") {
        return;
    }
    let site = CheckedHost::open().await;
    // A host that ran no job has no folder from which the service could read.
    site.prepared().await.cleanup().await.passed();
    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    tab.open(&service.url("/")).await;
    tab.until(
        "the page is live",
        "document.documentElement.classList.contains('live') && Boolean(document.querySelector('#running'))",
    )
    .await;
    tab.picture("real-1-quiet").await;
    tab.eval("window.isSamePage = true").await;

    let job = site.prepared().await;
    let gate = mark("page-gate");
    let running = job.start_run(format!("echo begun; {}; exit 3", wait_at(&gate)));
    tab.until(
        "the job runs on the page",
        "document.querySelector('#running')?.innerText.includes('test') === true",
    )
    .await;
    let counts = "fetch('/api/v1/now').then((it) => it.json()).then((now) => [now.counts.waiting, now.counts.starting, now.counts.running].join())";
    let shown = "['waiting', 'starting', 'running'].map((it) => document.querySelector(`#${it}-title .count`).innerText).join()";
    assert_eq!(tab.eval(counts).await, tab.eval(shown).await, "item 3");
    tab.picture("real-2-runs").await;
    let other = browser.tab().await;
    other.open(&service.url("/jobs/gl-4001")).await;
    other.until("its bar is open", "Boolean(document.querySelector('[data-open-from]'))").await;
    other.picture("real-3-job-runs").await;

    pass(&gate).await;
    running.ended().await.with_code(BUILD_FAILURE);
    job.cleanup().await.passed();
    tab.until(
        "the job has left the page",
        "document.querySelector('#running').innerText.includes('Nothing runs.')",
    )
    .await;
    assert_eq!(tab.eval("window.isSamePage").await, json!(true), "the page was loaded again");
    other
        .until(
            "its page says how it ended",
            "document.querySelector('.verdict').innerText.includes('Failed')",
        )
        .await;
    other.picture("real-4-job-ended").await;
    for (name, path) in [
        ("history", "/history"),
        ("start-time", "/start-time"),
        ("cost", "/cost"),
        ("images", "/images"),
        ("checks", "/checks"),
    ] {
        tab.open(&service.url(path)).await;
        tab.picture(&format!("real-{name}")).await;
        assert!(!tab.text("#answer").await.is_empty(), "{name}");
    }
    assert_eq!(tab.eval(REPORTS).await, json!(0), "the policy was broken");
    service.close().await;
    site.close().await;
}

#[tokio::test]
async fn item_35_a_host_without_jobs_says_how_to_run_one() {
    if !have("chromium") {
        return;
    }
    let site = CheckedHost::open().await;
    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    for (path, words) in [
        ("/", "No job has come yet."),
        ("/history", "No finished job yet."),
        ("/start-time", "Needs 20 starts to say something true; there are 0."),
        ("/cost", "No task has been billed yet."),
        ("/images", "No image is managed here."),
        ("/checks", "Not checked yet:"),
    ] {
        tab.open(&service.url(path)).await;
        let text = tab.text("main").await;
        assert!(text.contains(words) && text.contains("fargate-runner"), "{path}: {text}");
        tab.picture(&format!("nothing-yet{}", path.replace('/', "-"))).await;
    }
    service.close().await;
    site.close().await;
}
