//! Tasks in containers that do not come up (A7, B2, B3, B4, B9), and those that follow them. The causes are real
//! where an engine and a registry can have them; the rest is played by rules of the cloud.
//!
//! What must hold after each fault is checked when its host is closed.

use aws_sdk_ecs::types::Task;
use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, SYSTEM_FAILURE, TestEngine, TestJob, store_login};

use crate::image_pulls::private;
use crate::{SUBNET, close, describe, engine, give, host_on, prefer_spot, register, until_status};

/// The cloud's second subnet.
const OTHER_SUBNET: &str = "subnet-0b2c3d4e5f607182a";
/// As ECS says it.
const NO_CAPACITY: &str = "Capacity is unavailable at this time. Please try again later or in a different \
                           availability zone";

/// A `prepare` that fails with this headline after one task, which never ran a container.
async fn fails_once(site: &CheckedHost, headline: &str) {
    let job = site.job();
    let failed = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(failed.error_line(), format!("error: {headline}"), "{}", failed.out());
    let task = until_status(site, &site.task_of(&job).arn, "STOPPED").await;
    assert_eq!(task.containers()[0].exit_code(), None, "{task:?}");
    job.cleanup().await.passed();
    assert_eq!(job.exit_code(), None);
}

/// What ECS says of a task's network interface.
fn interface<'a>(task: &'a Task, name: &str) -> &'a str {
    let details = task.attachments()[0].details();
    let detail = details.iter().find(|detail| detail.name() == Some(name));
    detail.and_then(|detail| detail.value()).expect("an interface")
}

/// A job whose first task failed and whose second one runs scripts, in a container of the other subnet's
/// network.
async fn runs_in_the_other_subnet(engine: &TestEngine, site: &CheckedHost, job: &TestJob) {
    let task = site.tasks_of(job).pop().expect("a task");
    let seen = describe(site, &task.arn).await;
    assert_eq!(interface(&seen, "subnetId"), OTHER_SUBNET);
    let all = engine.containers(site.cloud().folder()).expect("an engine that answers");
    let own = all.iter().find(|one| one.name.is_some()).expect("a container");
    let holder = own.network.strip_prefix("container:").expect("the network of a container");
    let holder = all.iter().find(|one| one.id == holder).expect("a container");
    assert!(holder.network.ends_with(OTHER_SUBNET), "{all:?}");
    let ran = job.run("hostname -i").await.with_code(0);
    assert_eq!(ran.out(), format!("{}\n", interface(&seen, "privateIPv4Address")));
}

#[tokio::test]
async fn an_image_that_cannot_be_had_is_final_after_one_task() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let secret = store_login(site.cloud(), "registry", engine.login()).await;
    site.set("defaults.task_definition", "private");
    for (tag, headline) in [
        ("mistyped", format!("image {}:mistyped does not exist", engine.image())),
        ("arm", "the image is not built for this architecture".to_owned()),
    ] {
        register(&site, "private", vec![private(engine, tag, &secret)]).await;
        fails_once(&site, &headline).await;
    }
    close(engine, site).await;
}

#[tokio::test]
async fn a_secret_that_the_task_cannot_get_is_a_system_failure_that_names_it() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    site.set("defaults.task_definition", "private");
    register(&site, "private", vec![private(engine, "1", "no-such-secret")]).await;
    fails_once(&site, "secret no-such-secret is empty or not in this Region").await;
    let secret = store_login(site.cloud(), "registry", engine.login()).await;
    register(&site, "private", vec![private(engine, "1", &secret)]).await;
    site.cloud().deny_role("execution", "secretsmanager:GetSecretValue");
    let name = secret.rsplit(':').next().expect("the end of an ARN");
    fails_once(&site, &format!("the execution role may not read secret {name}")).await;
    close(engine, site).await;
}

#[tokio::test]
async fn a_task_that_stays_pending_is_told_and_stopped_at_its_deadline() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    site.set("defaults.timeouts.pending_notice", "300ms");
    site.set("defaults.timeouts.task_start", "2s");
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    let job = site.job();
    let failed = job.prepare().await.with_code(SYSTEM_FAILURE);
    // On a busy machine the network takes so long that PROVISIONING is the slow state.
    let out = failed.out();
    let told = out.lines().filter(|line| line.contains(" after 0.30 s. ECS gives no reason yet."));
    let told: Vec<_> = told.collect();
    assert!(told.len() == 1 && told[0].starts_with("Still P"), "{out}");
    assert_eq!(failed.error_line(), "error: the task did not start in 2.0 s");
    until_status(&site, &site.task_of(&job).arn, "STOPPED").await;
    close(engine, site).await;
}

#[tokio::test]
async fn without_capacity_in_one_zone_the_container_runs_in_the_other() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    give(&site, &format!("RunTask for task in eu-west-1a: failure \"{NO_CAPACITY}\""));
    let job = site.job();
    let prepared = job.prepare().await.with_code(0);
    let told = format!("{SUBNET}: no capacity, trying FARGATE in {OTHER_SUBNET}\n");
    assert!(prepared.out().contains(&told), "{}", prepared.out());
    assert_eq!(site.tasks_of(&job).len(), 1, "ECS started none in the first zone");
    runs_in_the_other_subnet(engine, &site, &job).await;
    close(engine, site).await;
}

#[tokio::test]
async fn a_subnet_without_a_free_address_is_followed_by_the_other() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let full = format!(
        "Unexpected EC2 error while attempting to Create Network Interface in subnet '{SUBNET}': \
         InsufficientFreeAddressesInSubnet"
    );
    let rule = format!("task in eu-west-1a at PROVISIONING: stop TaskFailedToStart \"{full}\"");
    give(&site, &rule);
    let job = site.job();
    job.prepare().await.passed();
    let tasks = site.tasks_of(&job);
    assert_eq!(tasks.len(), 2);
    let stopped = tasks[0].stopped_at.expect("the former one has stopped");
    assert!(stopped <= tasks[1].created_at, "one task at a time: {tasks:?}");
    runs_in_the_other_subnet(engine, &site, &job).await;
    close(engine, site).await;
}

#[tokio::test]
async fn a_task_that_spot_takes_back_before_its_job_begins_is_followed_by_one_on_demand() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    prefer_spot(&site);
    give(&site, "task on FARGATE_SPOT at PENDING: interrupt 0s");
    let job = site.job();
    let prepared = job.prepare().await.with_code(0);
    assert!(prepared.out().contains("AWS took the Spot task back"), "{}", prepared.out());
    let tasks = site.tasks_of(&job);
    let codes: Vec<_> = tasks.iter().map(|task| task.stop_code.as_deref()).collect();
    assert_eq!(codes, [Some("SpotInterruption"), None]);
    job.run("echo works").await.passed();
    close(engine, site).await;
}
