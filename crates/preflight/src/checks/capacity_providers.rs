//! Whether the cluster has the capacity providers that jobs ask for.

use std::collections::BTreeSet;

use fargate_config::{JobProfile, LaunchMode};

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::by_profile::by_profile;
use crate::checks::cluster::usable_cluster;
use crate::needed_rights::cluster_name;
use crate::views::ClusterFacts;

/// The providers of Fargate. Source: Amazon ECS API Reference, `CreateCluster`.
const FARGATE: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    by_profile(input, |profile, _| {
        let reading = input.view.cluster.clusters.get(&profile.cluster);
        let unread = crate::reading::AwsReading::default();
        if let Err(unknown) = reading.unwrap_or(&unread).or_unknown("the capacity providers") {
            return Some(unknown);
        }
        // A cluster that is not there fails in its own check.
        let cluster = usable_cluster(input, &profile.cluster)?;
        Some(missing(profile, cluster).or_else(|| strategy(profile, cluster)).unwrap_or_else(
            || {
                CheckFinding::pass(match cluster.providers.as_slice() {
                    [] => "none is needed for the launch type FARGATE".to_owned(),
                    providers => providers.join(", "),
                })
            },
        ))
    })
}

/// The providers that a profile names itself. A launch type needs none.
pub(crate) fn named_providers(profile: &JobProfile) -> BTreeSet<String> {
    let mut named: BTreeSet<String> = profile.capacity_fallback.iter().cloned().collect();
    if let LaunchMode::Strategy(items) = profile.launch() {
        named.extend(items.into_iter().map(|item| item.provider));
    }
    named
}

fn missing(profile: &JobProfile, cluster: &ClusterFacts) -> Option<CheckFinding> {
    let is_missing = |name: &String| !cluster.providers.contains(name);
    let missing: Vec<String> = named_providers(profile).into_iter().filter(is_missing).collect();
    if missing.is_empty() {
        return None;
    }
    let (names, cluster_name) = (missing.join(", "), cluster_name(&profile.cluster));
    let all: BTreeSet<&String> = cluster.providers.iter().chain(&missing).collect();
    let all: Vec<&str> = all.into_iter().map(String::as_str).collect();
    let command = format!(
        "aws ecs put-cluster-capacity-providers --cluster {cluster_name} --capacity-providers {} \
         --default-capacity-provider-strategy capacityProvider=FARGATE,weight=1",
        all.join(" ")
    );
    let found = format!("the cluster {cluster_name} has no capacity provider {names}");
    Some(
        CheckFinding::fail(found, format!("ECS refuses tasks on {names}"))
            .fix("add it; the command sets the default strategy as well, which jobs with a strategy of their own do not use")
            .command(command),
    )
}

/// What is wrong with the default strategy, if tasks go by it.
fn strategy(profile: &JobProfile, cluster: &ClusterFacts) -> Option<CheckFinding> {
    if profile.launch() != LaunchMode::ClusterDefault {
        return None;
    }
    let name = cluster_name(&profile.cluster);
    let foreign: Vec<&str> = cluster
        .default_strategy
        .iter()
        .map(String::as_str)
        .filter(|provider| !FARGATE.contains(provider))
        .collect();
    let found = match (cluster.default_strategy.is_empty(), foreign.is_empty()) {
        (true, _) => format!("the cluster {name} has no default capacity provider strategy"),
        (false, false) => {
            format!(
                "the default strategy of {name} has {}, which is not Fargate",
                foreign.join(", ")
            )
        }
        (false, true) => return None,
    };
    Some(
        CheckFinding::fail(found, "ECS looks for servers of the account, of which there are none")
            .fix("give the cluster a default strategy of Fargate, or set `launch_type = \"FARGATE\"`")
            .command(format!(
                "aws ecs put-cluster-capacity-providers --cluster {name} --capacity-providers FARGATE \
                 FARGATE_SPOT --default-capacity-provider-strategy capacityProvider=FARGATE,weight=1"
            )),
    )
}
