//! Who may assume a role of tasks by its trust policy, besides the tasks of ECS.
//!
//! It looks at what is written. A condition that narrows it is not looked at, so the finding names the principal and
//! whoever reads it decides.

use crate::needed_rights::TASKS_SERVICE;
use crate::policy::{AccessStatement, PatternList, PolicyDocument, fits_pattern};

/// The calls that give a role, in lower case. Source: AWS STS API Reference.
const ASSUMING: [&str; 3] =
    ["sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity"];

/// The principals, each as a person writes it, once and in order.
pub(crate) fn trusted_others(trust: &PolicyDocument) -> Vec<String> {
    let gives = |statement: &&AccessStatement| statement.allows && gives_role(statement);
    let mut others: Vec<String> = trust.statements.iter().filter(gives).flat_map(named).collect();
    others.sort_unstable();
    others.dedup();
    others
}

fn gives_role(statement: &AccessStatement) -> bool {
    let fits = |pattern: &String| {
        let pattern = pattern.to_lowercase();
        ASSUMING.iter().any(|action| fits_pattern(&pattern, action))
    };
    match &statement.actions {
        PatternList::Only(actions) => actions.iter().any(fits),
        PatternList::AllBut(_) => true,
        PatternList::NotSaid => false,
    }
}

fn named(statement: &AccessStatement) -> Vec<String> {
    let shown = |principal: &String| match principal.split_once(':') {
        Some((_, "*")) => "everybody".to_owned(),
        Some((_, name)) => name.to_owned(),
        None => principal.clone(),
    };
    let tasks = format!("Service:{TASKS_SERVICE}");
    match &statement.principals {
        PatternList::Only(principals) => {
            principals.iter().filter(|principal| **principal != tasks).map(shown).collect()
        }
        PatternList::AllBut(principals) => {
            let but: Vec<String> = principals.iter().map(shown).collect();
            vec![format!("everybody but {}", but.join(", "))]
        }
        PatternList::NotSaid => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn others(statements: &str) -> Vec<String> {
        let text = format!(r#"{{"Statement": [{statements}]}}"#);
        trusted_others(&PolicyDocument::read(&text).unwrap())
    }

    fn allowing(principal: &str, action: &str) -> String {
        format!(r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "{action}"}}"#)
    }

    #[test]
    fn tasks_of_ecs_alone_are_no_others() {
        let tasks = r#"{"Service": "ecs-tasks.amazonaws.com"}"#;
        assert!(others(&allowing(tasks, "sts:AssumeRole")).is_empty());
        let denied = allowing(r#"{"AWS": "*"}"#, "sts:AssumeRole").replace("Allow", "Deny");
        assert!(others(&denied).is_empty());
        let tagging = allowing(r#"{"AWS": "arn:aws:iam::1:user/a"}"#, "sts:TagSession");
        assert!(others(&tagging).is_empty(), "that alone gives no role");
    }

    #[test]
    fn an_account_a_user_another_service_and_everybody_are_named() {
        for (principal, name) in [
            (r#"{"AWS": "arn:aws:iam::123456789012:root"}"#, "arn:aws:iam::123456789012:root"),
            (r#"{"AWS": "arn:aws:iam::123456789012:user/a"}"#, "arn:aws:iam::123456789012:user/a"),
            (
                r#"{"Service": ["ecs-tasks.amazonaws.com", "ec2.amazonaws.com"]}"#,
                "ec2.amazonaws.com",
            ),
            (r#"{"Federated": "accounts.google.com"}"#, "accounts.google.com"),
            (r#"{"AWS": "*"}"#, "everybody"),
            (r#""*""#, "everybody"),
        ] {
            for action in ["sts:AssumeRole", "sts:*", "sts:AssumeRoleWithWebIdentity"] {
                assert_eq!(others(&allowing(principal, action)), [name], "{action}");
            }
        }
    }
}
