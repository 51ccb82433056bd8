//! `DeleteCluster`. A cluster with live tasks cannot be deleted. A deleted cluster stays as INACTIVE.

use serde_json::json;

use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::state::cluster::IncludedClusterParts;
use crate::services::member_checks::required;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

shapes! {
    DeleteCluster { cluster: String = "cluster", }
}

impl JsonRequest for DeleteCluster {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let reference = required(self.cluster.as_ref(), "cluster")?;
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let name = region.cluster(Some(reference))?.name.clone();
        if region.tasks.values().any(|task| task.cluster == name && task.is_live()) {
            return Err(ServiceException::new(
                "ClusterContainsTasksException",
                "The Cluster cannot be deleted while Tasks are active.",
            ));
        }
        let counts = region.counts(&name);
        let cluster = region.cluster_mut(Some(reference))?;
        cluster.deleted = true;
        Ok(json!({ "cluster": cluster.view(counts, IncludedClusterParts::ALL) }))
    }
}
