//! Whether the execution role may do what preparing a task takes. To decrypt has a check of its own.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::right_words::{RightSort, sorted, statement};
use crate::checks::task_roles::roles_of;
use crate::needed_rights::NeededRight;
use crate::policy::{PolicyAnswer, PolicyDocument, PolicyPrincipal, PolicyQuestion, answer_of};
use crate::reading::AwsReading;
use crate::views::{RegistrySecretView, RightAnswer, RightState, RoleView};

/// The right that has a check of its own.
pub(crate) const DECRYPT: &str = "kms:Decrypt";
const READ_SECRET: &str = "secretsmanager:GetSecretValue";

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let names = match roles_of(input, |facts| facts.execution_role.clone()) {
        Ok(names) => names,
        Err(unknown) => return unknown,
    };
    if let Err(unknown) = input.view.access.identity.or_unknown("the rights of the execution role")
        && !names.is_empty()
    {
        return vec![unknown];
    }
    names.iter().flat_map(|name| one(input, name)).collect()
}

fn one(input: CheckInput<'_>, name: &str) -> Vec<CheckFinding> {
    let unread = RoleView::default();
    let role = input.view.access.role(name).unwrap_or(&unread);
    // One that is not there fails in its own check.
    if matches!(role.role, AwsReading::Known(None)) {
        return Vec::new();
    }
    if input.view.access.role(name).is_none() {
        return vec![CheckFinding::unknown(format!("the rights of {name} were not read"))];
    }
    let answers: Vec<RightAnswer> = role
        .rights
        .iter()
        .filter(|answer| answer.right.action != DECRYPT)
        .map(|answer| with_secret_policy(input, role, answer))
        .collect();
    let refs: Vec<&RightAnswer> = answers.iter().collect();
    let RightSort { denied, by_name, unclear, unread } = sorted(&refs);
    let (optional, required): (Vec<&NeededRight>, Vec<&NeededRight>) =
        denied.into_iter().partition(|right| right.only_for.is_some());
    let mut findings = Vec::new();
    if !required.is_empty() {
        findings.push(missing(name, &required, by_name));
    }
    findings.extend(unread.or(unclear));
    if !optional.is_empty() && findings.is_empty() {
        let found = format!("the execution role {name} may not call {}", actions(&optional));
        findings.push(
            CheckFinding::warn(found).fix("add this statement to it").command(statement(&optional)),
        );
    }
    if findings.is_empty() {
        let count = answers.len();
        findings.push(CheckFinding::pass(match count {
            0 => format!("{name} needs no right for these tasks"),
            _ => format!("{name} has all {count} that ECS needs to prepare a task"),
        }));
    }
    findings
}

/// The answer, where the policy of a secret counts as well: it can let a role in by itself.
fn with_secret_policy(input: CheckInput<'_>, role: &RoleView, answer: &RightAnswer) -> RightAnswer {
    let is_silent = answer.state == AwsReading::Known(RightState::Denied { by_name: false });
    let secret =
        input.view.registry.secrets.values().find(|secret| has_arn(secret, &answer.right.resource));
    let Some(secret) = secret.filter(|_| answer.right.action == READ_SECRET) else {
        return answer.clone();
    };
    let arn = role.role.known().and_then(|found| Some(found.as_ref()?.arn.clone()));
    let arn = arn.unwrap_or_else(|| role.name.clone());
    let state = match &secret.policy {
        // Only a policy that lets the role in changes a refusal, so one that is not known leaves it open.
        AwsReading::Known(None) => answer.state.clone(),
        AwsReading::Known(Some(text)) => match secret_says(text, &arn) {
            Ok(PolicyAnswer::Denied) => AwsReading::Known(RightState::Denied { by_name: true }),
            Ok(PolicyAnswer::Allowed) if is_silent => AwsReading::Known(RightState::Allowed),
            Ok(PolicyAnswer::Unclear(why)) => AwsReading::Known(RightState::Unclear { why }),
            Err(why) => AwsReading::Known(RightState::Unclear { why }),
            Ok(_) => answer.state.clone(),
        },
        _ if is_silent => secret.policy.failed().unwrap_or_default(),
        _ => answer.state.clone(),
    };
    RightAnswer { right: answer.right.clone(), state }
}

fn has_arn(secret: &RegistrySecretView, arn: &str) -> bool {
    secret
        .description
        .known()
        .and_then(|found| found.as_ref())
        .is_some_and(|found| found.arn == arn)
}

fn secret_says(text: &str, role: &str) -> Result<PolicyAnswer, String> {
    let document = PolicyDocument::read(text)
        .map_err(|why| format!("the policy of the secret cannot be read: {why}"))?;
    let question = PolicyQuestion {
        principal: PolicyPrincipal::Role(role),
        action: READ_SECRET,
        resource: None,
        context: &[],
    };
    Ok(answer_of([&document], question))
}

fn missing(name: &str, rights: &[&NeededRight], by_name: bool) -> CheckFinding {
    let actions = actions(rights);
    let fix = match by_name {
        true => "a policy denies it by name: take that statement away, or its conditions",
        false => "add this statement to the policy of the execution role",
    };
    CheckFinding::fail(
        format!("the execution role {name} may not call {actions}"),
        format!("tasks stop before they start, because their execution role lacks {actions}"),
    )
    .fix(fix)
    .command(statement(rights))
}

fn actions(rights: &[&NeededRight]) -> String {
    let mut actions: Vec<&str> = rights.iter().map(|right| right.action.as_str()).collect();
    actions.sort_unstable();
    actions.dedup();
    actions.join(", ")
}
