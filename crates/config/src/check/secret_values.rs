//! Where a secret lies, and the variables that hold it. No check sees a secret itself.

use super::aws_names::{MAX_NAME, ResourceArn};
use super::value_refusal::{CheckResult, ValueRefusal};

/// Longest name of a secret. Source: AWS Secrets Manager API Reference, `CreateSecret`.
const MAX_SECRET_NAME: usize = 512;

/// Longest name of a parameter. Source: AWS Systems Manager API Reference, `PutParameter`.
const MAX_PARAMETER_NAME: usize = 1011;

/// Variables that a task cannot do without, and those by which shells and the loader run other code or
/// print what they read.
const KEPT_VARIABLES: [&str; 10] = [
    "SSH_PUBLIC_KEY",
    "PATH",
    "HOME",
    "USER",
    "SHELL",
    "BASH_ENV",
    "ENV",
    "PS4",
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
];

pub(crate) fn secret(given: &str) -> CheckResult<String> {
    let name = |text: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b);
        (1..=MAX_SECRET_NAME).contains(&text.len()) && text.bytes().all(allowed)
    };
    let arn = ResourceArn::parse(given).filter(|arn| arn.service == "secretsmanager");
    let arn = arn.and_then(|arn| arn.resource.strip_prefix("secret:"));
    if name(given) || arn.is_some_and(name) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "allowed are the ARN of a secret, or its name of 1 to {MAX_SECRET_NAME} ASCII letters, digits \
         and `/ _ + = . @ -`"
    )))
}

/// What ECS reads a secret from. Source: Amazon ECS API Reference, `Secret`, `valueFrom`.
pub(crate) fn secret_source(given: &str) -> CheckResult<String> {
    let parameter = |text: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-/".contains(&b);
        (1..=MAX_PARAMETER_NAME).contains(&text.len()) && text.bytes().all(allowed)
    };
    let is_arn = ResourceArn::parse(given).is_some_and(|arn| match arn.service {
        "ssm" => arn.resource.strip_prefix("parameter/").is_some_and(parameter),
        "secretsmanager" => arn.resource.strip_prefix("secret:").is_some_and(|rest| {
            let parts: Vec<&str> = rest.split(':').collect();
            matches!(parts.len(), 1 | 4) && secret(parts[0]).is_ok()
        }),
        _ => false,
    });
    if is_arn || parameter(given) {
        return Ok(given.to_owned());
    }
    let refusal = ValueRefusal::new(
        "allowed are the ARN of a secret, with `:json-key:version-stage:version-id` or nothing after \
         it, and the name or ARN of a parameter",
    );
    Err(refusal
        .hint("such as `arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-a1B2c3`"))
}

/// A letter or `_`, then letters, digits and `_`.
pub(super) fn is_variable(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let rest = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    first && text.len() <= MAX_NAME && text.bytes().all(rest)
}

/// The name of a variable that may hold a secret for scripts.
pub(crate) fn secret_variable(given: &str) -> CheckResult<String> {
    if !is_variable(given) {
        return Err(ValueRefusal::new(
            "the name of a variable is expected: a letter or `_`, then letters, digits and `_`",
        ));
    }
    let kept = given.starts_with("FARGATE_RUNNER_") || KEPT_VARIABLES.contains(&given);
    if kept {
        return Err(ValueRefusal::new("allowed is every name but those that a task needs itself"));
    }
    Ok(given.to_owned())
}

/// The name of an environment variable of a process.
pub(crate) fn environment_variable(given: &str) -> CheckResult<String> {
    if is_variable(given) {
        return Ok(given.to_owned());
    }
    // It may be the secret itself.
    Err(ValueRefusal::hidden(
        "the name of a variable is expected: a letter or `_`, then letters, digits and `_`",
    ))
}
