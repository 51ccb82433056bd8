//! `DescribeRepositories`, in the order of names.

use serde_json::json;

use super::errors;
use super::repository_store::{RepositoryStore, arn};
use crate::account::ACCOUNT;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::list_page::{ListPage, page};
use crate::wire::member::{shapes, without_nulls};

/// Repositories of one page. Source: Amazon ECR API Reference, `DescribeRepositories`.
const MAX_RESULTS: usize = 1000;

shapes! {
    DescribeRepositories {
        registry_id: String = "registryId",
        repository_names: Vec<String> = "repositoryNames",
        next_token: String = "nextToken",
        max_results: i32 = "maxResults",
    }
}

impl JsonRequest for DescribeRepositories {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let wanted = self.repository_names.unwrap_or_default();
        let resource = wanted.first().map_or("*", String::as_str);
        context.allowed("ecr:DescribeRepositories", Some(&arn(context.region, resource)))?;
        let is_own = self.registry_id.as_deref().is_none_or(|registry| registry == ACCOUNT);
        RepositoryStore::with(context, |repositories| {
            let missing = wanted.iter().find(|name| !is_own || !repositories.contains_key(*name));
            if let Some(name) = missing {
                return Err(errors::no_repository(name));
            }
            let all = || repositories.keys().cloned().collect();
            let names = if wanted.is_empty() { all() } else { wanted };
            let token = self.next_token.as_deref();
            let ListPage { items, next_token } = page(names, self.max_results, token, MAX_RESULTS)
                .map_err(|_| errors::parameter("nextToken", "of this listing"))?;
            let shown: Vec<_> = items
                .iter()
                .filter_map(|name| repositories.get(name))
                .map(|repository| repository.shown(context.region))
                .collect();
            Ok(without_nulls(json!({ "repositories": shown, "nextToken": next_token })))
        })
    }
}
