//! One account in one Region: what every client of an AWS service is made from.
//!
//! It reads the SDK's usual environment and files. Time-outs are always set, and nothing is tried
//! again here: one policy is in charge, and it is the caller's.

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::HttpConnectorSettings;
use fargate_config::{Profile, Timeouts};
use fargate_model::region::endpoint;
use fargate_model::why::{Cause, Why};

use super::call::CallError;
use super::http::Http;
use super::kept::Kept;
use super::role::RoleProvider;

/// See the module.
#[derive(Clone, Debug)]
pub struct Account {
    pub(super) config: SdkConfig,
    pub(super) http: Http,
    pub(super) region: String,
    pub(super) attempt: Duration,
    connect: Duration,
}

impl Account {
    /// Opens the profile's account in `region`, or in the Region of the environment. No call is
    /// made, but the Region may be asked for.
    ///
    /// # Errors
    ///
    /// [`Cause::RegionMissing`], or what is wrong with the CA bundle or the proxies.
    pub async fn open(region: Option<String>, profile: &Profile) -> Result<Self, Why> {
        let timeouts = &profile.timeouts;
        let http = Http::new(&profile.account)?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.clone())
            .timeout_config(limits(timeouts, timeouts.api_attempt))
            // The calls' own time-outs end first, so that they are what is told.
            .identity_cache(IdentityCache::lazy().load_timeout(timeouts.api_operation).build())
            .retry_config(RetryConfig::disabled());
        if let Some(region) = region {
            loader = loader.region(aws_config::Region::new(region));
        }
        let config = loader.load().await;
        let region = config.region().ok_or_else(|| {
            Why::new(Cause::RegionMissing).because(
                "Looked in: `region`, AWS_REGION, the AWS profile, the instance's metadata.",
            )
        })?;
        let region = region.to_string();
        let mut account = Self {
            config,
            http,
            region,
            attempt: timeouts.api_attempt,
            connect: timeouts.api_connect,
        };
        // Its keys are masked from here on, also where they only sign for a role.
        if let Some(chain) = account.config.credentials_provider() {
            account.take_credentials_from(chain);
        }
        if let Some(role) = &profile.account.role {
            // Within the time of the call that waits for it, so that STS is named and not ECS.
            let limits = limits(timeouts, timeouts.api_attempt.mul_f64(0.8));
            let base = account.config.to_builder().timeout_config(limits).build();
            let provider = RoleProvider::new(role, account.endpoint("sts"), &base).await;
            account.take_credentials_from(SharedCredentialsProvider::new(provider));
        }
        Ok(account)
    }

    fn take_credentials_from(&mut self, source: SharedCredentialsProvider) {
        let kept = SharedCredentialsProvider::new(Kept::new(source));
        let config = self.config.to_builder().credentials_provider(kept);
        self.config = config.build();
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

    /// Where calls to `service` (`ecs`, `ec2`, `sts`, `logs`) go: where the environment says, else AWS's
    /// own endpoint for this Region's partition.
    #[must_use]
    pub fn endpoint(&self, service: &str) -> String {
        self.endpoint_in(&self.region, service)
    }

    /// The same in another Region; what the environment names is for every Region.
    pub(super) fn endpoint_in(&self, region: &str, service: &str) -> String {
        self.named_endpoint(service).unwrap_or_else(|| {
            let is = |choice: Option<bool>| choice.unwrap_or(false);
            let (fips, dual_stack) = (self.config.use_fips(), self.config.use_dual_stack());
            endpoint(service, region, is(fips), is(dual_stack))
        })
    }

    /// Where the environment says that calls to `service` go, if it does.
    ///
    /// Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints", with the names.
    fn named_endpoint(&self, service: &str) -> Option<String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let ignored = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let name = match service {
            "logs" => "CLOUDWATCH_LOGS".to_owned(),
            service => service.to_ascii_uppercase(),
        };
        let own = variable(&format!("AWS_ENDPOINT_URL_{name}")).filter(|_| !ignored);
        own.or_else(|| self.config.endpoint_url().map(str::to_owned))
    }

    /// The credentials of the next call.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub(super) async fn credentials(&self) -> Result<aws_credential_types::Credentials, CallError> {
        let provider = self.config.credentials_provider().ok_or_else(|| CallError::NotSent {
            text: "no credentials are configured".to_owned(),
            passing: false,
        })?;
        provider.provide_credentials().await.map_err(|error| CallError::of_credentials(&error))
    }

    pub(super) fn connection(&self) -> HttpConnectorSettings {
        HttpConnectorSettings::builder()
            .connect_timeout(self.connect)
            .read_timeout(self.attempt)
            .build()
    }
}

fn limits(timeouts: &Timeouts, attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(timeouts.api_connect)
        .read_timeout(timeouts.api_attempt)
        .operation_attempt_timeout(attempt)
        .operation_timeout(timeouts.api_operation)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(region: &'static str, dual_stack: bool, endpoint: Option<&str>) -> Account {
        let mut config =
            SdkConfig::builder().region(aws_config::Region::new(region)).use_dual_stack(dual_stack);
        config.set_endpoint_url(endpoint.map(str::to_owned));
        let second = Duration::from_secs(1);
        Account {
            config: config.build(),
            http: Http::new(&fargate_config::Account::default()).unwrap(),
            region: region.to_owned(),
            attempt: second,
            connect: second,
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
