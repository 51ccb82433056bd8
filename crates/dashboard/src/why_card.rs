//! Why something waits or failed: headline, evidence, what to do and its command, always in this order.

use fargate_status_answers::WhyAnswer;
use maud::{Markup, html};

use crate::name_text as text;

/// What follows from a cause beside it.
#[derive(Default)]
pub(crate) struct WhySurroundings<'a> {
    /// What followed from it.
    pub(crate) then: &'a [WhyAnswer],
    /// What happens next: `Next try in 11 s`.
    pub(crate) next: Option<Markup>,
    /// Other jobs with this cause.
    pub(crate) others: Option<Markup>,
    /// The page of the runbook about this cause.
    pub(crate) runbook: Option<String>,
}

/// Whose fault it is, as a class for the bar at the left.
fn fault_class(why: &WhyAnswer) -> &'static str {
    match (why.next.as_str(), why.who.as_str()) {
        ("waits", "AWS") => "w-aws",
        ("waits", _) => "w-wait",
        (_, "AWS") => "w-aws",
        (_, "runner") => "w-runner",
        (_, "person") => "w-muted",
        _ => "w-fail",
    }
}

/// The address of the documentation of a cause.
pub(crate) fn cause_href(slug: &str) -> String {
    format!("/causes/{}", text::segment(slug))
}

/// A cause with all that belongs to it.
pub(crate) fn why_card(why: &WhyAnswer, around: &WhySurroundings<'_>) -> Markup {
    html! {
        section.why.(fault_class(why)) id="why" tabindex="-1" aria-labelledby="why-title" {
            div.why-head {
                h2 id="why-title" { (text::title_case(&why.headline)) }
                a.slug href=(cause_href(&why.slug)) title="What this cause means" { (text::plain_name(&why.slug)) }
            }
            @for sentence in &why.evidence {
                p.evidence { bdi { (text::sentence(sentence)) } }
            }
            @if let Some(action) = &why.action {
                p.fix { strong { "Fix: " } (text::marked_sentence(action)) @if !ends_sentence(action) { "." } }
            }
            @if let Some(command) = &why.command { (text::command(command)) }
            @if let Some(next) = &around.next { p.next { (next) } }
            p.who { "Who can mend it: " (text::sentence(&why.who)) "." }
            @for why in around.then {
                p.then { "Then: " (text::sentence(&why.headline)) " (" a href=(cause_href(&why.slug)) { (text::plain_name(&why.slug)) } ")" }
            }
            @if !why.quotes.is_empty() {
                details {
                    summary { "What ECS said, in full" }
                    @for quote in &why.quotes { pre.quote { (text::sentence(quote)) } }
                }
            }
            @if let Some(others) = &around.others { p.others { (others) } }
            @if let Some(href) = &around.runbook { p.others { a href=(href) rel="noreferrer" { "Runbook" } } }
        }
    }
}

fn ends_sentence(text: &str) -> bool {
    text.ends_with(['.', '?', '`'])
}

/// What happens next, for a cause that is final.
pub(crate) fn final_text(why: &WhyAnswer) -> Option<&'static str> {
    (why.next == "final" && why.who == "setup")
        .then_some("Not tried again: the next try would fail the same way.")
}
