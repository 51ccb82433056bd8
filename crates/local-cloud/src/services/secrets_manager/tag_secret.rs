//! `TagResource` of a secret.

use serde_json::json;

use super::secret_checks;
use super::secret_tags::SecretTag;
use super::store::SecretStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    TagSecret {
        secret_id: String = "SecretId",
        tags: Vec<SecretTag> = "Tags",
    }
}

impl JsonRequest for TagSecret {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let reference = secret_checks::secret_id(self.secret_id.as_ref())?;
        SecretStore::with_secret(context, "secretsmanager:TagResource", reference, |secret| {
            secret.check_usable()?;
            secret.tags = secret.tags.clone().with(self.tags)?;
            // AWS answers with an empty body. Its clients read an empty structure the same way.
            Ok(json!({}))
        })
    }
}
