//! Whether the manager may pass exactly the roles of its tasks, and to tasks alone.
//!
//! Whether it may pass those is a question to IAM. Whether it may pass others is read in its policies; where they are
//! not known, one role that no account has is asked for.

use std::collections::BTreeSet;

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::by_profile::{by_profile, has_failed_definition, usable};
use crate::checks::manager_rights::PASS;
use crate::checks::passed_roles::judge_statements;
use crate::checks::right_words::{RightSort, sorted};
use crate::needed_rights::{AccountPlace, NeededRight, TASKS_SERVICE};
use crate::views::{RightAnswer, RightState};

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let access = &input.view.access;
    if let Err(unknown) = access.identity.or_unknown("which roles the manager may pass") {
        return vec![unknown];
    }
    // Which roles are passed is only known with every definition.
    let unknown = by_profile(input, |_, definition| usable(definition).err());
    if !unknown.is_empty() {
        return unknown;
    }
    if access.is_root() {
        return vec![CheckFinding::pass("the root user may pass every role")];
    }
    let answers: Vec<&RightAnswer> =
        access.rights.iter().filter(|answer| answer.right.action == PASS).collect();
    let mut findings = of_needed(&answers);
    let written = of_statements(input, &answers);
    let may_pass_others = access.passes_other_roles.known() == Some(&RightState::Allowed);
    if written.is_empty() && (!answers.is_empty() || may_pass_others) {
        findings.extend(of_others(input, &answers));
    }
    findings.extend(written);
    if findings.is_empty() {
        findings.push(CheckFinding::pass(match shown(&answers).as_str() {
            "" => "tasks have no role to pass".to_owned(),
            roles => format!("the manager may pass {roles}, and no other role that was asked for"),
        }));
    }
    findings
}

fn of_needed(answers: &[&RightAnswer]) -> Vec<CheckFinding> {
    let RightSort { denied, by_name, unclear, unread } = sorted(answers);
    let mut findings: Vec<CheckFinding> = unread.or(unclear).into_iter().collect();
    if denied.is_empty() {
        return findings;
    }
    let roles: Vec<&str> = denied.iter().map(|right| right.resource.as_str()).collect();
    let fix = match by_name {
        true => "a policy denies iam:PassRole by name: take that statement away, or its conditions",
        false => "add this statement to the manager's policy",
    };
    let found = format!("the manager may not pass {}", roles.join(", "));
    findings.insert(
        0,
        CheckFinding::fail(found, "ECS refuses to start a task")
            .fix(fix)
            .command(pass_statement(&denied)),
    );
    findings
}

/// What the policies of the manager allow beyond the roles of tasks, as far as they are known.
fn of_statements(input: CheckInput<'_>, answers: &[&RightAnswer]) -> Vec<CheckFinding> {
    let access = &input.view.access;
    let policies = access.manager.as_ref().and_then(|role| role.policies.known());
    let (Some(policies), Some(identity)) = (policies, access.identity.known()) else {
        return Vec::new();
    };
    // Which roles are needed is only known with every definition.
    if has_failed_definition(input) {
        return Vec::new();
    }
    let place = AccountPlace::new(&access.region, identity);
    // A run may check one profile, and the manager runs the jobs of all.
    let configured = input.needs.configured_roles.iter().map(|role| place.role_arn(role));
    let needed = answers.iter().map(|answer| answer.right.resource.clone());
    let needed: BTreeSet<String> = needed.chain(configured).collect();
    let findings = match judge_statements(policies, &needed) {
        Ok(findings) => findings,
        Err(unknown) => return vec![unknown],
    };
    let rights: Vec<&NeededRight> = answers.iter().map(|answer| &answer.right).collect();
    let fix = "allow iam:PassRole on exactly the roles of tasks, and to tasks alone; a role of a task definition                that this run did not look at may stay";
    let with_fix = |finding: CheckFinding| match rights.is_empty() {
        true => finding.fix(fix),
        false => finding.fix(fix).command(pass_statement(&rights)),
    };
    findings.into_iter().map(with_fix).collect()
}

fn of_others(input: CheckInput<'_>, answers: &[&RightAnswer]) -> Option<CheckFinding> {
    match input
        .view
        .access
        .passes_other_roles
        .or_unknown("whether the manager may pass other roles")
    {
        Ok(RightState::Denied { .. }) => None,
        Ok(RightState::Unclear { why }) => {
            Some(CheckFinding::unknown(format!("whether the manager may pass other roles: {why}")))
        }
        Ok(RightState::Allowed) => {
            let found = "the manager may pass roles that no task needs: whoever controls it can give a task \
                         any of them";
            let rights: Vec<&NeededRight> = answers.iter().map(|answer| &answer.right).collect();
            let finding =
                CheckFinding::warn(found).fix("allow iam:PassRole on exactly these roles");
            Some(finding.command(pass_statement(&rights)))
        }
        // Said already, if the needed ones are not known either.
        Err(_) if answers.iter().any(|answer| answer.state.known().is_none()) => None,
        Err(unknown) => Some(unknown),
    }
}

fn shown(answers: &[&RightAnswer]) -> String {
    let roles: Vec<&str> = answers.iter().map(|answer| answer.right.resource.as_str()).collect();
    roles.join(" and ")
}

fn pass_statement(rights: &[&NeededRight]) -> String {
    let roles: Vec<&str> = rights.iter().map(|right| right.resource.as_str()).collect();
    serde_json::json!({
        "Effect": "Allow", "Action": PASS, "Resource": roles,
        "Condition": { "StringEquals": { "iam:PassedToService": TASKS_SERVICE } },
    })
    .to_string()
}
