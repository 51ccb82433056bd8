//! Pages that change while they are open: what changes in place, what waits, and what is said.

use std::time::Duration;

use fargate_dashboard::samples::{self, NOW_MS, SampleNames};
use fargate_status_answers::{NowAnswer, RunningRow, StateCounts, WaitingRow};
use fargate_tests::until;
use serde_json::json;

use crate::browser_and_server;
use crate::chromium::BrowserTab;
use crate::sample_server::SampleServer;

/// Opens Now and waits until the stream is open.
async fn open_live(tab: &BrowserTab<'_>, server: &SampleServer) {
    tab.open(&server.url("/")).await;
    until("the page listens", || server.streams() > 0).await;
    server.send("heartbeat", "{}");
    tab.until("the page is live", "document.documentElement.classList.contains('live')").await;
    tab.eval("window.isSamePage = true").await;
}

fn counts(waiting: u64, starting: u64, running: u64) -> StateCounts {
    StateCounts { waiting, starting, running, ..StateCounts::default() }
}

#[tokio::test]
async fn item_7_a_job_appears_changes_phase_and_ends_without_a_reload() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let whole = samples::now(&SampleNames::default());
    let quiet = NowAnswer { host: "ci-1".to_owned(), ..NowAnswer::default() };
    server.change(|shown| shown.now = quiet.clone());
    let tab = browser.tab().await;
    open_live(&tab, &server).await;
    assert!(tab.text("#waiting").await.contains("Nothing waits."));

    let row =
        |list: &str| format!("Boolean(document.querySelector('#{list} [data-row=\"gl-4420\"]'))");
    let waiting = WaitingRow { id: "gl-4420".to_owned(), ..whole.waiting[0].clone() };
    server.change(|shown| {
        shown.now = NowAnswer { waiting: vec![waiting], counts: counts(1, 0, 0), ..quiet.clone() }
    });
    tab.until("the job waits", &row("waiting")).await;
    tab.picture("live-1-waits").await;
    let starting = vec![whole.starting[0].clone()];
    server.change(|shown| {
        shown.now = NowAnswer { starting, counts: counts(0, 1, 0), ..quiet.clone() }
    });
    tab.until("the job starts", &row("starting")).await;
    tab.until("it waits no more", &format!("!({})", row("waiting"))).await;
    tab.picture("live-2-starts").await;
    let running = RunningRow { id: "gl-4420".to_owned(), ..whole.running[0].clone() };
    server.change(|shown| {
        shown.now = NowAnswer { running: vec![running], counts: counts(0, 0, 1), ..quiet.clone() }
    });
    tab.until("the job runs", &row("running")).await;
    server.change(|shown| shown.now = quiet.clone());
    tab.until(
        "the job is gone",
        "document.querySelector('#running').innerText.includes('Nothing runs.')",
    )
    .await;
    tab.picture("live-3-ended").await;
    assert_eq!(tab.eval("window.isSamePage").await, json!(true), "the page was loaded again");
    assert_eq!(server.reports(), Vec::<String>::new());
}

/// `n` more jobs that wait.
fn more_waiting(now: &NowAnswer, n: u64) -> NowAnswer {
    let mut now = now.clone();
    for at in 0..n {
        now.waiting.insert(0, WaitingRow { id: format!("gl-9{at:03}"), ..now.waiting[0].clone() });
    }
    now.counts.waiting += n;
    now
}

#[tokio::test]
async fn items_8_and_9_news_waits_while_a_row_has_the_focus() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    open_live(&tab, &server).await;
    tab.keys(&["j", "j"]).await;
    let at = "(() => { const row = document.activeElement.closest('[data-row]'); \
        return [row?.dataset.row, row?.getBoundingClientRect().top]; })()";
    let before = tab.eval(at).await;
    assert_eq!(before[0], json!("gl-4415"));
    server.change(|shown| {
        shown.now = more_waiting(&shown.now, 50);
        shown.now.waiting.retain(|row| row.id != "gl-4419");
    });
    tab.until(
        "the news is told",
        "document.querySelector('#waiting [data-news]')?.hidden === false",
    )
    .await;
    assert_eq!(tab.text("#waiting [data-news]").await, "50 new jobs, 1 ended: show them");
    assert_eq!(tab.eval(at).await, before, "the row moved");
    assert_eq!(tab.text("#waiting-title .count").await, "53");
    let ended = "document.querySelector('#waiting [data-row=\"gl-4419\"]').className";
    assert_eq!(tab.eval(ended).await, json!("ended"));
    tab.picture("news-waits").await;
    tab.key("n").await;
    tab.until(
        "the news is shown",
        "document.querySelectorAll('#waiting [data-row]').length === 52",
    )
    .await;
    assert_eq!(tab.eval(at).await[0], json!("gl-4415"), "the focus moved to another job");
    assert_eq!(
        tab.eval("document.querySelector('#waiting [data-news]').hidden").await,
        json!(true)
    );
}

#[tokio::test]
async fn item_10_a_silent_stream_is_shown_as_old() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    open_live(&tab, &server).await;
    tab.eval("{ const now = Date.now; window.late = 0; Date.now = () => now() + window.late; }")
        .await;
    let heard = tab.text("#fresh").await;
    tab.eval("window.late = 18000").await;
    tab.until(
        "the banner is there",
        "document.querySelector('#stream').innerText.includes('Live updates stopped at ')",
    )
    .await;
    let words = tab.text("#stream").await;
    assert!(words.contains("Trying again. Numbers below are from then."), "{words}");
    assert!(words.contains(&heard[..6]), "{words}, heard at {heard}");
    tab.picture("stale").await;
    tab.eval("window.late = 140000").await;
    tab.until(
        "it is lost",
        "document.querySelector('#stream').innerText.startsWith('Not connected since ')",
    )
    .await;
    server.send("heartbeat", "{}");
    tab.until(
        "it is back",
        "document.querySelector('#stream').innerText === 'Connected again. Nothing was missed.'",
    )
    .await;
}

#[tokio::test]
async fn item_11_news_is_spoken_once_in_ten_seconds_at_most() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    open_live(&tab, &server).await;
    tab.eval("{ window.spoken = []; new MutationObserver(() => spoken.push(document.querySelector('#spoken').textContent)) \
        .observe(document.querySelector('#spoken'), { childList: true, characterData: true, subtree: true }); }").await;
    // 20 events in a second.
    let mut beat = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..60 {
        beat.tick().await;
        server.change(|shown| shown.now = more_waiting(&shown.now, 1));
    }
    tab.until("it is spoken", "window.spoken.length > 0").await;
    let spoken = tab.eval("window.spoken").await;
    assert_eq!(spoken.as_array().map(Vec::len), Some(1), "{spoken}");
    assert!(spoken[0].as_str().unwrap().contains("more job"), "{spoken}");
}

#[tokio::test]
async fn updates_that_the_reader_paused_change_nothing() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    open_live(&tab, &server).await;
    tab.key("p").await;
    tab.until(
        "it is paused",
        "document.querySelector('#stream').innerText.startsWith('Updates paused by you at ')",
    )
    .await;
    let before = tab.eval("document.querySelector('main').innerText").await;
    server.change(|shown| {
        shown.at_ms = NOW_MS + 5000;
        shown.now = more_waiting(&shown.now, 2);
    });
    tab.until(
        "the change is counted",
        "document.querySelector('#stream').innerText.includes('1 change waits')",
    )
    .await;
    tab.picture("paused").await;
    assert_eq!(tab.eval("document.querySelector('main').innerText").await, before);
    tab.key("p").await;
    tab.until(
        "the change is there",
        "document.querySelector('#waiting-title .count').innerText === '5'",
    )
    .await;
}

#[tokio::test]
async fn an_open_bar_grows_and_its_age_ticks() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    tab.open(&server.url("/jobs/gl-4300")).await;
    tab.until("the bar is there", "Boolean(document.querySelector('[data-open-from]'))").await;
    let width = "parseFloat(document.querySelector('[data-open-from]').getAttribute('width'))";
    let before = tab.eval(width).await.as_f64().unwrap();
    tab.eval("{ const now = Date.now; Date.now = () => now() + 60000; }").await;
    tab.until("the bar has grown", &format!("{width} > {before}")).await;
    tab.picture("job-running").await;
}
