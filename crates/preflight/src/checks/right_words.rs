//! Sorts the answers about rights, and writes the policy statement that gives what is missing.

use serde_json::json;

use crate::check_finding::CheckFinding;
use crate::needed_rights::NeededRight;
use crate::views::{RightAnswer, RightState};

/// Answers about rights by what they say. What is allowed is left out.
#[derive(Default)]
pub(crate) struct RightSort<'a> {
    /// Not allowed.
    pub denied: Vec<&'a NeededRight>,
    /// Whether a policy denies one of them by name.
    pub by_name: bool,
    /// What to say of rights that depend on what the check does not know.
    pub unclear: Option<CheckFinding>,
    /// What to say of rights that could not be asked for.
    pub unread: Option<CheckFinding>,
}

/// Sorts them.
pub(crate) fn sorted<'a>(answers: &[&'a RightAnswer]) -> RightSort<'a> {
    let mut sort = RightSort::default();
    let (mut unclear, mut unread): (Vec<String>, Vec<&RightAnswer>) = (Vec::new(), Vec::new());
    for answer in answers {
        match answer.state.known() {
            Some(RightState::Allowed) => {}
            Some(RightState::Denied { by_name }) => {
                sort.denied.push(&answer.right);
                sort.by_name |= by_name;
            }
            Some(RightState::Unclear { why }) => {
                unclear.push(format!("{}: {why}", answer.right.action))
            }
            None => unread.push(answer),
        }
    }
    if !unclear.is_empty() {
        sort.unclear = Some(CheckFinding::unknown(unclear.join("; ")));
    }
    if let Some(first) = unread.first() {
        let mut actions: Vec<&str> =
            unread.iter().map(|answer| answer.right.action.as_str()).collect();
        actions.sort_unstable();
        actions.dedup();
        let subject = format!("whether {} is allowed", actions.join(", "));
        sort.unread = first.state.or_unknown(&subject).err();
    }
    sort
}

/// One statement with these actions and resources.
pub(crate) fn statement(rights: &[&NeededRight]) -> String {
    if let [only] = rights {
        return only.statement();
    }
    let unique = |of: fn(&NeededRight) -> &str| {
        let mut texts: Vec<&str> = rights.iter().map(|right| of(right)).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    };
    let resources = unique(|right| &right.resource);
    let resources = if resources.contains(&"*") { vec!["*"] } else { resources };
    json!({
        "Effect": "Allow", "Action": unique(|right| &right.action), "Resource": resources,
    })
    .to_string()
}
