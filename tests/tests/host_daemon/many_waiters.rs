//! A thousand jobs wait for their tasks at once. Each is a connection at the socket, as of its driver.

use std::time::Duration;

use aws_sdk_ecs::types::{AwsVpcConfiguration, LaunchType, NetworkConfiguration};
use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::CheckedHost;
use tokio::io::AsyncWriteExt;

use crate::{RunningDaemon, owner, passed, socket, used_site};

const WAITERS: usize = 1000;
/// Tasks of one RunTask. Source: Amazon ECS API Reference, `RunTask`, `count`.
const PER_CALL: i32 = 10;
const WINDOW: Duration = Duration::from_secs(12);

/// Tasks that start and do not run yet.
async fn starting(site: &CheckedHost) -> Vec<String> {
    let held = CloudFault::TaskHeld { phase: CloudTaskPhase::Pending };
    site.cloud().fail_until_cleared("RunTask", held);
    let vpc = AwsVpcConfiguration::builder()
        .subnets("subnet-0a1b2c3d4e5f60718")
        .security_groups("sg-0c3d4e5f60718293b")
        .build()
        .expect("it has subnets");
    let network = NetworkConfiguration::builder().awsvpc_configuration(vpc).build();
    let (ecs, mut arns) = (site.ecs(), Vec::new());
    while arns.len() < WAITERS {
        let call = ecs.run_task().cluster("ci").task_definition("ci-job").count(PER_CALL);
        // Of a host of its own, so that no reaper judges them.
        let call = call.launch_type(LaunchType::Fargate).started_by("waiting-host");
        let answer = call.network_configuration(network.clone()).send().await.expect("tasks");
        arns.extend(answer.tasks().iter().filter_map(|task| task.task_arn().map(str::to_owned)));
    }
    site.cloud().clear_faults();
    arns
}

/// The place of the cluster, as the daemon calls it in its list.
async fn place(site: &CheckedHost) -> serde_json::Value {
    let job = site.prepared().await;
    let place = fargate_tests::until_found("the daemon lists a task", async || {
        let list = site.start(&["tasks", "list"]).ended().await.with_code(0);
        let list: serde_json::Value = serde_json::from_slice(&list.stdout).expect("JSON");
        let task = list["tasks"][0].clone();
        if task.is_null() { Err(list.to_string()) } else { Ok(task) }
    })
    .await;
    job.cleanup().await.passed();
    let endpoint = site.cloud().endpoint();
    serde_json::json!({
        "region": place["region"], "cluster": place["cluster"], "endpoint": endpoint, "role": null,
    })
}

#[tokio::test]
async fn a_thousand_waiting_jobs_cost_at_most_one_call_a_second() {
    let _alone = crate::CROWD.lock().await;
    let site = used_site().await;
    let owner = owner(&site);
    assert_ne!(owner, "waiting-host");
    let daemon = RunningDaemon::of(&site).await;
    let place = place(&site).await;
    let arns = starting(&site).await;
    let mut waiting = Vec::new();
    for arn in &arns {
        let mut stream = tokio::net::UnixStream::connect(socket(&site)).await.expect("a place");
        let watch = serde_json::json!({ "watch": { "version": 1, "place": place, "task": arn } });
        let request = watch.to_string();
        let length = u32::try_from(request.len()).expect("short").to_be_bytes();
        stream.write_all(&[&length[..], request.as_bytes()].concat()).await.expect("it reads");
        waiting.push(stream);
    }
    // What may be asked at once has been asked.
    passed(Duration::from_secs(4)).await;
    let reads = || site.calls("DescribeTasks") + site.calls("ListTasks");
    let before = (reads(), site.cloud().requests().len());
    passed(WINDOW).await;
    let asked = reads() - before.0;
    let seconds = usize::try_from(WINDOW.as_secs()).expect("a few");
    assert!((2..=seconds).contains(&asked), "{asked} calls in {WINDOW:?}");
    // The calls were about these, a hundred at a time.
    let requests = site.cloud().requests();
    let about = requests[before.1..].iter().filter(|one| one.operation == "DescribeTasks");
    let sizes: Vec<usize> =
        about.filter_map(|one| Some(one.body["tasks"].as_array()?.len())).collect();
    assert!(sizes.contains(&100), "{sizes:?}");
    drop(waiting);
    for arn in arns {
        site.ecs().stop_task().cluster("ci").task(arn).send().await.expect("a stop");
    }
    daemon.close().await;
    site.close().await;
}
