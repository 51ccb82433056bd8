//! The endpoints that the environment and the AWS profile of this host name for services, and which
//! setting names each one.
//!
//! An empty variable counts as none. AWS's own endpoints are not known here. The SDK gets its
//! endpoints from here as well, because it would take an empty setting for an endpoint.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints", for the names and
//! their order.

use std::collections::BTreeMap;

use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::text::escape;
use http::Uri;

use crate::profile_rules::ProfileSetting;
use crate::profiles::AwsProfiles;

/// The services that we call, each with its name in a setting.
const SERVICES: [(&str, &str); 12] = [
    ("cloudformation", "cloudformation"),
    ("ecs", "ecs"),
    ("sts", "sts"),
    ("ec2", "ec2"),
    ("logs", "cloudwatch_logs"),
    ("secretsmanager", "secrets_manager"),
    ("elasticfilesystem", "efs"),
    ("kms", "kms"),
    ("ecr", "ecr"),
    ("sns", "sns"),
    ("iam", "iam"),
    ("servicequotas", "service_quotas"),
];
/// The services that the SDK asks for credentials. It reads their settings itself.
const OF_CREDENTIALS: [&str; 3] = ["sts", "sso", "sso_oidc"];
const VARIABLE: &str = "AWS_ENDPOINT_URL";
const SETTING: &str = "endpoint_url";

/// All endpoints that this host's settings name.
#[derive(Clone, Debug, Default)]
pub struct NamedEndpoints {
    named: BTreeMap<&'static str, NamedEndpoint>,
}

/// One endpoint.
#[derive(Clone, Debug)]
struct NamedEndpoint {
    value: String,
    place: EndpointSource,
}

/// The setting that names it.
#[derive(Clone, Debug)]
enum EndpointSource {
    Variable(String),
    Profile(ProfileSetting),
}

impl NamedEndpoints {
    /// Reads the environment of this process and the AWS profile in use.
    pub fn read(profiles: &AwsProfiles) -> Self {
        Self::of_all(|name| std::env::var(name).ok(), profiles)
    }

    pub(crate) fn of_all(
        variable: impl Fn(&str) -> Option<String>,
        profiles: &AwsProfiles,
    ) -> Self {
        let variable = |name: String| {
            let value = variable(&name).filter(|value| !value.is_empty())?;
            Some(NamedEndpoint { value, place: EndpointSource::Variable(name) })
        };
        let ignored = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS".to_owned())
            .map(|named| named.value)
            .or_else(|| Some(profiles.setting("ignore_configured_endpoint_urls")?.value.clone()));
        if ignored.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Self::default();
        }
        let of_profile = |setting: &ProfileSetting| NamedEndpoint {
            value: setting.value.clone(),
            place: EndpointSource::Profile(setting.clone()),
        };
        let of = |name: &str| {
            variable(format!("{VARIABLE}_{}", name.to_ascii_uppercase()))
                .or_else(|| variable(VARIABLE.to_owned()))
                .or_else(|| profiles.service_setting(name, SETTING).map(of_profile))
                .or_else(|| profiles.setting(SETTING).map(of_profile))
        };
        let named = SERVICES.into_iter().filter_map(|(service, name)| Some((service, of(name)?)));
        Self { named: named.collect() }
    }

    /// The endpoint of a service (the first word of its host name, such as `ecs`), if a setting names one.
    pub fn of(&self, service: &str) -> Option<String> {
        self.named.get(service).map(|named| named.value.clone())
    }

    /// Refuses an endpoint that cannot work.
    ///
    /// # Errors
    ///
    /// Returns [`FailureCause::EndpointUnusable`] with the setting and its value if a value is not
    /// a URL.
    pub fn check(&self) -> Result<(), CauseReport> {
        SERVICES.into_iter().filter_map(|(service, _)| self.named.get(service)).try_for_each(check)
    }
}

impl LoadServiceConfig for NamedEndpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        // The SDK's names have blanks, where those of settings have underscores.
        let name = key.service_id().to_ascii_lowercase().replace(' ', "_");
        let (service, _) = SERVICES.into_iter().find(|(_, setting)| *setting == name)?;
        self.of(service).filter(|_| key.env() == VARIABLE)
    }
}

/// Refuses an empty setting that the SDK reads when it asks STS or SSO for credentials, because it
/// panics on it.
///
/// # Errors
///
/// Returns [`FailureCause::EndpointUnusable`] with the setting if it is empty.
pub fn check_of_credentials(profiles: &AwsProfiles) -> Result<(), CauseReport> {
    for name in OF_CREDENTIALS {
        let variables = [format!("{VARIABLE}_{}", name.to_ascii_uppercase()), VARIABLE.to_owned()];
        let variable = variables.into_iter().find_map(|variable| {
            let value = std::env::var(&variable).ok()?;
            Some(NamedEndpoint { value, place: EndpointSource::Variable(variable) })
        });
        let of_profile = || {
            let setting = profiles.service_setting(name, SETTING);
            let setting = setting.or_else(|| profiles.setting(SETTING))?.clone();
            let value = setting.value.clone();
            Some(NamedEndpoint { value, place: EndpointSource::Profile(setting) })
        };
        variable
            .or_else(of_profile)
            .filter(|named| named.value.is_empty())
            .iter()
            .try_for_each(check)?;
    }
    Ok(())
}

fn check(named: &NamedEndpoint) -> Result<(), CauseReport> {
    let Some(rule) = broken_rule(&named.value) else { return Ok(()) };
    // The part before `@` may be a login, so it is not shown.
    let shown = named.value.rsplit('@').next().unwrap_or_default();
    let why = CauseReport::new(FailureCause::EndpointUnusable);
    let (why, of) = match &named.place {
        EndpointSource::Variable(name) => (why.with("variable", name), "It".to_owned()),
        EndpointSource::Profile(ProfileSetting { path, line, .. }) => {
            let of = format!("Line {line} of {}: it", path.display());
            (why.with("path", path.to_string_lossy()), of)
        }
    };
    let text = match (shown.is_empty(), shown.len() == named.value.len()) {
        (true, true) => format!("{of} is empty."),
        (_, true) => format!("{of} is {shown:?}, and {rule}."),
        (_, false) => format!("{of} is for {shown:?}, and {rule}."),
    };
    Err(why.because(escape(&text)))
}

/// The rule that a URL breaks, so that it is not an endpoint.
fn broken_rule(endpoint: &str) -> Option<&'static str> {
    if host(endpoint).is_none() {
        return Some("an endpoint is http:// or https:// with a host");
    }
    let uri: Uri = endpoint.parse().ok()?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Some("an endpoint has no login");
    }
    uri.host().is_none_or(str::is_empty).then_some("a host is missing")
}

/// The `Host` header of a request to this URL.
pub(crate) fn host(endpoint: &str) -> Option<String> {
    let uri: Uri = endpoint.parse().ok()?;
    uri.scheme().filter(|scheme| ["http", "https"].contains(&scheme.as_str()))?;
    Some(uri.authority()?.as_str().rsplit('@').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_a_host_and_no_login() {
        for good in ["http://[::1]:4000/", "https://ecs.x.example", "http://h:1/path"] {
            assert_eq!(broken_rule(good), None, "{good}");
        }
        for odd in ["", "foo", "https://:443", "http://u:p@host", "ftp://host", "http://"] {
            assert!(broken_rule(odd).is_some(), "{odd}");
        }
    }

    #[test]
    fn a_setting_that_names_no_endpoint_is_shown_with_its_value_and_without_its_login() {
        let said = |value: &str| {
            let variable = |name: &str| (name == "AWS_ENDPOINT_URL_ECS").then(|| value.to_owned());
            let why =
                NamedEndpoints::of_all(variable, &AwsProfiles::default()).check().unwrap_err();
            format!("{}: {}", why.headline(), why.evidence[0])
        };
        insta::assert_snapshot!(said("foo"), @r#"AWS_ENDPOINT_URL_ECS is not the URL of an endpoint: It is "foo", and an endpoint is http:// or https:// with a host."#);
        insta::assert_snapshot!(said("https://:443"), @r#"AWS_ENDPOINT_URL_ECS is not the URL of an endpoint: It is "https://:443", and a host is missing."#);
        insta::assert_snapshot!(said("http://canary:canary@host"), @r#"AWS_ENDPOINT_URL_ECS is not the URL of an endpoint: It is for "host", and an endpoint has no login."#);
    }
}
