//! The language: every example of the reference, every kind of wrong line, and rules written as text.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::FAULT_REFERENCE;
use super::operations::callable;
use crate::fault::rule::{
    CallSelector, FaultProbability, FaultRule, OperationSelector, RuleConditions, RuleTarget,
    TaskSelector,
};
use crate::fault::{
    AnswerEdit, CloudFault, CloudTaskPhase, FaultRules, FaultRulesError, MAX_RULES,
};
use crate::limits::BucketRate;

fn one(line: &str) -> FaultRule {
    let rules: FaultRules = line.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
    assert_eq!(rules.len(), 1, "{line}");
    rules.iter().next().expect("one").clone()
}

/// The reason why a line is refused.
fn reason(line: &str) -> String {
    match line.parse::<FaultRules>() {
        Err(FaultRulesError::Lines(wrong)) => wrong[0].reason.clone(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn every_example_of_the_reference_is_a_rule_and_names_each_word_of_the_language() {
    let rules: FaultRules = FAULT_REFERENCE.parse().expect("the reference is right");
    assert!(rules.len() > 40, "{}", rules.len());
    let again: FaultRules = rules.to_string().parse().expect("what is written can be read");
    assert_eq!(again, rules);
    let written = rules.to_string();
    for word in [
        "throttle",
        "server error",
        "error 4",
        "failure",
        "detail",
        "limit",
        "reset before commit",
        "reset after commit",
        "hang",
        "slow",
        "trickle",
        "answer",
        "set /",
        "remove /",
        "lag",
        "stale",
        "behind",
        "expire",
        "stop",
        "container",
        "exit",
        "interrupt",
        "hold",
        "forget",
        "at ",
        "for ",
        "call ",
        "calls ",
        "next call",
        "next 3 calls",
        "%",
        "seed",
        "after",
        "until",
        "any",
        "every task",
        "of job",
        "of family",
        " on FARGATE_SPOT in ",
        "arn:",
    ] {
        assert!(written.contains(word), "{word} has no example");
    }
}

#[test]
fn a_rule_is_read_into_its_parts() {
    let rule =
        one("DescribeTasks,StopTask for task 3 10% until 20s seed 7 after 5s: slow 200ms # x");
    assert_eq!(
        rule,
        FaultRule {
            whom: RuleTarget::Calls {
                operations: OperationSelector::These(vec![
                    "DescribeTasks".into(),
                    "StopTask".into()
                ]),
                concerning: Some(TaskSelector::Numbers { from: 3, to: Some(3) }),
            },
            when: RuleConditions {
                count: CallSelector::Every,
                chance: Some(FaultProbability { percent: 10.0, seed: Some(7) }),
                after: Some(Duration::from_secs(5)),
                until: Some(Duration::from_secs(20)),
            },
            fault: CloudFault::Slow(Duration::from_millis(200)),
        }
    );
}

#[test]
fn there_is_one_way_to_write_a_rule() {
    for (given, written) in [
        ("RunTask   call 2:   throttle", "RunTask call 2: throttle"),
        (
            "RunTask call 2-2: error 400 ThrottlingException \"Rate exceeded\"",
            "RunTask call 2: throttle",
        ),
        ("RunTask , StopTask: error X", "RunTask, StopTask: error 400 X \"\""),
        ("RunTask next 1 calls: hang", "RunTask next call: hang"),
        ("tasks of job 0123abcd at running + 0s: hold", "task of job 0123abcd at RUNNING: hold"),
        ("DescribeTasks: set /a =  [1,  2]", "DescribeTasks: set /a = [1,2]"),
        ("RunTask: slow 90s", "RunTask: slow 1m30s"),
        ("RunTask: limit 2.5/s", "RunTask: limit 2.5/s burst 3"),
    ] {
        assert_eq!(one(given).to_string(), written);
    }
}

#[test]
fn a_line_that_makes_no_sense_is_told_what_was_given_and_what_is_allowed() {
    for (line, because) in [
        ("RunTask throttle", "this line has no colon with a blank after it"),
        ("RunTask: explode", "`explode` is not a fault of a call; allowed: throttle, "),
        ("RunTask:", "nothing is not a fault of a call"),
        ("task 1 at PENDING: throttle", "`throttle` is not a fault of a task; allowed: stop"),
        ("RunTask call 0: hang", "after `call`; given: `0`"),
        ("RunTask call: hang", "after `call`; given: nothing"),
        ("RunTask call -1: hang", "after `call`; given: `-1`"),
        ("RunTask calls 5-2: hang", "the range ends before it begins: 5-2"),
        ("RunTask next 0 calls: hang", "after `next`; given: `0`"),
        ("RunTask next week: hang", "after `next`; given: `week`"),
        ("RunTask call 1 call 2: hang", "which calls is given twice"),
        ("RunTask 101%: hang", "a probability above 0% and up to 100% is expected; given: `101%`"),
        ("RunTask 0%: hang", "a probability above 0% and up to 100%"),
        ("RunTask NaN%: hang", "a probability above 0% and up to 100%"),
        ("RunTask 5% 6%: hang", "the probability is given twice"),
        ("RunTask seed 7: hang", "a seed needs a probability"),
        (
            "RunTask 5% seed x: hang",
            "a whole number from 0 on is expected after `seed`; given: `x`",
        ),
        ("RunTask after 5: hang", "a duration of at most 366 days"),
        ("RunTask after 9999d: hang", "a duration of at most 366 days"),
        ("RunTask after 20s until 5s: hang", "`until 5s` is not later than `after 20s`"),
        ("RunTask until 0s: hang", "`until 0s` is not later than `after 0s`"),
        (
            "RunTask sometimes: hang",
            "`sometimes` is not a condition for a call; allowed: for TASKS",
        ),
        (
            "task 1 call 2 at PENDING: hold",
            "`call` is not a condition for a task; allowed: at PHASE",
        ),
        ("task 1: hold", "a rule for tasks needs a state"),
        ("task 0 at PENDING: hold", "after `task`; given: `0`"),
        ("task one at PENDING: hold", "after `task`; given: `one`"),
        ("every one at PENDING: hold", "`task` is expected after `every`; given: `one`"),
        ("task arn:x at PENDING: hold", "the ARN of a task"),
        ("task of job abc at PENDING: hold", "8 characters or more of its beginning"),
        ("RunTask for task on EC2: throttle", "FARGATE or FARGATE_SPOT"),
        ("RunTask for task in A: throttle", "a subnet or an availability zone"),
        ("task of shape x at PENDING: hold", "`job KEY` or `family NAME` is expected after `of`"),
        ("task 1 at STOPPED: hold", "PROVISIONING, PENDING or RUNNING is expected after `at`"),
        ("task 1 at PENDING + 2s: hold", "`hold` takes no delay"),
        ("task 1 at PENDING: stop now", "a text in quotes is expected after `the stop code`"),
        ("task 1 at PENDING: stop X \"y\" exit 256", "an exit code from 0 to 255"),
        ("StopTask: failure \"x\"", "`failure` does not fit StopTask; it fits RunTask"),
        ("any: failure \"x\"", "`failure` does not fit any"),
        ("DescribeSubnets: set /a = 1", "`set` does not fit DescribeSubnets"),
        ("RunTask: lag 5s", "`lag` does not fit RunTask; it fits DescribeTasks and ListTasks"),
        ("DescribeTasks: stale 11m", "a duration of at most 10m is expected after `stale`"),
        ("StopTask: at PENDING hold", "`at` does not fit StopTask; it fits RunTask"),
        ("ListTasks for task 3: hang", "`for` does not fit ListTasks"),
        ("RunTask for task 3: hang", "`call N` chooses one RunTask"),
        ("RunTask, RunTask: hang", "an operation is given twice"),
        ("RunTask: reset", "`before commit` or `after commit` is expected after `reset`"),
        ("RunTask: reset before lunch", "`before commit` or `after commit`"),
        ("RunTask: slow 0s", "a duration above 0"),
        ("RunTask: limit 0/s", "a rate above 0"),
        ("RunTask: limit 5", "a rate above 0"),
        ("RunTask: limit 5/s burst 0", "a number from 1 to 1000000"),
        ("RunTask: error 99 X", "an HTTP status from 200 to 599"),
        ("RunTask: error 400", "a name of letters"),
        ("RunTask: answer 200 \"open", "has no \" at its end"),
        ("RunTask: answer 200 \"a\\x\"", "`\\x` is unknown within a text"),
        ("DescribeTasks: set tasks = 1", "a JSON pointer"),
        ("DescribeTasks: remove /a\"b", "a JSON pointer"),
        ("DescribeTasks: set /tasks 1", "`=` and a JSON value is expected"),
        ("DescribeTasks: set /tasks = {a}", "a JSON value is expected: key must be a string"),
        ("RunTask: throttle twice", "nothing is expected after the rule; given: `twice`"),
        ("RunTask: hang 5s", "nothing is expected after the rule; given: `5s`"),
    ] {
        let reason = reason(line);
        assert!(reason.contains(because), "{line}\n  says: {reason}\n  not: {because}");
    }
}

#[test]
fn every_wrong_line_is_told_with_its_number() {
    let text = "# three of five\n\nRunTsk call 2: throttle\nRunTask: hang\n\tany 200%: \u{1b}[31m\nStopTask: hold\n";
    let error = text.parse::<FaultRules>().expect_err("three are wrong");
    insta::assert_snapshot!(error, @r#"
    line 3, `RunTsk call 2: throttle`: `RunTsk` is not an operation of this cloud (did you mean RunTask?); allowed: any, AssumeRole, BatchDeleteImage, CreateAccessPoint, CreateCluster, CreateFileSystem, CreateMountTarget, CreateRepository, CreateSecret, DeleteAccessPoint, DeleteCluster, DeleteFileSystem, DeleteFileSystemPolicy, DeleteMountTarget, DeleteParameter, DeleteRepository, DeleteSecret, DeleteTaskDefinitions, DeregisterTaskDefinition, DescribeAccessPoints, DescribeCapacityProviders, DescribeClusters, DescribeFileSystemPolicy, DescribeFileSystems, DescribeImages, DescribeInternetGateways, DescribeLogGroups, DescribeMountTargetSecurityGroups, DescribeMountTargets, DescribeNatGateways, DescribeNetworkAcls, DescribeNetworkInterfaces, DescribeParameters, DescribeRepositories, DescribeRouteTables, DescribeSecret, DescribeSecurityGroups, DescribeSubnets, DescribeTaskDefinition, DescribeTasks, DescribeVpcAttribute, DescribeVpcEndpoints, DescribeVpcs, GetAWSDefaultServiceQuota, GetAuthorizationToken, GetCallerIdentity, GetLogEvents, GetParameter, GetParameters, GetPolicy, GetPolicyVersion, GetRole, GetRolePolicy, GetSecretValue, GetServiceQuota, ListAttachedRolePolicies, ListClusters, ListRolePolicies, ListSecrets, ListServiceQuotas, ListTagsForResource, ListTaskDefinitionFamilies, ListTaskDefinitions, ListTasks, ModifyMountTargetSecurityGroups, Publish, PutClusterCapacityProviders, PutFileSystemPolicy, PutImage, PutImageTagMutability, PutParameter, PutSecretValue, RegisterTaskDefinition, RestoreSecret, RunTask, SimulatePrincipalPolicy, StopTask, TagResource, UntagResource, UpdateSecret, elasticfilesystem:ListTagsForResource, elasticfilesystem:TagResource, elasticfilesystem:UntagResource, secretsmanager:TagResource
    line 5, `any 200%: \x1b[31m`: a probability above 0% and up to 100% is expected; given: `200%`
    line 6, `StopTask: hold`: `hold` is not a fault of a call; allowed: throttle, server error, error STATUS CODE "MESSAGE", failure "REASON", limit N/s, expire, reset before commit, reset after commit, hang, slow DURATION, trickle DURATION, answer STATUS "BODY", set POINTER = JSON, remove POINTER, lag DURATION, stale DURATION, behind DURATION, at PHASE + DURATION ...
    "#);
    let many = "x\n".repeat(25);
    let told = many.parse::<FaultRules>().expect_err("all are wrong").to_string();
    assert_eq!(told.lines().count(), 11);
    assert!(told.ends_with("\nand 15 more lines are wrong"), "{told}");
}

#[test]
fn what_is_no_file_of_rules_is_refused_and_one_without_rules_is_not() {
    for empty in ["", "\n\n", "# nothing\r\n  # here", "\u{a0}"] {
        assert!(empty.parse::<FaultRules>().expect("no rules").is_empty(), "{empty:?}");
    }
    let said = |bytes: &[u8]| FaultRules::from_bytes(bytes).expect_err("no rules").to_string();
    assert_eq!(
        said(b"RunTask: hang\n\x7fELF\xff\xfe"),
        "reading fault rules: byte 19 is not UTF-8, and rules are lines of text"
    );
    assert_eq!(said(&vec![b'#'; 1024 * 1024]), "reading fault rules: they are longer than 65.5 KB");
    assert_eq!(
        said("any: hang\n".repeat(MAX_RULES + 1).as_bytes()),
        "taking 1,001 fault rules; at most 1,000 are kept at a time"
    );
    let windows =
        "\u{feff}RunTask: hang\r\nStopTask: hang\r\n".parse::<FaultRules>().expect("two rules");
    assert_eq!(windows.len(), 2);
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![Just(String::new()), "[ -~]{0,20}", any::<String>()].boxed()
}

fn duration() -> BoxedStrategy<Duration> {
    prop_oneof![0..10_000_000_u64, 0..15_000_000_000_000_u64]
        .prop_map(Duration::from_micros)
        .boxed()
}

fn some_time() -> BoxedStrategy<Duration> {
    duration().prop_map(|duration| duration.max(Duration::from_nanos(1))).boxed()
}

fn range() -> BoxedStrategy<(u64, Option<u64>)> {
    (1..50_u64, proptest::option::of(0..50_u64))
        .prop_map(|(from, more)| (from, more.map(|more| from + more)))
        .boxed()
}

fn tasks() -> BoxedStrategy<TaskSelector> {
    prop_oneof![
        Just(TaskSelector::Every),
        range().prop_map(|(from, to)| TaskSelector::Numbers { from, to }),
        "[0-9a-f]{8,64}".prop_map(TaskSelector::Job),
        "[A-Za-z0-9_-]{1,30}".prop_map(TaskSelector::Family),
        "[a-z0-9/]{1,20}".prop_map(|id| TaskSelector::Arn(format!("arn:aws:ecs:x:1:task/{id}"))),
    ]
    .boxed()
}

fn when(of_calls: bool) -> BoxedStrategy<RuleConditions> {
    let count = prop_oneof![
        Just(CallSelector::Every),
        (1..9_u64).prop_map(CallSelector::Next),
        range().prop_map(|(from, to)| CallSelector::Calls { from, to }),
    ];
    let chance = (1..=1000_u32, proptest::option::of(any::<u64>()))
        .prop_map(|(tenths, seed)| FaultProbability { percent: f64::from(tenths) / 10.0, seed });
    let window = (proptest::option::of(duration()), proptest::option::of(some_time()));
    (count, proptest::option::of(chance), window)
        .prop_map(move |(count, chance, (after, longer))| RuleConditions {
            count: if of_calls { count } else { CallSelector::Every },
            chance,
            after,
            until: longer.map(|longer| after.unwrap_or_default() + longer),
        })
        .boxed()
}

fn phase() -> BoxedStrategy<CloudTaskPhase> {
    prop_oneof![
        Just(CloudTaskPhase::Provisioning),
        Just(CloudTaskPhase::Pending),
        Just(CloudTaskPhase::Running)
    ]
    .boxed()
}

fn of_task() -> BoxedStrategy<CloudFault> {
    let stop = ("[A-Za-z][A-Za-z0-9._-]{0,20}", text(), proptest::option::of(text()))
        .prop_flat_map(|stop| (Just(stop), phase(), duration(), proptest::option::of(0..=255)))
        .prop_map(|((stop_code, stopped_reason, container_reason), phase, after, exit_code)| {
            CloudFault::TaskStops {
                phase,
                after,
                stop_code,
                stopped_reason,
                container_reason,
                exit_code,
            }
        });
    let grace = proptest::option::of(duration());
    prop_oneof![
        stop,
        phase().prop_map(|phase| CloudFault::TaskHeld { phase }),
        (phase(), duration(), grace)
            .prop_map(|(phase, after, grace)| CloudFault::TaskInterrupted { phase, after, grace }),
        (phase(), duration()).prop_map(|(phase, after)| CloudFault::TaskForgotten { phase, after }),
    ]
    .boxed()
}

/// A fault, and an operation that it fits; `None` where it fits any.
fn of_call() -> BoxedStrategy<(CloudFault, Option<&'static str>)> {
    let anywhere: BoxedStrategy<CloudFault> = prop_oneof![
        ((200..600_u16), "[A-Za-z][A-Za-z0-9]{0,20}", text())
            .prop_map(|(status, code, message)| CloudFault::Exception { status, code, message }),
        Just(CloudFault::throttled()),
        Just(CloudFault::server_error()),
        ((1..1000_u32), (1..1_000_000_u32)).prop_map(|(tenths, burst)| {
            CloudFault::Limit(BucketRate { burst, per_second: f64::from(tenths) / 10.0 })
        }),
        Just(CloudFault::KeyExpires),
        Just(CloudFault::LostRequest),
        Just(CloudFault::LostAnswer),
        Just(CloudFault::Hang),
        some_time().prop_map(CloudFault::Slow),
        some_time().prop_map(CloudFault::Trickle),
        ((200..600_u16), text()).prop_map(|(status, body)| CloudFault::Answer { status, body }),
    ]
    .boxed();
    let pointer = "/[!#-~]{0,10}";
    let value = prop_oneof![
        text().prop_map(|text| json!(text)),
        any::<i64>().prop_map(|number| json!([number, null])),
        text().prop_map(|text| json!({ text: true })),
    ];
    prop_oneof![
        anywhere.prop_map(|fault| (fault, None)),
        (text(), proptest::option::of(text()))
            .prop_map(|(reason, detail)| (CloudFault::Failure { reason, detail }, Some("RunTask"))),
        (pointer, value).prop_map(|(pointer, value)| {
            (CloudFault::Altered(AnswerEdit::Set { pointer, value }), Some("StopTask"))
        }),
        pointer.prop_map(|pointer| {
            (CloudFault::Altered(AnswerEdit::Remove { pointer }), Some("DescribeClusters"))
        }),
        some_time().prop_map(|lag| (CloudFault::Lag(lag), Some("ListTasks"))),
        (1..600_u64).prop_map(|age| {
            (CloudFault::Stale(Duration::from_secs(age)), Some("DescribeTasks"))
        }),
        (1..600_u64).prop_map(|age| {
            (CloudFault::StatusBehind(Duration::from_secs(age)), Some("DescribeTasks"))
        }),
        of_task().prop_map(|fault| (fault, Some("RunTask"))),
    ]
    .boxed()
}

fn rule() -> BoxedStrategy<FaultRule> {
    let names = proptest::sample::subsequence(callable(), 0..4);
    let of_calls = (of_call(), names, when(true)).prop_map(|((fault, only), names, when)| {
        let names = only.map_or(names, |only| vec![only]);
        let names: Vec<_> = names.into_iter().map(str::to_owned).collect();
        let operations =
            if names.is_empty() { OperationSelector::Any } else { OperationSelector::These(names) };
        FaultRule { whom: RuleTarget::Calls { operations, concerning: None }, when, fault }
    });
    let concerning = (tasks(), when(true)).prop_map(|(tasks, when)| {
        let operations = OperationSelector::These(vec!["StopTask".to_owned()]);
        let whom = RuleTarget::Calls { operations, concerning: Some(tasks) };
        FaultRule { whom, when, fault: CloudFault::Hang }
    });
    let of_tasks = (tasks(), when(false), of_task()).prop_map(|(tasks, when, fault)| FaultRule {
        whom: RuleTarget::Tasks(tasks),
        when,
        fault,
    });
    prop_oneof![of_calls, concerning, of_tasks].boxed()
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same_rule(rule in rule()) {
        let written = rule.to_string();
        prop_assert!(!written.contains('\n'), "{}", written);
        let read = FaultRules::from_bytes(written.as_bytes());
        prop_assert_eq!(read, Ok(FaultRules(vec![rule])), "{}", written);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = FaultRules::from_bytes(&bytes);
    }

    #[test]
    fn no_words_of_the_language_in_any_order_make_it_panic(
        words in proptest::collection::vec(word(), 0..12),
    ) {
        if let Ok(rules) = words.join(" ").parse::<FaultRules>() {
            prop_assert_eq!(rules.to_string().parse::<FaultRules>(), Ok(rules));
        }
    }
}

/// Words of the reference, and some of their pieces.
fn word() -> BoxedStrategy<String> {
    let words: Vec<&str> = FAULT_REFERENCE.split_whitespace().collect();
    prop_oneof![
        9 => proptest::sample::select(words).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => Just(":".to_owned()),
    ]
    .boxed()
}
