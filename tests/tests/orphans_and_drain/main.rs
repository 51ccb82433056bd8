//! `fargate-runner tasks reap`, `pause`, `drain` and `resume`: the commands for a whole host.

mod aws_refusals;
mod cluster_reap;
mod failed_steps;
mod foreign_writers;
mod late_answers;
mod live_jobs;
mod lost_state;
mod orphaned_jobs;
mod pause_and_drain;
mod two_hosts;

use std::path::Path;

use aws_sdk_ecs::types::{
    AwsVpcConfiguration, ContainerOverride, KeyValuePair, NetworkConfiguration, Tag, TaskOverride,
};
use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, TestProcessResult};
use serde_json::Value;

/// What one `tasks reap` said.
struct ReapOutput {
    ended: TestProcessResult,
    document: Value,
}

impl ReapOutput {
    fn of(ended: TestProcessResult) -> Self {
        let document = serde_json::from_slice(&ended.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", ended.all()));
        Self { ended, document }
    }

    /// Each orphan as `RESULT REASON`, in order of these words.
    fn orphans(&self) -> Vec<String> {
        let word = |orphan: &Value, name: &str| orphan[name].as_str().unwrap_or("?").to_owned();
        let orphans = self.document["orphans"].as_array().expect("a list");
        let mut words: Vec<String> = orphans
            .iter()
            .map(|orphan| format!("{} {}", word(orphan, "result"), word(orphan, "reason")))
            .collect();
        words.sort();
        words
    }

    /// The keys of the jobs whose tasks were stopped or whose records were settled for this reason.
    fn ended_for(&self, reason: &str) -> Vec<String> {
        let orphans = self.document["orphans"].as_array().expect("a list");
        let ended = orphans.iter().filter(|orphan| {
            orphan["reason"] == reason
                && (orphan["result"] == "stopped" || orphan["result"] == "settled")
        });
        ended.map(|orphan| orphan["job_key"].as_str().expect("a key").to_owned()).collect()
    }

    /// Why tasks were left alone.
    fn left_alone(&self) -> Vec<&str> {
        let left = self.document["left_alone"].as_array().expect("a list");
        left.iter().map(|left| left["reason"].as_str().expect("a word")).collect()
    }

    fn needed(&self) -> u64 {
        self.document["needed"].as_u64().expect("a number")
    }
}

/// A host with a short wait between two sightings of an orphan.
async fn site() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.orphan_recheck", "20ms");
    site
}

/// One `tasks reap` with these arguments, which must end with `code`.
async fn reap(site: &CheckedHost, arguments: &[&str], code: i32) -> ReapOutput {
    reap_with(site, &site.config(), arguments, code).await
}

/// The same with another host's configuration.
async fn reap_with(site: &CheckedHost, config: &Path, arguments: &[&str], code: i32) -> ReapOutput {
    let all = [&["tasks", "reap"], arguments].concat();
    ReapOutput::of(site.start_with(config, &all).ended().await.with_code(code))
}

/// The name of the site's host, which its first job made.
fn owner(site: &CheckedHost) -> String {
    let name = std::fs::read_to_string(site.state_dir().join("owner"));
    name.expect("a job has made the owner's name").trim().to_owned()
}

/// Starts a task as a lost driver leaves it: no process and no file of this host knows it.
async fn stray(site: &CheckedHost, owner: &str, variables: &[(&str, &str)]) -> String {
    stray_tagged(site, owner, variables, Vec::new()).await
}

/// The same with tags.
async fn stray_tagged(
    site: &CheckedHost,
    owner: &str,
    variables: &[(&str, &str)],
    tags: Vec<Tag>,
) -> String {
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    let vpc = AwsVpcConfiguration::builder()
        .subnets("subnet-0a1b2c3d4e5f60718")
        .security_groups("sg-0c3d4e5f60718293b")
        .build()
        .expect("it has subnets");
    let variables = variables
        .iter()
        .map(|(name, value)| KeyValuePair::builder().name(*name).value(*value).build());
    let container =
        ContainerOverride::builder().name("job").set_environment(Some(variables.collect()));
    let call = site.ecs().run_task();
    let answer = call
        .cluster("ci")
        .task_definition("ci-job")
        .launch_type(aws_sdk_ecs::types::LaunchType::Fargate)
        .started_by(owner)
        .set_tags(Some(tags).filter(|tags| !tags.is_empty()))
        .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
        .overrides(TaskOverride::builder().container_overrides(container.build()).build())
        .send()
        .await
        .expect("a task");
    answer.tasks()[0].task_arn().expect("an ARN").to_owned()
}

/// An exception of ECS's.
fn exception(status: u16, code: &str, message: &str) -> CloudFault {
    CloudFault::Exception { status, code: code.to_owned(), message: message.to_owned() }
}

/// The key of a job that has nothing but this key.
fn job_key(number: usize) -> String {
    format!("{number:064x}")
}

/// What a task is meant to be: `RUNNING` or `STOPPED`.
fn desired(site: &CheckedHost, arn: &str) -> String {
    let task = site.cloud().tasks().into_iter().find(|task| task.arn == arn);
    task.expect("a task").desired_status
}
