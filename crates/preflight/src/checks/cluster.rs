//! Whether the cluster is there and takes tasks.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::needed_rights::cluster_name;
use crate::views::ClusterFacts;

/// The status of a cluster that takes tasks. Source: Amazon ECS API Reference, `Cluster`.
const ACTIVE: &str = "ACTIVE";

/// The cluster, if tasks can be started in it.
pub(crate) fn usable_cluster<'a>(input: CheckInput<'a>, name: &str) -> Option<&'a ClusterFacts> {
    let found = input.view.cluster.clusters.get(name)?.known()?.as_ref()?;
    (found.status == ACTIVE).then_some(found)
}

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let groups = input.needs.merged_by(|profile| profile.cluster.clone());
    let finding = |group: &crate::job_needs::ProfileGroup<String>| {
        let found = one(input, &group.need);
        CheckFinding { found: format!("{}{}", found.found, group.suffix()), ..found }
    };
    groups.iter().map(finding).collect()
}

fn one(input: CheckInput<'_>, name: &str) -> CheckFinding {
    let region = &input.view.access.region;
    let unread = crate::reading::AwsReading::default();
    let reading = input.view.cluster.clusters.get(name).unwrap_or(&unread);
    match reading.or_unknown(&format!("the cluster {name}")) {
        Err(unknown) => unknown,
        Ok(Some(found)) if found.status == ACTIVE => {
            CheckFinding::pass(format!("{name} is active"))
        }
        Ok(Some(found)) => CheckFinding::fail(
            format!("the cluster {name} is {}", found.status),
            format!("ECS starts no task in {}", cluster_name(name)),
        )
        .fix("name an active cluster in `cluster`, or make it again")
        .command(create(name)),
        Ok(None) => CheckFinding::fail(
            format!("{region} has no cluster {name}"),
            format!("there is no cluster {} to start a task in", cluster_name(name)),
        )
        .fix("correct `cluster` or `region`, or make the cluster")
        .command(create(name)),
    }
}

fn create(name: &str) -> String {
    format!(
        "aws ecs create-cluster --cluster-name {} --capacity-providers FARGATE FARGATE_SPOT",
        cluster_name(name)
    )
}
