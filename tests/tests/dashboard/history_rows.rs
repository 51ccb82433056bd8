//! The rows of the page of the past for each filter, from the real `fargate-runner serve`.

use std::time::SystemTime;

use fargate_events::JobDescription;
use fargate_history::{HistoryLocation, HistoryStore, StoryUpdate};
use fargate_job_journal::{JobState, JobStory, JobVerdict, TryStory};
use fargate_model::job::JobKey;
use fargate_model::moment::unix_ms;
use fargate_tests::{CheckedHost, have};
use serde_json::{Value, json};

use crate::chromium::{BrowserTab, ChromiumBrowser};
use crate::real_jobs::RunningService;

const MINUTE_MS: u64 = 60_000;
const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;
/// Another host, which is not asked about these jobs.
const HOST: &str = "ci-9";

/// A job of a project that ended so many minutes ago.
fn job(number: u8, ago: u64, verdict: JobVerdict, project: &str) -> StoryUpdate {
    let ended_ms = unix_ms(SystemTime::now()) - ago * MINUTE_MS;
    let received_ms = ended_ms - MINUTE_MS;
    let mut story = JobStory::new(JobKey::from_bits([number; 32]).as_str());
    (story.received_ms, story.changed_ms, story.ended_ms) = (received_ms, ended_ms, Some(ended_ms));
    (story.state, story.verdict) = (JobState::Finished, Some(verdict));
    story.description = JobDescription {
        id: format!("gl-7000{number}"),
        host: HOST.to_owned(),
        project: Some(project.to_owned()),
        name: Some("test:unit".to_owned()),
        ..JobDescription::default()
    };
    story.tries = vec![TryStory { number: 1, received_ms, ..TryStory::default() }];
    StoryUpdate::without_journal(HOST, story)
}

async fn fill(site: &CheckedHost) {
    let (web, api) = ("acme/web", "acme/api");
    let jobs = vec![
        job(11, HOUR, JobVerdict::Failed, web),
        job(12, 2 * HOUR, JobVerdict::TimedOut, web),
        job(13, 3 * HOUR, JobVerdict::Failed, api),
        job(14, 4 * HOUR, JobVerdict::Passed, web),
        job(15, 5 * HOUR, JobVerdict::SystemFailure, web),
        job(16, 3 * DAY, JobVerdict::TimedOut, web),
        job(17, 4 * DAY, JobVerdict::Failed, web),
        job(18, 4 * DAY, JobVerdict::Failed, api),
        job(19, 10 * DAY, JobVerdict::Failed, web),
    ];
    let database = HistoryLocation::Sqlite(site.state_dir().join("history.db"));
    let store = HistoryStore::open(&database).await.expect("a database").store;
    store.put(jobs).await.expect("a history that can be written");
    store.close().await;
}

/// The ids of the rows, in their order.
async fn rows(tab: &BrowserTab<'_>) -> Value {
    tab.eval("[...document.querySelectorAll('#jobs tr[data-row]')].map((it) => it.dataset.row)")
        .await
}

fn ids(numbers: &[u8]) -> Value {
    json!(numbers.iter().map(|number| format!("gl-7000{number}")).collect::<Vec<_>>())
}

/// What the page says of its filters: the address, the text, and the boxes that are set.
const VIEW: &str = "[location.href, document.querySelector('#filter').value, \
    [...document.querySelectorAll('[aria-checked=true]')].map((it) => it.innerText.trim()).join()].join(' ')";

#[tokio::test]
async fn item_28_filters_show_the_same_rows_after_a_reload_and_in_another_profile() {
    if !have("chromium") {
        return;
    }
    let site = CheckedHost::open().await;
    site.prepared().await.cleanup().await.passed();
    fill(&site).await;
    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    tab.open(&service.url("/")).await;
    tab.until(
        "the history is open",
        "fetch('/health/ready').then((answer) => answer.status === 200)",
    )
    .await;
    tab.open(&service.url("/history")).await;
    // Each click, the parameter that it sets, and the jobs that are left.
    let steps: [(&str, &str, &str, &[u8]); 4] = [
        ("timed out", "verdict", "timed_out", &[12]),
        ("failed", "verdict", "timed_out,failed", &[11, 12, 13]),
        ("acme/web", "project", "acme/web", &[11, 12]),
        ("7 days", "last", "7d", &[11, 12, 16, 17]),
    ];
    for (words, parameter, value, left) in steps {
        let open = "document.querySelectorAll('details.filters, details.choice').forEach((it) => { it.open = true; })";
        tab.eval(open).await;
        let click = format!(
            "[...document.querySelectorAll('.box, .segments a, details.choice a')]\
             .find((it) => it.textContent.trim().includes('{words}')).click()"
        );
        tab.eval(&click).await;
        let is_set = format!(
            "new URLSearchParams(location.search).get('{parameter}') === '{value}' \
             && document.readyState === 'complete' && Boolean(document.querySelector('#filter'))"
        );
        tab.until(words, &is_set).await;
        assert_eq!(rows(&tab).await, ids(left), "{words}");
    }
    tab.picture("real-history-filtered").await;
    let (seen, left) = (tab.eval(VIEW).await, rows(&tab).await);
    assert!(seen.as_str().unwrap().contains("verdict:timed_out,failed"), "{seen}");
    tab.reload().await;
    assert_eq!((tab.eval(VIEW).await, rows(&tab).await), (seen.clone(), left.clone()));
    let other = browser.tab().await;
    other.open(tab.eval("location.href").await.as_str().unwrap()).await;
    assert_eq!((other.eval(VIEW).await, rows(&other).await), (seen, left));
    tab.eval("history.back()").await;
    tab.until(
        "the last filter is gone",
        "!location.search.includes('last=7d') && document.readyState === 'complete' \
         && Boolean(document.querySelector('#filter'))",
    )
    .await;
    assert_eq!(rows(&tab).await, ids(&[11, 12]), "after Back");
    service.close().await;
    site.close().await;
}
