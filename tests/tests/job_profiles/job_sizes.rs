//! The size that a job asks for by its variables, by overrides of RunTask, within what the profile allows.

use fargate_tests::{CheckedHost, TestJob};
use serde_json::json;

use crate::launched;

/// A host that lets jobs choose within limits.
async fn generous_host() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.set("defaults.cpu", 1024);
    site.set("defaults.memory", 2048);
    site.set("defaults.job_max_cpu", 4096);
    site.set("defaults.job_max_memory", 8192);
    site.set("defaults.job_max_ephemeral_storage_gib", 100);
    site.set("defaults.job_spot", true);
    site
}

fn ask(job: &mut TestJob, variables: &[(&str, &str)]) {
    for (name, value) in variables {
        job.set(&format!("CUSTOM_ENV_{name}"), value);
    }
}

#[tokio::test]
async fn a_job_gets_the_size_and_the_capacity_that_it_asks_for() {
    let site = generous_host().await;
    let job = site.job_with(|job| {
        let size = [("FARGATE_CPU", "2 vCPU"), ("FARGATE_EPHEMERAL_STORAGE", "50")];
        ask(job, &[&size[..], &[("FARGATE_SPOT", "true")]].concat());
    });
    let said = job.prepare().await.with_code(0).out();
    assert!(said.contains("2 vCPU, 4 GB, Spot") && !said.contains("Warning"), "{said}");
    let launch = launched(&site);
    assert_eq!(launch["overrides"]["cpu"], "2048");
    assert_eq!(launch["overrides"]["memory"], "4096");
    assert_eq!(launch["overrides"]["ephemeralStorage"], json!({ "sizeInGiB": 50 }));
    assert_eq!(launch["capacityProviderStrategy"][0]["capacityProvider"], "FARGATE_SPOT");
    let state = job.state().expect("a record");
    assert_eq!(state["launches"][0]["ephemeral_storage_gib"], 50);
    let task = site.task_of(&job).arn;
    let described = site.ecs().describe_tasks().cluster("ci").tasks(task).send().await;
    let described = described.expect("an answer");
    let disk = described.tasks()[0].ephemeral_storage().map(|disk| disk.size_in_gib());
    assert_eq!(disk, Some(50));
    site.close().await;
}

#[tokio::test]
async fn a_size_beyond_the_limits_is_told_with_the_rule_and_the_usual_one_runs() {
    let site = generous_host().await;
    let cases: [&[(&str, &str)]; 5] = [
        &[("FARGATE_CPU", "8192")],
        &[("FARGATE_CPU", "4096"), ("FARGATE_MEMORY", "2048")],
        &[("FARGATE_MEMORY", "16 GB")],
        &[("FARGATE_EPHEMERAL_STORAGE", "200")],
        &[("FARGATE_SPOT", "please")],
    ];
    let mut lines = Vec::new();
    for variables in cases {
        let job = site.job_with(|job| ask(job, variables));
        let said = job.prepare().await.with_code(0).out();
        lines.extend(said.lines().filter(|line| line.starts_with("Warning")).map(str::to_owned));
        let overrides = &launched(&site)["overrides"];
        assert_eq!((&overrides["cpu"], &overrides["memory"]), (&json!("1024"), &json!("2048")));
        assert!(overrides.get("ephemeralStorage").is_none());
        assert_eq!(launched(&site)["launchType"], "FARGATE");
        job.cleanup().await.passed();
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    Warning: FARGATE_CPU "8192" is ignored: `job_max_cpu` in the runner's configuration allows at most 4096
    Warning: FARGATE_MEMORY "2048" is ignored: with FARGATE_CPU 4096, Fargate offers 8192 to 30720, nearest is `8192`
    Warning: FARGATE_MEMORY "16 GB" is ignored: `job_max_memory` in the runner's configuration allows at most 8192
    Warning: FARGATE_EPHEMERAL_STORAGE "200" is ignored: `job_max_ephemeral_storage_gib` in the runner's configuration allows at most 100
    Warning: FARGATE_SPOT "please" is ignored: allowed are `true` and `false`
    "#);
    site.close().await;
}
