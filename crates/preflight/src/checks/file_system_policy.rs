//! Whether the policy of a file system keeps strangers out: no mount without a role, none without TLS, none
//! past the mount targets, no root.
//!
//! A file system without a policy lets in whoever reaches a mount target. Source: Amazon EFS User Guide, "Using
//! IAM to control access to file systems".

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::checks::file_system::usable_file_system;
use crate::checks::mounted_volumes::mounted_volumes;
use crate::policy::{
    AccessStatement, PatternList, PolicyAnswer, PolicyDocument, PolicyPrincipal, PolicyQuestion,
    answer_of,
};
use crate::views::FileSystemView;

pub(crate) const MOUNT: &str = "elasticfilesystem:ClientMount";
pub(crate) const WRITE: &str = "elasticfilesystem:ClientWrite";
const ROOT: &str = "elasticfilesystem:ClientRootAccess";
pub(crate) const TLS: &str = "aws:SecureTransport";
pub(crate) const VIA_TARGET: &str = "elasticfilesystem:AccessedViaMountTarget";
pub(crate) const ACCESS_POINT: &str = "elasticfilesystem:AccessPointArn";
/// An access point that there never is.
pub(crate) const NO_POINT: &str = "arn:aws:elasticfilesystem::000000000000:access-point/none";

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let systems = input.view.storage.file_systems.iter();
    systems.filter_map(|(id, view)| one(input, id, view)).collect()
}

fn one(input: CheckInput<'_>, id: &str, view: &FileSystemView) -> Option<CheckFinding> {
    // One that is not there fails in its own check.
    if view.found.known().is_some() && usable_file_system(view).is_none() {
        return None;
    }
    let fix =
        "let `efs apply` write the policy: it lets in the task roles of the profiles, over TLS";
    let warn = |found: String| {
        Some(CheckFinding::warn(found).fix(fix).command("fargate-runner efs apply"))
    };
    let text = match view.policy.or_unknown(&format!("the policy of {id}")) {
        Err(unknown) => return Some(unknown),
        Ok(None) => {
            return warn(format!(
                "{id} has no policy: whoever reaches a mount target may read and write all of it"
            ));
        }
        Ok(Some(text)) => text,
    };
    let document = match PolicyDocument::read(text) {
        Ok(document) => document,
        Err(why) => {
            return Some(CheckFinding::unknown(format!(
                "the policy of {id} cannot be read: {why}"
            )));
        }
    };
    let open = openings(&document, without_iam(input, id));
    match open.is_empty() {
        true => Some(CheckFinding::pass(format!("{id} lets in known roles alone, over TLS"))),
        false => warn(format!("the policy of {id} is open: {}", open.join("; "))),
    }
}

/// Whether a volume of this file system is mounted without a role, which needs a policy that lets everybody in.
fn without_iam(input: CheckInput<'_>, id: &str) -> bool {
    let volumes = mounted_volumes(input);
    volumes.iter().any(|mounted| mounted.volume.file_system == id && !mounted.volume.iam)
}

/// What the policy opens, in words. `wants_everybody`: the configuration asks for mounts without a role.
fn openings(document: &PolicyDocument, wants_everybody: bool) -> Vec<&'static str> {
    let ask = |action: &str, tls: &str, via_target: &str| {
        let context = [(TLS, tls), (VIA_TARGET, via_target), (ACCESS_POINT, NO_POINT)];
        let principal = PolicyPrincipal::Anonymous;
        let question = PolicyQuestion { principal, action, resource: None, context: &context };
        answer_of([document], question) == PolicyAnswer::Allowed
    };
    let any =
        |question: &dyn Fn(&str) -> bool| [MOUNT, WRITE].iter().any(|action| question(action));
    let mut open = Vec::new();
    if !wants_everybody && any(&|action| ask(action, "true", "true")) {
        open.push("everybody who reaches a mount target may mount it");
    }
    // A named role counts here as well, so the question is one about statements.
    let is_past = any(&|action| ask(action, "true", "false"))
        || (document.statements.iter().any(|it| allows_where(it, VIA_TARGET))
            && !denies_where(document, [(TLS, "true"), (VIA_TARGET, "false")]));
    if is_past {
        open.push("it can be used past its mount targets");
    }
    if ask(ROOT, "true", "true") {
        open.push("everybody may act as root");
    }
    let is_plain = document.statements.iter().any(|it| allows_where(it, TLS))
        && !denies_where(document, [(TLS, "false"), (VIA_TARGET, "true")]);
    if is_plain {
        open.push("connections without TLS are let in");
    }
    open
}

/// Whether a statement lets somebody mount or write where this key is `false`, whatever its other conditions are.
fn allows_where(statement: &AccessStatement, key: &str) -> bool {
    let of_key = statement.conditions.iter().filter(|(_, it, _)| it.eq_ignore_ascii_case(key));
    let everybody = PolicyDocument {
        statements: vec![AccessStatement {
            principals: PatternList::Only(vec!["AWS:*".to_owned()]),
            conditions: of_key.cloned().collect(),
            ..statement.clone()
        }],
    };
    [MOUNT, WRITE].into_iter().any(|action| {
        let context = [(key, "false")];
        let principal = PolicyPrincipal::Anonymous;
        let question = PolicyQuestion { principal, action, resource: None, context: &context };
        answer_of([&everybody], question) == PolicyAnswer::Allowed
    })
}

/// Whether a statement shuts out such connections, whoever makes them.
fn denies_where(document: &PolicyDocument, context: [(&str, &str); 2]) -> bool {
    let context = [context[0], context[1], (ACCESS_POINT, NO_POINT)];
    let question = PolicyQuestion {
        principal: PolicyPrincipal::Anonymous,
        action: MOUNT,
        resource: None,
        context: &context,
    };
    answer_of([document], question) == PolicyAnswer::Denied
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(statements: &str) -> Vec<&'static str> {
        let text = format!(r#"{{"Statement": [{statements}]}}"#);
        openings(&PolicyDocument::read(&text).unwrap(), false)
    }

    const ROLE: &str = r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:role/ci-task"},
        "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]"#;

    #[test]
    fn a_policy_of_efs_apply_is_not_open() {
        let bound = format!(
            r#"{ROLE}, "Condition": {{"Bool": {{"elasticfilesystem:AccessedViaMountTarget": "true",
            "aws:SecureTransport": "true"}}, "StringEquals": {{"elasticfilesystem:AccessPointArn": "arn:p"}}}}}}"#
        );
        assert!(open(&bound).is_empty(), "{:?}", open(&bound));
        let via = r#""Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}}"#;
        let denied = format!(
            r#"{ROLE}, {via}}}, {{"Effect": "Deny", "Principal": "*", "Action": "*",
            "Condition": {{"Bool": {{"aws:SecureTransport": "false"}}}}}}"#
        );
        assert!(open(&denied).is_empty(), "{:?}", open(&denied));
        let denied_past = format!(
            r#"{ROLE}, "Condition": {{"Bool": {{"aws:SecureTransport": "true"}}}}}}, {{"Effect": "Deny",
            "Principal": "*", "Action": "*",
            "Condition": {{"Bool": {{"elasticfilesystem:AccessedViaMountTarget": "false"}}}}}}"#
        );
        assert!(open(&denied_past).is_empty(), "{:?}", open(&denied_past));
    }

    #[test]
    fn each_opening_is_named() {
        let past = "it can be used past its mount targets";
        let plain = "connections without TLS are let in";
        assert_eq!(open(&format!("{ROLE}}}")), [past, plain]);
        let encrypted =
            format!(r#"{ROLE}, "Condition": {{"Bool": {{"aws:SecureTransport": "true"}}}}}}"#);
        assert_eq!(open(&encrypted), [past], "a role alone, and past the mount targets");
        let everybody = r#"{"Effect": "Allow", "Principal": "*", "Action": "elasticfilesystem:*"}"#;
        assert_eq!(open(everybody).len(), 4);
        let via = r#"{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "elasticfilesystem:ClientMount",
            "Condition": {"Bool": {"aws:SecureTransport": "true", "elasticfilesystem:AccessedViaMountTarget": "true"}}}"#;
        assert_eq!(open(via), ["everybody who reaches a mount target may mount it"]);
    }
}
