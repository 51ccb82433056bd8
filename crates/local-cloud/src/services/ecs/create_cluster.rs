//! `CreateCluster`. If the cluster exists, the answer is the cluster as it is. An INACTIVE cluster
//! is created again.

use serde_json::json;

use super::put_cluster_capacity_providers::check_strategy;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::shape::cluster::{
    ClusterConfiguration, ClusterServiceConnectDefaults, ClusterSetting,
};
use crate::services::ecs::shape::common::{CapacityProviderStrategyItem, Tag};
use crate::services::ecs::state::arns::is_identifier;
use crate::services::ecs::state::cluster::{CloudCluster, ClusterTaskCounts, IncludedClusterParts};
use crate::services::ecs::state::tags::ResourceTags;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

shapes! {
    CreateCluster {
        cluster_name: String = "clusterName",
        tags: Vec<Tag> = "tags",
        settings: Vec<ClusterSetting> = "settings",
        configuration: ClusterConfiguration = "configuration",
        capacity_providers: Vec<String> = "capacityProviders",
        default_capacity_provider_strategy: Vec<CapacityProviderStrategyItem>
            = "defaultCapacityProviderStrategy",
        service_connect_defaults: ClusterServiceConnectDefaults = "serviceConnectDefaults",
    }
}

impl JsonRequest for CreateCluster {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let name = self.cluster_name.unwrap_or_else(|| "default".to_owned());
        if !is_identifier(&name) {
            return Err(ServiceException::parameter(
                "Cluster names can have 1 to 255 letters, numbers, hyphens and underscores.",
            ));
        }
        let providers = self.capacity_providers.unwrap_or_default();
        let strategy = self.default_capacity_provider_strategy.unwrap_or_default();
        check_strategy(&providers, &strategy)?;
        let tags = ResourceTags::checked(self.tags)?;
        let settings = checked_settings(self.settings)?;
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        if region.clusters.get(&name).is_none_or(|cluster| cluster.deleted) {
            let cluster = CloudCluster {
                arn: region.names.cluster(&name),
                name: name.clone(),
                tags,
                settings,
                configuration: self.configuration,
                service_connect: self.service_connect_defaults,
                capacity_providers: providers,
                default_strategy: strategy,
                ..CloudCluster::default()
            };
            region.clusters.insert(name.clone(), cluster);
        }
        let cluster = region.cluster(Some(&name))?;
        let counts = if region.tasks.is_empty() {
            ClusterTaskCounts::default()
        } else {
            region.counts(&name)
        };
        Ok(json!({ "cluster": cluster.view(counts, IncludedClusterParts::ALL) }))
    }
}

/// The settings of the request, or those of a new account.
fn checked_settings(
    given: Option<Vec<ClusterSetting>>,
) -> Result<Vec<ClusterSetting>, ServiceException> {
    let default = ClusterSetting {
        name: Some("containerInsights".to_owned()),
        value: Some("disabled".to_owned()),
    };
    let settings = given.filter(|all| !all.is_empty()).unwrap_or_else(|| vec![default]);
    for setting in &settings {
        let value = setting.value.as_deref().unwrap_or_default();
        let known = setting.name.as_deref() == Some("containerInsights");
        if !known || !["enabled", "disabled", "enhanced"].contains(&value) {
            return Err(ServiceException::parameter(
                "A cluster setting must be containerInsights with the value enabled, disabled or \
                 enhanced.",
            ));
        }
    }
    Ok(settings)
}
