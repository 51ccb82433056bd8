//! What the task role allows. Every script of a job has its credentials, so it should allow next to nothing.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::task_roles::roles_of;
use crate::policy::{PatternList, PolicyDocument};
use crate::reading::AwsReading;
use crate::views::RoleView;

/// What jobs need of a task role: to mount file systems, and the shell of ECS Exec. In lower case.
const USUAL: [&str; 6] = [
    "elasticfilesystem:clientmount",
    "elasticfilesystem:clientwrite",
    "ssmmessages:createcontrolchannel",
    "ssmmessages:createdatachannel",
    "ssmmessages:opencontrolchannel",
    "ssmmessages:opendatachannel",
];
/// Most actions that are told. Ours.
const MOST_SHOWN: usize = 8;

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    match roles_of(input, |facts| facts.task_role.clone()) {
        Ok(names) => names.iter().filter_map(|name| one(input, name)).collect(),
        Err(unknown) => unknown,
    }
}

fn one(input: CheckInput<'_>, name: &str) -> Option<CheckFinding> {
    let unread = RoleView::default();
    let role = input.view.access.role(name).unwrap_or(&unread);
    // One that is not there fails in its own check.
    if matches!(role.role, AwsReading::Known(None)) {
        return None;
    }
    let policies = match role.policies.or_unknown(&format!("the policies of the task role {name}"))
    {
        Ok(policies) => policies,
        Err(unknown) => return Some(unknown),
    };
    let mut allowed = Vec::new();
    for policy in policies {
        match PolicyDocument::read(&policy.text) {
            Ok(document) => allowed.extend(unusual(&document)),
            Err(why) => {
                let found = format!("the policy {} of {name} cannot be read: {why}", policy.name);
                return Some(CheckFinding::unknown(found));
            }
        }
    }
    allowed.sort_unstable();
    allowed.dedup();
    if allowed.is_empty() {
        return Some(CheckFinding::pass(format!("{name} allows nothing beyond mounting")));
    }
    let more = allowed.len().saturating_sub(MOST_SHOWN);
    allowed.truncate(MOST_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let found = format!("the task role {name} allows every job {}{more}", allowed.join(", "));
    Some(CheckFinding::warn(found).fix(
        "take away what not every job needs, or give such jobs a profile with a role of their own",
    ))
}

/// What a document allows beyond what is usual.
fn unusual(document: &PolicyDocument) -> Vec<String> {
    let allowing = document.statements.iter().filter(|statement| statement.allows);
    allowing
        .flat_map(|statement| match &statement.actions {
            PatternList::AllBut(actions) => vec![format!("everything but {}", actions.join(", "))],
            PatternList::NotSaid => Vec::new(),
            PatternList::Only(actions) => actions
                .iter()
                .filter(|action| !USUAL.contains(&action.to_lowercase().as_str()))
                .cloned()
                .collect(),
        })
        .collect()
}
