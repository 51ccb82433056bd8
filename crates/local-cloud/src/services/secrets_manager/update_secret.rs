//! `UpdateSecret`: another description or key, and a new current version where the request has a value.

use serde_json::json;

use super::secret_checks;
use super::secret_version::BlobMember;
use super::store::SecretStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::{shapes, without_nulls};

shapes! {
    UpdateSecret {
        secret_id: String = "SecretId",
        client_request_token: String = "ClientRequestToken",
        description: String = "Description",
        kms_key_id: String = "KmsKeyId",
        secret_binary: BlobMember = "SecretBinary",
        secret_string: String = "SecretString",
        kind: String = "Type",
    }
}

impl JsonRequest for UpdateSecret {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let reference = secret_checks::secret_id(self.secret_id.as_ref())?;
        let value = secret_checks::value(self.secret_string, self.secret_binary)?;
        // A token belongs to a version, so a request without a value needs none.
        let token = match value {
            Some(_) => secret_checks::token(self.client_request_token.as_ref())?,
            None => "",
        };
        SecretStore::with_secret(context, "secretsmanager:UpdateSecret", reference, |secret| {
            secret.check_usable()?;
            let version = match value {
                Some(value) => Some(secret.put(token, value, None, context.now)?.id.clone()),
                None => None,
            };
            if self.description.is_some() {
                secret.description = self.description;
            }
            if self.kms_key_id.is_some() {
                secret.kms_key_id = self.kms_key_id;
            }
            secret.changed = context.now;
            let (arn, name) = (&secret.arn, &secret.name);
            Ok(without_nulls(json!({ "ARN": arn, "Name": name, "VersionId": version })))
        })
    }
}
