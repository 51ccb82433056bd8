use serde_json::json;

use super::*;

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:123456789012:cluster/ci";
const DEFINITION: &str = "arn:aws:ecs:eu-west-1:123456789012:task-definition/ci-job:7";

fn policy(statements: Value) -> IdentityPolicy {
    let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    IdentityPolicy::read(&text).expect("a policy")
}

fn run_task() -> AccessQuestion {
    AccessQuestion::new("ecs:RunTask", DEFINITION).with("ecs:cluster", CLUSTER)
}

fn judged(statements: Value, question: &AccessQuestion) -> AccessDecision {
    decide([&policy(statements)], question)
}

#[test]
fn action_resource_and_condition_must_all_fit() {
    let statement = |action: &str, resource: &str, cluster: &str| {
        json!({ "Effect": "Allow", "Action": action, "Resource": resource,
                "Condition": { "ArnEquals": { "ecs:cluster": cluster } } })
    };
    for (action, resource, cluster) in [
        ("ecs:RunTask", DEFINITION, CLUSTER),
        ("ECS:runtask", "*", "arn:aws:ecs:*:*:cluster/ci"),
        ("ecs:Run*", "arn:aws:ecs:*:123456789012:task-definition/ci-*:*", CLUSTER),
        ("*", "arn:aws:ecs:eu-west-1:123456789012:task-definition/ci-job:?", CLUSTER),
    ] {
        let statement = statement(action, resource, cluster);
        assert_eq!(judged(statement.clone(), &run_task()), AccessDecision::Allowed, "{statement}");
    }
    for (action, resource, cluster) in [
        ("ecs:StopTask", DEFINITION, CLUSTER),
        ("ecs:RunTask", "arn:aws:ecs:eu-west-1:123456789012:task-definition/other:*", CLUSTER),
        ("ecs:RunTask", DEFINITION, "arn:aws:ecs:eu-west-1:123456789012:cluster/other"),
        // A wildcard does not reach from one part of an ARN into the next.
        ("ecs:RunTask", DEFINITION, "arn:aws:ecs:*:cluster/ci"),
    ] {
        let statement = statement(action, resource, cluster);
        assert_eq!(
            judged(statement.clone(), &run_task()),
            AccessDecision::NotAllowed,
            "{statement}"
        );
    }
}

#[test]
fn a_statement_that_denies_wins_wherever_it_stands() {
    let allow = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let deny = json!({ "Effect": "Deny", "Action": "ecs:Run*", "Resource": "*" });
    for statements in [json!([allow, deny]), json!([deny, allow])] {
        assert_eq!(judged(statements, &run_task()), AccessDecision::Denied);
    }
    let (first, second) = (policy(allow), policy(deny));
    assert_eq!(decide([&first, &second], &run_task()), AccessDecision::Denied);
    assert_eq!(decide([], &run_task()), AccessDecision::NotAllowed);
}

#[test]
fn a_key_without_a_value_meets_no_condition_but_a_negated_one_and_one_with_if_exists() {
    let holds = |operator: &str, question: &AccessQuestion| {
        let condition = json!({ operator: { "aws:ResourceTag/Team": "ci" } });
        let statement = json!({ "Effect": "Allow", "Action": "*", "Resource": "*",
                                "Condition": condition });
        judged(statement, question) == AccessDecision::Allowed
    };
    let (without, with) = (run_task(), run_task().with("aws:resourcetag/team", "ci"));
    let other = run_task().with("aws:ResourceTag/Team", "web");
    for (operator, expected) in [
        ("StringEquals", [false, true, false]),
        ("StringEqualsIfExists", [true, true, false]),
        ("StringNotEquals", [true, false, true]),
        ("StringLike", [false, true, false]),
        ("ForAllValues:StringEquals", [true, true, false]),
        ("ForAnyValue:StringEquals", [false, true, false]),
    ] {
        let found = [&without, &with, &other].map(|question| holds(operator, question));
        assert_eq!(found, expected, "{operator}");
    }
    let null = |wanted: &str| {
        json!({ "Effect": "Allow", "Action": "*", "Resource": "*",
                "Condition": { "Null": { "aws:ResourceTag/Team": wanted } } })
    };
    assert_eq!(judged(null("true"), &without), AccessDecision::Allowed);
    assert_eq!(judged(null("false"), &without), AccessDecision::NotAllowed);
    assert_eq!(judged(null("false"), &with), AccessDecision::Allowed);
}

#[test]
fn what_could_be_judged_wrongly_is_refused() {
    let said = |text: &str| IdentityPolicy::read(text).expect_err("refused").to_string();
    let with = |member: &str, value: Value| {
        let mut statement = json!({ "Effect": "Allow", "Action": "ecs:*", "Resource": "*" });
        statement[member] = value;
        said(&json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string())
    };
    let all = [
        said("{"),
        said("{}"),
        said(r#"{"Version": "2020", "Statement": [{}]}"#),
        with("Effect", json!("Perhaps")),
        with("Action", json!("RunTask")),
        with("Action", json!([])),
        with("Resource", json!("cluster/ci")),
        with("Resource", json!("arn:aws:s3:::b/${aws:username}")),
        with("NotAction", json!("ecs:*")),
        with("Condition", json!({ "NumericLessThan": { "a:b": 1 } })),
        with("Condition", json!({ "Sometimes:StringEquals": { "a:b": "c" } })),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    the policy is not JSON: EOF while parsing an object at line 1 column 1
    the policy has no Statement
    the policy has Version 2020; allowed: "2012-10-17"
    the policy has Effect Perhaps; allowed: Allow, Deny
    the policy has Action RunTask; allowed: *, SERVICE:ACTION
    the policy has no Action
    the policy has Resource cluster/ci; allowed: *, an ARN
    this local cloud does not evaluate variables (arn:aws:s3:::b/${aws:username}) in a policy; leave it out
    this local cloud does not evaluate NotAction in a policy; leave it out
    this local cloud does not evaluate the operator NumericLessThan in a policy; leave it out
    this local cloud does not evaluate the operator Sometimes:StringEquals in a policy; leave it out
    "#);
}
