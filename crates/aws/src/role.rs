//! Gets the credentials of a role from STS.
//!
//! With which credentials and how STS is asked, the account decides. Nothing is cached here.

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use fargate_config::RoleSettings;
use fargate_mask::SharedMasker;

use crate::call::{CallError, RoleCredentialsError};
use crate::causes::find;

/// The name of a session in `CloudTrail` if the configuration names none.
const SESSION_NAME: &str = "fargate-runner";

/// Gives the credentials of one role.
#[derive(Debug)]
pub struct RoleProvider {
    arn: String,
    endpoint: String,
    /// The credentials with which STS is called.
    base: Option<SharedCredentialsProvider>,
    sts: AssumeRoleProvider,
    masker: SharedMasker,
}

impl RoleProvider {
    /// Makes a provider that calls STS at `endpoint` with the settings of `base`.
    pub async fn new(
        role: &RoleSettings,
        endpoint: String,
        base: &SdkConfig,
        masker: &SharedMasker,
    ) -> Self {
        let mut builder = AssumeRoleProvider::builder(&role.arn)
            .configure(base)
            .session_name(role.session_name.as_deref().unwrap_or(SESSION_NAME));
        if let Some(external_id) = &role.external_id {
            builder = builder.external_id(external_id);
        }
        let sts = builder.build().await;
        let base = base.credentials_provider();
        Self { arn: role.arn.clone(), endpoint, base, sts, masker: masker.clone() }
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        // Get them first: a source of credentials may take longer than a call to STS is given.
        if let Some(base) = &self.base {
            base.provide_credentials().await?;
        }
        match self.sts.provide_credentials().await.map_err(|error| self.failed(error)) {
            // The answer told the time. From now on the SDK signs with it.
            Err(error) if is_of_clock(&error) => {
                self.sts.provide_credentials().await.map_err(|error| self.failed(error))
            }
            answer => answer,
        }
    }

    /// The refusal of STS, or the reason why it could not be called.
    fn failed(&self, error: CredentialsError) -> CredentialsError {
        let Some(call) = find::<SdkError<AssumeRoleError, HttpResponse>>(&error) else {
            return error;
        };
        let error = CallError::of(call, &self.masker);
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
