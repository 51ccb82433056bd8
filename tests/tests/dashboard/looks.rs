//! What the pages look like: contrast, narrow screens, forced colours, colour blindness, no script, hostile
//! names.

use fargate_dashboard::samples::SampleNames;
use serde_json::{Value, json};

use crate::chromium::{BrowserTab, ChromiumBrowser};
use crate::sample_server::SampleServer;
use crate::{PAGES, browser_and_server};

/// Texts whose contrast with what is behind them is too low, from computed styles.
const LOW_CONTRAST: &str = r#"(() => {
  const number = (text) => (text.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((it) => it / 255)
    .map((it) => (it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4))
    .reduce((sum, it, at) => sum + it * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (it) => {
    for (let at = it; at; at = at.parentElement) {
      const [r, g, b, alpha = 1] = number(getComputedStyle(at).backgroundColor);
      if (alpha === 1 && r !== undefined) return [r, g, b];
    }
    return number(getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "14 17 22" : "255 255 255");
  };
  const low = [];
  let looked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const it = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !it.checkVisibility() || it.closest("script, noscript, .unseen, svg")) continue;
    looked += 1;
    const [one, other] = [luminance(number(getComputedStyle(it).color)), luminance(behind(it))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) low.push(`${walker.currentNode.data.trim().slice(0, 30)}: ${contrast.toFixed(2)} in ${it.className || it.nodeName}`);
  }
  return looked > 20 || document.title.startsWith("Sign") || document.title.startsWith("Not") ? low : ["too few texts: " + looked];
})()"#;

async fn themes(tab: &BrowserTab<'_>, theme: &str) {
    tab.media(&[("prefers-color-scheme", theme)]).await;
}

#[tokio::test]
async fn item_22_every_text_can_be_read_in_light_and_dark() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    for theme in ["light", "dark"] {
        themes(&tab, theme).await;
        for (name, path) in PAGES {
            tab.open(&server.url(path)).await;
            assert_eq!(tab.eval(LOW_CONTRAST).await, json!([]), "{name}, {theme}");
            tab.picture(&format!("{name}-{theme}")).await;
        }
    }
    assert_eq!(server.reports(), Vec::<String>::new());
}

/// What is wider than the screen outside a scroller, and what is too small for a thumb.
pub(crate) const WIDTH: &str = "document.scrollingElement.scrollWidth";
const TOO_SMALL: &str = r#"[...document.querySelectorAll("a, button, summary, input:not([type=hidden])")]
  .filter((it) => it.checkVisibility() && !it.closest(".unseen, .skip, p, dd, .heat-map, .crumbs, li:not(.cause) > span, svg, td, th, .cause-body"))
  .filter((it) => { const box = (it.closest("label") ?? it).getBoundingClientRect(); return box.height > 0 && box.height < 43.5; })
  .map((it) => `${it.nodeName} ${it.className} ${it.textContent.trim().slice(0, 30)} ${it.getBoundingClientRect().height}`)"#;

#[tokio::test]
async fn item_25_a_screen_of_320_px_shows_all_without_scrolling_sideways() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    for width in [320, 390] {
        tab.size(width, 844).await;
        for (name, path) in PAGES {
            tab.open(&server.url(path)).await;
            tab.picture(&format!("{name}-{width}")).await;
            assert_eq!(tab.eval(WIDTH).await, json!(width), "the width of {name}");
            assert_eq!(tab.eval(TOO_SMALL).await, json!([]), "{name} at {width} px");
        }
    }
}

#[tokio::test]
async fn item_1_the_first_sentence_is_above_the_fold() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    for (width, height) in [(1280, 720), (390, 844)] {
        tab.size(width, height).await;
        tab.open(&server.url("/")).await;
        let answer = tab.text("#answer").await;
        assert!(answer.contains("no Fargate capacity") && answer.contains("4m 12s"), "{answer}");
        let bottom =
            tab.eval("document.querySelector('#answer').getBoundingClientRect().bottom").await;
        assert!(bottom.as_f64() < Some(f64::from(height) / 2.0), "{bottom} of {height}");
    }
}

#[tokio::test]
async fn items_17_and_23_marks_and_phases_are_told_apart_without_colour() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    for kind in ["achromatopsia", "deuteranopia", "protanopia"] {
        tab.call("Emulation.setEmulatedVisionDeficiency", json!({ "type": kind })).await;
        for (name, path) in
            [("now", "/"), ("job-start", "/jobs/gl-4425?view=start"), ("history", "/history")]
        {
            tab.open(&server.url(path)).await;
            tab.picture(&format!("{name}-{kind}")).await;
        }
    }
    tab.open(&server.url("/jobs/gl-4425?view=start")).await;
    // Each phase has a fill of its own and a label of its own.
    let phases = tab.eval(r#"[...document.querySelectorAll(".timeline tbody tr")].map((row) => [
        row.querySelector("rect").getAttribute("fill"), row.querySelector("rect").getAttribute("class"),
        row.querySelector(".phase").innerText.trim()].join())"#).await;
    let phases: Vec<&str> = phases.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let mut different = phases.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 7, "{phases:?}");
    tab.open(&server.url("/history")).await;
    let marks = tab.eval(r#"new Set([...document.querySelectorAll(".mark-cell svg")].map((it) => it.innerHTML)).size"#).await;
    assert_eq!(marks, json!(5));
}

#[tokio::test]
async fn item_24_forced_colours_hide_no_bar_mark_or_ring() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    tab.media(&[("forced-colors", "active"), ("prefers-color-scheme", "dark")]).await;
    for (name, path) in [("now", "/"), ("job-start", "/jobs/gl-4425?view=start"), ("cost", "/cost")]
    {
        tab.open(&server.url(path)).await;
        tab.picture(&format!("{name}-forced-colours")).await;
        let hidden = tab.eval(r#"[...document.querySelectorAll("svg.mark, svg.strip rect, svg.bar rect.phase, .limit-bar rect")]
            .filter((it) => { const style = getComputedStyle(it); const back = getComputedStyle(document.body).backgroundColor;
              return style.visibility === "hidden" || (style.color === back && style.stroke === back); })
            .map((it) => it.outerHTML.slice(0, 80))"#).await;
        assert_eq!(hidden, json!([]), "{name}");
    }
    tab.open(&server.url("/")).await;
    tab.key("Tab").await;
    let ring = tab.eval("getComputedStyle(document.activeElement).outlineStyle").await;
    assert_eq!(ring, json!("solid"));
}

#[tokio::test]
async fn item_21_pages_are_whole_without_a_script() {
    let Some((browser, server)) = browser_and_server().await else { return };
    let tab = browser.tab().await;
    tab.open(&server.url("/jobs/gl-4425?view=start")).await;
    let with_script = tab.text(".timeline").await;
    tab.call("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    for (name, path) in
        [("now", "/"), ("job-start", "/jobs/gl-4425?view=start"), ("history", "/history")]
    {
        tab.call("Page.navigate", json!({ "url": server.url(path) })).await;
        whole_without_buttons(&tab, path).await;
        tab.picture(&format!("{name}-without-script")).await;
    }
    tab.call("Emulation.setScriptExecutionDisabled", json!({ "value": false })).await;
    tab.open(&server.url("/jobs/gl-4425?view=start&again=1")).await;
    assert_eq!(tab.text(".timeline").await, with_script);
}

/// Waits until a screen reader gets the words of the page, and no button that does nothing without a script.
async fn whole_without_buttons(tab: &BrowserTab<'_>, path: &str) {
    let word = if path.starts_with("/jobs") { "Image pull" } else { "Cost, estimate" };
    fargate_tests::until_found("the page is whole", || async {
        let tree = tab.call("Accessibility.getFullAXTree", json!({})).await.to_string();
        match (tree.contains(word), tree.contains("Copy command")) {
            (true, false) => Ok(()),
            seen => Err(format!("(words, buttons): {seen:?}")),
        }
    })
    .await;
}

/// What people try; each calls `intruder` if a browser takes it for a script.
pub(crate) const HOSTILE: [&str; 7] = [
    "<script>intruder()</script>",
    "\"><img src=x onerror=intruder()>",
    "' onmouseover='intruder()' x='",
    "</title></svg><script>intruder()</script>",
    "javascript:intruder()",
    "\u{202e}evil\u{2066}\u{1b}[31m<b onclick=intruder()>b</b>",
    "]]><svg/onload=intruder()><!--",
];

#[tokio::test]
async fn item_33_hostile_names_run_nothing_and_widen_nothing() {
    if !fargate_tests::have("chromium") {
        return;
    }
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    let long = "x".repeat(5000);
    for hostile in HOSTILE.into_iter().chain([long.as_str()]) {
        let server = SampleServer::start(SampleNames { hostile: hostile.to_owned() }).await;
        // The last two hold no name.
        for (name, path) in &PAGES[..10] {
            tab.open(&server.url(path)).await;
            let found = tab.eval("[typeof intruder, document.querySelectorAll('img, [onclick], [onload], [onmouseover], b, main script').length]").await;
            assert_eq!(found, json!(["undefined", 0]), "{name}: {hostile}");
            let width = tab.eval(WIDTH).await;
            assert!(width.as_u64() <= Some(1280), "{name}, {hostile:.20}: {width} px");
        }
        assert_eq!(server.reports(), Vec::<String>::new(), "{hostile:.20}");
    }
    // The policy is watched: what it forbids is reported.
    let server = SampleServer::start(SampleNames::default()).await;
    tab.open(&server.url("/")).await;
    tab.eval("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')").await;
    fargate_tests::until("the report has come", || !server.reports().is_empty()).await;
}
