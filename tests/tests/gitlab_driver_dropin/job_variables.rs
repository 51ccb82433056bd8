//! A job may choose nothing, unless the configuration allows that value.

use toml::Value;

use aws_sdk_ecs::types::ContainerDefinition;

use crate::{CONTAINER, FAMILY, OldStyleHost};

const TASK_DEFINITION: &str = "CUSTOM_ENV_FARGATE_TASK_DEFINITION";
const PLATFORM_VERSION: &str = "CUSTOM_ENV_FARGATE_PLATFORM_VERSION";

fn list(items: &[&str]) -> Value {
    Value::from(items.to_vec())
}

/// The parameters of the last RunTask.
fn asked(old: &OldStyleHost) -> serde_json::Value {
    let requests = old.site.cloud().requests();
    let last = requests.iter().rev().find(|request| request.operation == "RunTask");
    last.expect("a RunTask").body.clone()
}

#[tokio::test]
async fn a_variable_that_is_not_allowed_is_ignored_with_one_line_in_prepare() {
    let old = OldStyleHost::open().await;
    let job = old.job_with(|job| {
        job.set(TASK_DEFINITION, "with-more-rights\u{1b}[2J\n");
        job.set(PLATFORM_VERSION, "1.3.0");
    });
    assert_eq!(job.config().await.with_code(0).err(), "");
    let prepared = job.prepare().await.with_code(0);
    let lines: Vec<_> = prepared.out().lines().take(2).map(str::to_owned).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    Warning: FARGATE_TASK_DEFINITION "with-more-rights\x1b[2J\x0a" is ignored: a job chooses only from `JobTaskDefinitions` in the runner's configuration
    Warning: FARGATE_PLATFORM_VERSION "1.3.0" is ignored: a job chooses only from `JobPlatformVersions` in the runner's configuration
    "#);
    assert_eq!(prepared.out().matches("is ignored").count(), 2, "{}", prepared.out());
    assert_eq!(asked(&old)["taskDefinition"], FAMILY);
    assert!(asked(&old).get("platformVersion").is_none());
    assert_eq!(job.run("true").await.with_code(0).all(), "");
    assert_eq!(job.cleanup().await.with_code(0).all(), "");
    old.site.close().await;
}

#[tokio::test]
async fn a_value_that_the_file_lists_is_taken_by_its_exact_name() {
    let mut old = OldStyleHost::open().await;
    old.set("Fargate.JobTaskDefinitions", list(&["large", "other:3"]));
    old.set("Fargate.job_platform_versions", list(&["1.4.0"]));
    old.site.register("large", ContainerDefinition::builder().name(CONTAINER)).await;
    let job = old.job_with(|job| {
        job.set(TASK_DEFINITION, "large");
        job.set(PLATFORM_VERSION, "1.4.0");
    });
    let prepared = job.prepare().await.with_code(0);
    assert!(!prepared.out().contains("ignored"), "{}", prepared.out());
    assert_eq!(asked(&old)["taskDefinition"], "large");
    assert_eq!(asked(&old)["platformVersion"], "1.4.0");
    job.run("true").await.passed();
    job.cleanup().await.passed();
    let job = old.job_with(|job| job.set(TASK_DEFINITION, "LARGE"));
    assert!(job.prepare().await.with_code(0).out().contains("\"LARGE\" is ignored"));
    assert_eq!(asked(&old)["taskDefinition"], FAMILY);
    job.cleanup().await.passed();
    old.site.close().await;
}

#[tokio::test]
async fn a_flag_decides_before_the_file_and_before_what_a_job_may_choose() {
    let mut old = OldStyleHost::open().await;
    old.site.without_policies("the flag names a task definition that the file does not know");
    old.set("Fargate.PlatformVersion", "1.3.0");
    old.set("Fargate.JobTaskDefinitions", list(&["large"]));
    old.site.register("large", ContainerDefinition::builder().name(CONTAINER)).await;
    old.site.register("of-flag", ContainerDefinition::builder().name(CONTAINER)).await;
    let job = old.job_with(|job| {
        job.set(TASK_DEFINITION, "large");
        let flags = ["-task-def", "of-flag", "--platform-version=1.4.0"];
        let flags = flags.iter().map(std::convert::Into::into);
        job.arguments = flags.chain(job.arguments.drain(..)).collect();
    });
    let prepared = job.prepare().await.with_code(0);
    assert!(prepared.out().contains("the flag `--task-def` decides"), "{}", prepared.out());
    assert_eq!(asked(&old)["taskDefinition"], "of-flag");
    assert_eq!(asked(&old)["platformVersion"], "1.4.0");
    job.run("true").await.passed();
    job.cleanup().await.passed();
    old.site.close().await;
}
