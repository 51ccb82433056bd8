//! `PutClusterCapacityProviders`, and the rules for a capacity provider strategy.

use serde_json::json;

use crate::fault::PROVIDERS;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::shape::common::CapacityProviderStrategyItem;
use crate::services::ecs::state::cluster::IncludedClusterParts;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// Items of a strategy. Source: Amazon ECS API Reference, `RunTask`, `capacityProviderStrategy`.
const MAX_ITEMS: usize = 20;

shapes! {
    PutClusterCapacityProviders {
        cluster: String = "cluster",
        capacity_providers: Vec<String> = "capacityProviders",
        default_capacity_provider_strategy: Vec<CapacityProviderStrategyItem>
            = "defaultCapacityProviderStrategy",
    }
}

impl JsonRequest for PutClusterCapacityProviders {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let providers = self
            .capacity_providers
            .ok_or_else(|| ServiceException::parameter("Capacity providers can not be blank."))?;
        let strategy = self.default_capacity_provider_strategy.ok_or_else(|| {
            ServiceException::parameter("Default capacity provider strategy can not be blank.")
        })?;
        check_strategy(&providers, &strategy)?;
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let cluster = region.cluster_mut(self.cluster.as_deref())?;
        cluster.capacity_providers = providers;
        cluster.default_strategy = strategy;
        let cluster = region.cluster(self.cluster.as_deref())?;
        Ok(
            json!({ "cluster": cluster.view(region.counts(&cluster.name), IncludedClusterParts::ALL) }),
        )
    }
}

/// Checks a strategy of a cluster that has `providers`.
pub fn check_strategy(
    providers: &[String],
    strategy: &[CapacityProviderStrategyItem],
) -> Result<(), ServiceException> {
    // An unknown name is reported before the rules about numbers, whether the cluster or the strategy
    // names it.
    let named = strategy.iter().filter_map(|item| item.capacity_provider.as_ref());
    if let Some(unknown) =
        providers.iter().chain(named.clone()).find(|name| !PROVIDERS.contains(&name.as_str()))
    {
        return Err(ServiceException::parameter(format!(
            "The specified capacity provider '{unknown}' was not found. Specify a valid name or \
             ARN and try again."
        )));
    }
    if strategy.len() > MAX_ITEMS {
        return Err(ServiceException::parameter(format!(
            "A capacity provider strategy can have at most {MAX_ITEMS} items."
        )));
    }
    for item in strategy {
        let name = item.capacity_provider.as_ref();
        let name =
            name.ok_or_else(|| ServiceException::parameter("capacityProvider can not be blank."))?;
        if !providers.contains(name) {
            return Err(ServiceException::parameter(
                "The specified capacity provider strategy cannot contain a capacity provider that \
                 is not associated with the cluster. Associate the capacity provider with the \
                 cluster and try again.",
            ));
        }
        let weight = item.weight.unwrap_or(0);
        let base = item.base.unwrap_or(0);
        if !(0..=1000).contains(&weight) || !(0..=100_000).contains(&base) {
            return Err(ServiceException::parameter(
                "A capacity provider's weight must be between 0 and 1000 and its base between 0 \
                 and 100000.",
            ));
        }
    }
    // With no weight at all, no provider would ever get a task. An empty strategy is none.
    if !strategy.is_empty() && strategy.iter().all(|item| item.weight.unwrap_or(0) == 0) {
        return Err(ServiceException::parameter(
            "The specified capacity provider strategy must contain at least one capacity provider \
             with a weight greater than 0.",
        ));
    }
    if strategy.iter().filter(|item| item.base.unwrap_or(0) > 0).count() > 1 {
        return Err(ServiceException::parameter(
            "The specified capacity provider strategy can contain only one capacity provider with \
             a base value defined.",
        ));
    }
    Ok(())
}
