//! One registration for a host, whatever its processes do at the same time.

use std::collections::BTreeSet;

use fargate_local_cloud::CloudFault;
use fargate_tests::{CheckedHost, SYSTEM_FAILURE, TestJob, until};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{FAMILY, command, host_with_image, launched, launches, own_job};

/// Processes that meet one new definition.
const PROCESSES: usize = 200;
/// Those of 200 jobs whose tasks come up.
const WHOLE_JOBS: usize = 20;

#[tokio::test]
async fn prepare_registers_a_new_definition_and_launches_its_revision() {
    let site = host_with_image().await;
    let job = own_job(&site);
    job.prepare().await.passed();
    job.run("echo works").await.passed();
    assert_eq!(site.calls("RegisterTaskDefinition"), 1);
    let definition = launched(&site);
    assert!(definition.ends_with(":task-definition/made-here:1"), "{definition}");

    // The next job asks ECS nothing about definitions.
    let asked = site.calls("DescribeTaskDefinition") + site.calls("ListTaskDefinitions");
    own_job(&site).prepare().await.passed();
    assert_eq!(site.calls("RegisterTaskDefinition"), 1);
    assert_eq!(site.calls("DescribeTaskDefinition") + site.calls("ListTaskDefinitions"), asked);
    assert_eq!(launched(&site), definition);
    site.close().await;
}

#[tokio::test]
async fn a_fixed_definition_registers_and_looks_up_nothing() {
    let site = CheckedHost::open().await;
    site.prepared().await;
    for operation in ["RegisterTaskDefinition", "ListTaskDefinitions", "DescribeTaskDefinition"] {
        assert_eq!(site.calls(operation), 0, "{operation}");
    }
    assert!(!site.state_dir().join("definitions").exists());
    site.close().await;
}

#[tokio::test]
async fn two_hundred_processes_with_one_new_definition_register_once() {
    let site = host_with_image().await;
    let own = ["--profile", "own", "task-definition", "register", "--format", "json"];
    let processes: Vec<_> = (0..PROCESSES).map(|_| site.start(&own)).collect();
    let mut seen = BTreeSet::new();
    let mut registered = 0;
    for process in processes {
        let ended = process.ended().await.with_code(0);
        let answer: Value = serde_json::from_str(&ended.out()).expect("JSON");
        seen.insert(answer["task_definition"].to_string());
        registered += usize::from(answer["origin"] == "registered");
    }
    assert_eq!((site.calls("RegisterTaskDefinition"), registered, seen.len()), (1, 1, 1));
    assert_eq!(site.calls("ListTaskDefinitions"), 1, "only one process looks it up");
    site.close().await;
}

/// The one registration is held up until the `prepare` of each job has begun. Only a few tasks start their
/// programs, which is what takes the machine's time; the other jobs are cancelled once ECS has their tasks.
#[tokio::test]
async fn two_hundred_prepares_that_begin_before_the_definition_exists_register_it_once() {
    let site = host_with_image().await;
    for (key, value) in [("aws_connect", "1m"), ("aws_attempt", "1m"), ("aws_call", "2m")] {
        site.set(&format!("defaults.timeouts.{key}"), value);
    }
    let give = |rules: String| {
        site.cloud().set_faults(rules.parse().unwrap_or_else(|error| panic!("{error}")));
    };
    let held = format!("tasks {}- at PENDING: hold", WHOLE_JOBS + 1);
    give(format!("RegisterTaskDefinition: hang\n{held}"));
    let jobs: Vec<_> = (0..PROCESSES).map(|_| own_job(&site)).collect();
    let mut running: Vec<_> = jobs.iter().map(|job| (job, job.start(&["prepare"]))).collect();
    // A `prepare` holds its job's lock from its beginning to its end.
    let locks = site.state_dir().join("locks");
    for job in &jobs {
        let lock = locks.join(format!("{}.prepare", job.key()));
        until("the prepare of each job", || lock.exists()).await;
    }
    until("the registration", || site.calls("RegisterTaskDefinition") == 1).await;
    assert_eq!(site.calls("RunTask"), 0, "no task without its definition");
    assert!(running.iter_mut().all(|(_, prepare)| prepare.runs()));
    give(held);

    for (_, prepare) in &mut running {
        prepare.wrote(" accepted: ").await;
    }
    assert_eq!((site.calls("RegisterTaskDefinition"), site.calls("ListTaskDefinitions")), (1, 1));
    let definitions: BTreeSet<_> = launches(&site).into_iter().collect();
    assert_eq!(definitions.len(), 1, "{definitions:?}");
    assert_eq!(site.cloud().tasks().len(), PROCESSES);
    let whole: BTreeSet<_> = site.cloud().tasks()[..WHOLE_JOBS]
        .iter()
        .filter_map(|task| task.environment.get("FARGATE_RUNNER_JOB").cloned())
        .collect();
    let is_whole = |job: &TestJob| whole.contains(job.key().as_str());
    running.iter().filter(|(job, _)| !is_whole(job)).for_each(|(_, prepare)| {
        prepare.signal(Signal::SIGTERM);
    });
    for (job, prepare) in running {
        let ended = job.heard(prepare).await;
        assert_eq!(ended.code, if is_whole(job) { 0 } else { SYSTEM_FAILURE }, "{}", ended.all());
    }
    site.close().await;
}

#[tokio::test]
async fn another_host_finds_the_revision_by_its_tag() {
    let site = host_with_image().await;
    command(&site, &["register"]).await.with_code(0);
    // What this host knows is gone, as on another host.
    std::fs::remove_dir_all(site.state_dir().join("definitions")).unwrap();
    let ended = command(&site, &["register"]).await.with_code(0);
    assert!(ended.err().contains("ECS had it already"), "{}", ended.err());
    assert_eq!(site.calls("RegisterTaskDefinition"), 1);
    site.close().await;
}

#[tokio::test]
async fn a_revision_that_somebody_made_with_our_tag_is_not_used() {
    let site = host_with_image().await;
    command(&site, &["register"]).await.with_code(0);
    // As the console of AWS does it for a person who changes a revision: the tags come along.
    let ecs = site.ecs();
    let found = ecs.describe_task_definition().task_definition(FAMILY);
    let found = found.include(aws_sdk_ecs::types::TaskDefinitionField::Tags).send().await.unwrap();
    let made = found.task_definition().expect("it is there");
    let mut container = made.container_definitions()[0].clone();
    container.image = Some("somebody/else:1".to_owned());
    let call = ecs.register_task_definition().family(FAMILY).container_definitions(container);
    let call = call.set_cpu(made.cpu.clone()).set_memory(made.memory.clone());
    let call = call.set_requires_compatibilities(made.requires_compatibilities.clone());
    let call = call.set_network_mode(made.network_mode.clone()).set_tags(found.tags.clone());
    call.send().await.expect("it is a good one");
    std::fs::remove_dir_all(site.state_dir().join("definitions")).unwrap();

    own_job(&site).prepare().await.passed();
    assert!(launched(&site).ends_with(":task-definition/made-here:1"), "{}", launched(&site));
    site.close().await;
}

#[tokio::test]
async fn a_deregistered_revision_leads_to_one_new_look() {
    let site = host_with_image().await;
    own_job(&site).prepare().await.passed();
    let first = launched(&site);
    let ecs = site.ecs();
    ecs.deregister_task_definition().task_definition(&first).send().await.expect("it is active");
    let job = own_job(&site);
    job.prepare().await.passed();
    assert_eq!(site.calls("RegisterTaskDefinition"), 2);
    assert!(launched(&site).ends_with(":task-definition/made-here:2"), "{}", launched(&site));
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.close().await;
}

#[tokio::test]
async fn a_launch_that_ecs_denies_leads_to_one_new_look_if_only_this_host_knew_the_revision() {
    let denied =
        "error AccessDeniedException \"User: x is not authorized to perform: ecs:RunTask\"";
    let site = host_with_image().await;
    own_job(&site).prepare().await.passed();
    let looks = site.calls("ListTaskDefinitions");
    // As if the host had the credentials of another account now.
    let fault = |rules: String| {
        site.cloud().set_faults(rules.parse().unwrap_or_else(|error| panic!("{error}")));
    };
    fault(format!("RunTask call 1: {denied}"));
    own_job(&site).prepare().await.passed();
    assert_eq!(site.calls("ListTaskDefinitions"), looks + 1);
    fault(format!("RunTask: {denied}"));
    let ended = own_job(&site).prepare().await.with_code(SYSTEM_FAILURE);
    assert!(ended.out().contains("ecs:RunTask"), "{}", ended.out());
    assert_eq!(
        site.calls("ListTaskDefinitions"),
        looks + 2,
        "one look, however often it is denied"
    );
    assert_eq!(site.calls("RegisterTaskDefinition"), 1);
    site.cloud().clear_faults();
    site.close().await;
}

#[tokio::test]
async fn no_second_task_is_started_while_nobody_knows_whether_there_is_a_first_one() {
    let site = host_with_image().await;
    let rules = "RunTask call 1: reset after commit\n\
                 RunTask call 2: error ClientException \"TaskDefinition is inactive\"";
    site.cloud().set_faults(rules.parse().unwrap_or_else(|error| panic!("{error}")));
    let job = own_job(&site);
    job.prepare().await.with_code(SYSTEM_FAILURE);
    let requests = site.cloud().requests();
    let asked = requests.iter().filter(|request| request.operation == "RunTask");
    let tokens: BTreeSet<String> =
        asked.map(|request| request.body["clientToken"].to_string()).collect();
    assert_eq!((tokens.len(), site.tasks_of(&job).len()), (1, 1), "{tokens:?}");
    // The first task is being stopped, so another try is free to start its own.
    job.prepare().await.passed();
    job.run("echo works").await.passed();
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_damaged_file_of_this_host_is_looked_up_again() {
    let site = host_with_image().await;
    command(&site, &["register"]).await.with_code(0);
    let folder = site.state_dir().join("definitions");
    for file in std::fs::read_dir(&folder).unwrap() {
        std::fs::write(file.unwrap().path(), "{").unwrap();
    }
    own_job(&site).prepare().await.passed();
    assert_eq!(site.calls("RegisterTaskDefinition"), 1);
    site.close().await;
}

#[tokio::test]
async fn a_missing_right_to_tag_is_named_and_nothing_is_registered() {
    let site = host_with_image().await;
    site.cloud().deny("ecs:TagResource");
    let ended = own_job(&site).prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: this host's role may not ecs:TagResource");
    assert_eq!(site.calls("RunTask"), 0);
    assert!(ended.out().contains("registering the task definition"), "{}", ended.out());
    site.close().await;
}

#[tokio::test]
async fn throttling_and_lost_answers_are_waited_out() {
    let site = host_with_image().await;
    for _ in 0..2 {
        let fault = CloudFault::Exception {
            status: 400,
            code: "ThrottlingException".to_owned(),
            message: "Rate exceeded".to_owned(),
        };
        site.cloud().fail("RegisterTaskDefinition", fault);
    }
    own_job(&site).prepare().await.passed();
    assert_eq!(site.calls("RegisterTaskDefinition"), 3);
    assert!(launched(&site).contains(FAMILY));
    site.close().await;
}
