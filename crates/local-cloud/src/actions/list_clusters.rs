//! `ListClusters`.

use serde_json::json;

use super::{ActionResult, RequestContext};
use crate::state::page::page;
use crate::wire::member::{shapes, without_nulls};

/// Clusters of one page. Source: Amazon ECS API Reference, `ListClusters`, `maxResults`.
const PAGE: usize = 100;

shapes! {
    ListClusters {
        next_token: String = "nextToken",
        max_results: i32 = "maxResults",
    }
}

impl ListClusters {
    pub fn perform(self, scene: &RequestContext<'_>) -> ActionResult {
        let mut state = scene.cloud.state();
        let region = state.region(scene.region, scene.now);
        let active = region.clusters.values().filter(|cluster| !cluster.deleted);
        let arns = active.map(|cluster| cluster.arn.clone()).collect();
        let page = page(arns, self.max_results, self.next_token.as_deref(), PAGE)?;
        Ok(without_nulls(json!({ "clusterArns": page.items, "nextToken": page.next_token })))
    }
}
