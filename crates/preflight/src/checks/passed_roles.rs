//! What the policies of the manager let it pass beyond the roles of its tasks: other roles, and other services that
//! get them.
//!
//! IAM's simulation answers for one role at a time. Only the statements tell which roles a pattern opens. What other
//! statements deny is not looked at.

use std::collections::BTreeSet;

use crate::check_finding::CheckFinding;
use crate::needed_rights::TASKS_SERVICE;
use crate::policy::{AccessStatement, PatternList, PolicyDocument, fits_pattern};
use crate::views::RolePolicyText;

/// The action, in lower case.
const PASS: &str = "iam:passrole";
/// The key that tells which service gets the role.
const SERVICE_KEY: &str = "iam:PassedToService";
/// Operators that compare it with names.
const COMPARING: [&str; 3] = ["StringEquals", "StringEqualsIgnoreCase", "StringLike"];

/// Judges the policies. `needed` has the ARNs of the roles of tasks.
///
/// # Errors
///
/// What a check says if a policy cannot be read.
pub(crate) fn judge_statements(
    policies: &[RolePolicyText],
    needed: &BTreeSet<String>,
) -> Result<Vec<CheckFinding>, CheckFinding> {
    let (mut roles, mut services) = (BTreeSet::new(), BTreeSet::new());
    for policy in policies {
        let document = PolicyDocument::read(&policy.text).map_err(|why| {
            CheckFinding::unknown(format!("the policy {} cannot be read: {why}", policy.name))
        })?;
        let named = |what: String| format!("{what} (policy {})", policy.name);
        for statement in document.statements.iter().filter(|statement| passes(statement)) {
            roles.extend(other_roles(statement, needed).into_iter().map(named));
            services.extend(other_services(statement).map(named));
        }
    }
    let mut findings = Vec::new();
    if !roles.is_empty() {
        findings.push(CheckFinding::warn(format!(
            "the manager may pass more than the roles of its tasks: {}; whoever controls it can give a task any \
             of them",
            joined(roles)
        )));
    }
    if !services.is_empty() {
        findings.push(CheckFinding::warn(format!(
            "the manager may pass roles to {}; {TASKS_SERVICE} alone needs them",
            joined(services)
        )));
    }
    Ok(findings)
}

fn joined(texts: BTreeSet<String>) -> String {
    texts.into_iter().collect::<Vec<_>>().join("; ")
}

/// Whether a statement allows to pass something.
fn passes(statement: &AccessStatement) -> bool {
    let is_meant = |pattern: &String| fits_pattern(&pattern.to_lowercase(), PASS);
    statement.allows
        && match &statement.actions {
            PatternList::Only(actions) => actions.iter().any(is_meant),
            PatternList::AllBut(actions) => !actions.iter().any(is_meant),
            PatternList::NotSaid => false,
        }
}

/// What is passed and is not exactly a role that tasks need. A pattern is none.
fn other_roles(statement: &AccessStatement, needed: &BTreeSet<String>) -> Vec<String> {
    match &statement.resources {
        PatternList::Only(resources) => {
            resources.iter().filter(|resource| !needed.contains(*resource)).cloned().collect()
        }
        PatternList::AllBut(resources) => vec![format!("everything but {}", resources.join(", "))],
        PatternList::NotSaid => Vec::new(),
    }
}

/// The services besides that of tasks that may get the roles.
fn other_services(statement: &AccessStatement) -> Option<String> {
    let compares =
        |operator: &str| COMPARING.contains(&operator.strip_suffix("IfExists").unwrap_or(operator));
    let lists: Vec<&Vec<String>> = statement
        .conditions
        .iter()
        .filter(|(operator, key, _)| key.eq_ignore_ascii_case(SERVICE_KEY) && compares(operator))
        .map(|(_, _, services)| services)
        .collect();
    if lists.is_empty() {
        return Some("every service".to_owned());
    }
    // All conditions must hold, so one that names tasks alone is enough.
    if lists.iter().any(|services| services.iter().all(|service| service == TASKS_SERVICE)) {
        return None;
    }
    let others = lists.into_iter().flatten().filter(|service| *service != TASKS_SERVICE);
    Some(others.cloned().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: &str = "arn:aws:iam::123456789012:role/ci-task";
    const TO_TASKS: &str =
        r#", "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}"#;

    fn told(action: &str, resource: &str, condition: &str) -> Vec<String> {
        let text = format!(
            r#"{{"Statement": {{"Effect": "Allow", "Action": "{action}", "Resource": "{resource}"{condition}}}}}"#
        );
        let policies = [RolePolicyText { name: "own".to_owned(), text }];
        let findings = judge_statements(&policies, &BTreeSet::from([TASK.to_owned()])).unwrap();
        findings.into_iter().map(|finding| finding.found).collect()
    }

    #[test]
    fn exactly_the_roles_of_tasks_for_tasks_alone_are_in_order() {
        assert!(told("iam:PassRole", TASK, TO_TASKS).is_empty());
        assert!(told("ecs:*", "*", "").is_empty(), "nothing is passed");
    }

    #[test]
    fn a_pattern_and_a_role_that_no_task_has_are_named() {
        for resource in [
            "*",
            "arn:aws:iam::123456789012:role/ci-*",
            "arn:aws:iam::123456789012:role/Admin",
            "arn:aws:iam::*:role/ci-task",
        ] {
            for action in ["iam:PassRole", "iam:*", "iam:Pass*"] {
                let told = told(action, resource, TO_TASKS);
                let words = format!("more than the roles of its tasks: {resource} (policy own)");
                assert!(told.len() == 1 && told[0].contains(&words), "{action}: {told:?}");
            }
        }
    }

    #[test]
    fn another_service_that_gets_the_roles_is_named() {
        let every = told("iam:PassRole", TASK, "");
        assert!(every.len() == 1 && every[0].contains("roles to every service"), "{every:?}");
        let lambda = TO_TASKS.replace(
            r#""ecs-tasks.amazonaws.com""#,
            r#"["ecs-tasks.amazonaws.com", "lambda.amazonaws.com"]"#,
        );
        let lambda = told("iam:PassRole", TASK, &lambda);
        assert!(lambda[0].contains("roles to lambda.amazonaws.com (policy own)"), "{lambda:?}");
        let unlike = TO_TASKS.replace("StringEquals", "StringNotEquals");
        assert_eq!(told("iam:PassRole", "*", &unlike).len(), 2, "both are told");
    }
}
