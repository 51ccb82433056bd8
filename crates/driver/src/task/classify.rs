//! From ECS's words to a cause of the catalogue. First match wins: the code, then the reason, then
//! the containers.
//!
//! Source of the texts: Amazon ECS Developer Guide, "Stopped tasks error codes", "API failure
//! reasons", "`CannotPullContainer` task errors", and messages seen in public issue trackers.

use fargate_model::task::StopCode;
use fargate_model::why::{Cause, Why};

use super::first_end::is_ordered;
use super::observation::Observation;
use super::spec::LaunchRequest;
use crate::aws::{CallError, is_of_clock, is_throttling};
use crate::mask;

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
        code if is_of_clock(code, message) => Cause::Clock,
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
            || has("Unable to find task definition")
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
    place.why(cause).quoting("ECS", mask::text(&words))
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
        why = why.quoting("ECS", mask::text(&reason));
    }
    if !container_reason.is_empty() {
        why = why.quoting(&format!("Container {container}"), mask::text(&container_reason));
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
        // Before ECS names a code: what no order to end leaves behind is the container's own doing.
        None if is_out_of_memory(text) || !exit.is_none_or(is_ordered) => of_exit(text, exit),
        Some(StopCode::TaskFailedToStart) | None => of_failed_start(text),
        Some(StopCode::ServiceSchedulerInitiated | StopCode::Other(_)) => Cause::Unknown,
    }
}

/// Exit codes of the agent. Source: `fargate-agent`, its idle limit and its maximum lifetime.
pub(super) const AGENT_IDLE: i32 = 70;
pub(super) const AGENT_LIFETIME: i32 = 71;

/// ECS says that the kernel ended it for its memory.
pub(super) fn is_out_of_memory(text: &str) -> bool {
    text.contains("OutOfMemory")
}

fn of_exit(text: &str, exit: Option<i32>) -> Cause {
    match exit {
        _ if is_out_of_memory(text) => Cause::OutOfMemory,
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
mod tests;
