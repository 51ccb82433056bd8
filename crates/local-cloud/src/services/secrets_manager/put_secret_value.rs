//! `PutSecretValue`.

use serde_json::json;

use super::errors;
use super::secret_checks;
use super::secret_version::BlobMember;
use super::store::SecretStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
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
