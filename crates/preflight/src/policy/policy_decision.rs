//! Whether policies allow one call.

use crate::policy::policy_condition::{ConditionAnswer, conditions_hold};
use crate::policy::policy_document::{AccessStatement, PatternList, PolicyDocument};
use crate::policy::policy_pattern::fits_pattern;

/// Who calls, for the policy of a resource or the trust of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicyPrincipal<'a> {
    /// Nobody in particular: the policy is one of an identity, which names no principals.
    OfIdentity,
    /// A service of AWS, for example `ecs-tasks.amazonaws.com`.
    Service(&'a str),
    /// A role, by its ARN; or a whole account, by the ARN of its root.
    Role(&'a str),
    /// Somebody without credentials.
    Anonymous,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyQuestion<'a> {
    /// Who calls.
    pub principal: PolicyPrincipal<'a>,
    /// The action, for example `ecs:RunTask`.
    pub action: &'a str,
    /// The ARN of what it acts on; `None` where policies name no resource.
    pub resource: Option<&'a str>,
    /// The keys of conditions that are known, with their values.
    pub context: &'a [(&'a str, &'a str)],
}

/// What the policies say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PolicyAnswer {
    /// A statement denies it.
    Denied,
    /// A statement allows it, and none denies it.
    Allowed,
    /// No statement speaks of it, so it is not allowed by them.
    Silent,
    /// Nobody can tell, for this reason.
    Unclear(String),
}

/// What these policies say of a call.
pub(crate) fn answer_of<'d>(
    documents: impl IntoIterator<Item = &'d PolicyDocument>,
    question: PolicyQuestion<'_>,
) -> PolicyAnswer {
    let (mut allowed, mut unclear_allow, mut unclear_deny) = (false, None, None);
    for statement in documents.into_iter().flat_map(|document| &document.statements) {
        let answer = match speaks_of(statement, question) {
            true => conditions_hold(&statement.conditions, question.context),
            false => ConditionAnswer::Fails,
        };
        match (answer, statement.allows) {
            (ConditionAnswer::Fails, _) => {}
            (ConditionAnswer::Holds, true) => allowed = true,
            (ConditionAnswer::Holds, false) => return PolicyAnswer::Denied,
            (ConditionAnswer::Unclear(why), true) => unclear_allow = Some(why),
            (ConditionAnswer::Unclear(why), false) => unclear_deny = Some(why),
        }
    }
    match (allowed, unclear_allow, unclear_deny) {
        (true, _, None) => PolicyAnswer::Allowed,
        (false, None, _) => PolicyAnswer::Silent,
        (_, _, Some(why)) | (_, Some(why), None) => PolicyAnswer::Unclear(why),
    }
}

/// Whether the statement is about this call, whatever its conditions.
fn speaks_of(statement: &AccessStatement, question: PolicyQuestion<'_>) -> bool {
    let action = question.action.to_lowercase();
    let is_action =
        is_in(&statement.actions, |pattern| fits_pattern(&pattern.to_lowercase(), &action));
    let is_resource = match (&statement.resources, question.resource) {
        // `*` as a resource asks for a right that is bound to none.
        (PatternList::Only(patterns), Some("*")) => patterns.iter().any(|pattern| pattern == "*"),
        (PatternList::NotSaid, _) | (_, None) => true,
        (list, Some(resource)) => is_in(list, |pattern| fits_pattern(pattern, resource)),
    };
    let is_principal = match question.principal {
        PolicyPrincipal::OfIdentity => true,
        PolicyPrincipal::Service(name) => is_in(&statement.principals, |given| {
            given == "AWS:*" || given.strip_prefix("Service:").is_some_and(|given| given == name)
        }),
        PolicyPrincipal::Role(arn) => is_in(&statement.principals, |given| {
            // An account as principal hands the decision to the policies of the identity, so it allows nothing
            // by itself; but a denial of an account is one of all its roles. With `NotPrincipal` it is the
            // other way round: the account alone exempts none of its roles from a denial.
            let counts_accounts =
                statement.allows == matches!(statement.principals, PatternList::AllBut(_));
            given == "AWS:*"
                || given.strip_prefix("AWS:") == Some(arn)
                || ((counts_accounts || arn.ends_with(":root"))
                    && given.strip_prefix("AWS:").is_some_and(|it| is_account_of(it, arn)))
        }),
        PolicyPrincipal::Anonymous => is_in(&statement.principals, |given| given == "AWS:*"),
    };
    is_action && is_resource && is_principal
}

/// Whether `given` is the account of the role: its number, or its root.
pub(crate) fn is_account_of(given: &str, role: &str) -> bool {
    let account = role.split(':').nth(4).unwrap_or_default();
    !account.is_empty()
        && (given == account
            || (given.starts_with("arn:") && given.ends_with(&format!("::{account}:root"))))
}

fn is_in(list: &PatternList, fits: impl Fn(&str) -> bool) -> bool {
    match list {
        PatternList::Only(items) => items.iter().any(|item| fits(item)),
        PatternList::AllBut(items) => !items.iter().any(|item| fits(item)),
        PatternList::NotSaid => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(document: &str, question: PolicyQuestion<'_>) -> PolicyAnswer {
        answer_of([&PolicyDocument::read(document).unwrap()], question)
    }

    fn identity<'a>(
        action: &'a str,
        resource: &'a str,
        context: &'a [(&'a str, &'a str)],
    ) -> PolicyQuestion<'a> {
        PolicyQuestion {
            principal: PolicyPrincipal::OfIdentity,
            action,
            resource: Some(resource),
            context,
        }
    }

    #[test]
    fn a_denial_wins_and_silence_allows_nothing() {
        let both = r#"{"Statement": [{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "ecs:Stop*", "Resource": "*"}]}"#;
        assert_eq!(asked(both, identity("ecs:RunTask", "arn:x", &[])), PolicyAnswer::Allowed);
        assert_eq!(asked(both, identity("ecs:stoptask", "arn:x", &[])), PolicyAnswer::Denied);
        assert_eq!(asked(both, identity("iam:PassRole", "arn:x", &[])), PolicyAnswer::Silent);
        let but = r#"{"Statement": {"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:secret"}}"#;
        assert_eq!(asked(but, identity("ecs:RunTask", "arn:x", &[])), PolicyAnswer::Allowed);
        assert_eq!(asked(but, identity("ecs:RunTask", "arn:secret", &[])), PolicyAnswer::Silent);
        assert_eq!(asked(but, identity("iam:PassRole", "arn:x", &[])), PolicyAnswer::Silent);
    }

    #[test]
    fn a_condition_on_what_nobody_knows_is_unclear_and_never_allowed() {
        let text = r#"{"Statement": {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": "*",
            "Condition": {"ArnEquals": {"ecs:cluster": "arn:c"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}}"#;
        let cluster = |arn| [("ecs:cluster", arn), ("aws:SourceIp", "10.0.0.1")];
        assert!(matches!(
            asked(text, identity("ecs:RunTask", "x", &cluster("arn:c"))),
            PolicyAnswer::Unclear(_)
        ));
        assert_eq!(
            asked(text, identity("ecs:RunTask", "x", &cluster("arn:d"))),
            PolicyAnswer::Silent
        );
        let denied = r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny",
            "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}"#;
        assert!(matches!(asked(denied, identity("a:b", "x", &[])), PolicyAnswer::Unclear(_)));
        let tls = [("aws:SecureTransport", "true")];
        assert_eq!(asked(denied, identity("a:b", "x", &tls)), PolicyAnswer::Allowed);
    }

    #[test]
    fn an_account_as_principal_leaves_the_decision_to_the_role() {
        let text = r#"{"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}}"#;
        let role = "arn:aws:iam::123456789012:role/ci";
        let of = |principal| PolicyQuestion {
            principal,
            action: "kms:Decrypt",
            resource: None,
            context: &[],
        };
        assert_eq!(asked(text, of(PolicyPrincipal::Role(role))), PolicyAnswer::Silent);
        let denied = text.replace("Allow", "Deny");
        assert_eq!(asked(&denied, of(PolicyPrincipal::Role(role))), PolicyAnswer::Denied);
        let but = denied.replace("Principal", "NotPrincipal");
        assert_eq!(asked(&but, of(PolicyPrincipal::Role(role))), PolicyAnswer::Denied);
        let but_role = but.replace("arn:aws:iam::123456789012:root", role);
        assert_eq!(asked(&but_role, of(PolicyPrincipal::Role(role))), PolicyAnswer::Silent);
        let named = text.replace("arn:aws:iam::123456789012:root", role);
        assert_eq!(asked(&named, of(PolicyPrincipal::Role(role))), PolicyAnswer::Allowed);
        assert_eq!(asked(&named, of(PolicyPrincipal::Anonymous)), PolicyAnswer::Silent);
        assert!(is_account_of("123456789012", role) && !is_account_of("arn:aws:iam::1:root", role));
    }
}
