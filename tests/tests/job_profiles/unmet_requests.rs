//! A job that asks for an image or a service which its profile does not run: it is told, or refused.

use fargate_tests::{BUILD_FAILURE, CheckedHost};
use serde_json::json;

use crate::{job_of, respond};

/// A host whose jobs run under a profile with an image.
async fn host_with_image() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.set("profile.own.image", "team/ci:1");
    site.set("profile.own.pin_image", false);
    site.set("profile.own.task_definition_family", "made-here");
    site.set("profile.own.projects", toml::Value::from(vec!["shop/**"]));
    site
}

#[tokio::test]
async fn a_job_is_told_what_runs_instead_of_what_it_asked_for() {
    let site = host_with_image().await;
    let job = job_of(&site, "shop/app", false, |job| {
        respond(job, |response| {
            response["image"] = json!({ "name": "node:20\u{1b}[2J" });
            response["services"] = json!([{ "name": "postgres:15" }, { "name": "" }, 7]);
        });
    });
    let said = job.prepare().await.with_code(0).out();
    let lines: Vec<&str> = said.lines().take(2).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    Warning: Asked for the image "node:20\x1b[2J", this runner runs "team/ci:1"
    Warning: Asked for the service "postgres:15", this runner runs none beside "team/ci:1"
    "#);
    job.run("echo works").await.passed();
    site.close().await;
}

#[tokio::test]
async fn the_image_that_runs_is_no_news_in_any_of_its_texts() {
    let site = host_with_image().await;
    site.set("profile.own.on_unsupported", "refuse");
    for image in ["team/ci:1", "docker.io/team/ci:1", ""] {
        let job = job_of(&site, "shop/app", false, |job| {
            respond(job, |response| response["image"] = json!({ "name": image }));
        });
        let said = job.prepare().await.with_code(0).out();
        assert!(!said.contains("Asked for"), "{said}");
        job.cleanup().await.passed();
    }
    site.close().await;
}

#[tokio::test]
async fn a_profile_that_refuses_ends_the_job_once_and_starts_nothing() {
    let site = host_with_image().await;
    site.set("profile.own.on_unsupported", "refuse");
    let job = job_of(&site, "shop/app", false, |job| {
        respond(job, |response| response["image"] = json!({ "name": "node:20" }));
        job.set("CUSTOM_ENV_FARGATE_CPU", "2048");
        job.set("NO_COLOR", "1");
    });
    job.config().await.passed();
    let said = job.prepare().await.with_code(BUILD_FAILURE).out();
    insta::assert_snapshot!(said, @r#"
    error: this job asks for what this runner does not give
      Asked for the image "node:20", this runner runs "team/ci:1".
      FARGATE_CPU "2048" is refused: `job_max_cpu` in the runner's configuration lets no job choose it.
      Fix: leave it out of `.gitlab-ci.yml`, or ask whoever runs the CI platform: `on_unsupported` of profile own refuses such jobs
      Cause: unsupported-request
    "#);
    assert_eq!(job.cleanup().await.with_code(0).all(), "");
    assert_eq!(site.cloud().requests().len(), 0, "AWS was asked nothing");
    site.close().await;
}

#[tokio::test]
async fn a_job_without_its_access_point_starts_nothing_and_names_the_command() {
    let site = host_with_image().await;
    site.cloud().add_file_system("fs-0a1b2c3d4e5f60718");
    site.set("volume.data.file_system", "fs-0a1b2c3d4e5f60718");
    site.set("volume.data.path", "/data");
    site.set("volume.data.separation", "project");
    site.set("volume.data.iam", false);
    site.set("profile.own.volumes", toml::Value::from(vec!["data"]));
    let endpoint = site.cloud().endpoint();
    let job = job_of(&site, "shop/app", false, |job| job.set("AWS_ENDPOINT_URL", endpoint));
    let said = job.prepare().await.with_code(fargate_tests::SYSTEM_FAILURE).out();
    assert!(said.contains("efs apply --project shop/app"), "{said}");
    let asked = site.start(&["--profile", "own", "task-definition", "render"]).ended().await;
    let line = asked.with_code(1).error_line();
    assert!(line.contains("has a folder for each project"), "{line}");
    assert_eq!(site.calls("RunTask") + site.calls("RegisterTaskDefinition"), 0);
    site.close().await;
}
