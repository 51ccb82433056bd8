//! The page of images: which image jobs run, whether it is safe, and whether anyone changed it.

use fargate_status_answers::{CandidateRow, ChannelRow, DriftRow, ImagesAnswer};
use maud::{Markup, html};

use crate::frame::PageFrame;
use crate::name_text as text;
use crate::now_page::answer_line;
use crate::number_text as number;
use crate::state_mark::MarkKind;

/// After so long the registry is to be asked again.
const REGISTRY_OLD_MS: u64 = 3 * 3_600_000;

/// What a configuration needs before an image of this name can be built.
const IMAGE_TABLE: &str = r#"[image.ci]
repository = "registry.example/team/ci"
context = "/srv/images/ci"
manifest = "/srv/images/images.json""#;

/// The page of images.
#[must_use]
pub fn images_page(answer: &ImagesAnswer, frame: &PageFrame) -> String {
    let has_none = answer.channels.is_empty() && answer.candidates.is_empty();
    let content = html! {
        h1.unseen { "Images" }
        (answer_line(&answer.answer, answer.needs_action))
        (registry(answer, frame.at_ms))
        @if has_none {
            p.empty { "No image is managed here. Jobs use the image of the task definition, as configured. To build one:" }
            pre tabindex="0" { code { (IMAGE_TABLE) } }
            p { "belongs into the configuration, with a folder that has a Dockerfile. Then:" }
            (text::command("fargate-runner image publish ci"))
        } @else {
            (drift(&answer.drift, frame.at_ms))
            (channels(&answer.channels, frame.at_ms))
            (candidates(&answer.candidates, frame.at_ms))
        }
        (versions(answer))
    };
    frame.render("images", "Images", &answer.answer, &content)
}

fn registry(answer: &ImagesAnswer, now_ms: u64) -> Markup {
    let age = answer.registry_asked_ms.map(|at| now_ms.saturating_sub(at));
    html! {
        @if let Some(error) = &answer.registry_error {
            p.notice { "The registry did not answer: " bdi { (text::sentence(error)) } ". Below is the manifest." }
        } @else if let Some(age) = age.filter(|age| *age > REGISTRY_OLD_MS) {
            p.notice { "Registry last asked " (number::age(age)) " ago: " code { "fargate-runner image drift" } }
        }
    }
}

fn channels(channels: &[ChannelRow], now_ms: u64) -> Markup {
    html! {
        section aria-labelledby="channels-title" {
            h2 id="channels-title" { "Channels" }
            table.rows.channels {
                thead { tr {
                    th scope="col" { "Name" } th scope="col" { "Channel" } th scope="col" { "Digest" }
                    th.number scope="col" { "Age" } th.number scope="col" { "Size" } th scope="col" { "Tested" }
                    th.number scope="col" { "Secrets" } th.number scope="col" { "Pull, half of them" }
                    th.number scope="col" { "In use" } th scope="col" { "Promoted by" }
                } }
                tbody { @for channel in channels { (channel_row(channel, now_ms)) } }
            }
        }
    }
}

fn channel_row(row: &ChannelRow, now_ms: u64) -> Markup {
    let age = row.created_ms.map(|at| number::age(now_ms.saturating_sub(at)));
    let findings = row.findings.map(|n| format!("{} found", number::count(n)));
    html! {
        tr {
            th scope="row" { (text::name(&row.name)) }
            td { (text::name(&row.channel)) }
            td { (text::short_id(&row.digest)) }
            td.number data-label="age" { (text::name_or_dash(age.as_deref())) }
            td.number data-label="size" {
                @match row.compressed_bytes { Some(n) => (text::bytes(n)), None => span.none { "-" } } }
            td data-label="tested" { @if row.tested { "yes" } @else { span.near { "no" } } }
            td.number data-label="secrets" { (text::name_or_dash(findings.as_deref())) }
            td.number data-label="pull" { (text::length_of(row.pull_p50_ms)) }
            td.number data-label="in use" { (number::counted(row.running, "task", "tasks")) }
            td data-label="promoted" {
                (text::name_or_dash(row.promoted_by.as_deref()))
                @if let Some(at) = row.promoted_ms { ", " (number::day_text(at)) }
            }
        }
    }
}

fn drift(rows: &[DriftRow], now_ms: u64) -> Markup {
    if rows.is_empty() {
        return html! {};
    }
    html! {
        section.drift aria-labelledby="drift-title" {
            h2 id="drift-title" { "Drift" }
            ul.findings {
                @for row in rows {
                    @let is_grave = matches!(row.severity.as_str(), "critical" | "high");
                    li.grave[is_grave] {
                        (if is_grave { MarkKind::SystemFailure } else { MarkKind::Notice }.shape_only())
                        div {
                            p { strong { (text::title_case(&row.class)) ": " } bdi { (text::sentence(&row.text)) }
                                @if let Some(since) = row.since_ms { " Since " (text::time(since, now_ms)) "." } }
                            @if let Some(command) = &row.command { (text::command(command)) }
                        }
                    }
                }
            }
        }
    }
}

fn candidates(rows: &[CandidateRow], now_ms: u64) -> Markup {
    if rows.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="candidates-title" {
            h2 id="candidates-title" { "Candidates" }
            table.rows.candidates {
                thead { tr {
                    th scope="col" { "Image" } th scope="col" { "Digest" } th scope="col" { "Built" }
                    th scope="col" { "Git" } th scope="col" { "Status" } th.col-why scope="col" { "Result" }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" { (text::name(&row.name)) }
                            td { (text::short_id(&row.digest)) }
                            td data-label="built" { @match row.created_ms { Some(at) => (text::time(at, now_ms)), None => span.none { "-" } } }
                            td data-label="git" { (text::name_or_dash(row.git.as_deref())) }
                            td data-label="status" { (text::name(&row.status)) }
                            td.why-cell { bdi { (text::sentence(&row.text)) } }
                        }
                    }
                }
            }
            @if let Some(row) = rows.iter().find(|row| row.status == "tested") {
                p { "To promote the newest that passed its test:" }
                (text::command(&format!("fargate-runner image promote {} {} --to stable", row.name, number::short_id(&row.digest))))
            }
        }
    }
}

fn versions(answer: &ImagesAnswer) -> Markup {
    html! {
        @if !answer.runner_version.is_empty() {
            p.versions {
                "Fargate Runner " (text::name(&answer.runner_version))
                @if let Some(helper) = &answer.helper_version {
                    @if *helper == answer.runner_version { ", the agent in the newest image agrees" }
                    @else { ", the agent in the newest image is " (text::name(helper)) }
                }
                "."
            }
        }
    }
}
