//! `DescribeClusters`.

use serde_json::{Value, json};

use crate::fault::CloudFault;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::state::cluster::IncludedClusterParts;
use crate::services::member_checks::includes;
use crate::wire::exception::ServiceException;
use crate::wire::member::{shapes, without_nulls};

/// Clusters of one request. Source: Amazon ECS API Reference, `DescribeClusters`.
const MAX_CLUSTERS: usize = 100;
const INCLUDE: [&str; 5] = ["ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"];

shapes! {
    DescribeClusters {
        clusters: Vec<String> = "clusters",
        include: Vec<String> = "include",
    }
}

impl JsonRequest for DescribeClusters {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let with = |word| includes(self.include.as_deref(), &INCLUDE, word);
        let include = IncludedClusterParts {
            tags: with("TAGS")?,
            settings: with("SETTINGS")?,
            statistics: with("STATISTICS")?,
            configuration: with("CONFIGURATIONS")?,
        };
        let mut asked = self.clusters.unwrap_or_default();
        if asked.is_empty() {
            asked.push("default".to_owned());
        }
        if asked.len() > MAX_CLUSTERS {
            return Err(ServiceException::parameter(format!(
                "Clusters cannot be more than {MAX_CLUSTERS}."
            )));
        }
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let (mut clusters, mut failures) = (Vec::<Value>::new(), Vec::<Value>::new());
        for reference in &asked {
            let name = region.names.cluster_name(Some(reference)).ok();
            let found = name.and_then(|name| region.clusters.get(name));
            if let Some(CloudFault::Failure { reason, detail }) = context.fault {
                let failure = json!({ "arn": reference, "reason": reason, "detail": detail });
                failures.push(without_nulls(failure));
                continue;
            }
            match found {
                Some(found) => clusters.push(found.view(region.counts(&found.name), include)),
                None => {
                    let arn = match reference.strip_prefix("arn:") {
                        Some(_) => reference.clone(),
                        None => region.names.cluster(reference),
                    };
                    failures.push(json!({ "arn": arn, "reason": "MISSING" }));
                }
            }
        }
        Ok(json!({ "clusters": clusters, "failures": failures }))
    }
}
