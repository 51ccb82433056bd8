//! Whether the manager has every right that jobs need, except to pass roles.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::right_words::{RightSort, sorted, statement};
use crate::needed_rights::NeededRight;
use crate::views::RightAnswer;

/// The right that has a check of its own.
pub(crate) const PASS: &str = "iam:PassRole";

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let access = &input.view.access;
    let identity = match access.identity.or_unknown("which rights the manager has") {
        Ok(identity) => identity,
        Err(unknown) => return vec![unknown],
    };
    if access.is_root() {
        return vec![CheckFinding::pass("the root user has every right")];
    }
    let of_jobs = |answer: &&RightAnswer| answer.right.action != PASS;
    let answers: Vec<&RightAnswer> = access.rights.iter().filter(of_jobs).collect();
    if answers.is_empty() {
        return vec![CheckFinding::unknown("no right was asked for")];
    }
    let who = &identity.arn;
    let RightSort { denied, by_name, unclear, unread } = sorted(&answers);
    let (optional, required): (Vec<&NeededRight>, Vec<&NeededRight>) =
        denied.into_iter().partition(|right| right.only_for.is_some());
    let mut findings = Vec::new();
    if !required.is_empty() {
        findings.push(missing(who, &required, by_name));
    }
    if let Some(finding) = unread.or(unclear) {
        findings.push(finding);
    }
    if !optional.is_empty() && required.is_empty() {
        findings.push(without(who, &optional));
    }
    if findings.is_empty() {
        findings
            .push(CheckFinding::pass(format!("{who} has all {} that jobs need", answers.len())));
    }
    findings
}

fn missing(who: &str, rights: &[&NeededRight], by_name: bool) -> CheckFinding {
    let actions = actions(rights);
    let fix = match by_name {
        true => "a policy denies it by name: take that statement away, or its conditions",
        false => {
            "add this statement to the manager's policy; `fargate-runner iam-policy` prints all of it"
        }
    };
    let consequence = match rights.iter().any(|right| right.action == "ecs:RunTask") {
        true => "the manager starts no task".to_owned(),
        false => format!("jobs fail where the manager needs {actions}"),
    };
    CheckFinding::fail(format!("{who} may not call {actions}"), consequence)
        .fix(fix)
        .command(statement(rights))
}

fn without(who: &str, rights: &[&NeededRight]) -> CheckFinding {
    let losses: Vec<String> = rights
        .iter()
        .filter_map(|right| Some(format!("{} ({})", right.action, right.only_for?)))
        .collect();
    CheckFinding::warn(format!("{who} may not call {}; jobs run without it", losses.join(", ")))
        .fix("add this statement to the manager's policy")
        .command(statement(rights))
}

/// The actions, each once.
fn actions(rights: &[&NeededRight]) -> String {
    let mut actions: Vec<&str> = rights.iter().map(|right| right.action.as_str()).collect();
    actions.sort_unstable();
    actions.dedup();
    actions.join(", ")
}
