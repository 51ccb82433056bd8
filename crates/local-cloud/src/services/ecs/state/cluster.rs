//! A cluster and how it is shown.

use serde_json::{Value, json};

use super::client_token::ClientTokens;
use super::tags::ResourceTags;
use crate::services::ecs::shape::cluster::{
    ClusterConfiguration, ClusterServiceConnectDefaults, ClusterSetting,
};
use crate::services::ecs::shape::common::CapacityProviderStrategyItem;
use crate::wire::member::{ShapeMember, without_nulls};

/// A cluster. A deleted cluster stays as INACTIVE.
#[derive(Debug, Default)]
pub struct CloudCluster {
    pub name: String,
    pub arn: String,
    pub deleted: bool,
    pub tags: ResourceTags,
    pub settings: Vec<ClusterSetting>,
    pub configuration: Option<ClusterConfiguration>,
    pub service_connect: Option<ClusterServiceConnectDefaults>,
    pub capacity_providers: Vec<String>,
    pub default_strategy: Vec<CapacityProviderStrategyItem>,
    pub tokens: ClientTokens,
}

/// Tasks of a cluster by state, as `DescribeClusters` counts them.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClusterTaskCounts {
    pub running: usize,
    pub pending: usize,
}

/// The optional parts of a cluster that a request includes.
#[derive(Clone, Copy, Debug, Default)]
pub struct IncludedClusterParts {
    pub tags: bool,
    pub settings: bool,
    pub statistics: bool,
    pub configuration: bool,
}

impl IncludedClusterParts {
    /// Everything, as the answers to changes show it.
    pub const ALL: Self =
        Self { tags: true, settings: true, statistics: false, configuration: true };
}

impl CloudCluster {
    /// How the API shows it.
    pub fn view(&self, counts: ClusterTaskCounts, include: IncludedClusterParts) -> Value {
        let tags = if include.tags { self.tags.to_vec() } else { Vec::new() };
        let settings = if include.settings { self.settings.clone() } else { Vec::new() };
        let statistics = if include.statistics { statistics(counts) } else { json!([]) };
        let configuration = self.configuration.as_ref().filter(|_| include.configuration);
        without_nulls(json!({
            "clusterArn": self.arn,
            "clusterName": self.name,
            "status": if self.deleted { "INACTIVE" } else { "ACTIVE" },
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": counts.running,
            "pendingTasksCount": counts.pending,
            "activeServicesCount": 0,
            "statistics": statistics,
            "tags": tags.write(),
            "settings": settings.write(),
            "capacityProviders": self.capacity_providers.write(),
            "defaultCapacityProviderStrategy": self.default_strategy.write(),
            "configuration": configuration.map(ShapeMember::write),
            "serviceConnectDefaults": self.service_connect.as_ref().map(ShapeMember::write),
        }))
    }
}

fn statistics(counts: ClusterTaskCounts) -> Value {
    let pairs = [
        ("runningEC2TasksCount", 0),
        ("runningFargateTasksCount", counts.running),
        ("pendingEC2TasksCount", 0),
        ("pendingFargateTasksCount", counts.pending),
        ("activeEC2ServiceCount", 0),
        ("activeFargateServiceCount", 0),
        ("drainingEC2ServiceCount", 0),
        ("drainingFargateServiceCount", 0),
    ];
    pairs.iter().map(|(name, count)| json!({"name": name, "value": count.to_string()})).collect()
}
