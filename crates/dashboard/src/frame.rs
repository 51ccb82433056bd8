//! What surrounds each page: head, navigation, banner, footer, and the list of keys.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::name_text as text;
use crate::number_text as number;
use crate::page_query::PageQuery;
use crate::patterns::pattern_definitions;
use crate::static_files::static_href;

/// What a page needs beside its answer.
#[derive(Clone, Debug, Default)]
pub struct PageFrame {
    /// The path of the request: `/history`.
    pub path: String,
    /// What stands after `?`, as it came.
    pub query: String,
    /// Whether the reader may see names of private projects.
    pub is_signed_in: bool,
    /// Whether the reader may stop, pause and resume.
    pub is_operator: bool,
    /// The token that each form must send back.
    pub csrf: Option<String>,
    /// What stands above the answer. If `None`, a demo says that it is one.
    pub banner: Option<PageBanner>,
    /// The version of this program.
    pub version: String,
    /// The server's clock: milliseconds since 1970.
    pub at_ms: u64,
    /// Whether the jobs run in the local cloud.
    pub is_demo: bool,
    /// Where a runbook has a page for each cause; `{cause}` stands for its name.
    pub runbook_url: Option<String>,
    /// Whether only `<main>` is wanted, for a live update (`Accept: text/html; fragment=live`).
    pub is_fragment: bool,
}

/// What stands above the answer of a page; the first that is true, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageBanner {
    /// ECS does not answer this program.
    EcsSilent {
        /// For how long.
        for_ms: u64,
        /// What it or the network said last.
        error: String,
    },
    /// New jobs are held.
    IntakePaused {
        /// By whom.
        by: String,
        /// Since when.
        since_ms: u64,
        /// Why.
        note: String,
        /// How many jobs wait.
        waiting: u64,
        /// Whether the host is to become idle.
        is_draining: bool,
    },
    /// The database cannot be read.
    HistoryUnreadable {
        /// Why.
        error: String,
        /// Tasks that ECS knows, if it was asked.
        tasks: Option<u64>,
    },
    /// What jobs do does not reach the database, or old jobs leave it late.
    HistoryStalled {
        /// Since when nothing reaches it; `None` if everything does.
        since_ms: Option<u64>,
        /// Why.
        error: String,
        /// Jobs of which it misses something.
        waiting: u64,
    },
    /// The database was damaged and filled again.
    HistoryRebuilt {
        /// When it was found damaged.
        at_ms: u64,
        /// Where the damaged file is.
        path: String,
    },
    /// Names of private projects are hidden.
    NamesHidden,
    /// Settings are missing.
    NotConfigured {
        /// Which.
        missing: Vec<String>,
        /// The file in which they belong.
        path: String,
    },
}

impl PageFrame {
    pub(crate) fn page_query(&self) -> PageQuery {
        PageQuery::of(&self.query)
    }

    /// The address of this page's data.
    pub(crate) fn data_href(&self) -> String {
        let path = match self.path.as_str() {
            "/" => "/api/v1/now".to_owned(),
            "/history" => "/api/v1/jobs".to_owned(),
            // An address is written in these characters only.
            path if path.bytes().all(|byte| byte.is_ascii_graphic()) => format!("/api/v1{path}"),
            _ => "/api/v1/now".to_owned(),
        };
        self.page_query().href(&path)
    }

    /// The page of the runbook about a cause, if there is one.
    pub(crate) fn runbook_href(&self, slug: &str) -> Option<String> {
        let url = self.runbook_url.as_deref()?.replace("{cause}", &text::segment(slug));
        crate::job_head::web_address(&url).map(str::to_owned)
    }

    fn banner(&self) -> Option<Markup> {
        let at = self.at_ms;
        let words = match &self.banner {
            None if self.is_demo => html! {
                "This is the local cloud on your machine. No AWS account is used and nothing costs money."
            },
            None => return None,
            // The number ticks, and is spoken once a minute.
            Some(PageBanner::EcsSilent { for_ms, error }) => html! {
                "ECS has not answered for " (text::ticking_age(at.saturating_sub(*for_ms), at)) " ("
                (text::sentence(error)) "). States may be older than they look."
            },
            Some(PageBanner::IntakePaused { by, since_ms, note, waiting, is_draining }) => html! {
                @if *is_draining { "This host is being drained by " } @else { "Intake is paused by " }
                (text::name(by)) " since " (text::short_time(*since_ms, at))
                @if !note.is_empty() { ": \"" bdi { (text::sentence(note)) } "\"" }
                ". Running jobs go on, " (number::count(*waiting)) " wait"
                @if *is_draining { ", and no job begins until somebody resumes it" } "."
            },
            Some(PageBanner::HistoryUnreadable { error, tasks }) => html! {
                "The history cannot be read: " (text::sentence(error)) ". Jobs run on without it."
                @if let Some(tasks) = tasks {
                    " ECS shows " (number::counted(*tasks, "task", "tasks")) " of this host now."
                }
            },
            Some(PageBanner::HistoryStalled { since_ms: Some(since_ms), error, waiting }) => {
                html! {
                    "The history has not been written since " (text::short_time(*since_ms, at)) " ("
                    (text::sentence(error)) "). Jobs run on, nothing is lost; "
                    (number::counted(*waiting, "job waits", "jobs wait")) " to be read."
                }
            }
            Some(PageBanner::HistoryStalled { since_ms: None, error, .. }) => html! {
                "About the history: " (text::sentence(error)) "."
            },
            Some(PageBanner::HistoryRebuilt { at_ms, path }) => html! {
                "The history was damaged at " (text::short_time(*at_ms, at))
                " and rebuilt from job records. The damaged file is kept at "
                code { (text::sentence(path)) } "."
            },
            Some(PageBanner::NamesHidden) => html! {
                "Project names are hidden. " a href="/sign-in" { "Sign in" } " to see them."
            },
            Some(PageBanner::NotConfigured { missing, path }) => html! {
                "Nothing is configured. Missing: " (text::sentence(&missing.join(", ")))
                ". Write them to " code { (text::sentence(path)) } ": "
                code { "fargate-runner config init" }
            },
        };
        Some(html! { p.banner role="status" { (words) } })
    }

    /// A whole page, or its `<main>` alone. `name` says which page it is, for the script.
    pub(crate) fn render(&self, name: &str, title: &str, answer: &str, content: &Markup) -> String {
        let main = html! {
            main id="content" tabindex="-1" data-page=(name) data-at=(self.at_ms)
                data-title=(title) {
                div.banners data-live="banner" { @if let Some(banner) = self.banner() { (banner) } }
                (content)
            }
        };
        if self.is_fragment {
            return main.into_string();
        }
        html! {
            (DOCTYPE)
            html lang="en" {
                (self.head(title, answer))
                body {
                    a.skip href="#content" { "Skip to content" }
                    (self.header())
                    // The script speaks of it in `#spoken`: its numbers tick.
                    p.banner.stream id="stream" hidden {}
                    (main)
                    (self.footer(name))
                    (pattern_definitions())
                    (keys_dialog())
                    div.unseen id="spoken" role="status" aria-live="polite" {}
                    div.unseen id="spoken-alert" role="alert" {}
                }
            }
        }
        .into_string()
    }

    fn head(&self, title: &str, answer: &str) -> Markup {
        html! {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="description" content=(answer);
                title { (title) " \u{b7} Fargate Runner" }
                link rel="icon" type="image/svg+xml" href=(static_href("favicon.svg"));
                link rel="stylesheet" href=(static_href("dashboard.css"));
                script src=(static_href("theme.js")) {}
                // It imports the other module by its bare name.
                script type="module" src=(static_href("live.js")) {}
                link rel="alternate" type="application/json" href=(self.data_href());
            }
        }
    }

    fn header(&self) -> Markup {
        const PAGES: [(&str, &str); 6] = [
            ("/", "Now"),
            ("/history", "History"),
            ("/start-time", "Start time"),
            ("/cost", "Cost"),
            ("/images", "Images"),
            ("/checks", "Checks"),
        ];
        let is_here = |path: &str| {
            self.path == path || (path == "/history" && self.path.starts_with("/jobs"))
        };
        html! {
            header.top {
                div.masthead {
                    a.brand href="/" { (brand_mark()) "Fargate Runner" }
                    button.menu type="button" popovertarget="pages" { "Menu" }
                    nav.pages id="pages" popover aria-label="Pages" {
                        @for (path, name) in PAGES {
                            a href=(path) aria-current=[is_here(path).then_some("page")] { (name) }
                        }
                    }
                    form.find action="/history" method="get" role="search" {
                        label.unseen for="find" { "Find a job by name, project, branch, id or task" }
                        input id="find" type="search" name="q" placeholder="Find a job"
                            autocomplete="off" maxlength="200";
                        kbd aria-hidden="true" { "/" }
                    }
                    button.scripted.quiet type="button" data-open-keys { kbd { "?" } " Keys" }
                }
            }
        }
    }

    fn footer(&self, name: &str) -> Markup {
        html! {
            footer.bottom {
                p { "Fargate Runner " (self.version) }
                p { "Times are " span data-zone-name { "UTC" } "." }
                p { a href=(self.data_href()) { "This page as JSON" } }
                p { a href="/openapi.json" { "API" } }
                @if matches!(name, "job" | "history") {
                    button.scripted.quiet type="button" data-pause aria-pressed="false" { "Pause updates" }
                }
                @if self.is_signed_in {
                    @if let Some(csrf) = &self.csrf {
                        form action="/sign-out" method="post" {
                            input type="hidden" name="csrf" value=(csrf);
                            button.quiet type="submit" { "Sign out" }
                        }
                    }
                } @else {
                    p { a href="/sign-in" { "Sign in" } }
                }
                fieldset.scripted.theme {
                    legend { "Theme" }
                    @for (value, label) in [("system", "System"), ("light", "Light"), ("dark", "Dark")] {
                        label { input type="radio" name="theme" value=(value); (label) }
                    }
                }
                fieldset.scripted.theme {
                    legend { "Times" }
                    @for (value, label) in [("utc", "UTC"), ("local", "Local")] {
                        label { input type="radio" name="zone" value=(value); (label) }
                    }
                }
            }
        }
    }
}

/// The mark beside the product's name: three bars of a timeline.
fn brand_mark() -> Markup {
    PreEscaped(
        r#"<svg class="brand-mark" width="18" height="18" viewBox="0 0 18 18" aria-hidden="true"><rect x="1" y="2" width="7" height="4"/><rect x="5" y="7" width="8" height="4"/><rect x="10" y="12" width="7" height="4"/></svg>"#
            .to_owned(),
    )
}

fn keys_dialog() -> Markup {
    const KEYS: [(&str, &str); 16] = [
        ("/", "Find a job, or edit the filter"),
        ("Esc", "Close, leave the field, clear the choice"),
        ("g n", "Now"),
        ("g h", "History"),
        ("g s", "Start time"),
        ("g c", "Cost"),
        ("g i", "Images"),
        ("g k", "Checks"),
        ("j k", "Next, previous row"),
        ("Enter o", "Open the row"),
        ("p", "Pause or resume live updates"),
        ("n", "Show the news that waits"),
        ("w", "Go to the cause"),
        ("c", "Copy the command of the cause"),
        ("y", "Copy the link to this view"),
        ("[ ]", "Earlier, later window"),
    ];
    const JOB_KEYS: [(&str, &str); 2] =
        [("1 2 3", "Start, All stages, Tries"), ("x", "Stop the task (operators; asks first)")];
    let line = |(key, does): (&str, &str)| {
        html! { div { dt { @for key in key.split(' ') { kbd { (key) } " " } } dd { (does) } } }
    };
    html! {
        dialog.keys id="keys" aria-labelledby="keys-title" {
            h2 id="keys-title" { "Keys" }
            dl {
                @for it in KEYS { (line(it)) }
                @for it in JOB_KEYS { (line(it)) }
            }
            label.switch {
                input type="checkbox" id="single-keys" checked;
                "Single-key shortcuts"
            }
            fieldset.theme {
                legend { "Spoken news" }
                @for (value, label) in [("all", "All"), ("failures", "Failures"), ("off", "Off")] {
                    label { input type="radio" name="spoken" value=(value); (label) }
                }
            }
            form method="dialog" { button type="submit" { "Close" } }
        }
    }
}
