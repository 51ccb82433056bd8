//! What the daemon reaps by itself.

use aws_sdk_ecs::types::{
    AwsVpcConfiguration, ContainerOverride, KeyValuePair, LaunchType, NetworkConfiguration,
    TaskOverride,
};
use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, MovedClock, until};

use crate::{RunningDaemon, owner, used_site};

/// Starts a task as a lost driver leaves it: no process and no file of this host knows it.
pub(crate) async fn stray(site: &CheckedHost, owner: &str, number: usize) -> String {
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    let vpc = AwsVpcConfiguration::builder()
        .subnets("subnet-0a1b2c3d4e5f60718")
        .security_groups("sg-0c3d4e5f60718293b")
        .build()
        .expect("it has subnets");
    let job = KeyValuePair::builder().name("FARGATE_RUNNER_JOB").value(format!("{number:064x}"));
    let container = ContainerOverride::builder().name("job").environment(job.build()).build();
    let call = site.ecs().run_task().cluster("ci").task_definition("ci-job");
    let answer = call
        .launch_type(LaunchType::Fargate)
        .started_by(owner)
        .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
        .overrides(TaskOverride::builder().container_overrides(container).build())
        .send()
        .await
        .expect("a task");
    answer.tasks()[0].task_arn().expect("an ARN").to_owned()
}

pub(crate) fn desired(site: &CheckedHost, arn: &str) -> String {
    let task = site.cloud().tasks().into_iter().find(|task| task.arn == arn);
    task.expect("a task").desired_status
}

/// D5 and D18: what a dead driver left is stopped, at the start of the daemon and within 60 s later on; tasks of
/// another host are not.
#[tokio::test]
async fn orphans_of_this_host_are_stopped_within_a_minute_and_no_others() {
    let site = used_site().await;
    let owner = owner(&site);
    let left_before = stray(&site, &owner, 1).await;
    let foreign = stray(&site, "another-host", 2).await;
    let needed = site.prepared().await;
    let Some(clock) = MovedClock::all_time(&site) else {
        return fargate_tests::skip("faketime is missing");
    };
    let config = site.config();
    let serve = ["-c", config.to_str().expect("a path"), "serve", "--listen", "127.0.0.1:0"];
    let daemon = RunningDaemon::listening(&site, clock.start(&needed, &serve)).await;
    until("the first orphan is stopped", || desired(&site, &left_before) == "STOPPED").await;
    let left_later = stray(&site, &owner, 3).await;
    for passed in ["+31s", "+59s"] {
        clock.set(passed);
        // A wait in the kernel goes on in real time; a connection wakes the daemon.
        drop(std::os::unix::net::UnixStream::connect(crate::socket(&site)));
    }
    until("the second orphan is stopped", || {
        drop(std::os::unix::net::UnixStream::connect(crate::socket(&site)));
        desired(&site, &left_later) == "STOPPED"
    })
    .await;
    assert_eq!(desired(&site, &foreign), "RUNNING");
    assert_eq!(site.task_of(&needed).desired_status, "RUNNING");
    // The lock is free between two sweeps.
    let reaped = site.start(&["tasks", "reap"]).ended().await.with_code(0);
    assert!(reaped.out().contains("\"orphans\":[]"), "{}", reaped.all());
    needed.cleanup().await.passed();
    let stops = site.cloud().requests().into_iter().filter(|one| one.operation == "StopTask");
    assert!(stops.clone().all(|stop| stop.body["task"] != foreign.as_str()));
    site.ecs().stop_task().cluster("ci").task(&foreign).send().await.expect("a stop");
    daemon.close().await;
    site.close().await;
}
