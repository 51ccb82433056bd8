//! One account in one Region: what every client of an AWS service is made from.
//!
//! It reads the SDK's usual environment and files. Time-outs are always set, and nothing is tried
//! again here: one policy is in charge, and it is the caller's. Credentials are there before a request
//! is made, so what their sources do wrong is never taken for a service's fault.

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use fargate_config::{JobProfile, JobTimeouts};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::region::endpoint;

use crate::call::CallError;
use crate::credential_cache::CredentialCache;
use crate::endpoints::NamedEndpoints;
use crate::http::AwsHttpClient;
use crate::profiles::AwsProfiles;
use crate::role::RoleProvider;
use crate::source::{HostCredentials, is_environment};

/// See the module.
#[derive(Clone, Debug)]
pub struct AwsAccount {
    pub(crate) config: SdkConfig,
    pub(crate) http: AwsHttpClient,
    pub(crate) region: String,
    pub(crate) attempt: Duration,
    endpoints: NamedEndpoints,
    connect: Duration,
    /// The host's own credentials, then those of the role.
    kept: Vec<CredentialCache>,
}

impl AwsAccount {
    /// Opens the profile's account in `region`, or in the Region of the environment. No call is
    /// made, but the Region may be asked for.
    ///
    /// # Errors
    ///
    /// [`FailureCause::RegionMissing`], [`FailureCause::RegionUnusable`], [`FailureCause::AwsProfile`] or [`FailureCause::EndpointUnusable`], or what is wrong
    /// with the CA bundle or the proxies.
    pub async fn open(region: Option<String>, profile: &JobProfile) -> Result<Self, CauseReport> {
        let timeouts = &profile.timeouts;
        let http = AwsHttpClient::new(&profile.account())?;
        let profiles = AwsProfiles::read();
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
            // They are kept by us, until a service refuses them.
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::disabled());
        if let Some(region) = region {
            loader = loader.region(aws_config::Region::new(region));
        }
        let config = loader.load().await;
        // The SDK itself takes an empty setting for an endpoint, and panics with it.
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
            endpoints,
            connect: timeouts.aws_connect,
            kept: Vec::new(),
        };
        // Its keys are masked from here on, also where they only sign for a role.
        account.take_credentials_from(SharedCredentialsProvider::new(HostCredentials {
            http: account.http.clone(),
            region: account.region.clone(),
            timeouts: limits(timeouts, timeouts.aws_attempt),
            limit: timeouts.aws_call,
        }));
        if let Some(role) = &profile.account().role {
            // Within the time of the call that waits for it, so that STS is named and not ECS.
            let limits = limits(timeouts, timeouts.aws_attempt.mul_f64(0.8));
            let base = account.config.to_builder().timeout_config(limits).build();
            let provider = RoleProvider::new(role, account.endpoint("sts"), &base).await;
            account.take_credentials_from(SharedCredentialsProvider::new(provider));
        }
        Ok(account)
    }

    fn take_credentials_from(&mut self, source: SharedCredentialsProvider) {
        let kept = CredentialCache::new(source);
        self.kept.push(kept.clone());
        let kept = SharedCredentialsProvider::new(kept);
        self.config = self.config.to_builder().credentials_provider(kept).build();
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

    /// Where calls to `service` (`ecs`, `ec2`, `sts`, `logs`) go: where this host's settings say, else AWS's
    /// own endpoint for this Region's partition.
    #[must_use]
    pub fn endpoint(&self, service: &str) -> String {
        self.endpoint_in(&self.region, service)
    }

    /// The same in another Region; what this host names is for every Region.
    pub(crate) fn endpoint_in(&self, region: &str, service: &str) -> String {
        self.endpoints.of(service).unwrap_or_else(|| {
            let is = |choice: Option<bool>| choice.unwrap_or(false);
            let (fips, dual_stack) = (self.config.use_fips(), self.config.use_dual_stack());
            endpoint(service, region, is(fips), is(dual_stack))
        })
    }

    /// The credentials of the next call, from their source where none are kept, in its own time and
    /// not in that of the call.
    ///
    /// # Errors
    ///
    /// [`CallError`]; nothing was then sent to the service.
    pub async fn ready(&self) -> Result<Credentials, CallError> {
        match self.credentials().await {
            // STS refused those of the host, for which their source may have others.
            Err(error) if error.is_of_credentials() && !is_environment() => {
                self.forget().await;
                self.credentials().await.map_err(CallError::passing_if_expired)
            }
            answer => answer,
        }
    }

    /// Asks the sources anew, because a service refused `used`; true if something else came of it.
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

    /// A refusal of the service, which passes where credentials have ended and others may come.
    pub(crate) fn judged(&self, error: CallError) -> CallError {
        if self.may_have_others() { error.passing_if_expired() } else { error }
    }

    fn may_have_others(&self) -> bool {
        // A role is assumed anew, whatever it is assumed with.
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
        kept.provide_credentials().await.map_err(|error| CallError::of_credentials(&error))
    }

    pub(crate) fn connection(&self) -> HttpConnectorSettings {
        HttpConnectorSettings::builder()
            .connect_timeout(self.connect)
            .read_timeout(self.attempt)
            .build()
    }
}

/// True if a Region may have this name, which becomes part of a host's.
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
            http: AwsHttpClient::new(&fargate_config::AccountSettings::default()).unwrap(),
            region: region.to_owned(),
            attempt: second,
            endpoints: NamedEndpoints::of_all(variable, &AwsProfiles::default()),
            connect: second,
            kept: Vec::new(),
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
