//! `PutSecretValue`.

use std::sync::Arc;

use serde_json::json;

use super::create_secret::CreateSecret;
use super::errors;
use super::secret_checks;
use super::secret_version::BlobMember;
use super::store::SecretStore;
use crate::cloud::CloudInstance;
use crate::random_id;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// Labels that one version can have.
const MAX_LABELS: usize = 20;

shapes! {
    PutSecretValue {
        secret_id: String = "SecretId",
        client_request_token: String = "ClientRequestToken",
        secret_binary: BlobMember = "SecretBinary",
        secret_string: String = "SecretString",
        version_stages: Vec<String> = "VersionStages",
        rotation_token: String = "RotationToken",
    }
}

impl JsonRequest for PutSecretValue {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let reference = secret_checks::secret_id(self.secret_id.as_ref())?;
        let token = secret_checks::token(self.client_request_token.as_ref())?;
        let value = secret_checks::value(self.secret_string, self.secret_binary)?;
        let value = value.ok_or_else(|| {
            errors::request("You must provide either SecretString or SecretBinary.")
        })?;
        let labels = self.version_stages;
        if labels.as_ref().is_some_and(|labels| !(1..=MAX_LABELS).contains(&labels.len())) {
            return Err(errors::validation("versionStages", "have length between 1 and 20"));
        }
        SecretStore::with_secret(context, "secretsmanager:PutSecretValue", reference, |secret| {
            secret.check_usable()?;
            let (arn, name) = (secret.arn.clone(), secret.name.clone());
            let version = secret.put(token, value, labels, context.now)?;
            Ok(json!({
                "ARN": arn,
                "Name": name,
                "VersionId": version.id,
                "VersionStages": version.labels,
            }))
        })
    }
}

/// Creates a secret with this text, or gives it a new current version, as the cloud's owner. Returns its
/// ARN.
pub fn put(
    cloud: &Arc<CloudInstance>,
    region: &str,
    name: &str,
    text: &str,
) -> Result<String, ServiceException> {
    let context = RequestContext::of_owner(cloud, region);
    let (token, value) = (Some(random_id::hex_digits(32)), Some(text.to_owned()));
    let exists = SecretStore::with(&context, |secrets| secrets.by_name(name).is_some());
    let answer = if exists {
        let request = PutSecretValue {
            secret_id: Some(name.to_owned()),
            client_request_token: token,
            secret_string: value,
            ..Default::default()
        };
        request.perform(&context)?
    } else {
        let request = CreateSecret {
            name: Some(name.to_owned()),
            client_request_token: token,
            secret_string: value,
            ..Default::default()
        };
        request.perform(&context)?
    };
    Ok(answer["ARN"].as_str().unwrap_or_default().to_owned())
}
