use super::*;
use fargate_model::why::Next;

#[test]
fn each_reason_that_ecs_is_known_to_give_has_its_own_cause() {
    let failed = Some(StopCode::TaskFailedToStart);
    let cases = [
        (
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref docker.io/acme/ci:x: not found",
            Cause::ImageNotFound,
        ),
        (
            "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'",
            Cause::ImageArch,
        ),
        (
            "CannotPullContainerError: failed to do request: Head \"https://registry-1.docker.io/\": dial tcp 1.2.3.4:443: i/o timeout",
            Cause::RegistryNoRoute,
        ),
        (
            "CannotPullContainerError: pull access denied for acme/ci, repository does not exist or may require 'docker login'",
            Cause::ImageDenied,
        ),
        (
            "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit",
            Cause::RegistryLimit,
        ),
        (
            "CannotPullContainerError: failed to copy: httpReaderSeeker: failed open: unexpected status code",
            Cause::RegistryBlob,
        ),
        ("CannotPullContainerError: context canceled", Cause::RegistryNoRoute),
        (
            "ResourceInitializationError: unable to pull image or start container: 500 Server Error: Internal Server Error (\"manifest unknown\")",
            Cause::ImageNotFound,
        ),
        ("CannotPullContainerError: write /x: no space left on device", Cause::ImageDisk),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: There is a connection issue between the task and AWS Secrets Manager. context deadline exceeded",
            Cause::SecretUnreachable,
        ),
        (
            "ResourceInitializationError: failed to fetch secret arn:x from secrets manager: AccessDeniedException: User: x is not authorized to perform: secretsmanager:GetSecretValue",
            Cause::SecretDenied,
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
            Cause::SecretMissing,
        ),
        (
            "ResourceInitializationError: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. GetAuthorizationToken, exceeded maximum number of attempts, 3",
            Cause::EcrUnreachable,
        ),
        (
            "ResourceInitializationError: failed to initialize logging driver: the specified log group does not exist",
            Cause::LogGroup,
        ),
        (
            "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to resolve \"fs-0abc.efs.eu-west-1.amazonaws.com\"",
            Cause::EfsName,
        ),
        (
            "ResourceInitializationError: failed to invoke EFS utils commands: Mount attempt 1/3 failed due to timeout after 15 sec",
            Cause::EfsBlocked,
        ),
        ("b'mount.nfs4: access denied by server while mounting 127.0.0.1:/path'", Cause::EfsDenied),
        (
            "mount.nfs4: mounting fs-1:/dir failed, reason given by server: No such file or directory",
            Cause::EfsPath,
        ),
        (
            "Unexpected EC2 error while attempting to Create Network Interface in subnet 'subnet-1': InsufficientFreeAddressesInSubnet",
            Cause::SubnetFull,
        ),
        ("Timeout waiting for network interface provisioning to complete.", Cause::EniTimeout),
        ("Timeout waiting for EphemeralStorage provisioning to complete", Cause::AwsInternal),
        ("CannotStartContainerError: exec format error", Cause::ContainerStart),
        (
            "CannotPullContainerError: ref 140312345678.dkr.ecr.eu-west-1.amazonaws.com/x: dial tcp: i/o timeout",
            Cause::RegistryNoRoute,
        ),
        ("CannotPullContainerError: 503 Service Unavailable", Cause::RegistryBlob),
        ("something new", Cause::Unknown),
    ];
    for (text, cause) in cases {
        assert_eq!(of_stop(failed.as_ref(), text, None), cause, "{text}");
    }
}

#[test]
fn a_running_task_that_ended_is_told_apart_by_who_ended_it() {
    let by = |code, text, exit| of_stop(Some(&code), text, exit);
    let exited = StopCode::EssentialContainerExited;
    let oom = "OutOfMemoryError: Container killed due to memory usage";
    assert_eq!(by(exited.clone(), oom, Some(137)), Cause::OutOfMemory);
    assert_eq!(by(exited.clone(), "", Some(143)), Cause::EnvironmentEnded);
    assert_eq!(by(exited, "", Some(71)), Cause::MaxLifetime);
    assert_eq!(by(StopCode::UserInitiated, "by Ada", None), Cause::StoppedBy);
    assert_eq!(by(StopCode::SpotInterruption, "", None), Cause::Spot);
    assert_eq!(
        by(StopCode::TaskFailedToStart, "Your Spot Task was interrupted.", None),
        Cause::Spot
    );
    assert_eq!(by(StopCode::Other("New".into()), "", None), Cause::Unknown);
}

#[test]
fn exceptions_and_failures_say_what_can_be_done() {
    let place = Place::default();
    let answered = |code: &str, message: &str| CallError::Answered {
        code: code.into(),
        message: message.into(),
        status: 400,
        request_id: None,
    };
    let next = |code, message| exception(&answered(code, message), &place).entry().next;
    assert_eq!(next("ThrottlingException", "Rate exceeded"), Next::Wait);
    assert_eq!(next("ServerException", ""), Next::Retry);
    assert_eq!(next("ClientException", "TaskDefinition is inactive"), Next::Final);
    assert_eq!(next("ClientException", "ECS was unable to assume the role 'x'"), Next::Retry);
    let denied = answered(
        "AccessDeniedException",
        "User: x is not authorized to perform: ecs:RunTask on resource: y",
    );
    assert_eq!(exception(&denied, &place).headline(), "this host's role may not ecs:RunTask");
    let full = failure("RESOURCE:ENI", "", &place);
    assert_eq!(full.cause, Cause::SubnetFull);
    let quota = "You\u{2019}ve reached the limit on the number of vCPUs you can run concurrently";
    assert_eq!(failure(quota, "", &place).cause, Cause::QuotaVcpu);
}

#[test]
fn what_keeps_a_call_on_this_host_has_a_cause_of_its_own() {
    let mut place = Place::default();
    place.set("endpoint", "https://ecs.eu-west-1.amazonaws.com".to_owned());
    let proxy = |asks_for_login| CallError::Proxy {
        proxy: "http://p:3128".to_owned(),
        asks_for_login,
        text: "no".to_owned(),
    };
    let said = |error: &CallError| exception(error, &place).headline();
    assert_eq!(said(&proxy(true)), "the proxy http://p:3128 asks for a login");
    assert_eq!(
        said(&proxy(false)),
        "the proxy http://p:3128 gives no way to https://ecs.eu-west-1.amazonaws.com"
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
    let role_refused = exception(&role(denied), &place);
    assert_eq!(role_refused.headline(), "this host may not assume arn:aws:iam::1:role/ci");
    let no_answer = exception(&role(CallError::NoAnswer { text: "no".to_owned() }), &place);
    assert_eq!(no_answer.headline(), "this host cannot reach https://sts");
    let unreadable = exception(&CallError::Unreadable { text: "no JSON".to_owned() }, &place);
    assert_eq!(
        unreadable.headline(),
        "the answer of https://ecs.eu-west-1.amazonaws.com cannot be read"
    );
    let profile = Why::new(Cause::AwsProfile).with("profile", "ci").with("path", "/x");
    let profile = CallError::Credentials { why: Box::new(profile), passing: false };
    assert_eq!(said(&profile), "the AWS profile ci gives no credentials");
    assert_eq!(said(&role(profile)), "the AWS profile ci gives no credentials");
    let odd = CallError::Answered {
        code: "HTTP status 502".to_owned(),
        message: String::new(),
        status: 502,
        request_id: None,
    };
    assert_eq!(exception(&odd, &place).cause, Cause::AwsInternal);
}

#[test]
fn names_are_read_from_what_ecs_says() {
    assert_eq!(names_in("resolve \"fs-0abc.efs.x\""), [("fs", "fs-0abc".to_owned())]);
    assert_eq!(
        names_in("failed to resolve ref docker.io/acme/ci:x: not found"),
        [("image", "docker.io/acme/ci:x".to_owned())]
    );
}
