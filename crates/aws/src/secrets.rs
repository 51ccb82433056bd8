//! The one client of Secrets Manager.
//!
//! It retries nothing, because there is only one retry policy, and the caller has it. It does not know
//! what a value means. Values are neither logged nor part of an error.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::Tag;
use fargate_config::JobProfile;
use fargate_mask::SharedMasker;
use fargate_model::cause::CauseReport;
use zeroize::Zeroizing;

use crate::account::AwsAccount;
use crate::call::CallError;

/// The service's name in the endpoints of this host's settings and in its own host name.
const SERVICE: &str = "secretsmanager";
/// The label of the version that readers get.
const CURRENT: &str = "AWSCURRENT";

/// Secrets Manager in one Region.
#[derive(Clone, Debug)]
pub struct SecretsClient {
    client: Client,
    account: AwsAccount,
}

/// What is known about a secret without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretDescription {
    /// The ARN.
    pub arn: String,
    /// The name.
    pub name: String,
    /// When it was changed last, in seconds since 1970.
    pub changed_at: Option<i64>,
    /// When it will be deleted, in seconds since 1970, if it is marked for deletion.
    pub deleted_at: Option<i64>,
    /// The id of the current version.
    pub version: Option<String>,
    /// The key of KMS that encrypts it; `None` for the key that AWS manages for Secrets Manager.
    pub kms_key: Option<String>,
}

/// The current value of a secret.
#[derive(Debug)]
pub struct CurrentSecretValue {
    /// The secret's ARN.
    pub arn: String,
    /// The text; `None` if the value is bytes.
    pub text: Option<Zeroizing<String>>,
}

impl SecretsClient {
    /// Connects with the usual environment of the SDK. `region` is that of the secret; without one it is
    /// that of the profile. It makes no call, except that it may ask for the Region.
    ///
    /// # Errors
    ///
    /// Returns the cause if there is no Region, or if the CA bundle or a proxy of the environment cannot
    /// be used.
    pub async fn connect(
        region: Option<String>,
        profile: &JobProfile,
        masker: &SharedMasker,
    ) -> Result<Self, CauseReport> {
        let region = region.or_else(|| profile.region.clone());
        let account = AwsAccount::open(region, profile, masker).await?;
        Ok(Self { client: Client::new(account.config()), account })
    }

    /// The account that it is in.
    #[must_use]
    pub fn account(&self) -> &AwsAccount {
        &self.account
    }

    /// The endpoint of the calls, for people.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.account.endpoint(SERVICE)
    }

    /// Calls `DescribeSecret`. Returns `None` if there is no such secret.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn describe(&self, secret: &str) -> Result<Option<SecretDescription>, CallError> {
        let call = self.client.describe_secret().secret_id(secret);
        let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
        let Some(found) = unless_missing(answer)? else { return Ok(None) };
        let versions = found.version_ids_to_stages();
        let current = versions.and_then(|versions| {
            let is_current = |labels: &Vec<String>| labels.iter().any(|label| label == CURRENT);
            versions.iter().find(|(_, labels)| is_current(labels)).map(|(id, _)| id.clone())
        });
        Ok(Some(SecretDescription {
            arn: found.arn().unwrap_or_default().to_owned(),
            name: found.name().unwrap_or_default().to_owned(),
            changed_at: found.last_changed_date().map(|date| date.secs()),
            deleted_at: found.deleted_date().map(|date| date.secs()),
            version: current,
            kms_key: found.kms_key_id().filter(|key| !key.is_empty()).map(str::to_owned),
        }))
    }

    /// Calls `GetSecretValue` for the current version. Returns `None` if there is no such secret, or if it
    /// has no value.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn value(&self, secret: &str) -> Result<Option<CurrentSecretValue>, CallError> {
        let call = self.client.get_secret_value().secret_id(secret);
        let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
        Ok(unless_missing(answer)?.map(|found| CurrentSecretValue {
            arn: found.arn().unwrap_or_default().to_owned(),
            text: found.secret_string().map(|text| Zeroizing::new(text.to_owned())),
        }))
    }

    /// Calls `GetResourcePolicy`. Returns `None` if there is no such secret, or if it has no policy.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn policy(&self, secret: &str) -> Result<Option<String>, CallError> {
        let call = self.client.get_resource_policy().secret_id(secret);
        let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
        Ok(unless_missing(answer)?.and_then(|found| found.resource_policy().map(str::to_owned)))
    }

    /// Calls `CreateSecret`. `token` is at least 32 characters; a repeated call with it changes nothing.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn create(
        &self,
        name: &str,
        text: &str,
        description: &str,
        token: &str,
    ) -> Result<(), CallError> {
        let tag = Tag::builder().key("fargate-runner:purpose").value("registry-login").build();
        let call = self
            .client
            .create_secret()
            .name(name)
            .description(description)
            .secret_string(text)
            .client_request_token(token)
            .tags(tag);
        self.account.call(|| self.account.sent(call.clone().send())).await.map(drop)
    }

    /// Calls `PutSecretValue`: a new version, which becomes the current one. `token` is as above.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn put(&self, secret: &str, text: &str, token: &str) -> Result<(), CallError> {
        let call = self.client.put_secret_value().secret_id(secret).secret_string(text);
        let call = call.client_request_token(token);
        self.account.call(|| self.account.sent(call.clone().send())).await.map(drop)
    }
}

fn unless_missing<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(CallError::Answered { code, .. }) if code == "ResourceNotFoundException" => Ok(None),
        Err(error) => Err(error),
    }
}
