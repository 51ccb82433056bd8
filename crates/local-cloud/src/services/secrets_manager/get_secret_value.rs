//! `GetSecretValue`.

use serde_json::json;

use super::secret_checks;
use super::secret_version::{BlobMember, SecretValue};
use super::store::SecretStore;
use crate::clock::epoch_seconds;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::{ShapeMember, shapes};

shapes! {
    GetSecretValue {
        secret_id: String = "SecretId",
        version_id: String = "VersionId",
        version_stage: String = "VersionStage",
    }
}

impl JsonRequest for GetSecretValue {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let reference = secret_checks::secret_id(self.secret_id.as_ref())?;
        SecretStore::with_secret(context, "secretsmanager:GetSecretValue", reference, |secret| {
            secret.check_usable()?;
            secret.accessed = Some(context.now);
            let (id, label) = (self.version_id.as_deref(), self.version_stage.as_deref());
            let version = secret.version(id, label)?;
            let mut answer = json!({
                "ARN": secret.arn,
                "Name": secret.name,
                "VersionId": version.id,
                "VersionStages": version.labels,
                "CreatedDate": epoch_seconds(version.created),
            });
            match &version.value {
                SecretValue::Text(text) => answer["SecretString"] = json!(text),
                SecretValue::Bytes(bytes) => {
                    answer["SecretBinary"] = BlobMember(bytes.clone()).write();
                }
            }
            Ok(answer)
        })
    }
}
