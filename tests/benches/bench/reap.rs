//! A thousand tasks of this host that no job needs any more: found, seen twice, stopped.
//!
//! The tasks have no processes and no addresses yet, because what is measured is the host's own work and
//! its pace. The pace is the product's; the cloud refuses nothing here, so a cloud with the limits of an account, which
//! [`House::open`] would serve, can only make it slower.

use std::error::Error;
use std::process::{Command, Stdio};

use aws_sdk_ecs::types::{
    AwsVpcConfiguration, ContainerOverride, KeyValuePair, LaunchType, NetworkConfiguration,
    TaskOverride,
};
use fargate_local_cloud::{Fault, Phase};
use fargate_playground::environment;

use crate::figure::{Figure, Goal, Report};
use crate::house::House;
use crate::measured::{measure as run, until};

/// The number of the job that makes the host's name.
const FIRST: u64 = 5000;
/// Orphans.
const ORPHANS: u32 = 1000;
/// Tasks of one RunTask. Source: Amazon ECS API Reference, `RunTask`, `count`.
const PER_CALL: u32 = 10;

/// See the module.
pub fn measure(house: &House, report: &mut Report) -> Result<(), Box<dyn Error>> {
    house.job(FIRST)?.cleanup()?;
    let owner = std::fs::read_to_string(house.folder.join("state").join("owner"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    house.cloud.fail_until_cleared("RunTask", Fault::TaskHeld { phase: Phase::Provisioning });
    let started = runtime.block_on(start(house, owner.trim()));
    house.cloud.clear_faults();
    started?;
    let live = house.cloud.live_tasks();
    if live != usize::try_from(ORPHANS)? {
        return Err(format!("{live} live tasks, where {ORPHANS} were started").into());
    }
    let before = house.cloud.requests().len();
    let mut reap = Command::new(&house.driver);
    reap.arg("-c").arg(&house.configuration).args(["tasks", "reap"]);
    reap.env_clear().envs(environment::of_driver(&house.cloud.endpoint()));
    let took = run(reap.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()))?.wall;
    let requests = house.cloud.requests();
    let calls = |operation: &str| {
        requests.iter().skip(before).filter(|request| request.operation == operation).count()
    };
    until("every orphan to stop", || house.cloud.live_tasks() == 0)?;
    report.add(Figure {
        name: "reap-1000-orphans",
        value: took.as_secs_f64(),
        unit: "s",
        goal: Goal::AtMost(90.0),
        note: format!(
            "wall of `tasks reap`, two sightings among it; {} ListTasks, {} DescribeTasks, {} StopTask",
            calls("ListTasks"),
            calls("DescribeTasks"),
            calls("StopTask")
        ),
    });
    Ok(())
}

async fn start(house: &House, owner: &str) -> Result<(), Box<dyn Error>> {
    let ecs = fargate_tests::ecs_client(&house.cloud.endpoint());
    let vpc = AwsVpcConfiguration::builder()
        .subnets("subnet-0a1b2c3d4e5f60718")
        .security_groups("sg-0c3d4e5f60718293b")
        .build()?;
    let network = NetworkConfiguration::builder().awsvpc_configuration(vpc).build();
    for number in 0..ORPHANS / PER_CALL {
        let job =
            KeyValuePair::builder().name("FARGATE_RUNNER_JOB").value(format!("{number:064x}"));
        let container = ContainerOverride::builder().name("job").environment(job.build()).build();
        let call = ecs
            .run_task()
            .cluster("ci")
            .task_definition("ci-job")
            .launch_type(LaunchType::Fargate)
            .count(i32::try_from(PER_CALL)?)
            .started_by(owner)
            .network_configuration(network.clone())
            .overrides(TaskOverride::builder().container_overrides(container).build());
        call.send().await?;
    }
    Ok(())
}
