//! `ListSecrets`, in the order in which the secrets were created, or in the order of the request.

use serde_json::{Value, json};

use super::secret_filter::SecretFilter;
use super::store::SecretStore;
use super::stored_secret::StoredSecret;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::list_page::{ListPage, page};
use crate::wire::exception::ServiceException;
use crate::wire::member::{shapes, without_nulls};

/// Secrets of one page.
const MAX_RESULTS: i32 = 100;

shapes! {
    ListSecrets {
        include_planned_deletion: bool = "IncludePlannedDeletion",
        max_results: i32 = "MaxResults",
        next_token: String = "NextToken",
        filters: Vec<SecretFilter> = "Filters",
        sort_order: String = "SortOrder",
        sort_by: String = "SortBy",
    }
}

impl JsonRequest for ListSecrets {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let filters = self.filters.unwrap_or_default();
        filters.iter().try_for_each(SecretFilter::check)?;
        if self.max_results.is_some_and(|wanted| !(1..=MAX_RESULTS).contains(&wanted)) {
            return Err(ServiceException::parameter("MaxResults must be between 1 and 100."));
        }
        let with_deleted = self.include_planned_deletion == Some(true);
        let is_shown = |secret: &&StoredSecret| {
            (with_deleted || secret.deletion.is_none())
                && filters.iter().all(|filter| filter.fits(secret))
        };
        SecretStore::with(context, |secrets| {
            let mut shown: Vec<_> = secrets.all().filter(is_shown).collect();
            match self.sort_by.as_deref() {
                // The store is in the order of names.
                Some("name") => {}
                Some("last-changed-date") => shown.sort_by_key(|secret| secret.changed),
                Some("last-accessed-date") => shown.sort_by_key(|secret| secret.accessed),
                _ => shown.sort_by_key(|secret| secret.created),
            }
            if self.sort_order.as_deref() == Some("desc") {
                shown.reverse();
            }
            let names = shown.iter().map(|secret| secret.name.clone()).collect();
            let limit = usize::try_from(MAX_RESULTS).unwrap_or_default();
            let ListPage { items, next_token } =
                page(names, self.max_results, self.next_token.as_deref(), limit)
                    .map_err(|_| wrong_token())?;
            let list: Vec<_> =
                items.iter().filter_map(|name| secrets.by_name(name)).map(listed).collect();
            Ok(without_nulls(json!({ "SecretList": list, "NextToken": next_token })))
        })
    }
}

fn wrong_token() -> ServiceException {
    ServiceException::new("InvalidNextTokenException", "The NextToken value is invalid.")
}

fn listed(secret: &StoredSecret) -> Value {
    let mut entry = secret.described();
    if !secret.versions.is_empty() {
        entry["SecretVersionsToStages"] = secret.labels();
    }
    entry
}
