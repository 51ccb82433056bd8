//! `DeleteCluster`. A cluster with live tasks is kept; a deleted one stays, INACTIVE.

use serde_json::json;

use super::{ActionResult, RequestContext, required};
use crate::state::cluster::IncludedClusterParts;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

shapes! {
    DeleteCluster { cluster: String = "cluster", }
}

impl DeleteCluster {
    pub fn perform(self, scene: &RequestContext<'_>) -> ActionResult {
        let reference = required(self.cluster.as_ref(), "cluster")?;
        let mut state = scene.cloud.state();
        let region = state.region(scene.region, scene.now);
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
