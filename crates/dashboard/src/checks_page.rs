//! The page of checks: whether network, rights and storage are right before a job finds out.

use fargate_status_answers::{CheckLine, CheckOutcome, CheckRunMark, ChecksAnswer};
use maud::{Markup, html};

use crate::frame::PageFrame;
use crate::name_text as text;
use crate::now_page::answer_line;
use crate::number_text as number;
use crate::state_mark::MarkKind;

const COMMAND: &str = "fargate-runner check";
/// Older results are named as old.
const OLD_MS: u64 = 24 * 3_600_000;

/// The page of checks.
#[must_use]
pub fn checks_page(answer: &ChecksAnswer, frame: &PageFrame) -> String {
    let content = html! {
        h1.unseen { "Checks" }
        (answer_line(&answer.answer, answer.needs_action))
        @if let Some(error) = &answer.error {
            p.notice { "The checks could not run: " bdi { (text::sentence(error)) } ". See "
                code { "aws sts get-caller-identity" } "." }
        }
        @match answer.checked_ms {
            None => { p.empty { "Not checked yet:" } (text::command(COMMAND)) }
            Some(at) => {
                (when(answer, at, frame.at_ms))
                (egress(answer))
                (lines(answer))
                (runs(&answer.runs, frame.at_ms))
            }
        }
    };
    frame.render("checks", "Checks", &answer.answer, &content)
}

fn when(answer: &ChecksAnswer, at_ms: u64, now_ms: u64) -> Markup {
    let unknown = answer.checks.iter().filter(|it| it.outcome == CheckOutcome::Unknown).count();
    let age = now_ms.saturating_sub(at_ms);
    html! {
        @if answer.is_outdated {
            p.notice { "Checked " (number::age(age)) " ago, before the last change of the configuration: "
                code { (COMMAND) } }
        } @else if age > OLD_MS {
            p.notice { "Checked " (number::age(age)) " ago: " code { (COMMAND) } }
        }
        ul.facts-line {
            li { "checked " (text::time(at_ms, now_ms)) " UTC"
                @if let Some(took) = answer.took_ms { " in " (number::duration(took)) } }
            li { (number::count(unknown as u64)) " could not tell" }
        }
    }
}

fn egress(answer: &ChecksAnswer) -> Markup {
    if answer.egress.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="egress-title" {
            h2 id="egress-title" { "Jobs leave from" span.note { " allow-list these" } }
            ul.egress {
                @for it in &answer.egress {
                    li { code { (text::name(&it.address)) } " " (text::name(&it.zone)) " "
                        button.copy.small type="button" data-copy=(text::sentence(&it.address))
                            aria-label=(format!("Copy {}", text::plain_name(&it.address))) { "Copy" } }
                }
            }
        }
    }
}

fn lines(answer: &ChecksAnswer) -> Markup {
    let (passed, others): (Vec<_>, Vec<_>) =
        answer.checks.iter().partition(|it| it.outcome == CheckOutcome::Pass);
    html! {
        section aria-labelledby="checks-title" {
            h2 id="checks-title" { "What was found" }
            @if others.is_empty() { p.empty { "Nothing to mend." } }
            ul.findings { @for it in &others { (finding(it)) } }
            @if !passed.is_empty() {
                details {
                    summary { (number::count(passed.len() as u64)) " passed" }
                    ul.findings { @for it in &passed { (finding(it)) } }
                }
            }
        }
    }
}

/// The last runs, and since when they do not pass.
fn runs(runs: &[CheckRunMark], now_ms: u64) -> Markup {
    if runs.len() < 2 {
        return html! {};
    }
    html! {
        section aria-labelledby="runs-title" {
            h2 id="runs-title" { "Last " (number::count(runs.len() as u64)) " runs" }
            ul.check-runs { @for it in runs { (run(it, now_ms)) } }
            @if let Some(first) = first_failed(runs) {
                p { "First failed " (text::time(first.at_ms, now_ms)) " UTC"
                    @if let Some(name) = &first.first { ": " bdi { (text::name(name)) } } }
            }
        }
    }
}

fn run(it: &CheckRunMark, now_ms: u64) -> Markup {
    html! {
        li { (mark(it.outcome).shape_only())
            span.unseen { (outcome_word(it.outcome)) " " (text::time(it.at_ms, now_ms)) } }
    }
}

/// The first run of those that fail without a break up to now.
fn first_failed(runs: &[CheckRunMark]) -> Option<&CheckRunMark> {
    runs.iter().rev().take_while(|it| it.outcome == CheckOutcome::Fail).last()
}

fn outcome_word(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Pass => "passed",
        CheckOutcome::Fail => "failed",
        CheckOutcome::Warn => "passed with warnings",
        CheckOutcome::Unknown => "could not tell",
    }
}

fn mark(outcome: CheckOutcome) -> MarkKind {
    match outcome {
        CheckOutcome::Pass => MarkKind::Passed,
        CheckOutcome::Fail => MarkKind::Failed,
        CheckOutcome::Warn => MarkKind::Notice,
        CheckOutcome::Unknown => MarkKind::Unknown,
    }
}

fn finding(it: &CheckLine) -> Markup {
    let kind = mark(it.outcome);
    html! {
        li.grave[it.outcome == CheckOutcome::Fail] {
            (kind.shape_only())
            div {
                p { strong { (text::name(&it.name)) } " " bdi { (text::sentence(&it.found)) } }
                @if let Some(fix) = &it.fix {
                    p.fix { strong { @if it.outcome == CheckOutcome::Unknown { "To know: " } @else { "Fix: " } }
                        bdi { (text::sentence(fix)) } }
                }
                @if let Some(command) = &it.command { (text::command(command)) }
            }
        }
    }
}
