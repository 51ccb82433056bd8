//! What `serve` takes from the configuration.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use fargate_aws::WebClient;
use fargate_config::{JobProfile, LocalAccess, RunnerConfig, ServeSettings, TokenRole};
use fargate_notifier::{NoticeRules, targets_of};
use fargate_preflight::CHECKS_FILE;
use fargate_state::BreakerLimits;
use fargate_status_api::access::access_token::{AccessRole, AccessToken, parse_hash};
use fargate_status_api::access::{AccessSettings, AllowedNames, TrustedProxy};
use fargate_status_api::{ConfiguredImage, MissingSettings, OutsideDuties, StatusSettings};

use crate::streams::masker;

/// Longest time in which gitlab-runner tells its numbers. It is on this machine, or near.
const RUNNER_ANSWERS: Duration = Duration::from_secs(5);

/// Where to listen.
///
/// # Errors
///
/// In words, if others can reach the address and nobody could sign in.
pub fn listen_address(
    config: &RunnerConfig,
    flag: Option<SocketAddr>,
) -> Result<SocketAddr, String> {
    let configured =
        config.serve.listen.parse().map_err(|error| format!("`serve.listen`: {error}"));
    let address = flag.map_or(configured, Ok)?;
    let serve = &config.serve;
    let can_sign_in = !serve.tokens.is_empty() || !serve.proxy_addresses.is_empty();
    if address.ip().to_canonical().is_loopback() || can_sign_in {
        return Ok(address);
    }
    Err(format!(
        "others can reach {address}, and nobody could sign in there\n\
         hint: `fargate-runner serve token --name NAME` makes a token for `tokens` in `[serve]`; or listen at \
         127.0.0.1"
    ))
}

/// What the service tells people, and where it asks for gitlab-runner's numbers. Both are reached as the first
/// profile that is complete reaches AWS.
pub fn duties(config: &RunnerConfig, host: &str) -> OutsideDuties {
    let names = config.profile_names().into_iter().map(Some);
    let Some(profile) = std::iter::once(None).chain(names).find_map(|it| config.profile(it).ok())
    else {
        return OutsideDuties::default();
    };
    let runner = config.serve.gitlab_runner_metrics.clone();
    OutsideDuties {
        state_dir: Some(config.state_dir.clone()),
        targets: targets_of(&config.notify, &profile, masker()),
        rules: NoticeRules {
            host: host.to_owned(),
            settings: config.notify.clone(),
            runbook_url: config.serve.runbook_url.clone(),
        },
        runner: runner.map(|url| {
            let client = WebClient::open(&profile, masker(), RUNNER_ANSWERS);
            (url, client.map_err(|why| why.headline()))
        }),
    }
}

/// What is missing in the configuration, if anything is.
pub fn missing(keys: Vec<String>, path: &Path) -> Option<MissingSettings> {
    let path = path.display().to_string();
    (!keys.is_empty()).then_some(MissingSettings { keys, path })
}

/// The settings of the service.
///
/// # Errors
///
/// In words, if a value cannot be used.
pub fn of(
    config: &RunnerConfig,
    config_file: &Path,
    host: &str,
    missing: Option<MissingSettings>,
    is_demo: bool,
) -> Result<StatusSettings, String> {
    let serve = &config.serve;
    let names = config.profile_names().into_iter().map(Some).chain([None]);
    let profiles: Vec<JobProfile> = names.filter_map(|name| config.profile(name).ok()).collect();
    let prices = config.prices.prices();
    Ok(StatusSettings {
        access: access(serve)?,
        public_projects: serve.public_projects.clone(),
        host: host.to_owned(),
        region: same(profiles.iter().map(|profile| profile.region.clone())).flatten(),
        cluster: same(profiles.iter().map(|profile| profile.cluster.clone()))
            .filter(|_| missing.is_none()),
        vcpu_quota: serve.vcpu_quota,
        spot_vcpu_quota: serve.spot_vcpu_quota,
        spot_limits: spot_limits(&profiles),
        job_slots: serve.job_slots,
        max_streams: usize::try_from(serve.max_streams).unwrap_or(usize::MAX),
        checks_file: config.state_dir.join(CHECKS_FILE),
        config_file: config_file.to_owned(),
        images: config
            .managed_images()
            .map(|image| ConfiguredImage {
                name: image.name.clone(),
                manifest: image.manifest.clone(),
                stale_after: image.stale_after,
            })
            .collect(),
        runbook_url: serve.runbook_url.clone(),
        prices,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        keep_days: u64::from(config.history.keep_days),
        is_demo,
        missing,
    })
}

/// Each Region of the profiles, with the limits after which Spot is left alone there.
fn spot_limits(profiles: &[JobProfile]) -> Vec<(String, BreakerLimits)> {
    let mut limits = Vec::new();
    for profile in profiles {
        let Some(region) = &profile.region else { continue };
        let of_profile = BreakerLimits {
            failures: profile.limits.capacity_failures,
            window: profile.timeouts.capacity_window,
            pause: profile.timeouts.capacity_pause,
        };
        let one = (region.clone(), of_profile);
        if !limits.contains(&one) {
            limits.push(one);
        }
    }
    limits
}

/// The one value that all have.
fn same<T: PartialEq>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values = values;
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

fn access(serve: &ServeSettings) -> Result<AccessSettings, String> {
    let tokens = serve.tokens.iter().map(|token| {
        let hash = parse_hash(&token.sha256);
        let sha256 =
            hash.ok_or_else(|| format!("`serve.tokens`: the hash of {} is none", token.name))?;
        let role = match token.role {
            TokenRole::Viewer => AccessRole::Viewer,
            TokenRole::Operator => AccessRole::Operator,
        };
        Ok(AccessToken { name: token.name.clone(), role, sha256 })
    });
    let addresses: Result<Vec<_>, String> =
        serve.proxy_addresses.iter().map(|address| address.parse()).collect();
    let addresses = addresses.map_err(|error| format!("`serve.proxy_addresses`: {error}"))?;
    let proxy = (!addresses.is_empty()).then(|| TrustedProxy {
        addresses,
        user_header: serve.proxy_user_header.to_ascii_lowercase(),
        operators: serve.proxy_operators.clone(),
    });
    Ok(AccessSettings {
        names: AllowedNames {
            hosts: serve.allowed_hosts.clone(),
            origins: serve.allowed_origins.clone(),
        },
        tokens: tokens.collect::<Result<_, String>>()?,
        local_role: match serve.local_access {
            LocalAccess::Nobody => None,
            LocalAccess::Viewer => Some(AccessRole::Viewer),
            LocalAccess::Operator => Some(AccessRole::Operator),
        },
        is_public: serve.public_view,
        proxy,
    })
}
