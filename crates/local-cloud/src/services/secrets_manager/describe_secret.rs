//! `DescribeSecret`, which also shows a secret that is marked for deletion.

use super::secret_checks;
use super::store::SecretStore;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::member::shapes;

shapes! {
    DescribeSecret {
        secret_id: String = "SecretId",
    }
}

impl JsonRequest for DescribeSecret {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let reference = secret_checks::secret_id(self.secret_id.as_ref())?;
        SecretStore::with_secret(context, "secretsmanager:DescribeSecret", reference, |secret| {
            let mut answer = secret.described();
            if !secret.versions.is_empty() {
                answer["VersionIdsToStages"] = secret.labels();
            }
            Ok(answer)
        })
    }
}
