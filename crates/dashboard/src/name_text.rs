//! Names and texts that come from jobs, images or AWS, and times, as parts of a page.
//!
//! A name is a text node in `<bdi>`; characters that nobody sees are shown as `\x1b`; long names are
//! cut in the middle, with the whole name in `title`.

use fargate_model::text;
use maud::{Markup, html};

use crate::number_text as number;

/// Longest name that is shown whole, in characters.
const NAME_LIMIT: usize = 48;
/// Longest `title`, in characters: more is of no use, and a name may be as long as a job likes.
const TITLE_LIMIT: usize = 1000;

/// A name.
pub(crate) fn name(text: &str) -> Markup {
    name_within(text, NAME_LIMIT)
}

/// A name of at most `limit` characters.
pub(crate) fn name_within(text: &str, limit: usize) -> Markup {
    let shown = text::escape_within(text, limit);
    let whole = text::escape_within(text, TITLE_LIMIT);
    html! {
        @if shown == whole { bdi { (shown) } }
        @else { bdi title=(whole) { (shown) } }
    }
}

/// A name, or a dash where there is none.
pub(crate) fn name_or_dash(text: Option<&str>) -> Markup {
    match text.filter(|text| !text.is_empty()) {
        Some(text) => name(text),
        None => html! { span.none { "-" } },
    }
}

/// A sentence that may quote others: escaped, not cut.
pub(crate) fn sentence(text: &str) -> String {
    text::escape_within(text, 2000)
}

/// A sentence in which backticks mark what stands in a file or on a command line.
pub(crate) fn marked_sentence(text: &str) -> Markup {
    let whole = sentence(text);
    // An odd backtick marks nothing.
    let is_paired = whole.matches('`').count().is_multiple_of(2);
    html! {
        @if is_paired {
            @for (at, part) in whole.split('`').enumerate() {
                @if at % 2 == 1 { code { (part) } } @else { (part) }
            }
        } @else { (whole) }
    }
}

/// A name of a page's title: escaped, cut, without markup.
pub(crate) fn plain_name(text: &str) -> String {
    text::escape_within(text, NAME_LIMIT)
}

/// An id of a task or a digest, 8 characters, with the whole one in `title` and in what is copied.
pub(crate) fn short_id(id: &str) -> Markup {
    let whole = text::escape_within(id, TITLE_LIMIT);
    html! { code.id title=(whole) data-copy-text=(whole) { (text::escape(&number::short_id(id))) } }
}

/// The address of a job's page. An id is one segment, whatever is in it.
pub(crate) fn job_href(id: &str) -> String {
    format!("/jobs/{}", segment(id))
}

/// One segment of an address, in percent-encoding.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The first letter raised, to stand as a title.
pub(crate) fn title_case(text: &str) -> String {
    let text = sentence(text);
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// A moment.
pub(crate) fn time(at_ms: u64, now_ms: u64) -> Markup {
    let exact = number::exact_moment(at_ms);
    html! { time datetime=(exact) title=(exact) { (number::moment(at_ms, now_ms)) } }
}

/// A moment with hours and minutes only, where many stand side by side.
pub(crate) fn short_time(at_ms: u64, now_ms: u64) -> Markup {
    let exact = number::exact_moment(at_ms);
    let shown = number::moment(at_ms, now_ms);
    let shown = if shown.len() == 8 { shown[..5].to_owned() } else { shown };
    html! { time datetime=(exact) title=(exact) data-short { (shown) } }
}

/// How long something has lasted. It ticks by script; a screen reader hears words that do not.
pub(crate) fn ticking_age(since_ms: u64, now_ms: u64) -> Markup {
    let age = now_ms.saturating_sub(since_ms);
    html! {
        span.age data-since=(since_ms) aria-hidden="true" { (number::ticking(age)) }
        span.unseen data-spoken-since=(since_ms) { (number::spoken(age)) }
    }
}

/// A duration that is over.
pub(crate) fn length_of(ms: Option<u64>) -> Markup {
    match ms {
        Some(ms) => {
            html! { span aria-label=(number::spoken(ms)) role="text" { (number::duration(ms)) } }
        }
        None => html! { span.none { "-" } },
    }
}

/// An estimated amount.
pub(crate) fn money(micro_usd: Option<u64>) -> Markup {
    match micro_usd {
        Some(micro_usd) => html! {
            span title="Estimate: seconds x price, one-minute minimum; see Cost for what is left out" {
                (number::money(micro_usd))
            }
        },
        None => html! { span.none { "-" } },
    }
}

/// A number of bytes, with the exact number in `title`.
pub(crate) fn bytes(n: u64) -> Markup {
    html! { span title=(format!("{} bytes", number::count(n))) { (number::bytes(n)) } }
}

/// A command with its button. The button is of no use without a script, so the style sheet hides it then.
pub(crate) fn command(text: &str) -> Markup {
    html! {
        div.command {
            pre tabindex="0" { code { (sentence(text)) } }
            button.copy type="button" data-copy=(sentence(text)) aria-label="Copy command" { "Copy" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_and_stays_narrow() {
        assert_eq!(name("<b>\u{202e}\x1b").into_string(), "<bdi>&lt;b&gt;\\u{202e}\\x1b</bdi>");
        let long = name(&"a".repeat(5000)).into_string();
        assert!(long.starts_with("<bdi title=\"aaa"));
        assert!(long.ends_with(&format!("\">{}...{}</bdi>", "a".repeat(23), "a".repeat(22))));
        assert!(long.len() < 1200);
    }

    #[test]
    fn backticks_mark_what_is_typed() {
        let marked = marked_sentence("set `serve.vcpu_quota` to <n>").into_string();
        assert_eq!(marked, "set <code>serve.vcpu_quota</code> to &lt;n&gt;");
        assert_eq!(marked_sentence("it`s").into_string(), "it`s");
    }

    #[test]
    fn an_id_is_one_segment_of_an_address() {
        assert_eq!(job_href("gh-58213377.2"), "/jobs/gh-58213377.2");
        assert_eq!(job_href("../a?b#c"), "/jobs/..%2Fa%3Fb%23c");
    }

    #[test]
    fn a_headline_becomes_a_title() {
        assert_eq!(title_case("no Fargate capacity"), "No Fargate capacity");
        assert_eq!(title_case(""), "");
    }
}
