//! `ListTaskDefinitions`.

use serde_json::json;

use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::list_page::page;
use crate::wire::exception::ServiceException;
use crate::wire::member::{shapes, without_nulls};

/// Revisions of one page. Source: Amazon ECS API Reference, `ListTaskDefinitions`, `maxResults`.
const PAGE: usize = 100;

shapes! {
    ListTaskDefinitions {
        family_prefix: String = "familyPrefix",
        status: String = "status",
        sort: String = "sort",
        next_token: String = "nextToken",
        max_results: i32 = "maxResults",
    }
}

impl JsonRequest for ListTaskDefinitions {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let status = self.status.as_deref().unwrap_or("ACTIVE");
        if !["ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"].contains(&status) {
            return Err(ServiceException::parameter(
                "status must be one of ACTIVE, INACTIVE and DELETE_IN_PROGRESS.",
            ));
        }
        let descending = match self.sort.as_deref().unwrap_or("ASC") {
            "ASC" => false,
            "DESC" => true,
            _ => return Err(ServiceException::parameter("sort must be ASC or DESC.")),
        };
        let mut state = context.cloud.ecs();
        let region = state.region(context.region, context.now);
        // Although the member is called a prefix, ECS compares the whole family name.
        let wanted = |family: &&String| self.family_prefix.as_ref().is_none_or(|f| *f == **family);
        let families = region.families.iter().filter(|(family, _)| wanted(family));
        let revisions = families.flat_map(|(_, revisions)| revisions);
        let mut arns: Vec<_> = revisions
            .filter(|definition| definition.status.word() == status)
            .map(|definition| definition.arn.clone())
            .collect();
        if descending {
            arns.reverse();
        }
        let page = page(arns, self.max_results, self.next_token.as_deref(), PAGE)?;
        let body = json!({ "taskDefinitionArns": page.items, "nextToken": page.next_token });
        Ok(without_nulls(body))
    }
}
