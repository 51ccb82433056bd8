//! `PutParameter`.

use std::sync::Arc;

use serde_json::json;
use zeroize::Zeroizing;

use super::errors;
use super::parameter_reference::{arn, check_name};
use super::parameter_store::ParameterStore;
use super::stored_parameter::{ParameterKind, StoredParameter};
use crate::cloud::CloudInstance;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// Bytes of a value in the standard tier. Source: AWS Systems Manager User Guide, "Managing parameter
/// tiers".
const MAX_VALUE_BYTES: usize = 4096;

shapes! {
    ParameterTag {
        key: String = "Key",
        value: String = "Value",
    }
    PutParameter {
        name: String = "Name",
        description: String = "Description",
        value: String = "Value",
        kind: String = "Type",
        key_id: String = "KeyId",
        overwrite: bool = "Overwrite",
        allowed_pattern: String = "AllowedPattern",
        tags: Vec<ParameterTag> = "Tags",
        tier: String = "Tier",
        policies: String = "Policies",
        data_type: String = "DataType",
    }
}

impl JsonRequest for PutParameter {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let name = check_name(self.name.as_ref())?;
        context.allowed("ssm:PutParameter", Some(&arn(context.region, name)))?;
        let value = self.value.map(Zeroizing::new).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| errors::model("value", "not be null"))?;
        let in_standard_tier = !matches!(self.tier.as_deref(), Some("Advanced"));
        if !in_standard_tier {
            return Err(errors::validation("This local cloud has no advanced tier."));
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(errors::validation(
                "Standard tier parameters support a maximum parameter value of 4096 characters. To create \
                 a larger parameter value, upgrade the parameter to use the advanced-parameter tier.",
            ));
        }
        let kind = self.kind.as_deref().map(ParameterKind::read).transpose()?;
        ParameterStore::with(context, |parameters| {
            let version = match parameters.get_mut(name) {
                Some(_) if self.overwrite != Some(true) => return Err(errors::already_exists()),
                Some(parameter) => {
                    parameter.kind = kind.unwrap_or(parameter.kind);
                    parameter.key_id = self.key_id.or(parameter.key_id.take());
                    parameter.description = self.description.or(parameter.description.take());
                    parameter.put(value, context.now)
                }
                None => {
                    let missing = "A parameter type is required when you create a parameter.";
                    let mut parameter = StoredParameter {
                        name: name.to_owned(),
                        kind: kind.ok_or_else(|| errors::validation(missing))?,
                        key_id: self.key_id,
                        description: self.description,
                        versions: Vec::new(),
                    };
                    let version = parameter.put(value, context.now);
                    parameters.insert(name.to_owned(), parameter);
                    version
                }
            };
            Ok(json!({ "Version": version, "Tier": "Standard" }))
        })
    }
}

/// Writes a `SecureString` with this text, or gives it a new version, as the cloud's owner. Returns its ARN.
pub fn put(
    cloud: &Arc<CloudInstance>,
    region: &str,
    name: &str,
    text: &str,
) -> Result<String, ServiceException> {
    let request = PutParameter {
        name: Some(name.to_owned()),
        value: Some(text.to_owned()),
        kind: Some(ParameterKind::Secure.word().to_owned()),
        overwrite: Some(true),
        ..Default::default()
    };
    request.perform(&RequestContext::of_owner(cloud, region))?;
    Ok(arn(region, name))
}
