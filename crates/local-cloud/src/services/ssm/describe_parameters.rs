//! `DescribeParameters`, in the order of names. It shows no value.

use serde_json::json;

use super::errors;
use super::parameter_store::ParameterStore;
use super::stored_parameter::StoredParameter;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::list_page::{ListPage, page};
use crate::wire::exception::ServiceException;
use crate::wire::member::{shapes, without_nulls};

/// Parameters of one page. Source: AWS Systems Manager API Reference, `DescribeParameters`.
const MAX_RESULTS: i32 = 50;

shapes! {
    ParameterStringFilter {
        key: String = "Key",
        option: String = "Option",
        values: Vec<String> = "Values",
    }
    ParametersFilter {
        key: String = "Key",
        values: Vec<String> = "Values",
    }
    DescribeParameters {
        filters: Vec<ParametersFilter> = "Filters",
        parameter_filters: Vec<ParameterStringFilter> = "ParameterFilters",
        max_results: i32 = "MaxResults",
        next_token: String = "NextToken",
        shared: bool = "Shared",
    }
}

impl ParameterStringFilter {
    fn check(&self) -> Result<(), ServiceException> {
        match self.key.as_deref() {
            Some("Name" | "Type") => Ok(()),
            key => {
                let key = key.unwrap_or_default();
                let message = format!("This local cloud filters by Name and Type, not by {key:?}.");
                Err(errors::validation(message))
            }
        }
    }

    /// Whether one of the values fits.
    fn fits(&self, parameter: &StoredParameter) -> bool {
        let own = match self.key.as_deref() {
            Some("Type") => parameter.kind.word(),
            _ => parameter.name.as_str(),
        };
        let one = |value: &String| match self.option.as_deref() {
            Some("BeginsWith") => own.starts_with(value.as_str()),
            Some("Contains") => own.contains(value.as_str()),
            _ => own == value,
        };
        self.values.iter().flatten().any(one)
    }
}

impl JsonRequest for DescribeParameters {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        if self.filters.is_some_and(|filters| !filters.is_empty()) {
            return Err(errors::validation("This local cloud knows `ParameterFilters` alone."));
        }
        let filters = self.parameter_filters.unwrap_or_default();
        filters.iter().try_for_each(ParameterStringFilter::check)?;
        if self.max_results.is_some_and(|wanted| !(1..=MAX_RESULTS).contains(&wanted)) {
            return Err(errors::model("maxResults", "have value between 1 and 50"));
        }
        let user = context.principal.arn(context.partition());
        ParameterStore::with(context, |parameters| {
            let fitting = parameters.values().filter(|one| filters.iter().all(|f| f.fits(one)));
            let names = fitting.map(|one| one.name.clone()).collect();
            let limit = usize::try_from(MAX_RESULTS).unwrap_or_default();
            let ListPage { items, next_token } =
                page(names, self.max_results, self.next_token.as_deref(), limit)
                    .map_err(|_| wrong_token())?;
            let list = items.iter().filter_map(|name| parameters.get(name));
            let list: Vec<_> = list.map(|one| one.described(context.region, &user)).collect();
            Ok(without_nulls(json!({ "Parameters": list, "NextToken": next_token })))
        })
    }
}

fn wrong_token() -> ServiceException {
    errors::validation("The specified token is not valid.")
}
