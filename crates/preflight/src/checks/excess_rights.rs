//! What the manager may do beyond what this program and its host call. To pass roles has a check of its own.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::policy_breadth::broad_actions;
use crate::policy::PolicyDocument;

/// Most findings that are told. Ours: one is enough to look at the policy.
const MOST_SHOWN: usize = 8;

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let access = &input.view.access;
    let identity = match access.identity.or_unknown("what else the manager may do") {
        Ok(identity) => identity,
        Err(unknown) => return vec![unknown],
    };
    // Of the root user the identity says it.
    if access.is_root() {
        return Vec::new();
    }
    let Some(role) = &access.manager else {
        let found = format!("{} is no role, so its policies were not looked at", identity.arn);
        return vec![
            CheckFinding::warn(found)
                .fix("let a role run the manager: its keys change by themselves"),
        ];
    };
    let policies = match role.policies.or_unknown("the policies of the manager") {
        Ok(policies) => policies,
        Err(unknown) => return vec![unknown],
    };
    let mut broad = Vec::new();
    for policy in policies {
        match PolicyDocument::read(&policy.text) {
            Ok(document) => {
                let found = broad_actions(&document);
                broad.extend(
                    found.into_iter().map(|what| format!("{what} (policy {})", policy.name)),
                );
            }
            Err(why) => {
                let found = format!("the policy {} cannot be read: {why}", policy.name);
                return vec![CheckFinding::unknown(found)];
            }
        }
    }
    if broad.is_empty() {
        let found = "the policies of the manager allow calls of this program and of its host alone";
        return vec![CheckFinding::pass(found)];
    }
    let more = broad.len().saturating_sub(MOST_SHOWN);
    broad.truncate(MOST_SHOWN);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    vec![
        CheckFinding::warn(format!("the manager may also: {}{more}", broad.join("; ")))
            .fix("give the manager the policy that this prints, and nothing else")
            .command("fargate-runner iam-policy"),
    ]
}
