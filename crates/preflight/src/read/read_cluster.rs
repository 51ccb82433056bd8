//! Reads the clusters and the task definitions of all profiles.

use std::collections::{BTreeMap, BTreeSet};

use fargate_aws::{AwsAccount, CallError, EcsOperation};
use fargate_config::{DefinitionSource, JobProfile};
use fargate_task_definition::RenderedDefinition;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::job_needs::JobNeeds;
use crate::read::asked::asked;
use crate::read::named_image::named_image;
use crate::reading::AwsReading;
use crate::views::{ClusterFacts, ClusterView, DefinitionFacts, DefinitionReading, DefinitionUse};

/// Reads all of it, side by side.
pub(crate) async fn read_cluster(
    account: &AwsAccount,
    needs: &JobNeeds,
    deadline: Instant,
) -> ClusterView {
    let names: BTreeSet<String> =
        needs.profiles.iter().map(|profile| profile.cluster.clone()).collect();
    let clusters = join_all(names.into_iter().map(|name| async {
        let found = read_one_cluster(account, &name, deadline).await;
        (name, found)
    }));
    let fixed: BTreeSet<String> = needs.profiles.iter().filter_map(fixed_name).collect();
    let fixed = join_all(fixed.into_iter().map(|name| async {
        let found = read_definition(account, &name, deadline).await;
        (name, found)
    }));
    let (clusters, fixed) = join(clusters, fixed).await;
    let fixed: BTreeMap<String, AwsReading<Option<DefinitionFacts>>> = fixed.into_iter().collect();
    let definition_of = |profile: &JobProfile| match fixed_name(profile) {
        Some(name) => fixed_definition(&name, fixed.get(&name)),
        None => AwsReading::Known(rendered(profile, account.region())),
    };
    let definitions = needs.profiles.iter().map(definition_of).collect();
    let definition_uses = fixed.iter().map(|(name, found)| (name.clone(), use_of(found))).collect();
    ClusterView { clusters: clusters.into_iter().collect(), definitions, definition_uses }
}

fn fixed_name(profile: &JobProfile) -> Option<String> {
    match profile.definition() {
        DefinitionSource::Fixed(name) => Some(name.to_owned()),
        DefinitionSource::Derived(_) => None,
    }
}

fn fixed_definition(
    name: &str,
    found: Option<&AwsReading<Option<DefinitionFacts>>>,
) -> DefinitionReading {
    let missing = || Err(format!("ECS has no task definition {name}"));
    match found {
        Some(found) => found.clone().map(|facts| facts.map_or_else(missing, Ok)),
        None => AwsReading::default(),
    }
}

fn rendered(profile: &JobProfile, region: &str) -> Result<DefinitionFacts, String> {
    let image = named_image(profile)?.unwrap_or_default();
    let rendered = RenderedDefinition::with_image(profile, &image, region);
    Ok(DefinitionFacts::of(rendered.map_err(|error| error.to_string())?.input()))
}

fn use_of(found: &AwsReading<Option<DefinitionFacts>>) -> AwsReading<DefinitionUse> {
    match found {
        AwsReading::Known(None) => {
            AwsReading::NotRead { why: "ECS has no such task definition".to_owned() }
        }
        other => other.clone().map(|facts| {
            let facts = facts.unwrap_or_default();
            let is_of_manager = |secret: &String| secret.contains(":secretsmanager:");
            DefinitionUse {
                writes_logs: !facts.log_groups.is_empty(),
                reads_secrets: !facts.registry_secrets.is_empty()
                    || facts.secrets.iter().any(is_of_manager),
                reads_parameters: !facts.secrets.iter().all(is_of_manager),
                images: facts.images,
            }
        }),
    }
}

async fn read_one_cluster(
    account: &AwsAccount,
    name: &str,
    deadline: Instant,
) -> AwsReading<Option<ClusterFacts>> {
    let operation = EcsOperation::DescribeClusters;
    let body = json!({ "clusters": [name] });
    let answer = asked(operation.right(), deadline, || account.ecs_json(operation, &body)).await;
    answer.map(|answer| cluster_of(&answer))
}

fn cluster_of(answer: &Value) -> Option<ClusterFacts> {
    let cluster = answer["clusters"].as_array()?.first()?;
    let text = |name: &str| cluster[name].as_str().unwrap_or_default().to_owned();
    let items = |name: &str| cluster[name].as_array().cloned().unwrap_or_default();
    let provider = |item: &Value| item.as_str().map(str::to_owned);
    // An item with neither gets no task.
    let gets_tasks = |item: &Value| {
        item["weight"].as_u64().unwrap_or(1) > 0 || item["base"].as_u64().unwrap_or(0) > 0
    };
    let strategy = items("defaultCapacityProviderStrategy");
    let strategy = strategy.iter().filter(|item| gets_tasks(item));
    Some(ClusterFacts {
        arn: text("clusterArn"),
        status: text("status"),
        providers: items("capacityProviders").iter().filter_map(provider).collect(),
        default_strategy: strategy.filter_map(|item| provider(&item["capacityProvider"])).collect(),
    })
}

async fn read_definition(
    account: &AwsAccount,
    name: &str,
    deadline: Instant,
) -> AwsReading<Option<DefinitionFacts>> {
    let operation = EcsOperation::DescribeTaskDefinition;
    let body = json!({ "taskDefinition": name });
    let answer = asked(operation.right(), deadline, || async {
        match account.ecs_json(operation, &body).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    });
    answer.await.map(|answer| answer.map(|answer| DefinitionFacts::of(&answer["taskDefinition"])))
}

/// ECS says it of a definition that there is not, in these words.
fn is_missing(error: &CallError) -> bool {
    matches!(error, CallError::Answered { code, message, .. }
        if code == "ClientException" && message.contains("Unable to describe task definition"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_read_with_the_providers_that_get_tasks() {
        let answer = json!({ "clusters": [{
            "clusterArn": "arn:c", "status": "ACTIVE", "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
            "defaultCapacityProviderStrategy": [
                {"capacityProvider": "FARGATE", "weight": 1, "base": 0},
                {"capacityProvider": "FARGATE_SPOT", "weight": 0, "base": 0}],
        }], "failures": [] });
        let cluster = cluster_of(&answer).unwrap();
        assert_eq!(
            (cluster.providers.len(), cluster.default_strategy),
            (2, vec!["FARGATE".to_owned()])
        );
        assert_eq!(
            cluster_of(&json!({ "clusters": [], "failures": [{"reason": "MISSING"}] })),
            None
        );
    }
}
