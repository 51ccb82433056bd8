//! Whether ECS may assume the execution role and the task role, for this account, and nobody else.

use std::collections::BTreeSet;

use fargate_config::HostKey;
use fargate_status_answers::CheckOutcome;

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::by_profile::{by_profile, usable};
use crate::checks::trusted_others::trusted_others;
use crate::needed_rights::{AccountPlace, TASKS_SERVICE};
use crate::policy::{PolicyAnswer, PolicyDocument, PolicyPrincipal, PolicyQuestion, answer_of};
use crate::views::{DefinitionFacts, RoleView};

/// An account that nobody has, to ask whether its ECS may assume the role.
const OTHER_ACCOUNT: &str = "000000000001";

/// Judges the execution roles.
pub(crate) fn judge_execution(input: CheckInput<'_>) -> Vec<CheckFinding> {
    judge(input, "execution role", |facts| facts.execution_role.clone(), |_| false)
}

/// Judges the task roles.
pub(crate) fn judge_task(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let proves_keys = |name: &str| proves_host_keys(input, name);
    judge(input, "task role", |facts| facts.task_role.clone(), proves_keys)
}

/// Whether tasks prove their host key by this role.
fn proves_host_keys(input: CheckInput<'_>, name: &str) -> bool {
    input.needs.profiles.iter().enumerate().any(|(at, profile)| {
        let definition = input.view.cluster.usable_definition(at);
        let of_definition = definition.and_then(|facts| facts.task_role.as_deref());
        profile.host_key == HostKey::Sts
            && [profile.task_role.as_deref(), of_definition].contains(&Some(name))
    })
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
    proves_keys: impl Fn(&str) -> bool,
) -> Vec<CheckFinding> {
    let names = match roles_of(input, role) {
        Ok(names) => names,
        Err(unknown) => return unknown,
    };
    names.iter().flat_map(|name| one(input, kind, name, proves_keys(name))).collect()
}

fn one(input: CheckInput<'_>, kind: &str, name: &str, proves_keys: bool) -> Vec<CheckFinding> {
    match found_trust(input, kind, name) {
        Err(finding) => vec![finding],
        Ok((trust, place)) => {
            let of_tasks = of_tasks(kind, name, &trust, &place);
            // The command of a failure replaces the whole policy, and with it whoever is named besides.
            if of_tasks.is_fail() {
                return vec![of_tasks];
            }
            let others = of_others(kind, name, &trust, &place, proves_keys);
            // Others are told in the place of "for this account alone".
            let is_kept = others.is_none() || of_tasks.outcome != CheckOutcome::Pass;
            is_kept.then_some(of_tasks).into_iter().chain(others).collect()
        }
    }
}

/// The trust policy of a role.
///
/// # Errors
///
/// What the check says where there is none to judge.
fn found_trust(
    input: CheckInput<'_>,
    kind: &str,
    name: &str,
) -> Result<(PolicyDocument, AccountPlace), CheckFinding> {
    let access = &input.view.access;
    let unread = RoleView::default();
    let role = access.role(name).unwrap_or(&unread);
    let subject = format!("the {kind} {name}");
    let identity = access.identity.or_unknown(&subject)?;
    let place = AccountPlace::new(&access.region, identity);
    if let Some(account) = place.other_account(name) {
        return Err(of_other_account(kind, name, account, &place));
    }
    let Some(found) = role.role.or_unknown(&subject)? else { return Err(missing(kind, name)) };
    let trust = PolicyDocument::read(&found.trust).map_err(|why| {
        CheckFinding::unknown(format!("the trust policy of {name} cannot be read: {why}"))
    })?;
    Ok((trust, place))
}

/// Whether ECS may assume the role for tasks of this account, and of this account alone.
fn of_tasks(kind: &str, name: &str, trust: &PolicyDocument, place: &AccountPlace) -> CheckFinding {
    match (trusts(trust, place, &place.account), trusts(trust, place, OTHER_ACCOUNT)) {
        (PolicyAnswer::Unclear(why), _) => {
            CheckFinding::unknown(format!("whether ECS may assume {name}: {why}"))
        }
        (PolicyAnswer::Denied | PolicyAnswer::Silent, _) => untrusting(kind, name, place),
        (PolicyAnswer::Allowed, PolicyAnswer::Allowed) => CheckFinding::warn(format!(
            "the trust policy of the {kind} {name} names no account, so ECS could be led to use it for others"
        ))
        .fix("add the condition aws:SourceAccount")
        .command(command(name, place)),
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

/// What is said where the trust policy names others than ECS as well.
fn of_others(
    kind: &str,
    name: &str,
    trust: &PolicyDocument,
    place: &AccountPlace,
    proves_keys: bool,
) -> Option<CheckFinding> {
    let others = trusted_others(trust);
    if others.is_empty() {
        return None;
    }
    let found = format!(
        "the trust policy of the {kind} {name} lets others than {TASKS_SERVICE} assume it: {}",
        others.join(", ")
    );
    let finding = match proves_keys {
        // Whoever assumes it chooses the name of the session, by which the driver knows the task.
        true => CheckFinding::fail(
            found,
            "with `host_key = \"sts\"` these can prove a host key of their own, and get the scripts of jobs",
        ),
        false => CheckFinding::warn(found),
    };
    let fix = format!("let {TASKS_SERVICE} alone assume it, for this account");
    Some(finding.fix(fix).command(command(name, place)))
}

fn of_other_account(kind: &str, name: &str, account: &str, place: &AccountPlace) -> CheckFinding {
    let own = &place.account;
    CheckFinding::fail(
        format!("the {kind} {name} is one of the account {account}, and tasks start in {own}"),
        "ECS starts no task with a role of another account",
    )
    .fix(format!("name a role of the account {own}; `fargate-runner iam-policy` prints its policy"))
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
