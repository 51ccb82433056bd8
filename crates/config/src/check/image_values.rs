//! Images: what they are called, where they are pushed, and what a build of them takes.

use super::aws_names::{ResourceArn, container};
use super::path_values::absolute_path;
use super::secret_values::secret;
use super::value_refusal::{CheckResult, ValueRefusal};

/// Longest text of an image. Source: Amazon ECS API Reference, `ContainerDefinition`.
const MAX_IMAGE: usize = 255;

/// Longest host name. Source: RFC 1035.
const MAX_HOST: usize = 253;

/// The text of an image as ECS takes it. Whether it names an image is not asked here.
pub(crate) fn image(given: &str) -> CheckResult<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@".contains(&b);
    let bounded = (1..=MAX_IMAGE).contains(&given.len());
    if bounded && given.bytes().all(allowed) {
        return Ok(given.to_owned());
    }
    let refusal = ValueRefusal::new(format!(
        "allowed are 1 to {MAX_IMAGE} ASCII letters, digits and `- _ . : / @`"
    ));
    Err(refusal.hint("such as `my-organisation/my-image:latest`"))
}

/// Where images are pushed: the text of an image without tag and digest.
pub(crate) fn repository(given: &str) -> CheckResult<String> {
    let refusal = || {
        ValueRefusal::new("a registry and a repository are expected, without tag and digest")
            .hint("such as `registry.example/team/ci`")
    };
    let text = image(given).map_err(|_| refusal())?;
    let name = text.rsplit('/').next().unwrap_or_default();
    let is_lower = !name.bytes().any(|b| b.is_ascii_uppercase());
    let is_right = !text.contains('@') && !name.contains(':') && !name.is_empty() && is_lower;
    if is_right && text.contains('/') { Ok(text) } else { Err(refusal()) }
}

/// Host and port of a registry, as an image names it.
pub(crate) fn registry(given: &str) -> CheckResult<String> {
    let (host, port) = match given.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (given, None),
    };
    let has_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    if has_port && (1..=MAX_HOST).contains(&host.len()) && host.bytes().all(allowed) {
        return Ok(given.to_owned());
    }
    let refusal =
        ValueRefusal::new("a host name or address is expected, and a port where it has one");
    Err(refusal.hint("such as `registry.internal:5000`, without `https://`"))
}

/// `NAME=value` of a build argument.
pub(crate) fn build_argument(given: &str) -> CheckResult<String> {
    let name = given.split_once('=').map(|(name, _)| name);
    let is_name = |name: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        !name.is_empty() && name.bytes().all(allowed)
    };
    if name.is_some_and(is_name) && !given.contains(char::is_control) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new("`NAME=value` is expected").hint("such as `BASE=debian:bookworm-slim`"))
}

/// `ID=/path` of a build secret.
pub(crate) fn build_secret(given: &str) -> CheckResult<String> {
    let parts = given.split_once('=');
    let is_right =
        parts.is_some_and(|(id, file)| container(id).is_ok() && absolute_path(file).is_ok());
    if is_right {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new("`ID=/absolute/path/of/a/file` is expected"))
}

/// `REGISTRY=SECRET` of a replica's login.
pub(crate) fn replica_secret(given: &str) -> CheckResult<String> {
    let parts = given.split_once('=');
    let is_right = parts.is_some_and(|(host, name)| registry(host).is_ok() && secret(name).is_ok());
    if is_right {
        return Ok(given.to_owned());
    }
    let refusal = ValueRefusal::new("`REGISTRY=SECRET` is expected: a host, and a name or an ARN");
    Err(refusal.hint("such as `registry-us.example=ci/registry-us`"))
}

/// A file with a key, or a key of KMS.
pub(crate) fn signing_key(given: &str) -> CheckResult<String> {
    let is_kms = ResourceArn::parse(given).is_some_and(|arn| arn.service == "kms");
    if is_kms || absolute_path(given).is_ok() {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(
        "allowed are the absolute path of a PEM file and the ARN of a key of KMS",
    ))
}
