//! `ListClusters`.

use serde_json::json;

use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::list_page::page;
use crate::wire::member::{shapes, without_nulls};

/// Clusters of one page. Source: Amazon ECS API Reference, `ListClusters`, `maxResults`.
const PAGE: usize = 100;

shapes! {
    ListClusters {
        next_token: String = "nextToken",
        max_results: i32 = "maxResults",
    }
}

impl JsonRequest for ListClusters {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let active = region.clusters.values().filter(|cluster| !cluster.deleted);
        let arns = active.map(|cluster| cluster.arn.clone()).collect();
        let page = page(arns, self.max_results, self.next_token.as_deref(), PAGE)?;
        Ok(without_nulls(json!({ "clusterArns": page.items, "nextToken": page.next_token })))
    }
}
