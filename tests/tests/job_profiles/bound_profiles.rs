//! A profile that is bound to projects and protected refs reaches the jobs that it is for, and no other.

use std::sync::Arc;

use fargate_playground::runner::{
    DriverCallObserver, GitLabJob, GitLabVerdict, JobControl, RunnerTimes,
};
use fargate_tests::{BUILD_FAILURE, CheckedHost, until};
use serde_json::json;
use toml::Value;

use crate::{job_of, launched, profile_of_task};

/// A host with a profile for protected refs of one project, and one for its group.
async fn bound_host() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.set("profile.deploy.projects", Value::from(vec!["shop/app"]));
    site.set("profile.deploy.refs", "protected");
    site.set("profile.shop.projects", Value::from(vec!["shop/**"]));
    site
}

#[tokio::test]
async fn two_projects_and_two_refs_get_their_profiles_from_gitlab_runner() {
    let site = bound_host().await;
    let runner = site.runner("testtestt", RunnerTimes::default()).expect("a runner");
    let table = [
        ("shop/app", true, "deploy"),
        ("shop/app", false, "shop"),
        ("shop/other", true, "shop"),
        ("other/app", true, ""),
    ];
    for (number, (project, is_protected, profile)) in (8001..).zip(table) {
        let response = json!({
            "id": number, "token": format!("glcbt-canary-{number}"),
            "job_info": { "name": "test", "project_id": 7, "project_full_path": project },
            "git_info": {
                "repo_url": format!("https://gitlab.example/{project}.git"),
                "ref": "main", "sha": "0".repeat(40), "protected": is_protected,
            },
            "runner_info": { "timeout": 3600 },
            "variables": [
                { "key": "GIT_STRATEGY", "value": "none" },
                // Nobody believes what a job says of itself.
                { "key": "CI_PROJECT_PATH", "value": "shop/app" },
                { "key": "CI_COMMIT_REF_PROTECTED", "value": "true" },
            ],
            "steps": [{ "name": "script", "script": ["echo works"] }],
        });
        let job = GitLabJob::read(&response.to_string()).expect("a job");
        let silent: DriverCallObserver = Arc::new(|_| {});
        let played = runner.play(&job, &JobControl::default(), silent).await;
        assert_eq!(played.verdict, GitLabVerdict::Success, "{project}");
        assert_eq!(profile_of_task(&site), profile, "{project} {is_protected}");
    }
    until("the end of every task", || site.cloud().live_tasks() == 0).await;
    site.close().await;
}

#[tokio::test]
async fn a_named_profile_refuses_a_job_that_it_is_not_for_and_nothing_is_started() {
    let site = bound_host().await;
    let named = |project, is_protected| {
        job_of(&site, project, is_protected, |job| {
            job.arguments.extend(["--profile".into(), "deploy".into()]);
        })
    };
    let (branch, stranger) = (named("shop/app", false), named("other/app", true));
    let mut said = Vec::new();
    for job in [&branch, &stranger] {
        for ended in [job.config().await, job.prepare().await] {
            said.push(ended.with_code(BUILD_FAILURE).error_line());
        }
        assert_eq!(job.cleanup().await.with_code(0).all(), "");
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    fargate-runner: error: profile `deploy` is not for this job: it has `refs = "protected"`, and this job's branch or tag is not protected. Ask for `projects` and `refs` of a profile that names this job's project and branch (cause: profile-not-for-job)
    error: profile `deploy` is not for this job: it has `refs = "protected"`, and this job's branch or tag is not protected
    fargate-runner: error: profile `deploy` is not for this job: its `projects` do not name this job's project "other/app". Ask for `projects` and `refs` of a profile that names this job's project and branch (cause: profile-not-for-job)
    error: profile `deploy` is not for this job: its `projects` do not name this job's project "other/app"
    "#);
    assert_eq!(site.cloud().requests().len(), 0, "AWS was asked nothing");
    let right = named("shop/app", true);
    right.config().await.passed();
    right.prepare().await.passed();
    assert_eq!(profile_of_task(&site), "deploy");
    site.close().await;
}

#[tokio::test]
async fn later_stages_keep_the_profile_although_the_configuration_changed() {
    let site = bound_host().await;
    let job = job_of(&site, "shop/app", true, |_| {});
    job.prepare().await.passed();
    assert_eq!(job.state().expect("a record")["profile"]["name"], "deploy");
    // Nothing is for this job any more, and its profile has another cluster.
    site.set("defaults.projects", Value::from(vec!["nobody/else"]));
    site.set("profile.deploy.projects", Value::from(vec!["nobody/else"]));
    site.set("profile.shop.projects", Value::from(vec!["nobody/else"]));
    site.set("profile.deploy.cluster", "another");
    assert_eq!(job.run("echo works").await.with_code(0).out(), "works\n");
    assert_eq!(job.cleanup().await.with_code(0).all(), "");
    let later = job_of(&site, "shop/app", true, |_| {});
    later.prepare().await.with_code(BUILD_FAILURE);
    later.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn an_image_leads_to_a_profile_that_is_for_the_job_and_to_no_other() {
    let site = bound_host().await;
    site.set("profile.open.platform_version", "1.4.0");
    site.set("images.node:*", "deploy");
    site.set("images.open:*", "open");
    let asking = |project, image: &str| {
        let image = image.to_owned();
        job_of(&site, project, false, move |job| {
            crate::respond(job, |response| response["image"] = json!({ "name": image }));
        })
    };
    let led = asking("other/app", "open:1");
    assert!(!led.prepare().await.with_code(0).out().contains("Warning"));
    assert_eq!(profile_of_task(&site), "open");
    assert_eq!(launched(&site)["platformVersion"], "1.4.0");
    let skipped = asking("shop/app", "node:20").prepare().await.with_code(0).out();
    assert_eq!(profile_of_task(&site), "shop");
    insta::assert_snapshot!(skipped.lines().next().unwrap_or_default(), @r#"Warning: `[images]` leads image "node:20" to profile `deploy`, which is skipped: it has `refs = "protected"`, and this job's branch or tag is not protected"#);
    site.close().await;
}
