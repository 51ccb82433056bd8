//! From ECS's words to a cause of the catalogue. First match wins: the code, then the reason, then
//! the containers.
//!
//! Source of the texts: Amazon ECS Developer Guide, "Stopped tasks error codes", "API failure
//! reasons", "`CannotPullContainer` task errors", and messages seen in public issue trackers.

use fargate_model::task::StopCode;
use fargate_model::why::{Cause, Why};

use super::observation::Observation;
use super::spec::LaunchRequest;
use crate::aws::{CallError, is_throttling};

/// The names that the sentences and commands of a cause are filled with.
#[derive(Clone, Debug, Default)]
pub struct Place {
    facts: Vec<(&'static str, String)>,
}

impl Place {
    /// Of one launch.
    pub fn of(request: &LaunchRequest, region: &str, endpoint: &str) -> Self {
        let container = request.containers.first().map(|c| c.name.clone()).unwrap_or_default();
        Self {
            facts: vec![
                ("cluster", request.cluster.clone()),
                ("region", region.to_owned()),
                ("endpoint", endpoint.to_owned()),
                ("task_definition", request.task_definition.clone()),
                ("container", container),
                ("subnet", request.subnet.clone()),
                ("subnets", request.subnet.clone()),
                ("zones", request.subnet.clone()),
                ("security_groups", request.security_groups.join(" ")),
            ],
        }
    }

    /// Adds or replaces a name.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.facts.retain(|(known, _)| *known != name);
        self.facts.push((name, value));
    }

    /// A cause, with these names.
    pub fn why(&self, cause: Cause) -> Why {
        self.facts.iter().fold(Why::new(cause), |why, (name, value)| why.with(name, value))
    }
}

/// An exception of ECS's, or no answer at all.
pub fn exception(error: &CallError, place: &Place) -> Why {
    exception_of("ECS", error, place)
}

/// As [`exception`], of any service.
pub fn exception_of(service: &str, error: &CallError, place: &Place) -> Why {
    match error {
        CallError::Answered { code, message, status, .. } => {
            let mut place = place.clone();
            if let Some(action) = denied_action(message) {
                place.set("action", action);
            }
            let cause = match of_exception(code, message) {
                // Whoever answered so, an error of theirs passes.
                Cause::RequestRefused if *status >= 500 => Cause::AwsInternal,
                cause => cause,
            };
            place.why(cause).quoting(service, format!("{code}: {message}"))
        }
        CallError::NoAnswer { text } | CallError::Unreadable { text } => {
            place.why(Cause::AwsUnreachable).because(format!("No usable answer: {text}."))
        }
        CallError::Proxy { proxy, asks_for_login, text } => {
            let mut place = place.clone();
            place.set("proxy", proxy.clone());
            let cause = match asks_for_login {
                true => Cause::ProxyRefused,
                false => Cause::ProxyUnreachable,
            };
            place.why(cause).because(format!("Nothing was sent: {text}."))
        }
        CallError::Endpoint { text } => {
            place.why(Cause::AwsUnreachable).because(format!("Nothing was sent: {text}."))
        }
        CallError::Untrusted { text } => {
            place.why(Cause::CertificateUntrusted).because(format!("Nothing was sent: {text}."))
        }
        CallError::Elsewhere { service, endpoint, right, error } => {
            let mut place = place.clone();
            place.set("endpoint", endpoint.clone());
            let why = exception_of(service, error, &place);
            let unnamed = why.cause == Cause::NotAllowed && !why.facts.contains_key("action");
            if unnamed { why.with("action", right) } else { why }
        }
        CallError::Role { role, endpoint, error } => {
            let mut place = place.clone();
            place.set("role", role.clone());
            place.set("endpoint", endpoint.clone());
            let why = exception_of("STS", error, &place);
            match why.cause {
                // What STS says of the role itself, and not of the way to it.
                Cause::NotAllowed | Cause::RequestRefused => {
                    let cause = Cause::RoleRefused;
                    Why { cause, ..why }
                }
                _ => why.because(format!("It was for the role {role}.")),
            }
        }
        CallError::NotSent { text, passing } => {
            let cause = if *passing { Cause::AwsUnreachable } else { Cause::Credentials };
            place.why(cause).because(format!("Nothing was sent: {}.", text.trim_end_matches('.')))
        }
    }
}

fn of_exception(code: &str, message: &str) -> Cause {
    let has = |words: &str| message.contains(words);
    match code {
        code if is_throttling(code) => Cause::Throttled,
        "ServerException" | "InternalFailure" | "ServiceUnavailable" => Cause::AwsInternal,
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => Cause::NotAllowed,
        "ClusterNotFoundException" => Cause::ClusterMissing,
        "BlockedException" => Cause::AccountBlocked,
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "RequestExpired"
            if has("expired") || has("not yet current") =>
        {
            Cause::Clock
        }
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "RequestExpired"
        | "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken"
        | "AuthFailure"
        | "IncompleteSignature" => Cause::Credentials,
        // A role that was made moments ago; IAM is eventually consistent.
        "ClientException" if has("unable to assume the role") => Cause::AwsInternal,
        "ClientException" if has("No Fargate configuration exists") => Cause::TaskSize,
        _ if has("TaskDefinition not found")
            || has("TaskDefinition is inactive")
            || has("Unable to describe task definition")
            || has("task definition") && (has("not found") || has("inactive")) =>
        {
            Cause::TaskDefMissing
        }
        _ if has("Override for container named") => Cause::ContainerMissing,
        _ if has("same VPC") => Cause::NetworkMismatch,
        _ if has("capacity provider") || has("Capacity provider") => Cause::SpotOff,
        _ => Cause::RequestRefused,
    }
}

/// `... is not authorized to perform: ecs:RunTask on resource ...`
fn denied_action(message: &str) -> Option<String> {
    let (_, after) = message.split_once("to perform: ")?;
    after.split_whitespace().next().map(|action| action.trim_end_matches('.').to_owned())
}

/// HTTP 200 with `failures[]`.
pub fn failure(reason: &str, detail: &str, place: &Place) -> Why {
    let has = |words: &str| reason.contains(words) || detail.contains(words);
    let cause = if has("Capacity is unavailable") || has("No Container Instances") {
        Cause::NoCapacity
    } else if has("limit on the number of vCPUs") {
        Cause::QuotaVcpu
    } else if has("RESOURCE:ENI") || has("free address") {
        Cause::SubnetFull
    } else if has("RESOURCE:") {
        Cause::NoCapacity
    } else if has("inactive") || has("TaskDefinition") {
        Cause::TaskDefMissing
    } else {
        Cause::RequestRefused
    };
    let words = if detail.is_empty() { reason.to_owned() } else { format!("{reason}: {detail}") };
    place.why(cause).quoting("ECS", words)
}

/// A task that went STOPPED. `container` is the one whose end is asked about.
pub fn stopped(seen: &Observation, container: &str, place: &Place) -> Why {
    let mut place = place.clone();
    place.set("task", seen.task.task_id().to_owned());
    if let Some(subnet) = &seen.subnet {
        place.set("subnet", subnet.clone());
    }
    let own = seen.container(container);
    if let Some(image) = own.and_then(|own| own.image.clone()) {
        place.set("image", image);
    }
    let reason = seen.stopped_reason.clone().unwrap_or_default();
    let container_reason = own.and_then(|own| own.reason.clone()).unwrap_or_default();
    let text = format!("{reason} {container_reason}");
    for (name, value) in names_in(&text) {
        place.set(name, value);
    }
    let code = seen.stop_code.clone();
    let cause = of_stop(code.as_ref(), &text, own.and_then(|own| own.exit_code));
    if cause == Cause::OutOfMemory {
        let limit = seen.memory_mib.map(fargate_model::text::memory);
        place.set("memory", limit.unwrap_or_else(|| "not reported by ECS".into()));
    }
    let mut why = place.why(cause);
    if !reason.is_empty() {
        why = why.quoting("ECS", &reason);
    }
    if !container_reason.is_empty() {
        why = why.quoting(&format!("Container {container}"), &container_reason);
    }
    let exit = own.and_then(|own| own.exit_code).map(|code| format!(", exit {code}"));
    let code = code.map_or_else(|| "no stop code".to_owned(), |code| code.to_string());
    why.because(format!(
        "Task {} is {}: {code}{}.",
        seen.task.short(),
        seen.status,
        exit.unwrap_or_default()
    ))
}

fn of_stop(code: Option<&StopCode>, text: &str, exit: Option<i32>) -> Cause {
    if text.contains("Spot Task was interrupted") {
        return Cause::Spot;
    }
    match code {
        Some(StopCode::SpotInterruption | StopCode::TerminationNotice) => Cause::Spot,
        Some(StopCode::InfrastructureHealth) => Cause::HostRetired,
        Some(StopCode::UserInitiated) if text.contains(super::release::OUR_REASON) => {
            Cause::StoppedByCleanup
        }
        Some(StopCode::UserInitiated) => Cause::StoppedBy,
        Some(StopCode::EssentialContainerExited) => of_exit(text, exit),
        Some(StopCode::TaskFailedToStart) | None => of_failed_start(text),
        Some(StopCode::ServiceSchedulerInitiated | StopCode::Other(_)) => Cause::Unknown,
    }
}

/// Exit codes of the agent. Source: `fargate-agent`, its idle limit and its maximum lifetime.
const AGENT_IDLE: i32 = 70;
const AGENT_LIFETIME: i32 = 71;

fn of_exit(text: &str, exit: Option<i32>) -> Cause {
    match exit {
        _ if text.contains("OutOfMemory") => Cause::OutOfMemory,
        Some(AGENT_IDLE) => Cause::Idle,
        Some(AGENT_LIFETIME) => Cause::MaxLifetime,
        _ => Cause::EnvironmentEnded,
    }
}

fn of_failed_start(text: &str) -> Cause {
    let has = |words: &str| text.contains(words);
    if has("CannotPullContainer") || has("pull image manifest") || has("unable to pull image") {
        of_pull(text)
    } else if has("EFS") || has("mount.nfs4") {
        of_mount(text)
    } else if has("unable to pull secrets") || has("fetch secret") || has("secretsmanager") {
        of_secret(text)
    } else if has("registry auth from Amazon ECR") || has("GetAuthorizationToken") {
        Cause::EcrUnreachable
    } else if has("logging driver") || has("log group") {
        Cause::LogGroup
    } else if has("InsufficientFreeAddressesInSubnet") {
        Cause::SubnetFull
    } else if has("network interface") {
        Cause::EniTimeout
    } else if has("EphemeralStorage provisioning") || has("InternalError") {
        Cause::AwsInternal
    } else if has("Capacity is unavailable") {
        Cause::NoCapacity
    } else if has("CannotCreateVolume")
        || has("CannotStartContainer")
        || has("CannotInspectContainer")
        || has("ContainerRuntime")
        || has("CannotCreateContainer")
    {
        Cause::ContainerStart
    } else {
        Cause::Unknown
    }
}

fn of_pull(text: &str) -> Cause {
    let has = |words: &str| text.contains(words);
    if has("toomanyrequests") || has("429 Too Many") {
        Cause::RegistryLimit
    } else if has("manifest unknown") {
        // Before the status of whoever passed it on.
        Cause::ImageNotFound
    } else if has("descriptor matching platform") || has("no matching manifest") {
        Cause::ImageArch
    } else if has("no space left") {
        Cause::ImageDisk
    } else if has("pull access denied")
        || has("401 Unauthorized")
        || has("403 Forbidden")
        || has("status code 401")
        || has("status code 403")
        || has("unauthorized")
        || has("no basic auth")
    {
        Cause::ImageDenied
    } else if has("failed to copy")
        || has("httpReaderSeeker")
        || has("Internal Server Error")
        || has("Bad Gateway")
        || has("Service Unavailable")
    {
        Cause::RegistryBlob
    } else if has("i/o timeout")
        || has("context canceled")
        || has("deadline exceeded")
        || has("request canceled")
        || has("connection refused")
        || has("no such host")
    {
        Cause::RegistryNoRoute
    } else if has("not found") || has("does not exist") {
        Cause::ImageNotFound
    } else {
        Cause::Unknown
    }
}

fn of_mount(text: &str) -> Cause {
    let has = |words: &str| text.contains(words);
    if has("Failed to resolve") {
        Cause::EfsName
    } else if has("access denied") {
        Cause::EfsDenied
    } else if has("No such file or directory") {
        Cause::EfsPath
    } else {
        Cause::EfsBlocked
    }
}

fn of_secret(text: &str) -> Cause {
    let has = |words: &str| text.contains(words);
    if has("AccessDenied") || has("not authorized") {
        Cause::SecretDenied
    } else if has("ResourceNotFound") || has("can't find") {
        Cause::SecretMissing
    } else {
        Cause::SecretUnreachable
    }
}

/// The file system, image and log group that ECS's words name.
fn names_in(text: &str) -> Vec<(&'static str, String)> {
    let is_end = |c: char| !(c.is_ascii_alphanumeric() || "-_./:@".contains(c));
    let word = |start: usize| text[start..].split(is_end).next().unwrap_or_default().to_owned();
    let mut names = Vec::new();
    if let Some(at) = text.find("fs-") {
        let id: String = word(at).split('.').next().unwrap_or_default().to_owned();
        names.push(("fs", id.trim_end_matches(':').to_owned()));
    }
    if let Some((before, _)) = text.split_once("failed to resolve ref ") {
        names.push(("image", word(before.len() + "failed to resolve ref ".len())));
    }
    for name in names.iter_mut().filter(|(name, _)| *name == "image") {
        name.1 = name.1.trim_end_matches(':').to_owned();
    }
    names
}

#[cfg(test)]
mod tests {
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
            (
                "b'mount.nfs4: access denied by server while mounting 127.0.0.1:/path'",
                Cause::EfsDenied,
            ),
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
        let quota =
            "You\u{2019}ve reached the limit on the number of vCPUs you can run concurrently";
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
}
