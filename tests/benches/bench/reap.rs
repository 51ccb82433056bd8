//! A thousand tasks of this host that no job needs any more: found, seen twice, stopped.
//!
//! The tasks have no processes and no addresses yet, because what is measured is the host's own work and
//! its pace, on a cloud with the rate limits of an account.

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_sdk_ecs::types::{
    AwsVpcConfiguration, ContainerOverride, KeyValuePair, LaunchType, NetworkConfiguration,
    TaskOverride,
};
use fargate_local_cloud::{CloudFault, CloudOptions, CloudRateLimits, CloudTaskPhase};
use fargate_playground::test_host::TestHost;

use crate::bench_job::{BenchJob, open_host_with};
use crate::figure::{BenchFigure, BenchReport, FigureGoal};
use crate::measured::{measure as run, until};

/// The number of the job that makes the host's name.
const FIRST: u64 = 5000;
/// Orphans.
const ORPHANS: u32 = 1000;
/// Tasks of one RunTask. Source: Amazon ECS API Reference, `RunTask`, `count`.
const PER_CALL: u32 = 10;

/// What passes on the cloud's clock between two launches of ten tasks, at 20 tasks a second.
const BETWEEN_LAUNCHES: Duration = Duration::from_secs(1);

/// Measures it, and adds the figures to `report`.
pub fn measure(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    let limits = |options: &mut CloudOptions| options.limits = CloudRateLimits::of_aws();
    let host = open_host_with(&host.folder().join("reap"), limits)?;
    let measured = measure_in(&host, report);
    host.close_thread();
    measured
}

fn measure_in(host: &TestHost, report: &mut BenchReport) -> Result<(), Box<dyn Error>> {
    BenchJob::new(host, FIRST)?.cleanup()?;
    let owner = std::fs::read_to_string(host.folder().join("state").join("owner"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    host.cloud().fail_until_cleared(
        "RunTask",
        CloudFault::TaskHeld { phase: CloudTaskPhase::Provisioning },
    );
    let started = runtime.block_on(start(host, owner.trim()));
    host.cloud().clear_faults();
    started?;
    let live = host.cloud().live_tasks();
    if live != usize::try_from(ORPHANS)? {
        return Err(format!("{live} live tasks, where {ORPHANS} were started").into());
    }
    let before = host.cloud().requests().len();
    let mut reap = Command::new(host.driver());
    reap.arg("-c").arg(host.config()).args(["tasks", "reap"]);
    reap.env_clear().envs(host.environment());
    let took = run(reap.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()))?.wall;
    let requests = host.cloud().requests();
    let calls = |operation: &str| {
        requests.iter().skip(before).filter(|request| request.operation == operation).count()
    };
    until("every orphan to stop", || host.cloud().live_tasks() == 0)?;
    let refused = requests.iter().skip(before).filter(|request| request.status == Some(400));
    report.add(BenchFigure {
        name: "reap-1000-orphans",
        value: took.as_secs_f64(),
        unit: "s",
        goal: FigureGoal::AtMost(90.0),
        note: format!(
            "wall of `tasks reap`, two sightings among it, with the rate limits of AWS; {} ListTasks, \
             {} DescribeTasks, {} StopTask, {} of them refused as too fast",
            calls("ListTasks"),
            calls("DescribeTasks"),
            calls("StopTask"),
            refused.count()
        ),
    });
    Ok(())
}

async fn start(host: &TestHost, owner: &str) -> Result<(), Box<dyn Error>> {
    let ecs = fargate_tests::ecs_client(host.cloud());
    let vpc = AwsVpcConfiguration::builder()
        .subnets("subnet-0a1b2c3d4e5f60718")
        .security_groups("sg-0c3d4e5f60718293b")
        .build()?;
    let network = NetworkConfiguration::builder().awsvpc_configuration(vpc).build();
    for number in 0..ORPHANS / PER_CALL {
        // They were started long ago: what was taken from the buckets then has flowed in since.
        host.cloud().advance(BETWEEN_LAUNCHES);
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
