//! Which statements of a policy allow more than a manager needs: whole services, every secret, every role, and
//! calls that no command of this program makes.
//!
//! It looks at what is written, not at what other statements deny. The list of calls is that of `access-policy`.

use fargate_access_policy::{PolicyHolder, catalogued_calls};

use crate::policy::{AccessStatement, PatternList, PolicyDocument, fits_pattern};

/// Verbs that only read. With a `*` after them they tell much, and change nothing.
const READING: [&str; 5] = ["describe", "list", "get", "batchget", "simulate"];
/// Actions that read something secret, so that a pattern that covers them is not harmless.
const SECRET_READS: [&str; 2] = ["secretsmanager:get", "ssm:getparameter"];
/// The services with which Session Manager talks to a host.
const SESSION_SERVICES: [&str; 2] = ["ssmmessages", "ec2messages"];
/// What Systems Manager's agent on the host calls besides, in lower case. Source: AWS Managed Policy Reference,
/// `AmazonSSMManagedInstanceCore`, without its two calls that read parameters.
const AGENT_CALLS: [&str; 13] = [
    "ssm:describeassociation",
    "ssm:describedocument",
    "ssm:getdeployablepatchsnapshotforinstance",
    "ssm:getdocument",
    "ssm:getmanifest",
    "ssm:listassociations",
    "ssm:listinstanceassociations",
    "ssm:putcomplianceitems",
    "ssm:putconfigurepackageresult",
    "ssm:putinventory",
    "ssm:updateassociationstatus",
    "ssm:updateinstanceassociationstatus",
    "ssm:updateinstanceinformation",
];
/// What sets up a host of our stack: it reads its parameters and its package, each by its whole name.
const SET_UP_READS: [&str; 3] = ["ssm:getparameter", "ssm:getparameters", "s3:getobject"];
/// What a secret with a key of the account's own needs. The catalogue cannot name the key.
const KEY_CALLS: [&str; 2] = ["kms:decrypt", "kms:generatedatakey"];
/// What needs no right, so that allowing it gives nothing.
const FREE: &str = "sts:getcalleridentity";

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
    let has_star = verb.contains(['*', '?']);
    match service {
        // It names no service, so it is more than any of them.
        service if service.contains(['*', '?']) => true,
        // To pass roles has a check of its own.
        "iam" if action == "iam:passrole" => false,
        "iam" => !reads || !is_needed(action, statement),
        "sts" => (on_all && action != FREE && !reads) || !is_needed(action, statement),
        // On every definition in every cluster, a task with any role can be started.
        "ecs" if action == "ecs:runtask" => on_all && statement.conditions.is_empty(),
        _ if is_secret && on_all => true,
        // Session Manager of the host itself needs these.
        service if SESSION_SERVICES.contains(&service) => false,
        _ => (has_star && !reads) || !is_needed(action, statement),
    }
}

/// Whether a command of this program makes the call, or the host itself; of a pattern, whether they make one of
/// the calls that fit it. `action` is in lower case.
fn is_needed(action: &str, statement: &AccessStatement) -> bool {
    let covers = |call: &str| fits_pattern(action, &call.to_lowercase());
    let names_each_resource = || match &statement.resources {
        PatternList::Only(resources) => !resources.iter().any(|it| it.contains(['*', '?'])),
        PatternList::AllBut(_) | PatternList::NotSaid => false,
    };
    let on_all = || match &statement.resources {
        PatternList::Only(resources) => resources.iter().any(|resource| resource == "*"),
        PatternList::AllBut(_) | PatternList::NotSaid => true,
    };
    covers(FREE)
        || product_calls().any(covers)
        || AGENT_CALLS.into_iter().any(covers)
        || (SET_UP_READS.contains(&action) && names_each_resource())
        || (KEY_CALLS.contains(&action) && (!on_all() || !statement.conditions.is_empty()))
}

/// The calls of all commands. What ECS calls for a task, and what a task calls, is no call of the host.
fn product_calls() -> impl Iterator<Item = &'static str> {
    let is_of_host = |holder| !matches!(holder, PolicyHolder::Execution | PolicyHolder::Task);
    catalogued_calls().filter(move |row| is_of_host(row.holder)).map(|row| row.action)
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
            "*:Get*",
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
            "sts:GetCallerIdentity",
            "ssm:UpdateInstanceInformation",
            "cloudformation:DescribeStacks",
        ] {
            assert!(broad(&format!("\"{action}\""), all).is_empty(), "{action}");
        }
        let one = r#""Resource": "arn:aws:secretsmanager:r:a:secret:ci/registry-AbCdEf""#;
        assert!(broad("\"secretsmanager:GetSecretValue\"", one).is_empty());
        let bound = r#""Resource": "*", "Condition": {"ArnEquals": {"ecs:cluster": "arn:c"}}"#;
        assert!(broad("\"ecs:RunTask\"", bound).is_empty());
    }

    /// None of these has a `*`, or is anything but a read.
    #[test]
    fn what_no_command_calls_is_too_much() {
        let all = r#""Resource": "*""#;
        for action in [
            "ssm:SendCommand",
            "ssm:StartSession",
            "ec2:RunInstances",
            "s3:GetObject",
            "s3:Get*",
            "kms:Decrypt",
            "ecs:DeleteCluster",
            "ssm:GetParameters",
            "iam:ListUsers",
            "dynamodb:BatchGet*",
            "sts:GetFederationToken",
            "logs:PutLogEvents",
        ] {
            let found = broad(&format!("\"{action}\""), all);
            assert_eq!(found, [format!("{action} on every resource")]);
        }
        let one = r#""Resource": "arn:aws:ecs:r:a:cluster/ci""#;
        assert_eq!(broad("\"ecs:DeleteCluster\"", one), ["ecs:DeleteCluster"]);
    }

    #[test]
    fn a_host_may_read_its_own_parameters_package_and_key() {
        for (action, resource) in [
            ("ssm:GetParameter", "arn:aws:ssm:r:a:parameter/ci/outputs"),
            ("s3:GetObject", "arn:aws:s3:::packages/fargate-runner.deb"),
            ("kms:Decrypt", "arn:aws:kms:r:a:key/k-1"),
        ] {
            let rest = format!("\"Resource\": \"{resource}\"");
            assert!(broad(&format!("\"{action}\""), &rest).is_empty(), "{action}");
        }
        let whole = r#""Resource": "arn:aws:s3:::packages/*""#;
        assert_eq!(broad("\"s3:GetObject\"", whole), ["s3:GetObject"]);
        let via = r#""Resource": "*", "Condition": {"StringEquals":
            {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.com"}}"#;
        assert!(broad("\"kms:Decrypt\"", via).is_empty());
    }
}
