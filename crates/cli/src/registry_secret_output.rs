//! What `registry-secret show` and `registry-secret test` say. Neither ever has a password.

use fargate_config::JobProfile;
use fargate_model::moment::rfc3339_seconds;
use fargate_model::text::escape;
use fargate_registry::{RegistryCheckStep, RegistrySecretFacts};
use serde_json::json;

/// The facts in the order in which they are shown; `-` where one is not known.
fn rows(facts: &RegistrySecretFacts) -> [(&'static str, String); 5] {
    let known = |fact: Option<&String>| fact.map_or_else(|| "-".to_owned(), |fact| escape(fact));
    let described = &facts.description;
    let changed = match described.deleted_at {
        Some(at) => Some(format!("marked for deletion, gone at {}", moment(at))),
        None => described.changed_at.map(moment),
    };
    [
        ("name", escape(&described.name)),
        ("arn", escape(&described.arn)),
        ("user", known(facts.user.as_ref().ok())),
        ("changed", known(changed.as_ref())),
        ("version", known(described.version.as_ref())),
    ]
}

/// For a terminal.
pub fn lines(facts: &RegistrySecretFacts) -> String {
    let lines = rows(facts).map(|(name, value)| format!("{name:<8} {value}"));
    lines.join("\n")
}

/// One document.
pub fn json(facts: &RegistrySecretFacts) -> String {
    let described = &facts.description;
    json!({
        "name": described.name,
        "arn": described.arn,
        "user": facts.user.as_ref().ok(),
        "changed": described.changed_at.map(moment),
        "deleted": described.deleted_at.map(moment),
        "version": described.version,
    })
    .to_string()
}

/// One line of fields without a head.
pub fn tsv(facts: &RegistrySecretFacts) -> String {
    rows(facts).map(|(_, value)| value).join("\t")
}

/// A step of `registry-secret test` that succeeded.
pub fn step(step: &RegistryCheckStep, profile: &JobProfile) -> String {
    match step {
        RegistryCheckStep::Named(image) => {
            format!("image: {image} of the registry {}", image.registry())
        }
        RegistryCheckStep::OfEcr => {
            "login: an image of ECR needs no secret; the execution role logs in".to_owned()
        }
        RegistryCheckStep::WithoutSecret => {
            "secret: none is named, so the registry is asked without a login".to_owned()
        }
        RegistryCheckStep::Read { secret, user } => {
            format!(
                "secret: {} is the JSON that ECS reads, user `{}`",
                escape(secret),
                escape(user)
            )
        }
        RegistryCheckStep::Found(pinned) => {
            let made_for = match pinned.architectures.is_empty() {
                true => "an architecture that it does not name".to_owned(),
                false => escape(&pinned.architectures.join(", ")),
            };
            let wanted = profile.architecture.as_str();
            format!(
                "registry: the image is {}, for {made_for}; a task runs {wanted}",
                pinned.digest
            )
        }
    }
}

/// A moment in UTC.
fn moment(seconds: i64) -> String {
    rfc3339_seconds(u64::try_from(seconds).unwrap_or_default().saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_registry::RegistrySecretError;

    fn facts(user: Result<&str, &str>) -> RegistrySecretFacts {
        let missing = |name: &str| RegistrySecretError::Missing {
            name: name.to_owned(),
            region: "eu-west-1".to_owned(),
        };
        RegistrySecretFacts {
            description: fargate_registry::SecretDescription {
                arn: "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-AbCdEf"
                    .into(),
                name: "ci/registry".into(),
                changed_at: Some(1_790_000_000),
                deleted_at: None,
                version: Some("0123456789abcdef0123456789abcdef".into()),
                kms_key: None,
            },
            user: user.map(str::to_owned).map_err(missing),
        }
    }

    #[test]
    fn a_secret_is_shown_without_its_password() {
        insta::assert_snapshot!(lines(&facts(Ok("ci"))), @r##"
        name     ci/registry
        arn      arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-AbCdEf
        user     ci
        changed  2026-09-21T14:13:20Z
        version  0123456789abcdef0123456789abcdef
        "##);
        insta::assert_snapshot!(json(&facts(Ok("ci"))), @r##"
        {"arn":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-AbCdEf","changed":"2026-09-21T14:13:20Z","deleted":null,"name":"ci/registry","user":"ci","version":"0123456789abcdef0123456789abcdef"}
        "##);
        insta::assert_snapshot!(lines(&facts(Err("ci/registry"))), @r##"
        name     ci/registry
        arn      arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-AbCdEf
        user     -
        changed  2026-09-21T14:13:20Z
        version  0123456789abcdef0123456789abcdef
        "##);
        insta::assert_snapshot!(tsv(&facts(Ok("ci\t\u{1b}[2J"))).replace('\t', "<tab>"), @r##"
        ci/registry<tab>arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-AbCdEf<tab>ci\x09\x1b[2J<tab>2026-09-21T14:13:20Z<tab>0123456789abcdef0123456789abcdef
        "##);
    }
}
