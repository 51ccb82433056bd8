//! The pages of the listings of EFS.

use super::errors::bad_request;
use crate::services::list_page::{ListPage, page};
use crate::wire::exception::ServiceException;

/// Entries of a page. Source: Amazon EFS API Reference, "The number of results is automatically set to 100".
const PAGE: i32 = 100;

/// One page of ids.
pub struct StoragePage {
    pub ids: Vec<String>,
    pub next: Option<String>,
}

/// The page of `ids` after `token`, with errors that name the members of the request. More than a hundred entries
/// are a hundred.
pub fn storage_page(
    ids: Vec<String>,
    wanted: Option<i32>,
    token: Option<&str>,
    wanted_name: &str,
    token_name: &str,
) -> Result<StoragePage, ServiceException> {
    if let Some(wrong) = wanted.filter(|wanted| *wanted < 1) {
        return Err(bad_request(format!("{wanted_name} is {wrong}; it must be at least 1.")));
    }
    let limit = usize::try_from(PAGE).unwrap_or_default();
    let ListPage { items, next_token } =
        page(ids, Some(wanted.unwrap_or(PAGE).min(PAGE)), token, limit)
            .map_err(|_| bad_request(format!("{token_name} is not of this listing.")))?;
    Ok(StoragePage { ids: items, next: next_token })
}
