//! `GetParameters`. What does not exist is named in the answer; it is no error.

use serde_json::json;

use super::errors;
use super::parameter_reference::ParameterReference;
use super::parameter_store::ParameterStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

/// Names of one request. Source: AWS Systems Manager API Reference, `GetParameters`.
pub const MAX_NAMES: usize = 10;

shapes! {
    GetParameters {
        names: Vec<String> = "Names",
        with_decryption: bool = "WithDecryption",
    }
}

impl JsonRequest for GetParameters {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let names = self.names.unwrap_or_default();
        if !(1..=MAX_NAMES).contains(&names.len()) {
            return Err(errors::model("names", "have length between 1 and 10"));
        }
        let decrypts = self.with_decryption == Some(true);
        let (mut found, mut invalid) = (Vec::new(), Vec::new());
        for name in names {
            let shown = ParameterReference::parse(&name, context.region).and_then(|reference| {
                ParameterStore::read(context, "ssm:GetParameters", &reference, |parameter| {
                    parameter.shown(reference.version, context.region, decrypts)
                })
            });
            match shown {
                Ok(parameter) => found.push(parameter),
                Err(refusal) if refusal.code == "AccessDeniedException" => return Err(refusal),
                Err(_) => invalid.push(name),
            }
        }
        Ok(json!({ "Parameters": found, "InvalidParameters": invalid }))
    }
}
