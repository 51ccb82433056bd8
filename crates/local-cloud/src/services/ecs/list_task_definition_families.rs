//! `ListTaskDefinitionFamilies`.

use serde_json::json;

use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ecs::state::definition::DefinitionStatus;
use crate::services::list_page::page;
use crate::wire::exception::ServiceException;
use crate::wire::member::{shapes, without_nulls};

/// Families of one page. Source: Amazon ECS API Reference, `ListTaskDefinitionFamilies`.
const PAGE: usize = 100;

shapes! {
    ListTaskDefinitionFamilies {
        family_prefix: String = "familyPrefix",
        status: String = "status",
        next_token: String = "nextToken",
        max_results: i32 = "maxResults",
    }
}

impl JsonRequest for ListTaskDefinitionFamilies {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        // Without a status, the answer has both kinds. An INACTIVE family has no ACTIVE revision.
        let wanted: fn(bool) -> bool = match self.status.as_deref() {
            None | Some("ALL") => |_| true,
            Some("ACTIVE") => |active| active,
            Some("INACTIVE") => |active| !active,
            Some(_) => {
                return Err(ServiceException::parameter(
                    "status must be one of ACTIVE, INACTIVE and ALL.",
                ));
            }
        };
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        let prefix = self.family_prefix.as_deref().unwrap_or_default();
        let families = region.families.iter().filter(|(family, revisions)| {
            let active = revisions.iter().any(|d| d.status == DefinitionStatus::Active);
            family.starts_with(prefix) && wanted(active)
        });
        let names = families.map(|(family, _)| family.clone()).collect();
        let page = page(names, self.max_results, self.next_token.as_deref(), PAGE)?;
        Ok(without_nulls(json!({ "families": page.items, "nextToken": page.next_token })))
    }
}
