//! `GetParameter`.

use serde_json::json;

use super::errors;
use super::parameter_reference::ParameterReference;
use super::parameter_store::ParameterStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    GetParameter {
        name: String = "Name",
        with_decryption: bool = "WithDecryption",
    }
}

impl JsonRequest for GetParameter {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let name = self.name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| errors::model("name", "not be null"))?;
        let reference = ParameterReference::parse(&name, context.region)?;
        let decrypts = self.with_decryption == Some(true);
        ParameterStore::read(context, "ssm:GetParameter", &reference, |parameter| {
            let shown = parameter.shown(reference.version, context.region, decrypts)?;
            Ok(json!({ "Parameter": shown }))
        })
    }
}
