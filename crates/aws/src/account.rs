//! One AWS account in one Region. Every client of an AWS service is made from it.
//!
//! It reads the usual environment and files of the SDK, and always sets time-outs. It retries
//! nothing: the caller has the one retry policy. It gets credentials before a request is made, so a
//! failure of their source is never reported as a failure of the service.

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use fargate_config::{JobProfile, JobTimeouts};
use fargate_mask::SharedMasker;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::region::{endpoint, iam_endpoint};

use crate::call::CallError;
use crate::credential_cache::CredentialCache;
use crate::ecr::KeptEcrLogins;
use crate::endpoints::NamedEndpoints;
use crate::http::AwsHttpClient;
use crate::profiles::AwsProfiles;
use crate::role::RoleProvider;
use crate::source::{HostCredentials, is_environment};

/// One AWS account in one Region, as this host reaches it.
#[derive(Clone, Debug)]
pub struct AwsAccount {
    pub(crate) config: SdkConfig,
    pub(crate) http: AwsHttpClient,
    pub(crate) region: String,
    pub(crate) attempt: Duration,
    pub(crate) masker: SharedMasker,
    endpoints: NamedEndpoints,
    pub(crate) connect: Duration,
    /// The cached credentials of the host, then those of the role.
    kept: Vec<CredentialCache>,
    pub(crate) ecr_logins: KeptEcrLogins,
}

impl AwsAccount {
    /// Opens the profile's account in `region`, or in the Region of the environment. It makes no
    /// call, except that it may ask the instance for the Region.
    ///
    /// # Errors
    ///
    /// Returns [`FailureCause::RegionMissing`], [`FailureCause::RegionUnusable`],
    /// [`FailureCause::AwsProfile`] or [`FailureCause::EndpointUnusable`] if that setting is
    /// missing or wrong, or the cause of a CA bundle or a proxy that cannot be used.
    pub async fn open(
        region: Option<String>,
        profile: &JobProfile,
        masker: &SharedMasker,
    ) -> Result<Self, CauseReport> {
        let timeouts = &profile.timeouts;
        let http = AwsHttpClient::new(&profile.account(), masker)?;
        let profiles = AwsProfiles::read();
        // Keys of the environment come before every profile, so then a wrong profile harms nothing.
        if !is_environment() {
            profiles.check()?;
        }
        let endpoints = NamedEndpoints::read(&profiles);
        endpoints.check()?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.clone())
            .timeout_config(limits(timeouts, timeouts.aws_attempt))
            .profile_files(profiles.files())
            .profile_name(profiles.selected_for_sdk())
            .no_credentials()
            // Our own cache keeps credentials until a service refuses them.
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::disabled());
        if let Some(region) = region {
            loader = loader.region(aws_config::Region::new(region));
        }
        let config = loader.load().await;
        // The SDK takes an empty setting for an endpoint, and panics on it.
        let mut config = config.to_builder().service_config(endpoints.clone());
        config.set_endpoint_url(None);
        let config = config.build();
        let region = config.region().ok_or_else(|| {
            CauseReport::new(FailureCause::RegionMissing).because(
                "Looked in: `region`, AWS_REGION, the AWS profile, the instance's metadata.",
            )
        })?;
        let region = region.to_string();
        if !is_region(&region) {
            return Err(CauseReport::new(FailureCause::RegionUnusable).with("region", region));
        }
        let mut account = Self {
            config,
            http,
            region,
            attempt: timeouts.aws_attempt,
            masker: masker.clone(),
            endpoints,
            connect: timeouts.aws_connect,
            kept: Vec::new(),
            ecr_logins: KeptEcrLogins::default(),
        };
        // From here on the host's keys are masked, even if they are only used to assume a role.
        account.take_credentials_from(SharedCredentialsProvider::new(HostCredentials {
            masker: masker.clone(),
            http: account.http.clone(),
            region: account.region.clone(),
            timeouts: limits(timeouts, timeouts.aws_attempt),
            limit: timeouts.aws_call,
        }));
        if let Some(role) = &profile.account().role {
            // Less time than the call that waits for it has, so that the error names STS and not
            // ECS.
            let limits = limits(timeouts, timeouts.aws_attempt.mul_f64(0.8));
            let base = account.config.to_builder().timeout_config(limits).build();
            let provider = RoleProvider::new(role, account.endpoint("sts"), &base, masker).await;
            account.take_credentials_from(SharedCredentialsProvider::new(provider));
        }
        Ok(account)
    }

    fn take_credentials_from(&mut self, source: SharedCredentialsProvider) {
        let kept = CredentialCache::new(source, self.masker.clone());
        self.kept.push(kept.clone());
        let kept = SharedCredentialsProvider::new(kept);
        self.config = self.config.to_builder().credentials_provider(kept).build();
    }

    /// What masks the words of AWS, and knows the keys of this account.
    #[must_use]
    pub fn masker(&self) -> &SharedMasker {
        &self.masker
    }

    /// What a client of a service is made from.
    #[must_use]
    pub fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// The Region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The endpoint of `service`, the first word of its host name (`ecs`, `ec2`, `sts`, `logs`,
    /// `secretsmanager`, `elasticfilesystem`): the one in this host's settings, else AWS's own in this
    /// Region.
    #[must_use]
    pub fn endpoint(&self, service: &str) -> String {
        self.endpoint_in(&self.region, service)
    }

    /// The endpoint in another Region. An endpoint in this host's settings is used for every
    /// Region.
    pub(crate) fn endpoint_in(&self, region: &str, service: &str) -> String {
        self.endpoints.of(service).unwrap_or_else(|| {
            let is = |choice: Option<bool>| choice.unwrap_or(false);
            let (fips, dual_stack) = (self.config.use_fips(), self.config.use_dual_stack());
            endpoint(service, region, is(fips), is(dual_stack))
        })
    }

    /// The endpoint of IAM and the Region of its signatures: IAM has one endpoint for a partition.
    pub(crate) fn iam_place(&self) -> (String, &'static str) {
        let (own, region) = iam_endpoint(&self.region, self.config.use_fips().unwrap_or(false));
        (self.endpoints.of("iam").unwrap_or(own), region)
    }

    /// The credentials for the next call. If none are cached, their source is asked, which has a
    /// time limit of its own.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the source gives none. Then nothing was sent to the service.
    pub async fn ready(&self) -> Result<Credentials, CallError> {
        match self.credentials().await {
            // STS refused the host's credentials. Their source may have newer ones.
            Err(error) if error.is_of_credentials() && !is_environment() => {
                self.forget().await;
                self.credentials().await.map_err(CallError::passing_if_expired)
            }
            answer => answer,
        }
    }

    /// Asks the sources again, because a service refused `used`. Returns whether they gave other
    /// credentials.
    ///
    /// # Errors
    ///
    /// As [`Self::ready`].
    pub(crate) async fn has_others_than(&self, used: &Credentials) -> Result<bool, CallError> {
        if !self.may_have_others() {
            return Ok(false);
        }
        self.forget().await;
        let now = self.ready().await?;
        let of = |c: &Credentials| {
            let token = c.session_token().map(str::to_owned);
            (c.access_key_id().to_owned(), c.secret_access_key().to_owned(), token)
        };
        Ok(of(&now) != of(used))
    }

    /// Marks a refusal of the service as temporary, if the credentials have expired and new ones
    /// may come.
    pub(crate) fn judged(&self, error: CallError) -> CallError {
        if self.may_have_others() { error.passing_if_expired() } else { error }
    }

    fn may_have_others(&self) -> bool {
        // A role can be assumed again, whatever credentials the host has.
        self.kept.len() > 1 || !is_environment()
    }

    async fn forget(&self) {
        for kept in &self.kept {
            kept.forget().await;
        }
    }

    pub(crate) async fn credentials(&self) -> Result<Credentials, CallError> {
        let Some(kept) = self.kept.last() else {
            return Err(CallError::NotSent { text: "no credentials are configured".to_owned() });
        };
        kept.provide_credentials()
            .await
            .map_err(|error| CallError::of_credentials(&error, &self.masker))
    }

    pub(crate) fn connection(&self) -> HttpConnectorSettings {
        HttpConnectorSettings::builder()
            .connect_timeout(self.connect)
            .read_timeout(self.attempt)
            .build()
    }
}

/// Whether a Region may have this name. It becomes part of a host name.
fn is_region(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(allowed)
}

fn limits(timeouts: &JobTimeouts, attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeouts.aws_connect)
        .read_timeout(timeouts.aws_attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(timeouts.aws_call)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(region: &'static str, dual_stack: bool, endpoint: Option<&str>) -> AwsAccount {
        let config =
            SdkConfig::builder().region(aws_config::Region::new(region)).use_dual_stack(dual_stack);
        let variable =
            |name: &str| endpoint.filter(|_| name == "AWS_ENDPOINT_URL").map(str::to_owned);
        let second = Duration::from_secs(1);
        AwsAccount {
            config: config.build(),
            http: AwsHttpClient::new(
                &fargate_config::AccountSettings::default(),
                &SharedMasker::default(),
            )
            .unwrap(),
            region: region.to_owned(),
            attempt: second,
            masker: SharedMasker::default(),
            endpoints: NamedEndpoints::of_all(variable, &AwsProfiles::default()),
            connect: second,
            kept: Vec::new(),
            ecr_logins: KeptEcrLogins::default(),
        }
    }

    #[test]
    fn an_endpoint_is_the_environments_else_the_partitions() {
        let of = |region, dual_stack, given| account(region, dual_stack, given).endpoint("ec2");
        assert_eq!(of("eu-west-1", false, None), "https://ec2.eu-west-1.amazonaws.com");
        assert_eq!(of("eu-west-1", true, None), "https://ec2.eu-west-1.api.aws");
        assert_eq!(of("cn-north-1", false, None), "https://ec2.cn-north-1.amazonaws.com.cn");
        let own = "http://[::1]:4566";
        assert_eq!(of("cn-north-1", true, Some(own)), own);
    }
}
