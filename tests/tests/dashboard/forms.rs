//! Forms of the pages, sent by a real browser to the real `fargate-runner serve`.

use fargate_tests::{CheckedHost, have};

use crate::chromium::ChromiumBrowser;
use crate::real_jobs::RunningService;

/// The note of the pause, as the API tells it.
const NOTE: &str = "fetch('/api/v1/now').then((it) => it.json()).then((now) => now.paused_note)";

#[tokio::test]
async fn an_operator_pauses_and_resumes_the_host_by_the_form_of_the_page() {
    if !have("chromium") {
        return;
    }
    let site = CheckedHost::open().await;
    // A host that ran no job has no folder for the pause.
    site.prepared().await.cleanup().await.passed();
    site.set("serve.local_access", "operator");
    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    tab.open(&service.url("/")).await;
    let dialog = "document.querySelector('#intake-dialog form')";
    tab.until("an operator sees the form", &format!("Boolean({dialog})")).await;
    tab.eval("document.querySelector('[popovertarget=intake-dialog]').click()").await;
    tab.eval("document.querySelector('#pause-note').value = 'new disk'").await;
    tab.eval(&format!("{dialog}.querySelector('button[type=submit]').click()")).await;
    tab.until(
        "the form leads back to the page, which shows the note",
        "location.pathname === '/' && document.readyState === 'complete' \
         && document.body.innerText.includes('new disk')",
    )
    .await;
    assert_eq!(tab.eval(NOTE).await, "new disk");
    tab.picture("real-paused").await;

    tab.eval("document.querySelector('[popovertarget=intake-dialog]').click()").await;
    tab.eval(&format!("{dialog}.querySelector('button[type=submit]').click()")).await;
    tab.until(
        "the host is resumed",
        "location.pathname === '/' && document.readyState === 'complete' \
         && !document.body.innerText.includes('new disk')",
    )
    .await;
    assert!(tab.eval(NOTE).await.is_null(), "the host is still paused");
    service.close().await;
    site.close().await;
}
