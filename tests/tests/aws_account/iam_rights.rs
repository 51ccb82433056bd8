//! The rights of old installations are enough: RunTask, DescribeTasks, StopTask and `PassRole`. If
//! another right is missing, the driver names it once, and the job passes.

use aws_sdk_ecs::types::{Compatibility, ContainerDefinition, NetworkMode};
use fargate_local_cloud::CloudFault;
use fargate_tests::{CheckedHost, SYSTEM_FAILURE, until};
use nix::sys::signal::Signal;

use crate::plays;

/// Lines of the operator's log that name a missing right.
fn named(site: &CheckedHost, right: &str) -> usize {
    let log = site.log();
    log.lines().filter(|line| line.contains("right.missing") && line.contains(right)).count()
}

fn tokens(site: &CheckedHost) -> Vec<(String, bool)> {
    let requests = site.cloud().requests();
    let asked = requests.iter().filter(|request| request.operation == "RunTask");
    let token = |body: &serde_json::Value| body["clientToken"].as_str().unwrap().to_owned();
    asked.map(|r| (token(&r.body), r.body["tags"].is_array())).collect()
}

#[tokio::test]
async fn with_the_rights_of_old_installations_a_job_runs_from_end_to_end() {
    let site = CheckedHost::open().await;
    for right in ["ecs:TagResource", "ecs:ListTasks", "ec2:DescribeNetworkInterfaces"] {
        site.cloud().deny(right);
    }
    let job = site.job();
    plays(&job).await;
    let [task] = &site.tasks_of(&job)[..] else { panic!("not one task") };
    assert!(task.tags.is_empty() && task.started_by.is_some(), "{task:?}");
    site.close().await;
}

#[tokio::test]
async fn without_the_right_to_tag_the_task_is_another_launch_without_tags() {
    let site = CheckedHost::open().await;
    site.cloud().deny("ecs:TagResource");
    let job = site.job();
    let ended = job.prepare().await.with_code(0);
    let asked = tokens(&site);
    let [(first, true), (second, false)] = &asked[..] else { panic!("{asked:?}") };
    assert_ne!(first, second);
    assert_eq!(site.tasks_of(&job).len(), 1);
    assert_eq!(named(&site, "ecs:TagResource"), 1);
    // It changes nothing for the job's author, who is told nothing.
    assert!(!ended.out().contains("tag"), "{}", ended.out());
    // The next job of this host does not ask for what was just refused.
    let next = site.prepared().await;
    assert_eq!(tokens(&site).len(), 3);
    assert!(site.task_of(&next).tags.is_empty() && named(&site, "ecs:TagResource") == 1);
    let launches = job.state().expect("a state file")["launches"].clone();
    assert_eq!(launches.as_array().map(Vec::len), Some(1), "the refused one is settled");
    job.run("true").await.passed();
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_launch_in_doubt_goes_on_under_its_token_when_tags_are_refused() {
    let site = CheckedHost::open().await;
    // The task is there, its answer is lost, and then the right is taken away.
    site.cloud().fail("RunTask", CloudFault::LostAnswer);
    let denied = CloudFault::Exception {
        status: 400,
        code: "AccessDeniedException".to_owned(),
        message: "User: x is not authorized to perform: ecs:TagResource on resource: y".to_owned(),
    };
    site.cloud().fail("RunTask", denied);
    let job = site.job();
    job.prepare().await.passed();
    let asked = tokens(&site);
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked[..3].iter().all(|(token, _)| *token == asked[0].0), "{asked:?}");
    assert_ne!(asked[3].0, asked[0].0);
    // The first one was found by its token and stopped before the second was started.
    let tasks = site.tasks_of(&job);
    assert_eq!(tasks.len(), 2);
    assert_eq!(tasks[0].desired_status, "STOPPED");
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_launch_that_was_cut_off_is_settled_without_the_right_to_tag() {
    let site = CheckedHost::open().await;
    site.cloud().deny("ecs:TagResource");
    site.cloud().fail_until_cleared("RunTask", CloudFault::Hang);
    let job = site.job();
    let running = job.start(&["prepare"]);
    until("the launch is asked for", || site.calls("RunTask") == 1).await;
    running.signal(Signal::SIGKILL);
    job.heard(running).await.with_code(137);
    site.cloud().clear_faults();
    job.cleanup().await.passed();
    assert!(!job.state_file().exists(), "settled: {:?}", job.state());
    site.close().await;
}

#[tokio::test]
async fn a_clean_up_without_state_goes_on_without_the_right_to_list() {
    let site = CheckedHost::open().await;
    site.cloud().deny("ecs:ListTasks");
    let job = site.job();
    let ended = job.cleanup().await.with_code(0);
    assert_eq!(ended.all(), "");
    assert_eq!(named(&site, "ecs:ListTasks"), 1);
    lost_state(&site).await;
    site.close().await;
}

/// A state file of which nothing can be read, and nobody may ask ECS: the task may still run, so
/// nothing is forgotten and no second one is started until somebody may look.
async fn lost_state(site: &CheckedHost) {
    let job = site.prepared().await;
    std::fs::write(job.state_file(), "{").expect("a writable state file");
    let ended = job.cleanup().await.with_code(0);
    let told = "warning: the record names no task, and ecs:ListTasks is refused; the task stops \
                by itself when its time is over\n";
    assert_eq!(ended.err(), told);
    assert!(job.state_file().exists());
    job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.cloud().allow("ecs:ListTasks");
    job.cleanup().await.passed();
    until("its end", || site.tasks_of(&job)[0].last_status == "STOPPED").await;
    assert!(!job.state_file().exists());
}

#[tokio::test]
async fn what_is_left_of_a_damaged_record_is_enough_to_stop_its_task() {
    let site = CheckedHost::open().await;
    site.cloud().deny("ecs:ListTasks");
    let job = site.prepared().await;
    job.change_state(|state| state["launches"] = "gone".into());
    let ended = job.cleanup().await.with_code(0);
    assert_eq!(ended.err(), "");
    until("its end", || site.tasks_of(&job)[0].last_status == "STOPPED").await;
    assert!(!job.state_file().exists());
    site.close().await;
}

#[tokio::test]
async fn exec_is_enabled_where_the_file_says_so() {
    let site = CheckedHost::open().await;
    let container = ContainerDefinition::builder().name("job").image("registry.example/job:1");
    let call = site.ecs().register_task_definition().family("with-role");
    call.network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .cpu("256")
        .memory("512")
        .task_role_arn("arn:aws:iam::123456789012:role/task")
        .container_definitions(container.build())
        .send()
        .await
        .expect("a definition that the cloud takes");
    site.set("defaults.task_definition", "with-role");
    let plain = site.prepared().await;
    assert!(!site.task_of(&plain).execute_command);
    site.set("defaults.enable_execute_command", true);
    let job = site.prepared().await;
    assert!(site.task_of(&job).execute_command);
    site.close().await;
}
