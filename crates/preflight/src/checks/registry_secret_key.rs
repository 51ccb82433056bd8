//! Whether the execution role may use the key that encrypts the registry secret, where the account has a key of
//! its own for it.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::by_profile::has_failed_definition;
use crate::checks::execution_role_rights::DECRYPT;
use crate::policy::{PolicyAnswer, PolicyDocument, PolicyPrincipal, PolicyQuestion, answer_of};
use crate::reading::AwsReading;
use crate::views::{RegistrySecretView, RightState, RoleView};
use fargate_aws::KmsKeyFacts;

/// The state of a key that can be used. Source: AWS KMS API Reference, `KeyMetadata`.
const ENABLED: &str = "Enabled";
const CONSEQUENCE: &str = "tasks cannot read the login of their registry";

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let secrets = input.view.registry.secrets.iter();
    secrets.flat_map(|(name, secret)| one(input, name, secret)).collect()
}

fn one(input: CheckInput<'_>, name: &str, secret: &RegistrySecretView) -> Vec<CheckFinding> {
    let key = match secret.description.or_unknown(&format!("the key of the secret {name}")) {
        Err(unknown) => return vec![unknown],
        // A secret that is not there fails in its own check.
        Ok(None) => return Vec::new(),
        Ok(Some(_)) => &secret.key,
    };
    let Some(key) = key else {
        return vec![CheckFinding::pass(format!("{name} has the key of Secrets Manager itself"))];
    };
    match key.or_unknown(&format!("the key of the secret {name}")) {
        Err(unknown) => vec![unknown],
        Ok(None) => {
            let found = format!("the key that encrypts the secret {name} is gone");
            vec![
                CheckFinding::fail(found, CONSEQUENCE)
                    .fix("write the secret again with a key that there is"),
            ]
        }
        Ok(Some(key)) if key.is_of_aws => {
            vec![CheckFinding::pass(format!("{name} has a key that AWS manages"))]
        }
        Ok(Some(key)) if key.state != ENABLED => vec![disabled(name, key)],
        Ok(Some(key)) => by_roles(input, name, secret, key),
    }
}

fn disabled(name: &str, key: &KmsKeyFacts) -> CheckFinding {
    let found = format!("the key {} of the secret {name} is {}, not enabled", key.arn, key.state);
    CheckFinding::fail(found, CONSEQUENCE)
        .fix("enable it; if it is to be deleted, cancel that before")
        .command(format!("aws kms enable-key --key-id {}", key.arn))
}

/// Judges each execution role that reads the secret.
fn by_roles(
    input: CheckInput<'_>,
    name: &str,
    secret: &RegistrySecretView,
    key: &KmsKeyFacts,
) -> Vec<CheckFinding> {
    let known = input.view.cluster.definitions.iter();
    let facts = known.filter_map(|found| found.known()?.as_ref().ok());
    let users = facts.filter(|facts| facts.registry_secrets.iter().any(|secret| secret == name));
    let mut roles: Vec<&String> = users.filter_map(|facts| facts.execution_role.as_ref()).collect();
    roles.sort_unstable();
    roles.dedup();
    // A definition that cannot be used fails in its own check.
    if roles.is_empty() && has_failed_definition(input) {
        return Vec::new();
    }
    if roles.is_empty() {
        return vec![CheckFinding::unknown(format!("which role reads the secret {name}"))];
    }
    roles.into_iter().filter_map(|role| by_role(input, role, secret, key)).collect()
}

fn by_role(
    input: CheckInput<'_>,
    name: &str,
    secret: &RegistrySecretView,
    key: &KmsKeyFacts,
) -> Option<CheckFinding> {
    let unread = RoleView::default();
    let role = input.view.access.role(name).unwrap_or(&unread);
    let subject = format!("whether {name} may use the key {}", key.arn);
    let arn = match role.role.or_unknown(&subject) {
        Err(unknown) => return Some(unknown),
        Ok(None) => return None,
        Ok(Some(found)) => &found.arn,
    };
    let text = match secret.key_policy.or_unknown(&subject) {
        Ok(text) => text,
        Err(unknown) => return Some(unknown),
    };
    let document = match PolicyDocument::read(text) {
        Ok(document) => document,
        Err(why) => return Some(CheckFinding::unknown(format!("{subject}: its policy: {why}"))),
    };
    let region = &input.view.access.region;
    let service = format!("secretsmanager.{region}.amazonaws.com");
    let account = arn.split(':').nth(4).unwrap_or_default();
    let context = [("kms:ViaService", service.as_str()), ("kms:CallerAccount", account)];
    let ask = |principal: &str| {
        let principal = PolicyPrincipal::Role(principal);
        answer_of(
            [&document],
            PolicyQuestion { principal, action: DECRYPT, resource: None, context: &context },
        )
    };
    let root = root_of(arn);
    let own = role
        .rights
        .iter()
        .find(|answer| answer.right.action == DECRYPT && answer.right.resource == key.arn);
    // A policy that names the account leaves the decision to the role's own policies.
    Some(match (ask(arn), ask(&root)) {
        (PolicyAnswer::Denied, _) => refused(name, key, "its policy denies it"),
        (PolicyAnswer::Unclear(why), _) => CheckFinding::unknown(format!("{subject}: {why}")),
        (PolicyAnswer::Allowed, _) => CheckFinding::pass(format!("{name} may use {}", key.arn)),
        (PolicyAnswer::Silent, PolicyAnswer::Allowed) => {
            match own.map_or(&AwsReading::default(), |answer| &answer.state).or_unknown(&subject) {
                Err(unknown) => unknown,
                Ok(RightState::Allowed) => {
                    CheckFinding::pass(format!("{name} may use {}", key.arn))
                }
                Ok(RightState::Unclear { why }) => {
                    CheckFinding::unknown(format!("{subject}: {why}"))
                }
                Ok(RightState::Denied { .. }) => {
                    refused(name, key, "the role's policies do not allow it")
                }
            }
        }
        (PolicyAnswer::Silent, _) => {
            refused(name, key, "its policy names neither the role nor the account")
        }
    })
}

/// The principal that stands for the whole account of a role.
fn root_of(role: &str) -> String {
    let head: Vec<&str> = role.splitn(6, ':').take(5).collect();
    format!("{}:root", head.join(":"))
}

fn refused(name: &str, key: &KmsKeyFacts, why: &str) -> CheckFinding {
    let found = format!("the execution role {name} may not call {DECRYPT} with {}: {why}", key.arn);
    let command = format!(r#"{{"Effect":"Allow","Action":"{DECRYPT}","Resource":"{}"}}"#, key.arn);
    CheckFinding::fail(found, CONSEQUENCE)
        .fix("allow it in the policy of the role, and let the policy of the key name the account")
        .command(command)
}
