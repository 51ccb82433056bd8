//! The pages by keyboard alone, and views that survive a reload.

use serde_json::json;

use crate::browser_and_server;
use crate::chromium::BrowserTab;

async fn ring(tab: &BrowserTab<'_>) {
    let script = "(() => { const at = document.activeElement; const style = getComputedStyle(at); \
        return at !== document.body && style.outlineStyle === 'solid' && parseFloat(style.outlineWidth) >= 2; })()";
    tab.until("what has the focus has a ring", script).await;
}

#[tokio::test]
async fn item_26_from_now_to_the_copied_command_by_keyboard_alone() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    tab.open(&server.url("/")).await;
    tab.keys(&["g", "h"]).await;
    tab.until(
        "History is open",
        "location.pathname === '/history' && document.readyState === 'complete'",
    )
    .await;
    tab.until(
        "the keys are ready",
        "document.querySelector('[data-roving] .row-link')?.tabIndex === 0",
    )
    .await;
    tab.keys(&["j", "j"]).await;
    ring(&tab).await;
    tab.picture("keyboard-row").await;
    tab.key("Enter").await;
    tab.until(
        "the job is open",
        "location.pathname.startsWith('/jobs/') && document.readyState === 'complete'",
    )
    .await;
    tab.until("the keys are ready", "document.querySelector('main').dataset.page === 'job'").await;
    tab.key("w").await;
    tab.until("the why card has the focus", "document.activeElement?.id === 'why'").await;
    ring(&tab).await;
    tab.key("c").await;
    tab.until("it says so", "document.querySelector('#why [data-copy]').textContent === 'Copied'")
        .await;
    let copied = tab.eval("navigator.clipboard.readText()").await;
    let command = tab.eval("document.querySelector('#why [data-copy]').dataset.copy").await;
    assert_eq!(copied, command);
    let copied = copied.as_str().unwrap();
    assert!(
        !copied.contains('\n') && !copied.starts_with('$') && !copied.contains('{'),
        "{copied}"
    );
}

#[tokio::test]
async fn item_2_the_command_of_a_cause_is_one_click_away() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    tab.open(&server.url("/")).await;
    tab.key("w").await;
    ring(&tab).await;
    tab.key("Enter").await;
    tab.until("the cause is unfolded", "document.querySelector('.cause details').open").await;
    let command = tab.text(".cause details[open] pre").await;
    assert!(command.starts_with("aws "), "{command}");
}

#[tokio::test]
async fn item_27_single_keys_can_be_switched_off_for_good() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    tab.open(&server.url("/")).await;
    tab.key("j").await;
    let focused = "document.activeElement.closest('[data-row]')?.dataset.row ?? 'none'";
    assert_eq!(tab.eval(focused).await, json!("gl-4411"));
    tab.key("?").await;
    tab.until("the list is open", "document.querySelector('#keys').open").await;
    assert!(tab.text("#keys").await.contains("Pause or resume live updates"));
    tab.picture("keys").await;
    tab.eval("document.querySelector('#single-keys').click()").await;
    tab.key("Escape").await;
    tab.until("the list is closed", "!document.querySelector('#keys').open").await;
    for _ in 0..2 {
        tab.eval("document.activeElement.blur()").await;
        tab.keys(&["j", "x"]).await;
        assert_eq!(tab.eval(focused).await, json!("none"));
        tab.reload().await;
        tab.until("the keys are ready", "document.querySelector('#single-keys').checked === false")
            .await;
    }
}

#[tokio::test]
async fn item_28_filters_survive_a_reload_and_another_profile() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    tab.open(&server.url("/history")).await;
    let click = |words: &str| {
        format!(
            "[...document.querySelectorAll('.box, .segments a')].find((it) => it.textContent.includes('{words}')).click()"
        )
    };
    for (words, parameter) in [
        ("timed out", "verdict=timed_out"),
        ("failed", "verdict=timed_out,failed"),
        ("7 days", "last=7d"),
    ] {
        tab.eval(
            "document.querySelectorAll('details.filters').forEach((it) => { it.open = true; })",
        )
        .await;
        tab.eval(&click(words)).await;
        tab.until(
            words,
            &format!(
                "location.search.includes('{parameter}') && document.readyState === 'complete'"
            ),
        )
        .await;
        tab.until("the filter is there", "Boolean(document.querySelector('#filter'))").await;
    }
    let view = "[location.href, document.querySelector('#filter').value, \
        [...document.querySelectorAll('[aria-checked=true]')].map((it) => it.innerText.trim()).join()].join(' ')";
    let seen = tab.eval(view).await;
    assert!(seen.as_str().unwrap().contains("verdict:timed_out,failed"), "{seen}");
    tab.reload().await;
    assert_eq!(tab.eval(view).await, seen);
    let other = browser.tab().await;
    other.open(tab.eval("location.href").await.as_str().unwrap()).await;
    assert_eq!(other.eval(view).await, seen);
    tab.eval("history.back()").await;
    tab.until(
        "the last filter is gone",
        "!location.search.includes('last=7d') && Boolean(document.querySelector('#filter'))",
    )
    .await;
}
