//! The secret with the login of a registry: reads, writes and describes it in Secrets Manager.
//!
//! The password leaves this module only as [`RegistryCredentials`]; the masker learns it at once.

use std::time::Duration;

use fargate_aws::{CallError, SecretDescription, SecretsClient, retry};
use fargate_config::JobProfile;
use fargate_mask::SharedMasker;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::random;
use tokio::time::Instant;

use crate::credentials::{CredentialsFormError, RegistryCredentials};

/// What the secret says about itself in the console of AWS.
const DESCRIPTION: &str = "Login of a container registry, as ECS reads it";

/// One registry secret.
#[derive(Clone, Debug)]
pub struct RegistrySecret {
    name: String,
    client: SecretsClient,
    limit: Duration,
}

/// Why the login is not there, or was not written.
#[derive(Debug, thiserror::Error)]
pub enum RegistrySecretError {
    /// Secrets Manager is not set up on this host.
    #[error("{}", .0.headline())]
    Setup(Box<CauseReport>),
    /// There is no such secret, or it has no value.
    #[error("the secret {name} does not exist, or has no value, in {region}")]
    Missing {
        /// Its name or ARN.
        name: String,
        /// The Region.
        region: String,
    },
    /// It will be deleted, so nobody can read it.
    #[error("the secret {name} is marked for deletion")]
    MarkedForDeletion {
        /// Its name or ARN.
        name: String,
    },
    /// The right is missing.
    #[error("this host may not call {right} on the secret {name}: {error}")]
    Denied {
        /// Its name or ARN.
        name: String,
        /// The right.
        right: &'static str,
        /// The words of AWS.
        error: CallError,
    },
    /// The value is not what ECS reads.
    #[error("the secret {name} is not the JSON that ECS reads: {error}")]
    Form {
        /// Its name or ARN.
        name: String,
        /// What is wrong with it.
        error: CredentialsFormError,
    },
    /// The operating system gave no random bits.
    #[error("drawing random bytes: {0}")]
    Random(#[source] std::io::Error),
    /// Secrets Manager did not do it.
    #[error("calling Secrets Manager at {endpoint} for the secret {name}: {error}")]
    Call {
        /// Its name or ARN.
        name: String,
        /// The endpoint that was called.
        endpoint: String,
        /// Why.
        error: CallError,
    },
}

/// What a person may see of a secret.
#[derive(Debug)]
pub struct RegistrySecretFacts {
    /// What Secrets Manager knows without the value.
    pub description: SecretDescription,
    /// The user of the login, or why the login cannot be read.
    pub user: Result<String, RegistrySecretError>,
}

/// Whether a secret was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretChange {
    /// It is new.
    Created,
    /// It has a new version with another login.
    Rotated,
    /// It had this login already.
    Unchanged,
}

impl RegistrySecret {
    /// Opens the secret that `name` names or gives as ARN, in the ARN's Region or in the profile's. It
    /// makes no call, except that it may ask for the Region.
    ///
    /// # Errors
    ///
    /// [`RegistrySecretError::Setup`].
    pub async fn open(
        name: &str,
        profile: &JobProfile,
        masker: &SharedMasker,
    ) -> Result<Self, RegistrySecretError> {
        let region = region_of(name).map(str::to_owned);
        let client = SecretsClient::connect(region, profile, masker).await;
        let client = client.map_err(|why| RegistrySecretError::Setup(Box::new(why)))?;
        Ok(Self { name: name.to_owned(), client, limit: profile.timeouts.aws_call })
    }

    /// The client of Secrets Manager, whose account also reaches registries.
    #[must_use]
    pub fn client(&self) -> &SecretsClient {
        &self.client
    }

    /// What is known about the secret; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// [`RegistrySecretError::Denied`] or [`RegistrySecretError::Call`].
    pub async fn describe(&self) -> Result<Option<SecretDescription>, RegistrySecretError> {
        retry(self.deadline(), || self.client.describe(&self.name))
            .await
            .map_err(|error| self.failed("secretsmanager:DescribeSecret", error))
    }

    /// What a person may see of the secret: everything but the password.
    ///
    /// # Errors
    ///
    /// [`RegistrySecretError`], if not even its description can be read.
    pub async fn facts(&self) -> Result<RegistrySecretFacts, RegistrySecretError> {
        let description = self.describe().await?.ok_or_else(|| self.missing())?;
        let user = self.read().await.map(|login| login.username().to_owned());
        Ok(RegistrySecretFacts { description, user })
    }

    /// The login.
    ///
    /// # Errors
    ///
    /// [`RegistrySecretError`].
    pub async fn read(&self) -> Result<RegistryCredentials, RegistrySecretError> {
        let value = retry(self.deadline(), || self.client.value(&self.name))
            .await
            .map_err(|error| self.failed("secretsmanager:GetSecretValue", error))?;
        let value = value.ok_or_else(|| self.missing())?;
        let read = match &value.text {
            None => Err(CredentialsFormError::Binary),
            Some(text) => RegistryCredentials::from_json(text),
        };
        let login =
            read.map_err(|error| RegistrySecretError::Form { name: self.name.clone(), error })?;
        self.client.account().masker().remember(login.password());
        Ok(login)
    }

    /// Writes the login: creates the secret, or gives it a new version. A secret that has the login
    /// already stays as it is.
    ///
    /// # Errors
    ///
    /// [`RegistrySecretError`].
    pub async fn write(
        &self,
        login: &RegistryCredentials,
    ) -> Result<SecretChange, RegistrySecretError> {
        let text = login.to_json();
        // One token for all tries, so that a repeated call changes nothing.
        let token = random::token().map_err(RegistrySecretError::Random)?.to_string();
        match self.describe().await? {
            // A new secret has a name; its ARN is made by Secrets Manager.
            None if self.name.starts_with("arn:") => return Err(self.missing()),
            None if self.create(&text, &token).await? => return Ok(SecretChange::Created),
            // Somebody else has created it since; then this is a new version.
            None => {}
            Some(found) if found.deleted_at.is_some() => {
                return Err(RegistrySecretError::MarkedForDeletion { name: self.name.clone() });
            }
            Some(_) => {}
        }
        // Who may write need not be able to read; then a new version is made in any case.
        if self.read().await.is_ok_and(|known| known == *login) {
            return Ok(SecretChange::Unchanged);
        }
        let put = || self.client.put(&self.name, &text, &token);
        let put = retry(self.deadline(), put).await;
        put.map_err(|error| self.failed("secretsmanager:PutSecretValue", error))?;
        Ok(SecretChange::Rotated)
    }

    /// Creates the secret. `false` if there is one of this name by now.
    async fn create(&self, text: &str, token: &str) -> Result<bool, RegistrySecretError> {
        let create = || self.client.create(&self.name, text, DESCRIPTION, token);
        match retry(self.deadline(), create).await {
            Ok(_) => Ok(true),
            Err(CallError::Answered { code, .. }) if code == "ResourceExistsException" => Ok(false),
            Err(error) => Err(self.failed("secretsmanager:CreateSecret", error)),
        }
    }

    fn missing(&self) -> RegistrySecretError {
        let region = self.client.account().region().to_owned();
        RegistrySecretError::Missing { name: self.name.clone(), region }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.limit
    }

    fn failed(&self, right: &'static str, error: CallError) -> RegistrySecretError {
        let name = self.name.clone();
        match &error {
            _ if error.denies(right) => RegistrySecretError::Denied { name, right, error },
            CallError::Answered { code, message, .. }
                if code == "InvalidRequestException" && message.contains("delet") =>
            {
                RegistrySecretError::MarkedForDeletion { name }
            }
            _ => RegistrySecretError::Call { name, endpoint: self.client.endpoint(), error },
        }
    }
}

impl RegistrySecretError {
    /// What a person can do about it, beside the words of the error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Setup(why) => why.action(),
            Self::Missing { name, .. } if name.starts_with("arn:") => {
                "correct the ARN, or create a secret by its name: `fargate-runner registry-secret --secret \
                 NAME set USER`"
                    .to_owned()
            }
            Self::Missing { .. } | Self::Form { .. } => {
                "write it: `fargate-runner registry-secret set USER`".to_owned()
            }
            Self::MarkedForDeletion { name } => {
                format!("take it back: `aws secretsmanager restore-secret --secret-id {name}`")
            }
            Self::Denied { right, .. } => format!("allow {right} for this host's role"),
            Self::Call { .. } | Self::Random(_) => return None,
        })
    }

    /// The cause for the log of a job.
    #[must_use]
    pub fn why(&self) -> CauseReport {
        let cause = match self {
            Self::Setup(why) => return (**why).clone(),
            Self::Missing { .. } | Self::MarkedForDeletion { .. } => FailureCause::SecretMissing,
            Self::Form { .. } => FailureCause::SecretShape,
            Self::Denied { .. } | Self::Call { .. } | Self::Random(_) => {
                FailureCause::RegistrySecretUnread
            }
        };
        CauseReport::new(cause).because(format!("{self}."))
    }
}

/// The Region in an ARN.
fn region_of(name: &str) -> Option<&str> {
    let mut parts = name.strip_prefix("arn:")?.split(':');
    parts.nth(2).filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_the_region_of_its_secret() {
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ci/registry-AbCdEf";
        assert_eq!(region_of(arn), Some("eu-central-1"));
        assert_eq!(region_of("ci/registry"), None);
        assert_eq!(region_of("arn:aws"), None);
    }
}
