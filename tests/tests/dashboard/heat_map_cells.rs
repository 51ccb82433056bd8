//! The heat map of starts: the number of each cell is the number of jobs to which its link leads.

use std::time::SystemTime;

use fargate_events::{JobDescription, JobEvent, JobFact};
use fargate_history::{HistoryLocation, HistoryStore, StoryUpdate};
use fargate_job_journal::{JobStory, JournalContent, JournalEntry};
use fargate_model::id::{RandomToken, TaskArn};
use fargate_model::job::JobKey;
use fargate_model::moment::unix_ms;
use fargate_tests::{CheckedHost, have};
use serde_json::{Value, json};

use crate::chromium::{BrowserTab, ChromiumBrowser};
use crate::real_jobs::RunningService;

/// More than a day of them, one each 4 min.
const JOBS: u64 = 400;
const EACH_MS: u64 = 240_000;
/// Lengths of starts, in milliseconds: some stand exactly on the edge between two rows.
const LENGTHS: [u64; 10] =
    [999, 1_000, 9_999, 10_000, 20_000, 39_999, 40_000, 79_999, 80_000, 160_000];

/// A job that was received at this moment, and whose task was ready after that time.
fn job(number: u64, received_ms: u64, took_ms: u64) -> StoryUpdate {
    let mut bits = [0xab; 32];
    bits[..8].copy_from_slice(&number.to_be_bytes());
    let mut story = JobStory::new(JobKey::from_bits(bits).as_str());
    let task = TaskArn(format!("arn:aws:ecs:eu-west-1:111122223333:task/ci/{number:032x}"));
    let description = JobDescription {
        id: format!("gl-{}", 700_000 + number),
        host: "ci-9".to_owned(),
        attempt: 1,
        ..JobDescription::default()
    };
    let launch = RandomToken::from_bits([7; 16]);
    let contents = [
        (0, JournalContent::Event(JobEvent::JobReceived { project: 7, timeout_s: Some(3600) })),
        (0, JournalContent::Fact(JobFact::Described(Box::new(description)))),
        (0, JournalContent::Event(JobEvent::TaskRequested { launch })),
        (took_ms, JournalContent::Event(JobEvent::PrepareDone { task, took_ms })),
        (took_ms + 9, JournalContent::Event(JobEvent::CleanupDone { undone: 0 })),
    ];
    for (after, content) in contents {
        let stage = "prepare".to_owned();
        let time_ms = received_ms + after;
        story.apply(&JournalEntry { time_ms, attempt: 1, stage, pid: 1, content });
    }
    StoryUpdate::without_journal("ci-9", story)
}

async fn fill(site: &CheckedHost) {
    let database = HistoryLocation::Sqlite(site.state_dir().join("history.db"));
    let store = HistoryStore::open(&database).await.expect("a database").store;
    let now_ms = unix_ms(SystemTime::now());
    let length = |number: u64| LENGTHS[usize::try_from(number % 10).expect("a digit")];
    let jobs = (0..JOBS).map(|number| {
        job(number, now_ms - length(number) - 10_000 - number * EACH_MS, length(number))
    });
    store.put(jobs.collect()).await.expect("a history that can be written");
    store.close().await;
}

/// Cells whose links are asked for at once: a browser asks for six, and an answer of Chromium has a deadline.
const CELLS_AT_ONCE: usize = 20;
/// The cells that have a number.
const CELLS: &str = r#"[...document.querySelectorAll(".heat-map td:not(:empty)")]
  .filter((it) => it.innerText.trim() !== ".")"#;
/// Of one cell: its number, where its link leads, and how many jobs the API lists there.
const CELL: &str = r#"async (cell) => {
  const link = cell.querySelector("a");
  const listed = link && await fetch(link.getAttribute("href").replace("/history", "/api/v1/jobs")).then((it) => it.json());
  return { shown: Number(cell.firstElementChild.firstChild.data), href: link?.getAttribute("href"),
    total: listed?.total, notices: listed?.notices };
}"#;

async fn cells_of(tab: &BrowserTab<'_>) -> Vec<Value> {
    let mut cells = Vec::new();
    loop {
        let (from, to) = (cells.len(), cells.len() + CELLS_AT_ONCE);
        let some = format!("Promise.all({CELLS}.slice({from}, {to}).map({CELL}))");
        let Value::Array(some) = tab.eval(&some).await else { panic!("no list of cells") };
        if some.is_empty() {
            return cells;
        }
        cells.extend(some);
    }
}

#[tokio::test]
async fn item_31_the_number_of_each_cell_is_the_number_of_rows_that_its_link_lists() {
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
    tab.open(&service.url("/start-time?last=24h")).await;
    tab.picture("real-heat-map").await;
    let cells = cells_of(&tab).await;
    assert!(cells.len() > 200, "{} cells", cells.len());
    for cell in &cells {
        assert_eq!(cell["shown"], cell["total"], "{cell}");
        assert_eq!(cell["notices"], json!([]), "{cell}");
    }
    // All starts of the day have a cell, but those of the half hour that comes again at its end.
    let counted: u64 = cells.iter().filter_map(|cell| cell["shown"].as_u64()).sum();
    let all = tab.eval("fetch('/api/v1/start-time?last=24h').then((it) => it.json())").await;
    let starts = all["starts"].as_u64().expect("a number");
    assert!(counted <= starts && counted + 30 / 4 + 1 >= starts, "{counted} of {starts}");
    // A person who follows the link sees as many rows.
    let largest = cells.iter().max_by_key(|cell| cell["shown"].as_u64()).expect("a cell");
    for cell in [largest, &cells[0], &cells[cells.len() - 1]] {
        tab.open(&service.url(cell["href"].as_str().expect("a link"))).await;
        let rows = tab.eval("document.querySelectorAll('main table.rows tbody tr').length").await;
        assert_eq!(rows, cell["shown"], "{cell}");
    }
    service.close().await;
    site.close().await;
}
