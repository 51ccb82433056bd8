//! Whether ECS may assume the execution role and the task role, and nobody else's ECS.

use std::collections::BTreeSet;

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::by_profile::{by_profile, usable};
use crate::needed_rights::{AccountPlace, TASKS_SERVICE};
use crate::policy::{PolicyAnswer, PolicyDocument, PolicyPrincipal, PolicyQuestion, answer_of};
use crate::views::{DefinitionFacts, RoleView};

/// An account that nobody has, to ask whether its ECS may assume the role.
const OTHER_ACCOUNT: &str = "000000000001";

/// Judges the execution roles.
pub(crate) fn judge_execution(input: CheckInput<'_>) -> Vec<CheckFinding> {
    judge(input, "execution role", |facts| facts.execution_role.clone())
}

/// Judges the task roles.
pub(crate) fn judge_task(input: CheckInput<'_>) -> Vec<CheckFinding> {
    judge(input, "task role", |facts| facts.task_role.clone())
}

/// The roles of one kind, each once.
///
/// # Errors
///
/// What a check says if a definition is not known.
pub(crate) fn roles_of(
    input: CheckInput<'_>,
    role: fn(&DefinitionFacts) -> Option<String>,
) -> Result<BTreeSet<String>, Vec<CheckFinding>> {
    let unknown = by_profile(input, |_, definition| usable(definition).err());
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let known = input.view.cluster.definitions.iter();
    let facts = known.filter_map(|found| found.known()?.as_ref().ok());
    Ok(facts.filter_map(role).collect())
}

fn judge(
    input: CheckInput<'_>,
    kind: &str,
    role: fn(&DefinitionFacts) -> Option<String>,
) -> Vec<CheckFinding> {
    let names = match roles_of(input, role) {
        Ok(names) => names,
        Err(unknown) => return unknown,
    };
    names.iter().map(|name| one(input, kind, name)).collect()
}

fn one(input: CheckInput<'_>, kind: &str, name: &str) -> CheckFinding {
    let access = &input.view.access;
    let unread = RoleView::default();
    let role = access.role(name).unwrap_or(&unread);
    let subject = format!("the {kind} {name}");
    let found = match role.role.or_unknown(&subject) {
        Err(unknown) => return unknown,
        Ok(None) => return missing(kind, name),
        Ok(Some(found)) => found,
    };
    let identity = match access.identity.or_unknown(&subject) {
        Ok(identity) => identity,
        Err(unknown) => return unknown,
    };
    let place = AccountPlace::new(&access.region, identity);
    let trust = match PolicyDocument::read(&found.trust) {
        Ok(trust) => trust,
        Err(why) => {
            return CheckFinding::unknown(format!(
                "the trust policy of {name} cannot be read: {why}"
            ));
        }
    };
    match (trusts(&trust, &place, &place.account), trusts(&trust, &place, OTHER_ACCOUNT)) {
        (PolicyAnswer::Unclear(why), _) => {
            CheckFinding::unknown(format!("whether ECS may assume {name}: {why}"))
        }
        (PolicyAnswer::Denied | PolicyAnswer::Silent, _) => untrusting(kind, name, &place),
        (PolicyAnswer::Allowed, PolicyAnswer::Allowed) => CheckFinding::warn(format!(
            "the trust policy of the {kind} {name} names no account, so ECS could be led to use it for others"
        ))
        .fix("add the condition aws:SourceAccount")
        .command(command(name, &place)),
        (PolicyAnswer::Allowed, _) => {
            CheckFinding::pass(format!("ECS may assume {name}, for this account alone"))
        }
    }
}

/// Whether ECS, on behalf of `account`, may assume the role.
fn trusts(trust: &PolicyDocument, place: &AccountPlace, account: &str) -> PolicyAnswer {
    let of_account = AccountPlace { region: place.region.clone(), account: account.to_owned() };
    let source = of_account.arn("ecs", None, "task/any");
    let question = PolicyQuestion {
        principal: PolicyPrincipal::Service(TASKS_SERVICE),
        action: "sts:AssumeRole",
        resource: None,
        context: &[("aws:SourceAccount", account), ("aws:SourceArn", &source)],
    };
    answer_of([trust], question)
}

fn missing(kind: &str, name: &str) -> CheckFinding {
    CheckFinding::fail(
        format!("there is no {kind} {name}"),
        format!("ECS starts no task with the {kind} {}", short(name)),
    )
    .fix(format!("correct the {kind}, or make it; `fargate-runner iam-policy` prints its policy"))
}

fn untrusting(kind: &str, name: &str, place: &AccountPlace) -> CheckFinding {
    CheckFinding::fail(
        format!("the trust policy of the {kind} {name} does not let {TASKS_SERVICE} assume it"),
        format!("ECS starts no task with the {kind} {}", short(name)),
    )
    .fix(format!("let {TASKS_SERVICE} assume it, for this account"))
    .command(command(name, place))
}

fn command(name: &str, place: &AccountPlace) -> String {
    let trust = serde_json::json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "Service": TASKS_SERVICE }, "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "aws:SourceAccount": place.account } },
    }] });
    format!(
        "aws iam update-assume-role-policy --role-name {} --policy-document '{trust}'",
        short(name)
    )
}

fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
