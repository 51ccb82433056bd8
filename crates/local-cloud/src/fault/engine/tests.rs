//! Which rule changes which call, and what the record says of it.

use super::*;

const START: SystemTime = SystemTime::UNIX_EPOCH;

fn at(seconds: u64) -> SystemTime {
    START + Duration::from_secs(seconds)
}

fn faults(text: &str) -> FaultEngine {
    let faults = FaultEngine::none();
    faults.replace(text.parse().unwrap_or_else(|error| panic!("{error}")), START);
    faults
}

fn meet_about(
    faults: &FaultEngine,
    operation: &str,
    tasks: &[CloudTaskIdentity],
    now: SystemTime,
) -> CallEffect {
    faults.meet(&ObservedCall { operation, request: 1, tasks }, now)
}

/// The fault of a call, as rules write it; empty without one.
fn met(faults: &FaultEngine, operation: &str, now: SystemTime) -> String {
    let fault = meet_about(faults, operation, &[], now).fault;
    fault.map(|fault| fault.to_string()).unwrap_or_default()
}

fn task(number: u64) -> CloudTaskIdentity {
    CloudTaskIdentity {
        number: Some(number),
        arn: Some(format!("arn:aws:ecs:x:1:task/{number}")),
        job: Some(format!("{number:x}").repeat(32)),
        family: "ci-job".to_owned(),
        provider: if number.is_multiple_of(2) { "FARGATE" } else { "FARGATE_SPOT" }.to_owned(),
        places: vec![["subnet-a".to_owned(), format!("eu-west-1{number}")]],
    }
}

#[test]
fn queued_faults_come_first_then_the_standing_one_until_cleared() {
    let faults = FaultEngine::none();
    let take = |operation| meet_about(&faults, operation, &[], START).fault;
    faults.stand("RunTask", CloudFault::Hang, START);
    faults.push("RunTask", CloudFault::LostAnswer, START);
    faults.push("RunTask", CloudFault::LostRequest, START);
    assert_eq!(take("StopTask"), None);
    assert_eq!(take("RunTask"), Some(CloudFault::LostAnswer));
    assert_eq!(take("RunTask"), Some(CloudFault::LostRequest));
    assert_eq!(take("RunTask"), Some(CloudFault::Hang));
    assert_eq!(take("RunTask"), Some(CloudFault::Hang));
    faults.stand("RunTask", CloudFault::throttled(), START);
    assert_eq!(take("RunTask"), Some(CloudFault::throttled()));
    assert_eq!(faults.counts().len(), 1, "what was worked off or replaced is gone");
    let mut clearing = faults.clearing();
    faults.clear();
    assert!(clearing.has_changed().expect("the faults live"));
    clearing.borrow_and_update();
    assert_eq!(take("RunTask"), None);
}

#[test]
fn the_faults_of_a_test_come_before_those_of_a_text() {
    let faults = faults("RunTask: hang\nRunTask next call: throttle");
    faults.push("RunTask", CloudFault::LostAnswer, START);
    assert_eq!(met(&faults, "RunTask", START), "reset after commit");
    assert_eq!(met(&faults, "RunTask", START), "hang");
}

#[test]
fn calls_are_counted_whatever_struck_them_and_next_calls_are_not() {
    let faults = faults(
        "RunTask call 1: throttle\nRunTask, StopTask calls 1-2: hang\nRunTask next call: server error\n\
         RunTask calls 5-: reset after commit",
    );
    let of = |operation| met(&faults, operation, START);
    assert_eq!(of("RunTask"), "throttle");
    assert_eq!(of("StopTask"), "hang", "call 2 of both");
    assert_eq!(of("RunTask"), "server error", "the first that nothing else strikes");
    assert_eq!([of("RunTask"), of("RunTask")], [""; 2]);
    assert_eq!([of("RunTask"), of("RunTask")], ["reset after commit"; 2]);
    assert_eq!(of("StopTask"), "");
}

#[test]
fn time_begins_when_a_rule_is_given() {
    let faults = faults("RunTask after 5s until 20s: throttle");
    faults.add("StopTask until 5s: hang".parse().expect("a rule"), at(100)).expect("room");
    let struck: Vec<_> = (0..25).filter(|s| !met(&faults, "RunTask", at(*s)).is_empty()).collect();
    assert_eq!(struck, (5..20).collect::<Vec<_>>());
    let hang = meet_about(&faults, "StopTask", &[], at(104));
    assert_eq!((hang.fault, hang.until), (Some(CloudFault::Hang), Some(at(105))));
    assert_eq!(met(&faults, "StopTask", at(105)), "");
}

#[test]
fn chance_is_the_same_for_the_same_seed_and_counts_only_calls_in_its_time() {
    let drawn = |text: &str, from: u64| {
        let faults = faults(text);
        met(&faults, "RunTask", at(0));
        (0..1000).filter(|_| !met(&faults, "RunTask", at(from)).is_empty()).count()
    };
    let tenth = drawn("RunTask 10% seed 7: hang", 1);
    assert!((70..130).contains(&tenth), "{tenth}");
    let sequence = |text: &str| {
        let faults = faults(text);
        (0..50).map(|_| met(&faults, "RunTask", START)).collect::<Vec<_>>()
    };
    assert_eq!(sequence("RunTask 30% seed 7: hang"), sequence("any 30% seed 7: hang"));
    assert_eq!(sequence("RunTask 30%: hang"), sequence("RunTask 30% seed 0: hang"));
    assert_ne!(sequence("RunTask 30% seed 7: hang"), sequence("RunTask 30% seed 8: hang"));
    assert!(sequence("RunTask 100%: hang").iter().all(|fault| fault == "hang"));
}

#[test]
fn what_a_call_sees_adds_to_what_becomes_of_it() {
    let faults = faults("any call 1: throttle\nListTasks: lag 5s\nDescribeTasks: stale 3s");
    let first = meet_about(&faults, "ListTasks", &[], START);
    assert_eq!(first.fault, Some(CloudFault::throttled()));
    assert_eq!(first.view, ReaderLag { lag: Duration::from_secs(5), ..ReaderLag::default() });
    let other = meet_about(&faults, "DescribeTasks", &[], START);
    assert_eq!((other.fault, other.view.stale), (None, Duration::from_secs(3)));
    faults.set_lag(Duration::from_secs(9), START);
    let lag = || meet_about(&faults, "ListTasks", &[], START).view.lag;
    assert_eq!(lag(), Duration::from_secs(9), "a test's comes first");
    faults.set_lag(Duration::ZERO, START);
    assert_eq!(lag(), Duration::from_secs(5));
}

#[test]
fn a_limit_throttles_when_its_bucket_is_empty() {
    let faults = faults("RunTask, StopTask: limit 2/s burst 3");
    let passed = |now| (0..10).filter(|_| met(&faults, "RunTask", now).is_empty()).count();
    assert_eq!((passed(START), passed(at(1)), passed(at(100))), (3, 2, 3));
    assert_eq!(met(&faults, "StopTask", at(100)), "throttle");
    assert_eq!(faults.struck().len(), 23, "only those that were refused were struck");
}

#[test]
fn a_call_about_a_task_is_known_by_number_arn_job_and_family() {
    for (who, meets) in [
        ("task 3", [false, true]),
        ("tasks 2-", [true, true]),
        ("task arn:aws:ecs:x:1:task/2", [true, false]),
        ("task of job 33333333", [false, true]),
        ("task of family ci-job", [true, true]),
        ("task of family other", [false, false]),
        ("task on FARGATE_SPOT", [false, true]),
        ("task in subnet-a", [true, true]),
        ("task in eu-west-12", [true, false]),
        ("task on FARGATE_SPOT in eu-west-12", [false, false]),
        ("task on FARGATE_SPOT in eu-west-13", [false, true]),
        ("every task", [true, true]),
    ] {
        let faults = faults(&format!("StopTask for {who}: hang"));
        assert!(faults.ask_for_tasks("StopTask") && !faults.ask_for_tasks("RunTask"));
        let met = [2, 3]
            .map(|number| meet_about(&faults, "StopTask", &[task(number)], START).fault.is_some());
        assert_eq!(met, meets, "{who}");
        assert_eq!(meet_about(&faults, "StopTask", &[], START).fault, None);
    }
}

#[test]
fn the_earliest_deed_is_due_and_holding_is_apart() {
    let faults = faults(
        "task 1 at RUNNING + 9s: forget\ntask 1 at RUNNING + 2s: interrupt 5s\n\
         every task at RUNNING: hold\ntask 2 at PENDING: hold",
    );
    let due = faults.due(&task(1), CloudTaskPhase::Running, at(10)).expect("due");
    assert_eq!(
        (due.at, &due.effect),
        (at(12), &TaskEffect::Interrupt(Some(Duration::from_secs(5))))
    );
    assert_eq!(faults.due(&task(1), CloudTaskPhase::Pending, at(10)), None);
    assert!(faults.holds(&task(1), CloudTaskPhase::Running, at(10)).is_some());
    assert!(faults.holds(&task(1), CloudTaskPhase::Pending, at(10)).is_none());
    assert!(faults.done(&due, &task(1), at(12)));
    faults.clear();
    assert!(!faults.done(&due, &task(1), at(12)), "its rule is gone");
    let struck = faults.struck();
    assert_eq!(struck.len(), 1, "clearing keeps the record");
    assert_eq!(struck[0].rule, "task 1 at RUNNING + 2s: interrupt 5s");
    assert_eq!(struck[0].task.as_deref(), Some("arn:aws:ecs:x:1:task/1"));
    assert_eq!((struck[0].time, struck[0].request), (at(12), None));
}

#[test]
fn a_rule_that_comes_late_strikes_a_task_that_is_there_and_never_before_it_was_given() {
    let faults = FaultEngine::none();
    let rules = "task 1 at RUNNING + 2s: forget\ntask 2 at RUNNING until 5s: forget";
    faults.add(rules.parse().expect("rules"), at(100)).expect("room");
    let due = |number, entered| faults.due(&task(number), CloudTaskPhase::Running, at(entered));
    assert_eq!(due(1, 10).map(|due| due.at), Some(at(100)));
    assert_eq!(due(1, 200).map(|due| due.at), Some(at(202)));
    assert_eq!(due(2, 200), None, "its time is over");
}

#[test]
fn a_share_of_the_tasks_is_the_same_for_the_same_seed() {
    let drawn = |text: &str| {
        let faults = faults(text);
        (1..=1000)
            .filter(|number| faults.due(&task(*number), CloudTaskPhase::Running, START).is_some())
            .collect::<Vec<_>>()
    };
    let fifth = drawn("every task 20% seed 3 at RUNNING: forget");
    assert!((160..240).contains(&fifth.len()), "{}", fifth.len());
    assert_eq!(fifth, drawn("every task 20% seed 3 at RUNNING + 1s: interrupt"));
    assert_ne!(fifth, drawn("every task 20% seed 4 at RUNNING: forget"));
}

#[test]
fn strikes_are_recorded_with_their_call_and_rules_with_their_count() {
    let faults = faults("RunTask call 2: throttle");
    for request in 1..=3 {
        faults.meet(&ObservedCall { operation: "RunTask", request, tasks: &[] }, at(request));
    }
    let struck = FaultRecord {
        rule: "RunTask call 2: throttle".to_owned(),
        operation: Some("RunTask".to_owned()),
        request: Some(2),
        task: None,
        time: at(2),
    };
    assert_eq!(faults.struck(), [struck]);
    assert_eq!(faults.counts()[0].struck, 1);
    for _ in 0..KEPT_STRIKES {
        faults.push("StopTask", CloudFault::Hang, START);
        met(&faults, "StopTask", START);
    }
    assert_eq!(faults.struck().len(), KEPT_STRIKES);
    assert_eq!(faults.struck()[0].operation.as_deref(), Some("StopTask"));
}

#[test]
fn no_more_rules_are_kept_than_anybody_can_follow() {
    let faults = FaultEngine::none();
    let many: FaultRules = "any: hang\n".repeat(MAX_RULES - 1).parse().expect("rules");
    faults.add(many, START).expect("room");
    let two: FaultRules = "any: hang\nany: hang".parse().expect("rules");
    assert_eq!(faults.add(two, START), Err(FaultRulesError::TooMany { given: MAX_RULES + 1 }));
    assert_eq!(faults.counts().len(), MAX_RULES - 1, "none of them was added");
}
