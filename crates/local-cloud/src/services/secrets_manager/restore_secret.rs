//! `RestoreSecret`: takes the mark for deletion off a secret.

use serde_json::json;

use super::secret_checks;
use super::store::SecretStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    RestoreSecret {
        secret_id: String = "SecretId",
    }
}

impl JsonRequest for RestoreSecret {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let reference = secret_checks::secret_id(self.secret_id.as_ref())?;
        SecretStore::with_secret(context, "secretsmanager:RestoreSecret", reference, |secret| {
            secret.deletion = None;
            Ok(json!({ "ARN": secret.arn, "Name": secret.name }))
        })
    }
}
