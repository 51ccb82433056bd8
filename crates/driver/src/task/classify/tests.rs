use fargate_model::cause::{CauseEvidence, RetryDecision};

use super::*;

/// A task that stopped with this code, these words and this exit code.
fn ended(code: Option<&StopCode>, words: &str, exit: Option<i32>) -> FailureCause {
    let own = words.to_owned();
    of_stop(&TaskEnd { code, reason: words, all: words, own, exit, is_alone: true })
}

#[test]
fn a_running_task_that_ended_is_told_apart_by_who_ended_it() {
    let by = |code, text, exit| ended(Some(&code), text, exit);
    let exited = StopCode::EssentialContainerExited;
    let oom = "OutOfMemoryError: Container killed due to memory usage";
    assert_eq!(by(exited.clone(), oom, Some(137)), FailureCause::OutOfMemory);
    assert_eq!(by(exited.clone(), "", Some(143)), FailureCause::EnvironmentEnded);
    assert_eq!(by(exited.clone(), "", Some(71)), FailureCause::MaxLifetime);
    assert_eq!(by(exited, "CannotStartContainerError: exec", None), FailureCause::ContainerStart);
    assert_eq!(by(StopCode::UserInitiated, "by Ada", None), FailureCause::StoppedBy);
    assert_eq!(by(StopCode::SpotInterruption, "", None), FailureCause::Spot);
    assert_eq!(
        by(StopCode::TaskFailedToStart, "Your Spot Task was interrupted.", None),
        FailureCause::Spot
    );
    assert_eq!(by(StopCode::Other("New".into()), "", None), FailureCause::Unknown);
}

#[test]
fn a_reason_that_no_rule_knows_is_quoted_and_blames_nobody() {
    let seen = crate::task::example(fargate_model::task::TaskStatus::Stopped);
    let said =
        "ResourceInitializationError: unable to pull secrets or registry auth: the moon is full";
    let seen = ObservedTask {
        stop_code: Some(StopCode::TaskFailedToStart),
        stopped_reason: Some(said.to_owned()),
        ..seen
    };
    let why = stopped(&seen, "job", &CauseFacts::default(), &SharedMasker::default());
    assert_eq!((why.who_can_fix(), why.entry().next), (None, RetryDecision::Final));
    insta::assert_snapshot!(why.block(fargate_model::cause::ColourMode::Off), @r#"
    error: the task ended for a reason that is not recognised
      ECS: "ResourceInitializationError: unable to pull secrets or registry auth: the moon is full"
      Task 5a7c1e90 is STOPPED: TaskFailedToStart.
      Fix: read what ECS said; look at the task in the ECS console
        fargate-runner config show
    "#);
    let silent = stopped(
        &ObservedTask { stopped_reason: None, ..seen },
        "job",
        &CauseFacts::default(),
        &SharedMasker::default(),
    );
    assert_eq!(silent.evidence[0].text, "ECS gave no reason.");
}

#[test]
fn the_words_of_a_container_that_is_not_the_job_s_count_too() {
    let mut seen = crate::task::example(fargate_model::task::TaskStatus::Stopped);
    seen.stop_code = Some(StopCode::TaskFailedToStart);
    seen.stopped_reason = Some("Task failed to start".to_owned());
    let reason =
        "CannotPullContainerError: pull access denied for acme/logs, repository does not exist";
    let mut sidecar = seen.containers[0].clone();
    sidecar.name = "logs".to_owned();
    sidecar.reason = Some(reason.to_owned());
    seen.containers.push(sidecar);
    let why = stopped(&seen, "job", &CauseFacts::default(), &SharedMasker::default());
    assert_eq!(why.cause, FailureCause::ImageDenied);
    assert_eq!(why.evidence[1].text, "Container logs");
    assert!(why.evidence.iter().all(|line| !line.text.contains("Login used")), "{why:?}");
    let mut facts = CauseFacts::default();
    facts.set(REGISTRY_SECRET, "ci/registry".to_owned());
    let why = stopped(&seen, "job", &facts, &SharedMasker::default());
    let is_named = |line: &CauseEvidence| line.text == "Login used: secret ci/registry.";
    assert!(why.evidence.iter().any(is_named), "{why:?}");
    let command = why.command();
    assert_eq!(
        command.as_deref(),
        Some("fargate-runner registry-secret test --secret ci/registry")
    );
}

#[test]
fn exceptions_and_failures_say_what_can_be_done() {
    let facts = CauseFacts::default();
    let answered = |code: &str, message: &str| CallError::Answered {
        code: code.into(),
        message: message.into(),
        status: 400,
        request_id: None,
    };
    let next = |code, message| exception(&answered(code, message), &facts).entry().next;
    assert_eq!(next("ThrottlingException", "Rate exceeded"), RetryDecision::Wait);
    assert_eq!(next("ServerException", ""), RetryDecision::Retry);
    assert_eq!(next("ClientException", "TaskDefinition is inactive"), RetryDecision::Final);
    assert_eq!(
        next("ClientException", "ECS was unable to assume the role 'x'"),
        RetryDecision::Retry
    );
    let service = "Unable to assume the service linked role. Please verify that the ECS service \
                   linked role exists.";
    for code in ["InvalidParameterException", "ClientException"] {
        assert_eq!(next(code, service), RetryDecision::Retry);
    }
    let denied = answered(
        "AccessDeniedException",
        "User: x is not authorized to perform: ecs:RunTask on resource: y",
    );
    assert_eq!(exception(&denied, &facts).headline(), "this host's role may not ecs:RunTask");
    let full = failure("RESOURCE:ENI", "", &facts, &SharedMasker::default());
    assert_eq!(full.cause, FailureCause::SubnetFull);
    let quota = "You\u{2019}ve reached the limit on the number of vCPUs you can run concurrently";
    assert_eq!(failure(quota, "", &facts, &SharedMasker::default()).cause, FailureCause::QuotaVcpu);
}

#[test]
fn the_quota_that_is_used_up_is_that_of_the_capacity_that_was_asked_for() {
    let words = "You've reached the limit on the number of vCPUs you can run concurrently";
    let masker = SharedMasker::default();
    for (is_spot, provider, cause, code) in [
        (false, None, FailureCause::QuotaVcpu, "L-3032A538"),
        (true, None, FailureCause::QuotaSpot, "L-36FBB829"),
        // What ECS says of the task counts more.
        (false, Some("FARGATE_SPOT"), FailureCause::QuotaSpot, "L-36FBB829"),
        (true, Some("FARGATE"), FailureCause::QuotaVcpu, "L-3032A538"),
    ] {
        let facts = CauseFacts { is_spot, ..CauseFacts::default() };
        let mut seen = crate::task::example(fargate_model::task::TaskStatus::Stopped);
        seen.stop_code = Some(StopCode::TaskFailedToStart);
        seen.stopped_reason = Some(words.to_owned());
        seen.provider = provider.map(str::to_owned);
        let mut said = vec![stopped(&seen, "job", &facts, &masker)];
        if provider.is_none() {
            said.push(failure(words, "", &facts, &masker));
        }
        for why in said {
            assert_eq!(why.cause, cause);
            let block = why.block(fargate_model::cause::ColourMode::Off).to_string();
            assert_eq!(
                block.matches(code).count(),
                2,
                "in the evidence and in the command: {block}"
            );
        }
    }
}

#[test]
fn only_a_launch_that_asks_for_nothing_but_spot_is_one_of_spot() {
    let share = |name: &str| fargate_state::CapacityProviderShare {
        name: name.to_owned(),
        weight: 1,
        base: 0,
    };
    let strategy =
        |names: &[&str]| TaskCapacity::Strategy(names.iter().map(|it| share(it)).collect());
    assert!(is_spot(&strategy(&["FARGATE_SPOT"])));
    for other in [
        strategy(&["FARGATE_SPOT", "FARGATE"]),
        strategy(&["FARGATE"]),
        strategy(&[]),
        TaskCapacity::LaunchType("FARGATE".to_owned()),
        TaskCapacity::ClusterDefault,
    ] {
        assert!(!is_spot(&other), "{other:?}");
    }
}

#[test]
fn what_keeps_a_call_on_this_host_has_a_cause_of_its_own() {
    let mut facts = CauseFacts::default();
    facts.set("endpoint", "https://ecs.eu-west-1.amazonaws.com".to_owned());
    let proxy = |asks_for_login| CallError::Proxy {
        proxy: "http://p:3128".to_owned(),
        asks_for_login,
        text: "no".to_owned(),
    };
    let said = |error: &CallError| exception(error, &facts).headline();
    assert_eq!(said(&proxy(true)), "the proxy http://p:3128 asks for a login");
    assert_eq!(
        said(&proxy(false)),
        "the proxy http://p:3128 does not connect to https://ecs.eu-west-1.amazonaws.com"
    );
    let untrusted = CallError::Untrusted { text: "UnknownIssuer".to_owned() };
    assert_eq!(
        said(&untrusted),
        "the certificate of https://ecs.eu-west-1.amazonaws.com is not trusted"
    );
    let denied = CallError::Answered {
        code: "AccessDenied".to_owned(),
        message: "User: x is not authorized to perform: sts:AssumeRole".to_owned(),
        status: 403,
        request_id: None,
    };
    let role = |error| CallError::Role {
        role: "arn:aws:iam::1:role/ci".to_owned(),
        endpoint: "https://sts".to_owned(),
        error: Box::new(error),
    };
    let role_refused = exception(&role(denied), &facts);
    assert_eq!(role_refused.headline(), "this host may not assume arn:aws:iam::1:role/ci");
    let no_answer = exception(&role(CallError::NoAnswer { text: "no".to_owned() }), &facts);
    assert_eq!(no_answer.headline(), "this host cannot reach https://sts");
    let unreadable = exception(&CallError::Unreadable { text: "no JSON".to_owned() }, &facts);
    assert_eq!(
        unreadable.headline(),
        "the answer of https://ecs.eu-west-1.amazonaws.com cannot be read"
    );
    let profile =
        CauseReport::new(FailureCause::AwsProfile).with("profile", "ci").with("path", "/x");
    let profile = CallError::Credentials { why: Box::new(profile), passing: false };
    assert_eq!(said(&profile), "the AWS profile ci gives no credentials");
    assert_eq!(said(&role(profile)), "the AWS profile ci gives no credentials");
    let odd = CallError::Answered {
        code: "HTTP status 502".to_owned(),
        message: String::new(),
        status: 502,
        request_id: None,
    };
    assert_eq!(exception(&odd, &facts).cause, FailureCause::AwsInternal);
}
