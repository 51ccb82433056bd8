//! Real jobs whose names try to become a part of a page, on all pages of the real `fargate-runner serve`: nothing of
//! them runs, each is read as text, and the browser reports nothing against the policy that the service sends.

use std::rc::Rc;
use std::time::Duration;

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_model::text::escape_within;
use fargate_tests::{
    BUILD_FAILURE, CheckedHost, PipeReading, SYSTEM_FAILURE, TestJob, have, until_found,
};
use serde_json::{Value, json};

use crate::chromium::{BrowserTab, ChromiumBrowser};
use crate::looks::{HOSTILE, WIDTH};
use crate::real_jobs::{REPORTS, RunningService};

/// Longest name that a page shows whole, in characters. Source: the brief of the pages, 2.0.
const NAME_LIMIT: usize = 48;

/// Gives each page the function that the names call, before the page has any script. It is not bound by the policy.
const INTRUDER: &str =
    "window.intrusions = 0; window.intruder = () => { window.intrusions += 1; };";

/// How often a name ran as a script, the elements that only a name could bring, and links that are scripts.
const INTRUSIONS: &str = "[window.intrusions, \
    document.querySelectorAll('img, [onclick], [onload], [onerror], [onmouseover], b, main script').length, \
    document.querySelectorAll('[href^=\"javascript:\" i], [src^=\"javascript:\" i]').length]";

/// A job all of whose names are `hostile`, and whose stage has this name, too.
fn hostile_job(site: &CheckedHost, hostile: &str) -> Rc<TestJob> {
    let job = site.job_with(|job| {
        for name in ["CI_JOB_NAME", "CI_COMMIT_REF_NAME", "CI_PROJECT_PATH", "CI_JOB_IMAGE"] {
            job.set(&format!("CUSTOM_ENV_{name}"), hostile);
        }
        for name in ["GITLAB_USER_NAME", "GITLAB_USER_LOGIN", "GITLAB_USER_EMAIL"] {
            job.set(&format!("CUSTOM_ENV_{name}"), hostile);
        }
    });
    job.change_response(|response| {
        for name in ["name", "stage", "project_name", "project_full_path"] {
            response["job_info"][name] = hostile.into();
        }
        for name in ["ref", "sha"] {
            response["git_info"][name] = hostile.into();
        }
        response["image"] = json!({ "name": hostile });
        response["services"] = json!([{ "name": hostile }]);
    });
    job
}

/// Runs a job to its end, for each name: the first one passes, the others fail.
async fn run_jobs(site: &CheckedHost, names: &[&str]) {
    for (number, hostile) in names.iter().enumerate() {
        let job = hostile_job(site, hostile);
        job.prepare().await.passed();
        let (script, code) = if number == 0 { ("true", 0) } else { ("exit 3", BUILD_FAILURE) };
        let stage = job.start_stage(format!("step_{hostile}"), script, PipeReading::Always);
        job.heard(stage).await.with_code(code);
        job.cleanup().await.passed();
    }
}

/// A job whose task does not start, for a reason with all hostile words in it.
async fn fail_a_start(site: &CheckedHost) {
    let said = format!("CannotPullContainerError: pull access denied for {}", HOSTILE.join(" "));
    let stop = CloudFault::TaskStops {
        phase: CloudTaskPhase::Pending,
        after: Duration::ZERO,
        stop_code: "TaskFailedToStart".to_owned(),
        stopped_reason: said.clone(),
        container_reason: Some(said),
        exit_code: None,
    };
    site.cloud().fail_until_cleared("RunTask", stop);
    let job = hostile_job(site, HOSTILE[0]);
    job.prepare().await.with_code(SYSTEM_FAILURE);
    site.cloud().clear_faults();
    job.cleanup().await.passed();
}

/// All bytes but letters, digits and three marks in percent-encoding.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Opens a page, and asserts that nothing of a name runs or widens it.
async fn assert_harmless(tab: &BrowserTab<'_>, service: &RunningService, path: &str) {
    tab.open(&service.url(path)).await;
    assert_eq!(tab.eval(INTRUSIONS).await, json!([0, 0, 0]), "{path:.200}");
    let width = tab.eval(WIDTH).await;
    assert!(width.as_u64() <= Some(1280), "{path:.200}: {width} px");
}

/// The page of a job shows its name as text: in its heading, its title, its facts and its stages.
async fn assert_job_is_read(
    tab: &BrowserTab<'_>,
    service: &RunningService,
    number: usize,
    name: &str,
) {
    let path = format!("/jobs/gl-{}", 4000 + number);
    let shown = escape_within(name, NAME_LIMIT);
    for view in ["start", "stages", "tries"] {
        assert_harmless(tab, service, &format!("{path}?view={view}")).await;
        assert_eq!(tab.text("h1").await, shown, "{path}");
    }
    let title = tab.eval("document.title").await;
    assert!(title.as_str().is_some_and(|title| title.contains(&shown)), "{path}: {title}");
    let facts = tab.eval("document.querySelector('.facts-line').textContent").await;
    let facts = facts.as_str().unwrap_or_default();
    assert!(facts.starts_with(&shown), "{path} has no project: {facts}");
    assert!(facts.contains(&format!("branch {shown}")), "{path} has no branch: {facts}");
    let stages = tab.text("table.stages").await;
    let stage = escape_within(&format!("step_{name}"), NAME_LIMIT);
    assert!(stages.contains(&stage), "{path} has no stage {stage}: {stages}");
}

/// The pages that are the same whatever the names are, and what they ask of names is in the address.
fn pages_with(name: &str) -> Vec<String> {
    let name = encoded(name);
    vec![
        format!("/?host={name}&project={name}&show={name}&sort={name}"),
        format!("/history?q={name}"),
        format!("/history?cause={name}&object={name}&class={name}&image={name}&size={name}"),
        format!("/history?verdict={name}&last={name}&sort={name}&{name}={name}"),
        format!("/history?group=cause&host={name}"),
        format!("/start-time?project={name}&image={name}&size={name}"),
        format!("/cost?by=project&project={name}"),
        format!("/cost?by={name}"),
        format!("/images/{name}"),
        format!("/causes/{name}"),
        format!("/jobs/{name}"),
        format!("/sign-in?back={name}"),
        format!("/nowhere/{name}"),
    ]
}

#[tokio::test]
async fn item_33_names_of_real_jobs_run_nothing_and_break_no_policy_of_the_real_service() {
    if !have("chromium") {
        return;
    }
    let site = CheckedHost::open().await;
    let long = "x".repeat(5000);
    let names: Vec<&str> = HOSTILE.into_iter().chain([long.as_str()]).collect();
    run_jobs(&site, &names).await;
    fail_a_start(&site).await;
    let failed_start = names.len();
    let live = hostile_job(&site, HOSTILE[0]);
    live.prepare().await.passed();
    live.run("true").await.passed();
    let finished = names.len() + 1;

    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    tab.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": INTRUDER })).await;
    tab.open(&service.url("/")).await;
    until_found("all jobs are in the history", async || {
        let rows = "fetch('/api/v1/jobs?per=200').then((it) => it.json()).then((it) => \
            (it.rows ?? []).filter((row) => row.state === 'finished').length)";
        let rows = tab.eval(rows).await;
        if rows == json!(finished) { Ok(()) } else { Err(rows.to_string()) }
    })
    .await;

    for path in ["/", "/history?per=200", "/start-time", "/cost", "/images", "/checks"] {
        assert_harmless(&tab, &service, path).await;
        tab.picture(&format!("real-hostile{}", path.replace(['/', '?', '='], "-"))).await;
    }
    assert_harmless(&tab, &service, "/").await;
    let running = tab.text("#running").await;
    assert!(running.contains(HOSTILE[0]), "the job that runs has no name: {running}");
    for (number, name) in names.iter().enumerate() {
        assert_job_is_read(&tab, &service, number, name).await;
    }
    assert_harmless(&tab, &service, &format!("/jobs/gl-{}", 4000 + failed_start)).await;
    tab.picture("real-hostile-failed-start").await;
    let why = tab.eval("document.querySelector('#why').textContent").await;
    assert!(why.as_str().is_some_and(|why| why.contains(HOSTILE[0])), "no words of ECS: {why}");

    for name in HOSTILE {
        // The history keeps no control character of a name, and compares a filter without them.
        let kept: String = name.chars().filter(|char| !char.is_control()).collect();
        let shown = escape_within(&kept, NAME_LIMIT);
        for filter in ["project", "ref"] {
            let path = format!("/history?{filter}={}", encoded(name));
            assert_harmless(&tab, &service, &path).await;
            let jobs = "[...new Set([...document.querySelectorAll('#jobs .row-link')].map((it) => it.innerText))]";
            assert_eq!(tab.eval(jobs).await, json!([shown]), "{path}");
        }
        for path in pages_with(name) {
            assert_harmless(&tab, &service, &path).await;
        }
    }

    // The policy and the marker are watched: a page that breaks the policy is reported, and nothing was before.
    tab.open(&service.url("/checks?deliberate")).await;
    tab.eval("intruder()").await;
    assert_eq!(tab.eval("window.intrusions").await, json!(1), "nothing would be counted");
    tab.eval("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">x</p>')").await;
    tab.until("the report has come", &format!("({REPORTS}).then((count) => count > 0)")).await;
    let reports = "fetch('/api/v1/csp-report').then((it) => it.json()).then((it) => it.reports)";
    let reports = tab.eval(reports).await;
    let reports: Vec<&str> =
        reports.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(reports.iter().all(|report| report.contains("/checks?deliberate")), "{reports:#?}");
    live.cleanup().await.passed();
    service.close().await;
    site.close().await;
}
