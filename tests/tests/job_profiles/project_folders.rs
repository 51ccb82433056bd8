//! Jobs of one project share a folder on EFS at each protection level, and no other job mounts it.

use std::process::Stdio;

use fargate_tests::{CheckedHost, PolicyHolder, SYSTEM_FAILURE, efs_client, runner};
use tokio::process::Command;

use crate::{job_of, launched};

const FILE_SYSTEM: &str = "fs-0a1b2c3d4e5f60718";

/// A host whose profile has a volume with a folder for each project, and the folders of `shop/app`.
async fn host_with_folders() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.cloud().add_file_system(FILE_SYSTEM);
    site.set("volume.data.file_system", FILE_SYSTEM);
    site.set("volume.data.path", "/data");
    site.set("volume.data.separation", "project");
    site.set("profile.own.image", "team/ci:1");
    site.set("profile.own.pin_image", false);
    site.set("profile.own.task_role", "ci-task");
    site.set("profile.own.task_definition_family", "made-here");
    site.set("profile.own.projects", toml::Value::from(vec!["shop/**"]));
    site.set("profile.own.volumes", toml::Value::from(vec!["data"]));
    let mut apply = Command::new(runner());
    apply.arg("-c").arg(site.config()).args(["efs", "apply", "--yes", "--project", "shop/app"]);
    apply.env_clear().envs(site.environment_of(PolicyHolder::Infrastructure, &site.config()));
    apply.env("AWS_ENDPOINT_URL", site.cloud().endpoint());
    let said = apply.stdin(Stdio::null()).kill_on_drop(true).output().await.expect("a program");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    site
}

/// A tag of the access point that the last launched task definition mounts through.
async fn tag_of_access_point(site: &CheckedHost, name: &str) -> String {
    let definition = launched(site)["taskDefinition"].as_str().expect("a definition").to_owned();
    let found = site.ecs().describe_task_definition().task_definition(definition).send().await;
    let found = found.expect("an answer");
    let volume = &found.task_definition().expect("a definition").volumes()[0];
    let efs = volume.efs_volume_configuration().expect("a volume of EFS");
    let id = efs.authorization_config().and_then(|access| access.access_point_id());
    let points = efs_client(site.cloud())
        .describe_access_points()
        .access_point_id(id.expect("an access point"))
        .send()
        .await
        .expect("an answer");
    let tags = points.access_points()[0].tags();
    let tag = tags.iter().find(|tag| tag.key() == name).expect("a tag");
    tag.value().to_owned()
}

#[tokio::test]
async fn an_unprotected_branch_never_gets_the_protected_access_point() {
    let site = host_with_folders().await;
    let endpoint = site.cloud().endpoint();
    for (is_protected, level) in [(true, "protected"), (false, "unprotected")] {
        let job = job_of(&site, "shop/app", is_protected, |job| {
            job.set("AWS_ENDPOINT_URL", &endpoint);
            job.set("CUSTOM_ENV_CI_COMMIT_REF_PROTECTED", "true");
            job.set("CUSTOM_ENV_CI_PROJECT_PATH", "shop/other");
        });
        job.prepare().await.passed();
        assert_eq!(tag_of_access_point(&site, "fargate-runner:protection").await, level);
        assert_eq!(tag_of_access_point(&site, "fargate-runner:project").await, "shop/app");
        job.cleanup().await.passed();
    }
    let launches = site.calls("RunTask");
    let other = job_of(&site, "shop/other", true, |job| {
        job.set("AWS_ENDPOINT_URL", &endpoint);
        job.set("CUSTOM_ENV_CI_PROJECT_PATH", "shop/app");
    });
    let said = other.prepare().await.with_code(SYSTEM_FAILURE).out();
    assert!(said.contains("efs apply --project shop/other"), "{said}");
    assert_eq!(site.calls("RunTask"), launches, "nothing is started without a folder of its own");
    site.close().await;
}
