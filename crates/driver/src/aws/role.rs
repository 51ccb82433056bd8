//! Credentials of a role: STS is asked once and again shortly before they end. Who may ask, and how,
//! is the account's.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use fargate_config::Role;
use tokio::sync::Mutex;

use super::call::{CallError, find};

/// How a session is called in `CloudTrail` when the configuration says nothing.
const SESSION_NAME: &str = "fargate-runner";
/// Credentials that end sooner are replaced.
const SPARE: Duration = Duration::from_secs(120);

/// Gives the credentials of one role.
#[derive(Debug)]
pub struct RoleProvider {
    arn: String,
    endpoint: String,
    sts: AssumeRoleProvider,
    kept: Mutex<Option<Credentials>>,
}

/// STS did not give the role.
#[derive(Debug, thiserror::Error)]
#[error("assuming the role {role}")]
pub struct RoleFailed {
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
    pub async fn new(role: &Role, endpoint: String, base: &SdkConfig) -> Self {
        let mut builder = AssumeRoleProvider::builder(&role.arn)
            .configure(base)
            .session_name(role.session_name.as_deref().unwrap_or(SESSION_NAME));
        if let Some(external_id) = &role.external_id {
            builder = builder.external_id(external_id);
        }
        let sts = builder.build().await;
        Self { arn: role.arn.clone(), endpoint, sts, kept: Mutex::default() }
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.as_ref().filter(|kept| is_fresh(kept)) {
            return Ok(credentials.clone());
        }
        let credentials =
            self.sts.provide_credentials().await.map_err(|error| self.failed(error))?;
        *kept = Some(credentials.clone());
        Ok(credentials)
    }

    /// The refusal of STS, or why it could not be asked.
    fn failed(&self, error: CredentialsError) -> CredentialsError {
        let Some(call) = find::<SdkError<AssumeRoleError, HttpResponse>>(&error) else {
            return error;
        };
        let error = CallError::of(call);
        let (role, endpoint) = (self.arn.clone(), self.endpoint.clone());
        CredentialsError::provider_error(RoleFailed { role, endpoint, error })
    }
}

fn is_fresh(credentials: &Credentials) -> bool {
    credentials.expiry().is_none_or(|end| end > SystemTime::now() + SPARE)
}

impl ProvideCredentials for RoleProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
