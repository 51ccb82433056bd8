//! The pages by keyboard alone.

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
