//! `DescribeCapacityProviders`: the two of Fargate, which every account has.
//!
//! Source, for shape: Amazon ECS API Reference, `DescribeCapacityProviders`.

use serde_json::{Value, json};

use crate::fault::PROVIDERS;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::state::arns::RegionArns;
use crate::wire::member::shapes;

shapes! {
    DescribeCapacityProviders {
        capacity_providers: Vec<String> = "capacityProviders",
        cluster: String = "cluster",
        include: Vec<String> = "include",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
    }
}

impl JsonRequest for DescribeCapacityProviders {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let names = RegionArns { region: context.region.to_owned() };
        let asked = self.capacity_providers.filter(|asked| !asked.is_empty());
        let asked =
            asked.unwrap_or_else(|| PROVIDERS.iter().map(|name| (*name).to_owned()).collect());
        let (mut found, mut failures) = (Vec::<Value>::new(), Vec::<Value>::new());
        for reference in asked {
            let name = reference.rsplit('/').next().unwrap_or(&reference);
            match PROVIDERS.contains(&name) {
                true => found.push(json!({
                    "capacityProviderArn": names.capacity_provider(name),
                    "name": name, "status": "ACTIVE", "tags": [],
                })),
                false => failures.push(json!({ "arn": reference, "reason": "MISSING" })),
            }
        }
        Ok(json!({ "capacityProviders": found, "failures": failures }))
    }
}
