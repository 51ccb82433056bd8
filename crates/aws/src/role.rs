//! Credentials of a role, from STS. Who may ask, and how, is the account's; nothing is kept here.

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use fargate_config::RoleSettings;

use crate::call::{CallError, find};

/// How a session is called in `CloudTrail` when the configuration says nothing.
const SESSION_NAME: &str = "fargate-runner";

/// Gives the credentials of one role.
#[derive(Debug)]
pub struct RoleProvider {
    arn: String,
    endpoint: String,
    /// As whom STS is asked.
    base: Option<SharedCredentialsProvider>,
    sts: AssumeRoleProvider,
}

/// STS did not give the role.
#[derive(Debug, thiserror::Error)]
#[error("assuming the role {role}")]
pub struct RoleCredentialsError {
    /// Its ARN.
    pub role: String,
    /// Where STS was asked.
    pub endpoint: String,
    /// What came of it.
    #[source]
    pub error: CallError,
}

impl RoleProvider {
    /// Asks STS at `endpoint` as `base` says.
    pub async fn new(role: &RoleSettings, endpoint: String, base: &SdkConfig) -> Self {
        let mut builder = AssumeRoleProvider::builder(&role.arn)
            .configure(base)
            .session_name(role.session_name.as_deref().unwrap_or(SESSION_NAME));
        if let Some(external_id) = &role.external_id {
            builder = builder.external_id(external_id);
        }
        let sts = builder.build().await;
        let base = base.credentials_provider();
        Self { arn: role.arn.clone(), endpoint, base, sts }
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        // On their own time: a source may be slower than a call to STS may be.
        if let Some(base) = &self.base {
            base.provide_credentials().await?;
        }
        match self.sts.provide_credentials().await.map_err(|error| self.failed(error)) {
            // The answer told the time, by which the SDK signs from then on.
            Err(error) if is_of_clock(&error) => {
                self.sts.provide_credentials().await.map_err(|error| self.failed(error))
            }
            answer => answer,
        }
    }

    /// The refusal of STS, or why it could not be asked.
    fn failed(&self, error: CredentialsError) -> CredentialsError {
        let Some(call) = find::<SdkError<AssumeRoleError, HttpResponse>>(&error) else {
            return error;
        };
        let error = CallError::of(call);
        let (role, endpoint) = (self.arn.clone(), self.endpoint.clone());
        CredentialsError::provider_error(RoleCredentialsError { role, endpoint, error })
    }
}

fn is_of_clock(error: &CredentialsError) -> bool {
    find::<RoleCredentialsError>(error).is_some_and(|failed| failed.error.is_of_clock())
}

impl ProvideCredentials for RoleProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
