//! Which statements of a policy allow more than a manager needs: whole services, every secret, every role.
//!
//! It looks at what is written, not at what other statements deny.

use crate::policy::{AccessStatement, PatternList, PolicyDocument};

/// Verbs that only read. With a `*` after them they tell much, and change nothing.
const READING: [&str; 5] = ["describe", "list", "get", "batchget", "simulate"];
/// Actions that read something secret, so that a pattern that covers them is not harmless.
const SECRET_READS: [&str; 2] = ["secretsmanager:get", "ssm:get"];

/// What is allowed broadly, in words.
pub(crate) fn broad_actions(document: &PolicyDocument) -> Vec<String> {
    let allowing = document.statements.iter().filter(|statement| statement.allows);
    allowing.flat_map(broad_in).collect()
}

fn broad_in(statement: &AccessStatement) -> Vec<String> {
    let on_all = match &statement.resources {
        PatternList::Only(resources) => resources.iter().any(|resource| resource == "*"),
        PatternList::AllBut(_) => true,
        PatternList::NotSaid => false,
    };
    let place = if on_all { " on every resource" } else { "" };
    match &statement.actions {
        PatternList::AllBut(actions) => {
            vec![format!("everything but {}{place}", actions.join(", "))]
        }
        PatternList::NotSaid => Vec::new(),
        PatternList::Only(actions) => actions
            .iter()
            .filter(|action| is_broad(&action.to_lowercase(), on_all, statement))
            .map(|action| format!("{action}{place}"))
            .collect(),
    }
}

/// Whether an action of a policy, in lower case, is more than a manager needs.
fn is_broad(action: &str, on_all: bool, statement: &AccessStatement) -> bool {
    let (service, verb) = action.split_once(':').unwrap_or((action, "*"));
    let reads = READING.iter().any(|word| verb.starts_with(word));
    let is_secret = SECRET_READS.iter().any(|secret| {
        action.starts_with(secret)
            || (action.contains('*') && secret.starts_with(action.trim_end_matches('*')))
    });
    let has_star = verb.contains('*');
    match service {
        // To pass roles has a check of its own.
        "iam" if action == "iam:passrole" => false,
        "iam" => !reads,
        "sts" => on_all && verb != "getcalleridentity" && !reads,
        // On every definition in every cluster, a task with any role can be started.
        "ecs" if action == "ecs:runtask" => on_all && statement.conditions.is_empty(),
        _ if is_secret => on_all,
        // Session Manager of the host itself needs these.
        "ssmmessages" | "ec2messages" => false,
        _ => has_star && !reads,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broad(actions: &str, rest: &str) -> Vec<String> {
        let text =
            format!(r#"{{"Statement": {{"Effect": "Allow", "Action": {actions}, {rest}}}}}"#);
        broad_actions(&PolicyDocument::read(&text).unwrap())
    }

    #[test]
    fn whole_services_every_secret_and_changes_of_iam_are_broad() {
        let all = r#""Resource": "*""#;
        for action in [
            "*",
            "ecs:*",
            "ecs:Run*",
            "iam:*",
            "iam:CreateRole",
            "ecs:RunTask",
            "secretsmanager:GetSecretValue",
            "secretsmanager:*",
            "sts:AssumeRole",
            "s3:*",
        ] {
            assert_eq!(broad(&format!("\"{action}\""), all).len(), 1, "{action}");
        }
        let but = r#"{"Statement": {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}}"#;
        assert_eq!(
            broad_actions(&PolicyDocument::read(but).unwrap()),
            ["everything but iam:* on every resource"]
        );
    }

    #[test]
    fn what_jobs_and_the_host_need_is_not_broad() {
        let all = r#""Resource": "*""#;
        for action in [
            "ecs:DescribeTasks",
            "ecs:Describe*",
            "ec2:Describe*",
            "iam:PassRole",
            "iam:GetRole",
            "ecs:ListTasks",
            "ssmmessages:*",
            "iam:SimulatePrincipalPolicy",
            "ecs:TagResource",
        ] {
            assert!(broad(&format!("\"{action}\""), all).is_empty(), "{action}");
        }
        let one = r#""Resource": "arn:aws:secretsmanager:r:a:secret:ci/registry-AbCdEf""#;
        assert!(broad("\"secretsmanager:GetSecretValue\"", one).is_empty());
        let bound = r#""Resource": "*", "Condition": {"ArnEquals": {"ecs:cluster": "arn:c"}}"#;
        assert!(broad("\"ecs:RunTask\"", bound).is_empty());
    }
}
