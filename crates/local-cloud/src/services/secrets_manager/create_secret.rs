//! `CreateSecret`.

use serde_json::json;

use super::errors;
use super::secret_checks;
use super::secret_tags::{SecretTag, SecretTags};
use super::secret_version::BlobMember;
use super::store::{SecretStore, arn_prefix};
use super::stored_secret::StoredSecret;
use crate::access::access_question::AccessQuestion;
use crate::random_id;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::exception::ServiceException;
use crate::wire::member::{shapes, without_nulls};

shapes! {
    ReplicaRegion {
        region: String = "Region",
        kms_key_id: String = "KmsKeyId",
    }
    CreateSecret {
        name: String = "Name",
        client_request_token: String = "ClientRequestToken",
        description: String = "Description",
        kms_key_id: String = "KmsKeyId",
        secret_binary: BlobMember = "SecretBinary",
        secret_string: String = "SecretString",
        tags: Vec<SecretTag> = "Tags",
        add_replica_regions: Vec<ReplicaRegion> = "AddReplicaRegions",
        force_overwrite_replica_secret: bool = "ForceOverwriteReplicaSecret",
        kind: String = "Type",
        cross_account_primary_arn: String = "CrossAccountPrimaryARN",
    }
}

impl JsonRequest for CreateSecret {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let name = secret_checks::name(self.name.as_ref())?;
        let resource = format!("{}{name}", arn_prefix(context.region));
        let asked = AccessQuestion::new("secretsmanager:CreateSecret", resource);
        context.may(&asked, Some(name))?;
        let token = secret_checks::token(self.client_request_token.as_ref())?;
        let value = secret_checks::value(self.secret_string, self.secret_binary)?;
        let tags = SecretTags::default().with(self.tags)?;
        if self.add_replica_regions.is_some_and(|regions| !regions.is_empty()) {
            return Err(ServiceException::parameter(
                "This local cloud does not replicate secrets.",
            ));
        }
        SecretStore::with(context, |secrets| {
            if let Some(other) = secrets.by_name(name) {
                if other.deletion.is_some() {
                    return Err(errors::request(
                        "You can't create this secret because a secret with this name is already \
                         scheduled for deletion.",
                    ));
                }
                // The answer to a former request with this token may have been lost.
                let is_repeated = other
                    .versions
                    .first()
                    .is_some_and(|first| first.id == token && Some(&first.value) == value.as_ref());
                return match is_repeated {
                    true => Ok(created(other)),
                    false => Err(errors::name_taken(name)),
                };
            }
            let mut secret = StoredSecret {
                arn: format!(
                    "{}{name}-{}",
                    arn_prefix(context.region),
                    random_id::letters_and_digits(6)
                ),
                name: name.to_owned(),
                description: self.description,
                kms_key_id: self.kms_key_id,
                tags,
                versions: Vec::new(),
                created: context.now,
                changed: context.now,
                accessed: None,
                deletion: None,
            };
            if let Some(value) = value {
                secret.put(token, value, None, context.now)?;
            }
            let answer = created(&secret);
            secrets.add(secret);
            Ok(answer)
        })
    }
}

fn created(secret: &StoredSecret) -> serde_json::Value {
    without_nulls(json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": secret.versions.first().map(|version| version.id.as_str()),
    }))
}
