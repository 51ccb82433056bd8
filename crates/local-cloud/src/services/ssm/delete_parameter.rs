//! `DeleteParameter`. A deleted parameter is gone at once.

use serde_json::json;

use super::errors;
use super::parameter_reference::arn;
use super::parameter_store::ParameterStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    DeleteParameter {
        name: String = "Name",
    }
}

impl JsonRequest for DeleteParameter {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let name = self.name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| errors::model("name", "not be null"))?;
        context.allowed("ssm:DeleteParameter", Some(&arn(context.region, &name)))?;
        let removed = ParameterStore::with(context, |parameters| parameters.remove(&name));
        removed.map(|_| json!({})).ok_or_else(|| errors::no_parameter(&name))
    }
}
