//! Starts that AWS or a registry refused, on the pages of the real `fargate-runner serve`.

use std::time::Duration;

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, SYSTEM_FAILURE, have};
use serde_json::Value;

use crate::chromium::ChromiumBrowser;
use crate::real_jobs::RunningService;

/// The secret with the login of the registry, and its value.
const SECRET: &str = "ci/registry";
const PASSWORD: &str = "canary-registry-password";
/// What ECS says when a registry refuses an image.
const DENIED: &str = "CannotPullContainerError: pull access denied for registry.example/ci/job, repository does \
    not exist or may require 'docker login'";

/// A host whose registry wants a login, and refuses the image of its one job.
async fn host_of_a_denied_job() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.set("profile.private.image", "registry.invalid:5000/ci/job:1");
    // Only tasks can reach this registry.
    site.set("profile.private.pin_image", false);
    site.set("profile.private.registry_secret", SECRET);
    site.set("profile.private.execution_role", "ci-execution");
    // The checks at the end accept only names that stand in the configuration.
    site.set("profile.private.task_definition_family", "private-jobs");
    let login = format!(r#"{{"username":"ci","password":"{PASSWORD}"}}"#);
    site.cloud().put_secret(SECRET, &login).expect("a name and a value");
    let stop = CloudFault::TaskStops {
        phase: CloudTaskPhase::Pending,
        after: Duration::ZERO,
        stop_code: "TaskFailedToStart".to_owned(),
        stopped_reason: DENIED.to_owned(),
        container_reason: None,
        exit_code: None,
    };
    site.cloud().fail_until_cleared("RunTask", stop);
    let job = site.job_with(|job| {
        job.set("AWS_ENDPOINT_URL", site.cloud().endpoint());
        job.arguments.extend(["--profile".into(), "private".into()]);
    });
    job.prepare().await.with_code(SYSTEM_FAILURE);
    job.cleanup().await.passed();
    site
}

#[tokio::test]
async fn item_12_a_denied_image_is_explained_with_a_command_and_without_the_value_of_its_secret() {
    if !have("chromium") {
        return;
    }
    let site = host_of_a_denied_job().await;
    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    let html = "document.documentElement.outerHTML";
    tab.open(&service.url("/")).await;
    tab.until("the cause is there", "document.querySelector('.cause-name')?.innerText.includes('The registry refused the image') === true").await;
    tab.picture("real-cause").await;
    let now = tab.eval(html).await.to_string();
    tab.open(&service.url("/jobs/gl-4000")).await;
    let why = tab.text("#why").await;
    assert!(
        why.contains("The registry refused the image") && why.contains("image-denied"),
        "{why}"
    );
    assert!(why.contains(DENIED) && why.contains("Fix:"), "{why}");
    let command = tab.eval("document.querySelector('#why [data-copy]')?.dataset.copy").await;
    let command = command.as_str().unwrap_or_default();
    let is_whole = command.starts_with("aws ") || command.starts_with("fargate-runner ");
    assert!(is_whole && !command.contains(['{', '\n']), "{command:?} in {why}");
    tab.picture("real-image-denied").await;
    let page = tab.eval(html).await.to_string();
    let answers = "Promise.all(['', '/why', '/events?per=200'].map((it) => \
        fetch(`/api/v1/jobs/gl-4000${it}`).then((answer) => answer.text())))";
    let answers = tab.eval(answers).await.to_string();
    assert!(answers.contains("image-denied"), "{answers}");
    for (what, text) in [("now", now), ("the job's page", page), ("the API", answers)] {
        assert!(!text.contains(PASSWORD), "{what} shows the value of the secret: {text}");
    }
    service.close().await;
    site.close().await;
}

#[tokio::test]
async fn item_12_a_denied_image_names_the_secret_with_the_login_that_was_used() {
    if !have("chromium") {
        return;
    }
    let site = host_of_a_denied_job().await;
    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    tab.open(&service.url("/")).await;
    tab.until("the cause is there", "Boolean(document.querySelector('.cause-name'))").await;
    tab.open(&service.url("/jobs/gl-4000")).await;
    let why = tab.text("#why").await;
    assert!(why.contains(SECRET), "{why}");
    service.close().await;
    site.close().await;
}

#[tokio::test]
async fn item_5_a_lack_of_capacity_a_quota_and_a_throttled_call_have_three_headlines() {
    if !have("chromium") {
        return;
    }
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.prepare", "2s");
    site.set("defaults.timeouts.task_start", "2s");
    site.set("defaults.timeouts.task_stop", "500ms");
    let failure = |reason: &str| CloudFault::Failure { reason: reason.to_owned(), detail: None };
    let causes = [
        ("No Fargate capacity in ", failure("Capacity is unavailable at this time.")),
        (
            "The account's vCPU quota is used up",
            failure("You've reached the limit on the number of vCPUs you can run concurrently"),
        ),
        (
            "AWS limits how fast tasks start",
            CloudFault::Exception {
                status: 400,
                code: "ThrottlingException".to_owned(),
                message: "Rate exceeded".to_owned(),
            },
        ),
    ];
    let mut expected = Vec::new();
    for (headline, fault) in causes {
        site.cloud().fail_until_cleared("RunTask", fault);
        let job = site.job();
        job.prepare().await.with_code(SYSTEM_FAILURE);
        site.cloud().clear_faults();
        job.cleanup().await.passed();
        expected.push(headline);
    }
    let service = RunningService::of(&site).await;
    let browser = ChromiumBrowser::start().await;
    let tab = browser.tab().await;
    tab.open(&service.url("/")).await;
    tab.until("three causes are there", "document.querySelectorAll('.cause-name').length === 3")
        .await;
    tab.picture("real-three-refusals").await;
    let shown = "[...document.querySelectorAll('.cause-name')].map((it) => it.innerText.trim())";
    let shown = tab.eval(shown).await;
    let shown: Vec<&str> =
        shown.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    for (number, headline) in expected.into_iter().enumerate() {
        let own = shown.iter().filter(|it| it.starts_with(headline)).count();
        assert_eq!(own, 1, "{headline} in {shown:?}");
        tab.open(&service.url(&format!("/jobs/gl-{}", 4000 + number))).await;
        let title = tab.text("#why-title").await;
        assert!(title.starts_with(headline), "{title} is not {headline}");
    }
    service.close().await;
    site.close().await;
}
