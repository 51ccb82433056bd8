//! What cannot become a task definition: one clear error, no call, nothing left running.

use fargate_tests::{CheckedHost, SYSTEM_FAILURE, redacted};
use insta::assert_snapshot;

use crate::{host_with_image, own_job};

/// The error block of a `prepare` with this template.
async fn refused(site: &CheckedHost, template: &str) -> String {
    let file = site.folder().join("template.json");
    std::fs::write(&file, template).unwrap();
    site.set("profile.own.task_definition_template", file.to_string_lossy().into_owned());
    let ended = own_job(site).prepare().await.with_code(SYSTEM_FAILURE);
    let text =
        redacted(&ended.out()).replace(&site.folder().to_string_lossy().into_owned(), "FOLDER");
    let from = text.find("error: ").unwrap_or_else(|| panic!("no error in {text}"));
    text[from..].to_owned()
}

#[tokio::test]
async fn a_template_that_cannot_be_used_is_told_in_the_jobs_log() {
    let site = host_with_image().await;
    assert_snapshot!(refused(&site, "{ family: ci }").await, @"");
    assert_snapshot!(refused(&site, r#"{ "family": "${famly}" }"#).await, @"");
    let impossible = r#"{
        "family": "${family}", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc",
        "cpu": "1024", "memory": "512", "ephemeralStorage": { "sizeInGiB": 20 },
        "taskRoleArn": "role/ci",
        "containerDefinitions": [{ "name": "${container}", "image": "${image}" }]
    }"#;
    assert_snapshot!(refused(&site, impossible).await, @"");
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}
