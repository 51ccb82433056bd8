//! Whether the secret with the login of the registry is there, and is what ECS reads. Its value is never shown.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::reading::AwsReading;
use crate::views::{RegistrySecretView, SecretForm};

const CONSEQUENCE: &str = "tasks cannot log in to the registry of their image";

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    input.view.registry.secrets.iter().map(|(name, secret)| one(name, secret)).collect()
}

fn one(name: &str, secret: &RegistrySecretView) -> CheckFinding {
    match &secret.description {
        AwsReading::Known(None) => return missing(name),
        AwsReading::Known(Some(found)) if found.deleted_at.is_some() => {
            return CheckFinding::fail(
                format!("the secret {name} is marked for deletion"),
                CONSEQUENCE,
            )
            .fix("take it back")
            .command(format!("aws secretsmanager restore-secret --secret-id {name}"));
        }
        _ => {}
    }
    match secret.form.or_unknown(&format!("the value of the secret {name}")) {
        Err(unknown) => unknown,
        Ok(SecretForm::Login { user }) => {
            CheckFinding::pass(format!("{name} is the login of `{user}`"))
        }
        // A secret whose description is not known may not even be there.
        Ok(SecretForm::Empty) if secret.description.known().is_none() => missing(name),
        Ok(SecretForm::Empty) => {
            write(CheckFinding::fail(format!("the secret {name} has no value"), CONSEQUENCE))
        }
        Ok(SecretForm::Wrong { why }) => write(CheckFinding::fail(
            format!("the secret {name} is not the JSON that ECS reads: {why}"),
            CONSEQUENCE,
        )),
    }
}

fn missing(name: &str) -> CheckFinding {
    write(CheckFinding::fail(format!("there is no secret {name}, or it has no value"), CONSEQUENCE))
}

fn write(finding: CheckFinding) -> CheckFinding {
    finding
        .fix("write user and password; the command asks for the password")
        .command("fargate-runner registry-secret set USER")
}
