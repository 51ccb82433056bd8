//! Pages that say one thing: sign in, not found, which of several jobs, an error, what a cause means.

use fargate_model::cause::FailureCause;
use maud::{Markup, html};

use crate::frame::PageFrame;
use crate::name_text as text;
use crate::page_query::PageQuery;

/// Where a token is entered. `refused` says why the last one was not accepted.
#[must_use]
pub fn sign_in_page(frame: &PageFrame, refused: Option<&str>) -> String {
    let back = frame.page_query().get("back").unwrap_or("/").to_owned();
    let content = html! {
        h1 { "Sign in" }
        p.answer id="answer" { "This page shows names of private projects only to people with a token." }
        @if let Some(refused) = refused { p.notice role="alert" { (text::sentence(refused)) } }
        form.sign-in method="post" action="/sign-in" {
            @if let Some(csrf) = &frame.csrf { input type="hidden" name="csrf" value=(csrf); }
            input type="hidden" name="back" value=(text::sentence(&back));
            label for="token" { "Token" }
            input id="token" type="password" name="token" autocomplete="current-password" required autofocus;
            button.primary type="submit" { "Sign in" }
        }
        p { "Who runs this host makes a token with "
            code { "fargate-runner serve token --name anna --role viewer" } "." }
    };
    frame.render("sign-in", "Sign in", "Sign in with a token.", &content)
}

/// There is no such page.
#[must_use]
pub fn not_found_page(frame: &PageFrame) -> String {
    let words = html! {
        "There is no page " code { bdi { (text::sentence(&frame.path)) } } " here."
    };
    one_message(frame, "Not found", &words)
}

/// There is no such job. `kept_days`: how long jobs are kept. `nearest`: ids that look like it.
#[must_use]
pub fn job_not_found_page(
    frame: &PageFrame,
    id: &str,
    kept_days: u64,
    nearest: &[String],
) -> String {
    let words = html! {
        "No job " code { (text::name(id)) } " here. Jobs are kept " (kept_days) " days. Look in GitLab."
        @if !nearest.is_empty() {
            " Did you mean "
            @for (at, it) in nearest.iter().enumerate() {
                @if at > 0 { ", " }
                a href=(text::job_href(it)) { (text::name(it)) }
            }
            "?"
        }
    };
    one_message(frame, "No such job", &words)
}

/// An id that several jobs share. Each of them is `(key, words about it)`.
#[must_use]
pub fn job_choice_page(frame: &PageFrame, id: &str, jobs: &[(String, String)]) -> String {
    let words = html! { "Several jobs are called " code { (text::name(id)) } "." };
    let content = html! {
        h1 { "Which job" }
        p.answer id="answer" { (words) }
        ul.choices {
            @for (key, about) in jobs { li { a href=(text::job_href(key)) { bdi { (text::sentence(about)) } } } }
        }
    };
    frame.render("message", "Which job", "Several jobs have this id.", &content)
}

/// One message, such as an error. The text is a sentence.
#[must_use]
pub fn message_page(frame: &PageFrame, title: &str, message: &str) -> String {
    one_message(frame, title, &html! { (text::sentence(message)) })
}

/// Why a page cannot be shown now. Its address may have an answer later.
#[must_use]
pub fn later_page(frame: &PageFrame, title: &str, message: &str) -> String {
    // An address is written in these characters only, and begins with one slash.
    let is_address = frame.path.bytes().all(|byte| byte.is_ascii_graphic())
        && frame.path.starts_with('/')
        && !frame.path.starts_with("//");
    let again = is_address.then(|| {
        html! { p { a.button href=(frame.page_query().href(&frame.path)) { "Try again" } } }
    });
    whole_message(frame, title, &html! { (text::sentence(message)) }, again.as_ref(), false)
}

/// Why a task was not stopped. It is urgent, so it is spoken at once.
#[must_use]
pub fn not_stopped_page(frame: &PageFrame, title: &str, message: &str) -> String {
    whole_message(frame, title, &html! { (text::sentence(message)) }, None, true)
}

fn one_message(frame: &PageFrame, title: &str, words: &Markup) -> String {
    whole_message(frame, title, words, None, false)
}

fn whole_message(
    frame: &PageFrame,
    title: &str,
    words: &Markup,
    next: Option<&Markup>,
    is_urgent: bool,
) -> String {
    let content = html! {
        h1 { (text::sentence(title)) }
        p.answer id="answer" data-alert[is_urgent] { (words) }
        @if let Some(next) = next { (next) }
        p { a href="/" { "Now" } " \u{b7} " a href="/history" { "History" } }
    };
    frame.render("message", &text::plain_name(title), &text::sentence(title), &content)
}

/// What a cause means and what mends it, or `None` if the catalogue has no such cause.
#[must_use]
pub fn cause_page(slug: &str, frame: &PageFrame) -> Option<String> {
    let cause = FailureCause::ALL.iter().find(|cause| cause.entry().slug == slug)?;
    let entry = cause.entry();
    // The last wording names no fact of a case.
    let last = |wordings: &[&'static str]| wordings.last().copied().unwrap_or_default();
    let headline = text::title_case(last(entry.headline));
    let href = PageQuery::default().with("cause", slug).with("last", "24h").href("/history");
    let content = html! {
        p.kicker { "Cause " code { (slug) } }
        h1 { (headline) }
        dl.facts {
            div { dt { "Who can mend it" } dd { (entry.who.word()) } }
            div { dt { "What happens next" } dd { (next_words(entry.next.word())) } }
            div { dt { "Class" } dd { code { (entry.class) } } }
        }
        @if !last(entry.action).is_empty() { p.fix { strong { "Fix: " } (last(entry.action)) "." } }
        @if !last(entry.command).is_empty() { (text::command(last(entry.command))) }
        p { a href=(href) { "Jobs with this cause in the last 24 hours" }
            @if let Some(href) = frame.runbook_href(slug) { " \u{b7} " a href=(href) rel="noreferrer" { "Runbook" } }
        }
    };
    Some(frame.render("cause", &headline, &headline, &content))
}

fn next_words(word: &str) -> &'static str {
    match word {
        "waits" => "Fargate Runner waits and tries again by itself.",
        "retries" => "Fargate Runner tries again, three times at most.",
        _ => "This try is over. The next one would fail the same way if the set-up is to blame.",
    }
}
