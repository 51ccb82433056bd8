//! The head of a job's page: which job it is, how it ended, and its first sentence.

use fargate_status_answers::{JobAnswer, JobStateWord};
use maud::{Markup, html};

use crate::name_text as text;
use crate::number_text as number;
use crate::page_query::PageQuery;
use crate::state_mark::MarkKind;

/// Where the reader is: Now / History / project / job.
pub(crate) fn breadcrumbs(job: &JobAnswer) -> Markup {
    let of_project = job
        .project
        .as_deref()
        .map(|project| (PageQuery::default().with("project", project).href("/history"), project));
    html! {
        nav.crumbs aria-label="Where you are" {
            a href="/" { "Now" } span aria-hidden="true" { " / " }
            a href="/history" { "History" } span aria-hidden="true" { " / " }
            @if let Some((href, project)) = of_project {
                a href=(href) { (text::name(project)) } span aria-hidden="true" { " / " }
            }
            span { (text::name(job.name.as_deref().unwrap_or(&job.id))) }
        }
    }
}

/// State or verdict, name, id, tries; what it got; times, cost, task.
pub(crate) fn job_head(job: &JobAnswer, now_ms: u64) -> Markup {
    let mark = MarkKind::of(job.state, job.verdict);
    html! {
        div.job-head data-live="head" {
            p.verdict { (mark.with_word())
                @if job.state != JobStateWord::Finished { " " (text::ticking_age(job.received_ms, now_ms)) }
            }
            h1 { (text::name(job.name.as_deref().unwrap_or(&job.id))) }
            p.job-id {
                code { (text::name(&job.id)) }
                @if let Some(tries) = tries_text(job) { " " span { (tries) } }
            }
            (what_it_got(job))
            (when_and_how_much(job, now_ms))
        }
    }
}

fn tries_text(job: &JobAnswer) -> Option<String> {
    let all = job.tries.len();
    let last = job.tries.last()?;
    let goes_on = last.ended_ms.is_none() && job.state != JobStateWord::Finished;
    match (all, goes_on) {
        (1, _) => None,
        (_, true) => Some(format!("try {} of 3 ended, try {} runs", all - 1, last.number)),
        (_, false) => Some(format!("try {} of {all}", job.attempt.max(1))),
    }
}

fn what_it_got(job: &JobAnswer) -> Markup {
    let image = job.image.as_deref();
    html! {
        ul.facts-line {
            @if let Some(project) = &job.project { li { (text::name(project)) } }
            @if let Some(git_ref) = &job.git_ref { li { "branch " (text::name(git_ref)) } }
            @if let Some(sha) = &job.sha { li { "commit " (text::short_id(sha)) } }
            @if let Some(size) = &job.size { li { (text::name(size)) } }
            @if let Some(capacity) = &job.capacity { li { (text::name(capacity)) } }
            @if let Some(zone) = &job.zone { li { (text::name(zone)) } }
            @if let Some(image) = image {
                li { "image " (text::name(image))
                    @if let Some(digest) = &job.image_digest { " " (text::short_id(digest)) } }
            }
            @if let Some(user) = &job.user { li { "by " (text::name(user)) } }
        }
    }
}

fn when_and_how_much(job: &JobAnswer, now_ms: u64) -> Markup {
    let task = job.facts.iter().find(|fact| fact.name == "task");
    let is_over = job.state == JobStateWord::Finished;
    html! {
        ul.facts-line {
            li { "received " (text::time(job.received_ms, now_ms)) " UTC" }
            @if let Some(lived) = job.lived_ms.filter(|_| is_over) {
                li { "lived " (text::length_of(Some(lived))) }
            }
            @if let Some(started) = job.started_in_ms {
                li { "started in " (text::length_of(Some(started)))
                    @if let Some(usual) = job.usual_start_ms { ", usual " (number::bare_duration(usual)) } }
            }
            @if let Some(cost) = job.cost_micro_usd {
                li { "about " (text::money(Some(cost))) " (estimate)" }
            }
            @if let Some(size) = job.queue_size { li { (number::count(size)) " jobs waited with it at the forge" } }
            @if let Some(task) = task { li { "task " (text::short_id(&task.value)) } }
            li { "host " (text::name(&job.host)) }
            @if let Some(href) = job.forge_url.as_deref().and_then(web_address) {
                li { a href=(href) rel="noreferrer" { "Job in " (forge(&job.id)) } }
            }
        }
    }
}

/// An address that a link may have: of the web, not of a script.
pub(crate) fn web_address(url: &str) -> Option<&str> {
    (url.starts_with("https://") || url.starts_with("http://")).then_some(url)
}

/// The forge of a job, by its id.
pub(crate) fn forge(id: &str) -> &'static str {
    if id.starts_with("gh-") { "GitHub" } else { "GitLab" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_never_runs_a_script() {
        assert_eq!(web_address("javascript:alert(1)"), None);
        assert_eq!(web_address("data:text/html,x"), None);
        assert!(web_address("https://git.example.com/-/jobs/1").is_some());
    }
}
