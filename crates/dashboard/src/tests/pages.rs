//! Every page for sample answers, for hostile names, and with nothing to show.

use fargate_status_answers::{
    ChecksAnswer, CostAnswer, HistoryAnswer, ImagesAnswer, JobAnswer, NowAnswer, RunnerNumbers,
    StartTimeAnswer,
};

use crate::samples::{self, NOW_MS, SampleNames};
use crate::{
    PageBanner, PageFrame, cause_page, checks_page, cost_page, history_page, images_page,
    job_choice_page, job_not_found_page, job_page, later_page, message_page, not_found_page,
    not_stopped_page, now_page, sign_in_page, start_time_page,
};

fn frame(path: &str, query: &str) -> PageFrame {
    PageFrame {
        path: path.to_owned(),
        query: query.to_owned(),
        is_signed_in: true,
        is_operator: true,
        csrf: Some("c5rf".to_owned()),
        version: "0.1.0".to_owned(),
        at_ms: NOW_MS,
        ..PageFrame::default()
    }
}

/// Each page with its name.
fn pages(names: &SampleNames) -> Vec<(&'static str, String)> {
    let hostile = &names.hostile;
    let q = if hostile.is_empty() { "last=24h&verdict=failed,system" } else { hostile };
    vec![
        ("now", now_page(&samples::now(names), &frame("/", ""))),
        ("denied", job_page(&samples::denied_job(names), &frame("/jobs/gl-4420", ""))),
        ("tries", job_page(&samples::denied_job(names), &frame("/jobs/gl-4420", "view=tries"))),
        ("failed", job_page(&samples::failed_job(names), &frame("/jobs/gl-4425", ""))),
        ("running", job_page(&samples::running_job(names), &frame("/jobs/gl-4420", ""))),
        ("history", history_page(&samples::history(names), &frame("/history", q))),
        ("start", start_time_page(&samples::start_time(names, 1204), &frame("/start-time", q))),
        ("cost", cost_page(&samples::cost(names), &frame("/cost", q))),
        ("images", images_page(&samples::images(names), &frame("/images", ""))),
        ("checks", checks_page(&samples::checks(names), &frame("/checks", ""))),
    ]
}

/// Every other page.
fn messages(hostile: &str) -> Vec<String> {
    let nearest = [hostile.to_owned()];
    let jobs = [(hostile.to_owned(), hostile.to_owned())];
    let mut out = vec![
        sign_in_page(&frame("/sign-in", hostile), Some(hostile)),
        not_found_page(&frame(hostile, hostile)),
        job_not_found_page(&frame("/jobs/x", ""), hostile, 90, &nearest),
        job_choice_page(&frame("/jobs/x", ""), hostile, &jobs),
        message_page(&frame("/", ""), hostile, hostile),
        later_page(&frame("/history", hostile), hostile, hostile),
        not_stopped_page(&frame("/", ""), hostile, hostile),
    ];
    let text = hostile.to_owned();
    let banners = [
        PageBanner::EcsSilent { for_ms: 130_000, error: text.clone() },
        PageBanner::IntakePaused {
            by: text.clone(),
            since_ms: NOW_MS,
            note: text.clone(),
            waiting: 2,
            is_draining: false,
        },
        PageBanner::HistoryUnreadable { error: text.clone(), tasks: Some(2) },
        PageBanner::HistoryStalled { since_ms: Some(NOW_MS), error: text.clone(), waiting: 2 },
        PageBanner::HistoryStalled { since_ms: None, error: text.clone(), waiting: 0 },
        PageBanner::HistoryRebuilt { at_ms: NOW_MS, path: text.clone() },
        PageBanner::NamesHidden,
        PageBanner::NotConfigured { missing: vec![text.clone()], path: text },
    ];
    for banner in banners {
        let frame = PageFrame { banner: Some(banner), ..frame("/", "") };
        out.push(now_page(&NowAnswer::default(), &frame));
    }
    out
}

/// Pages for answers without anything.
fn empty_pages() -> Vec<(&'static str, String)> {
    let first = NowAnswer { is_first_use: true, ..NowAnswer::default() };
    vec![
        ("No job has come yet.", now_page(&first, &frame("/", ""))),
        ("Nothing waits.", now_page(&NowAnswer::default(), &frame("/", ""))),
        ("Nothing has happened yet.", job_page(&JobAnswer::default(), &frame("/jobs/gl-1", ""))),
        ("No finished job yet.", history_page(&HistoryAnswer::default(), &frame("/history", ""))),
        (
            "Needs 20 starts to say something true; there are 0.",
            start_time_page(&StartTimeAnswer::default(), &frame("/start-time", "")),
        ),
        ("No task has been billed yet.", cost_page(&CostAnswer::default(), &frame("/cost", ""))),
        ("No image is managed here.", images_page(&ImagesAnswer::default(), &frame("/images", ""))),
        ("Not checked yet:", checks_page(&ChecksAnswer::default(), &frame("/checks", ""))),
    ]
}

/// What a reader gets: the words of the main part, one element per line, without drawings.
fn lines(page: &str) -> String {
    let main = page.find("<main").map_or(page, |at| &page[at..]);
    let mut rest = main.find("</main>").map_or(main, |at| &main[..at]);
    let mut words = String::new();
    while let Some(at) = rest.find("<svg") {
        words.push_str(&rest[..at]);
        rest = rest[at..].split_once("</svg>").map_or("", |(_, after)| after);
        // A drawing may hold another one.
        while let Some(at) = rest.find("</svg>").filter(|end| !rest[..*end].contains("<svg")) {
            rest = &rest[at + 6..];
        }
    }
    words.push_str(rest);
    let mut text = String::new();
    let mut is_tag = false;
    for c in words.chars() {
        match c {
            '<' => (is_tag, _) = (true, text.push('\n')),
            '>' => is_tag = false,
            c if !is_tag => text.push(c),
            _ => {}
        }
    }
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn pages_say_what_the_answers_say() {
    for (name, page) in pages(&SampleNames::default()) {
        insta::assert_snapshot!(name, lines(&page));
    }
}

#[test]
fn item_35_each_page_says_when_there_is_nothing_yet() {
    for (words, page) in empty_pages() {
        assert!(page.contains(words), "{words}\n{}", lines(&page));
    }
}

#[test]
fn item_14_no_page_shows_a_brace_that_nobody_filled() {
    let names = SampleNames::default();
    let all = pages(&names).into_iter().chain(empty_pages());
    for (name, page) in all {
        assert!(!page.contains('{') && !page.contains('}'), "{name}\n{}", lines(&page));
        assert!(!page.contains("unknown error"), "{name}");
    }
    for cause in fargate_model::cause::FailureCause::ALL {
        let page = cause_page(cause.entry().slug, &frame("/causes/x", "")).unwrap();
        // A command for `.gitlab-ci.yml` has braces of its own, with blanks inside.
        let page = page.replace("{ ", "").replace(" }", "");
        let is_named = page.contains("{\"") || !page.contains('{') || page.contains("${{");
        assert!(is_named, "{}\n{}", cause.entry().slug, lines(&page));
    }
    assert!(cause_page("no-such-cause", &frame("/causes/x", "")).is_none());
}

/// What people try. Each carries the word `intruder`, so that a test finds where it came out.
const HOSTILE: [&str; 9] = [
    "<script>intruder()</script>",
    "\"><img src=x onerror=intruder()>",
    "' onmouseover='intruder()",
    "</title><script>intruder()</script>",
    "javascript:intruder()",
    "{{constructor.constructor('intruder()')()}}",
    "\u{202e}intruder\u{2066}\u{0}\x1b[31m",
    "intruder&lt;b&gt;&#60;script&#62;",
    "]]><svg/onload=intruder()><!--",
];

#[test]
fn item_33_hostile_names_are_text_everywhere() {
    for hostile in HOSTILE {
        let names = SampleNames { hostile: hostile.to_owned() };
        let all = pages(&names).into_iter().map(|(_, page)| page).chain(messages(hostile));
        for page in all {
            assert_no_markup(&page, hostile);
        }
    }
    let names = SampleNames { hostile: "x".repeat(5000) };
    for (name, page) in pages(&names) {
        assert!(page.len() < 900_000, "{name}: {} bytes", page.len());
    }
}

/// Goes through the tags of a page: none holds a handler, a style, or an address that runs a script.
fn assert_no_markup(page: &str, hostile: &str) {
    let unseen = page.find(['\u{202e}', '\x1b', '\0']);
    let around = unseen.and_then(|at| page.get(at.saturating_sub(80)..at));
    assert_eq!(around, None, "{hostile:?}");
    let scripts = page.matches("<script").count();
    assert_eq!(
        scripts,
        page.matches("<script src=\"/static/").count()
            + page.matches("<script type=\"module\" src=\"/static/").count(),
        "{hostile}"
    );
    for tag in tags(page) {
        for (name, value) in attributes(tag) {
            assert!(!name.starts_with("on"), "{hostile}: {tag}");
            assert_ne!(name, "style", "{hostile}: {tag}");
            let is_address = matches!(name, "href" | "src" | "action");
            let is_ours = value.starts_with('/')
                || value.starts_with('#')
                || value.starts_with('?')
                || value.starts_with("https://");
            assert!(!is_address || is_ours, "{hostile}: {tag}");
        }
        assert!(!tag.starts_with("img"), "{hostile}: {tag}");
    }
}

/// What stands between `<` and `>`, where a `>` inside quotation marks ends nothing.
fn tags(page: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let inside = &rest[at + 1..];
        let mut is_quoted = false;
        let end = inside.find(|c| {
            is_quoted ^= c == '"';
            c == '>' && !is_quoted
        });
        let end = end.unwrap_or(inside.len());
        out.push(&inside[..end]);
        rest = &inside[end..];
    }
    out
}

fn attributes(tag: &str) -> Vec<(&str, &str)> {
    let mut out = Vec::new();
    let mut rest = tag.split_once(' ').map_or("", |(_, rest)| rest);
    while !rest.trim().is_empty() {
        rest = rest.trim_start();
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let name = &rest[..end];
        rest = &rest[end..];
        let value = match rest.strip_prefix("=\"") {
            Some(quoted) => {
                let end = quoted.find('"').unwrap_or(quoted.len());
                rest = quoted.get(end + 1..).unwrap_or_default();
                &quoted[..end]
            }
            None => "",
        };
        out.push((name, value));
    }
    out
}

#[test]
fn a_page_has_one_head_and_its_landmarks() {
    for (name, page) in pages(&SampleNames::default()) {
        assert_eq!(page.matches("<h1").count(), 1, "{name}");
        assert_eq!(page.matches("id=\"answer\"").count(), 1, "{name}");
        for landmark in ["<header", "<main", "<footer", "<nav"] {
            assert!(page.contains(landmark), "{name}: {landmark}");
        }
        let skip = page.find("class=\"skip\"").unwrap();
        assert!(skip < page.find("<header").unwrap(), "{name}");
        let ids: Vec<&str> = tags(&page)
            .iter()
            .flat_map(|tag| attributes(tag))
            .filter(|(key, _)| *key == "id")
            .map(|(_, id)| id)
            .collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), ids.len(), "{name}: an id stands twice: {ids:?}");
    }
}

#[test]
fn a_page_that_cannot_be_shown_now_promises_nothing_and_can_be_asked_for_again() {
    let banner = PageBanner::HistoryUnreadable { error: "disk full".to_owned(), tasks: Some(2) };
    let frame = PageFrame { banner: Some(banner), ..frame("/", "host=ci-1") };
    let page = later_page(&frame, "Service Unavailable", "The history cannot be read.");
    assert!(page.contains("ECS shows 2 tasks of this host now."), "{}", lines(&page));
    assert!(!page.contains("Below"), "there is nothing below");
    assert!(page.contains("<a class=\"button\" href=\"/?host=ci-1\">Try again</a>"));
}

/// A number that ticks in a live region is spoken each second.
#[test]
fn no_region_that_is_spoken_holds_a_number_that_ticks() {
    let banner = PageBanner::EcsSilent { for_ms: 130_000, error: "Throttling".to_owned() };
    let frame = PageFrame { banner: Some(banner), ..frame("/", "") };
    let page = now_page(&samples::now(&SampleNames::default()), &frame);
    let banner = page.split("<p class=\"banner\" role=\"status\">").nth(1).unwrap();
    let banner = banner.split("</p>").next().unwrap();
    assert!(banner.contains("aria-hidden=\"true\">2m 10s</span>"), "{banner}");
    for tag in tags(&page) {
        let given = attributes(tag);
        let is_spoken = given.iter().any(|(name, _)| matches!(*name, "role" | "aria-live"));
        assert!(!given.contains(&("id", "stream")) || !is_spoken, "{tag}");
    }
    let page = not_stopped_page(&frame, "Not stopped", "The task was not stopped.");
    assert!(page.contains("data-alert") && page.contains("id=\"spoken-alert\" role=\"alert\""));
}

#[test]
fn an_operator_pauses_or_drains_and_later_resumes() {
    let now = samples::now(&SampleNames::default());
    let page = now_page(&now, &frame("/", ""));
    assert!(page.contains("formaction=\"/intake/drain\"") && page.contains("Pause intake"));
    let paused = NowAnswer { paused_since_ms: Some(NOW_MS), ..now };
    let page = now_page(&paused, &frame("/", ""));
    assert!(page.contains("Resume intake") && !page.contains("/intake/drain"));
}

#[test]
fn a_fragment_is_the_main_part_alone() {
    let frame = PageFrame { is_fragment: true, ..frame("/", "") };
    let page = now_page(&samples::now(&SampleNames::default()), &frame);
    assert!(page.starts_with("<main") && page.ends_with("</main>"));
}

#[test]
fn item_30_twelve_starts_show_no_percentile() {
    let names = SampleNames::default();
    let few = start_time_page(&samples::start_time(&names, 12), &frame("/start-time", ""));
    assert!(few.contains("there are 12, from 31.0 s to 1m 01s"));
    assert!(!few.contains("99 of 100</th>"));
    let many = start_time_page(&samples::start_time(&names, 200), &frame("/start-time", ""));
    assert!(many.contains("99 of 100</th>"));
}

#[test]
fn item_32_each_sum_stands_near_the_word_about_or_estimate() {
    let page = cost_page(&samples::cost(&SampleNames::default()), &frame("/cost", ""));
    assert!(page.contains("Prices of 2026-10-09"));
    assert!(page.contains("Not included: NAT, EFS, data, addresses"));
    for section in page.split("<section").skip(1) {
        if section.contains('$') {
            assert!(section.contains("estimate") || section.contains("about"), "{section}");
        }
    }
}

#[test]
fn what_gitlab_runner_does_not_tell_is_no_number() {
    let page = |numbers| {
        let now = NowAnswer { gitlab_runner: numbers, ..samples::now(&SampleNames::default()) };
        now_page(&now, &frame("/", ""))
    };
    assert!(page(None).contains("serve.gitlab_runner_metrics"));
    let silent = RunnerNumbers { error: Some("refused".to_owned()), ..RunnerNumbers::default() };
    let silent = page(Some(silent));
    assert!(silent.contains("It has not answered yet."), "{silent}");
    assert!(!silent.contains("<dt>Jobs</dt>"), "no number that nobody told");
    let told = RunnerNumbers { heard_ms: Some(1), jobs: Some(3), ..RunnerNumbers::default() };
    let told = page(Some(told));
    assert!(told.contains("<dt>Jobs</dt>") && !told.contains("<dt>concurrent</dt>"), "{told}");
}

#[test]
fn a_cause_leads_to_the_runbook_that_the_configuration_names() {
    let with = |url: &str| {
        let frame = PageFrame { runbook_url: Some(url.to_owned()), ..frame("/causes/x", "") };
        cause_page("no-capacity", &frame).unwrap()
    };
    assert!(
        with("https://wiki.example.org/{cause}").contains("https://wiki.example.org/no-capacity")
    );
    assert!(!with("javascript:{cause}").contains("javascript:"));
}

#[test]
fn item_6_a_cause_of_many_jobs_is_one_line_that_links_to_them() {
    let page = now_page(&samples::now(&SampleNames::default()), &frame("/", ""));
    assert_eq!(page.matches("data-row=\"no-capacity eu-west-1a and eu-west-1b\"").count(), 1);
    assert!(page.contains("9 jobs"));
    // 8 of them failed, and one waits.
    let list = "href=\"/history?verdict=failed,system,timed_out&amp;cause=no-capacity\
        &amp;object=eu-west-1a+and+eu-west-1b&amp;last=1h&amp;window=ended\"";
    assert!(page.contains(list), "{}", lines(&page));
    assert!(page.contains("These 8 jobs") && page.contains("href=\"/jobs/gl-4411\""));
    // A cause without an object means the jobs without one.
    assert!(page.contains("cause=script-failed&amp;object=-&amp;last=1h"));
    let guest = PageFrame { is_signed_in: false, is_operator: false, ..frame("/", "") };
    let page = now_page(&samples::now(&SampleNames::default()), &guest);
    assert!(page.contains("cause=script-failed&amp;last=1h&amp;window=ended"));
}

#[test]
fn two_causes_that_differ_in_their_object_are_two_rows() {
    let mut now = samples::now(&SampleNames::default());
    now.attention[1].why = now.attention[0].why.clone();
    let page = now_page(&now, &frame("/", ""));
    assert_eq!(page.matches("data-row=\"no-capacity eu-west-1a and eu-west-1b\"").count(), 1);
    assert_eq!(page.matches("data-row=\"no-capacity registry-login\"").count(), 1);
}

#[test]
fn what_failed_is_listed_for_the_hosts_and_projects_that_the_page_shows() {
    let page = now_page(
        &samples::now(&SampleNames::default()),
        &frame("/", "host=ci-1&project=acme%2Fweb&sort=newest"),
    );
    let list = "href=\"/history?host=ci-1&amp;project=acme%2Fweb&amp;verdict=failed,system,timed_out\
        &amp;last=1h&amp;window=ended\"";
    assert!(page.contains(list), "{}", lines(&page));
}

#[test]
fn a_list_without_a_job_names_the_filter_that_can_go() {
    let removable = fargate_status_answers::RemovableFilter { key: "cause".to_owned(), jobs: 21 };
    let none = HistoryAnswer { all: 30, removable: Some(removable), ..HistoryAnswer::default() };
    let page = history_page(&none, &frame("/history", "verdict=failed&cause=no-capacity"));
    let said = lines(&page).replace('\n', " ");
    assert!(said.contains(". Without cause there are 21. Remove it Clear all"), "{said}");
    assert!(page.contains("<a href=\"/history?verdict=failed\">Remove it</a>"));
}

#[test]
fn a_list_by_the_end_of_its_jobs_says_so_and_leads_back() {
    let history = samples::history(&SampleNames::default());
    let page = history_page(&history, &frame("/history", "last=1h&window=ended"));
    assert!(page.contains(">Ended in this time</a>"), "{}", lines(&page));
    assert!(page.contains("href=\"/history?last=1h\""));
}

#[test]
fn history_by_cause_leads_to_the_jobs_of_each() {
    let mut history = samples::history(&SampleNames::default());
    let group = |slug: &str, jobs| {
        let headline = format!("what {slug} means");
        fargate_status_answers::CauseGroup { slug: slug.to_owned(), headline, jobs }
    };
    history.groups = Some(vec![group("script-failed", 15), group("image-denied", 9)]);
    let page = history_page(&history, &frame("/history", "verdict=system&group=cause&last=7d"));
    assert!(page.contains("href=\"/causes/script-failed\""), "{page}");
    assert!(page.contains("href=\"/history?verdict=system&amp;cause=script-failed&amp;last=7d\""));
    assert!(!page.contains("data-list=\"jobs\""));
}

#[test]
fn item_15_a_command_to_copy_has_no_prompt_and_no_line_break() {
    for (name, page) in pages(&SampleNames::default()) {
        for tag in tags(&page) {
            for (_, command) in attributes(tag).into_iter().filter(|(key, _)| *key == "data-copy") {
                assert!(!command.contains('\n') && !command.starts_with("$ "), "{name}: {command}");
            }
        }
    }
}
