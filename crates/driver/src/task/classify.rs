//! Finds the cause of the catalogue for what ECS says. The code is checked first, then the reason,
//! then the containers, and the first rule that matches decides. A text that no rule knows is
//! quoted, and nobody is blamed.
//!
//! Source of the texts: Amazon ECS Developer Guide, "API failure reasons". Those of a task that did
//! not start are in `failed_start`.

mod failed_start;
mod names;
mod secret_names;

use fargate_aws::{CallError, is_of_clock, is_throttling};
use fargate_config::TaskSecret;
use fargate_mask::SharedMasker;
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::task::StopCode;
use fargate_state::{LaunchRequest, TaskCapacity};

use self::failed_start::of_failed_start;
use self::names::names_in;
use self::secret_names::secrets_in;
use super::exit_codes::{AGENT_IDLE, AGENT_LIFETIME, KILLED, is_out_of_memory};
use super::first_end::is_ordered;
use super::observation::{ObservedContainer, ObservedTask};

/// The name among the facts of a cause for the secret with the login of the image's registry.
pub const REGISTRY_SECRET: &str = "registry_secret";

/// The capacity provider of Spot.
const SPOT: &str = "FARGATE_SPOT";

/// The names that fill the sentences and commands of a cause.
#[derive(Clone, Debug, Default)]
pub struct CauseFacts {
    facts: Vec<(&'static str, String)>,
    /// What the profile says of the secrets of a task.
    secrets: Vec<TaskSecret>,
    /// Whether the launch asked for Spot and for nothing else.
    is_spot: bool,
}

impl CauseFacts {
    /// The names of one launch.
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
            secrets: Vec::new(),
            is_spot: is_spot(&request.purchase),
        }
    }

    /// Adds or replaces a name.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.facts.retain(|(known, _)| *known != name);
        self.facts.push((name, value));
    }

    /// Tells which secrets the profile gives to a task, so that a failure can name one.
    pub fn know_secrets(&mut self, secrets: &[TaskSecret]) {
        self.secrets = secrets.to_vec();
    }

    /// Makes a report of this cause with these names.
    pub fn why(&self, cause: FailureCause) -> CauseReport {
        self.facts.iter().fold(CauseReport::new(cause), |why, (name, value)| why.with(name, value))
    }
}

/// The cause of an exception of ECS, or of a missing answer.
pub fn exception(error: &CallError, facts: &CauseFacts) -> CauseReport {
    exception_of("ECS", error, facts)
}

/// The same for any service.
pub fn exception_of(service: &str, error: &CallError, facts: &CauseFacts) -> CauseReport {
    match error {
        CallError::Answered { code, message, status, .. } => {
            let mut facts = facts.clone();
            if let Some(action) = denied_action(message) {
                facts.set("action", action);
            }
            let cause = match of_exception(code, message) {
                // Whatever the code is, an error of the server passes.
                FailureCause::RequestRefused if *status >= 500 => FailureCause::AwsInternal,
                cause => cause,
            };
            facts.why(cause).quoting(service, format!("{code}: {message}"))
        }
        CallError::NotReached { text } | CallError::NoAnswer { text } => {
            facts.why(FailureCause::AwsUnreachable).because(format!("No usable answer: {text}."))
        }
        CallError::Unreadable { text } => facts
            .why(FailureCause::AnswerUnreadable)
            .because(format!("{service} answered: {text}.")),
        CallError::Credentials { why, .. } => {
            let mut why = (**why).clone();
            for (name, value) in &facts.facts {
                why.facts.entry((*name).to_owned()).or_insert_with(|| value.clone());
            }
            why
        }
        CallError::Expired { error } => exception_of(service, error, facts)
            .because("The credentials have expired, and their source has given no new ones yet."),
        CallError::Proxy { proxy, asks_for_login, text } => {
            let mut facts = facts.clone();
            facts.set("proxy", proxy.clone());
            let cause = match asks_for_login {
                true => FailureCause::ProxyRefused,
                false => FailureCause::ProxyUnreachable,
            };
            facts.why(cause).because(format!("Nothing was sent: {text}."))
        }
        CallError::Endpoint { text } => {
            // Nobody knows which setting it is; the known ones were checked before.
            let why = facts.why(FailureCause::EndpointUnusable);
            why.because(format!("Nothing was sent to {service}: {text}."))
        }
        CallError::Untrusted { text } => facts
            .why(FailureCause::CertificateUntrusted)
            .because(format!("Nothing was sent: {text}.")),
        CallError::Elsewhere { service, endpoint, right, error } => {
            let mut facts = facts.clone();
            facts.set("endpoint", endpoint.clone());
            let why = exception_of(service, error, &facts);
            let unnamed =
                why.cause == FailureCause::NotAllowed && !why.facts.contains_key("action");
            // The other service may refuse without a word about the right, but the question is
            // known to need this one.
            if unnamed { why.with("action", right) } else { why }
        }
        CallError::Role { role, endpoint, error } => {
            let mut facts = facts.clone();
            facts.set("role", role.clone());
            facts.set("endpoint", endpoint.clone());
            let why = exception_of("STS", error, &facts);
            match why.cause {
                // What STS says about the role itself, and not about the way to it.
                FailureCause::NotAllowed | FailureCause::RequestRefused => {
                    let cause = FailureCause::RoleRefused;
                    CauseReport { cause, ..why }
                }
                _ => why.because(format!("This happened while assuming the role {role}.")),
            }
        }
        CallError::NotSent { text } => facts
            .why(FailureCause::RequestRefused)
            .because(format!("Nothing was sent: {}.", text.trim_end_matches('.'))),
    }
}

fn of_exception(code: &str, message: &str) -> FailureCause {
    let has = |words: &str| message.contains(words);
    match code {
        code if is_throttling(code) => FailureCause::Throttled,
        "ServerException" | "InternalFailure" | "ServiceUnavailable" => FailureCause::AwsInternal,
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => {
            FailureCause::NotAllowed
        }
        "ClusterNotFoundException" => FailureCause::ClusterMissing,
        "BlockedException" => FailureCause::AccountBlocked,
        code if is_of_clock(code, message) => FailureCause::Clock,
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
        | "IncompleteSignature" => FailureCause::Credentials,
        // IAM is eventually consistent: a new role is not known everywhere at once, and the first
        // task of an account creates the service's own role.
        _ if has("ssume the service linked role") || has("ssume the service-linked role") => {
            FailureCause::ServiceRoleMissing
        }
        _ if has("nable to assume the role") => FailureCause::RoleUnassumed,
        "ClientException" if has("No Fargate configuration exists") => FailureCause::TaskSize,
        _ if has("TaskDefinition not found")
            || has("Unable to find task definition")
            || has("TaskDefinition is inactive")
            || has("Unable to describe task definition")
            || has("task definition") && (has("not found") || has("inactive")) =>
        {
            FailureCause::TaskDefMissing
        }
        _ if has("Override for container named") => FailureCause::ContainerMissing,
        _ if has("same VPC") => FailureCause::NetworkMismatch,
        _ if has("capacity provider") || has("Capacity provider") => FailureCause::SpotOff,
        _ => FailureCause::RequestRefused,
    }
}

/// The action in a text such as `... is not authorized to perform: ecs:RunTask on resource ...`
fn denied_action(message: &str) -> Option<String> {
    let (_, after) = message.split_once("to perform: ")?;
    after.split_whitespace().next().map(|action| action.trim_end_matches('.').to_owned())
}

fn is_spot(purchase: &TaskCapacity) -> bool {
    match purchase {
        TaskCapacity::Strategy(shares) => {
            !shares.is_empty() && shares.iter().all(|share| share.name == SPOT)
        }
        TaskCapacity::LaunchType(_) | TaskCapacity::ClusterDefault => false,
    }
}

/// The quota that is used up. ECS names neither of the two, and says the same of both.
fn quota_of(is_spot: bool) -> FailureCause {
    if is_spot { FailureCause::QuotaSpot } else { FailureCause::QuotaVcpu }
}

/// Names the quota that is used up, as the console of AWS does.
fn naming_quota(why: CauseReport) -> CauseReport {
    let quota = match why.cause {
        FailureCause::QuotaVcpu => "Fargate On-Demand vCPU resource count (L-3032A538)",
        FailureCause::QuotaSpot => "Fargate Spot vCPU resource count (L-36FBB829)",
        _ => return why,
    };
    why.because(format!("The quota is {quota}."))
}

/// The cause of an answer with HTTP 200 and `failures[]`.
pub fn failure(
    reason: &str,
    detail: &str,
    facts: &CauseFacts,
    masker: &SharedMasker,
) -> CauseReport {
    let has = |words: &str| reason.contains(words) || detail.contains(words);
    let cause = if has("Capacity is unavailable") || has("No Container Instances") {
        FailureCause::NoCapacity
    } else if has("limit on the number of vCPUs") {
        quota_of(facts.is_spot)
    } else if has("RESOURCE:ENI") || has("free address") {
        FailureCause::SubnetFull
    } else if has("RESOURCE:") {
        FailureCause::NoCapacity
    } else if has("inactive") || has("TaskDefinition") {
        FailureCause::TaskDefMissing
    } else {
        FailureCause::RequestRefused
    };
    let words = if detail.is_empty() { reason.to_owned() } else { format!("{reason}: {detail}") };
    naming_quota(facts.why(cause).quoting("ECS", masker.text(&words)))
}

/// The cause of a task that is STOPPED. `container` is the one whose end matters.
pub fn stopped(
    seen: &ObservedTask,
    container: &str,
    facts: &CauseFacts,
    masker: &SharedMasker,
) -> CauseReport {
    let mut facts = facts.clone();
    facts.set("task", seen.task.task_id().to_owned());
    if let Some(subnet) = &seen.subnet {
        facts.set("subnet", subnet.clone());
    }
    let own = seen.container(container);
    if let Some(image) = own.and_then(|own| own.image.clone()) {
        facts.set("image", image);
    }
    let reason = seen.stopped_reason.clone().unwrap_or_default();
    let of_container = |c: &ObservedContainer| c.reason.clone().filter(|reason| !reason.is_empty());
    let others = seen.containers.iter().filter(|other| other.name != container);
    // The words of other containers decide too: ECS may write the reason for which the task did not
    // start, such as an image that cannot be pulled, only at the container that it was about.
    let words: Vec<(&str, String)> = own
        .into_iter()
        .chain(others)
        .filter_map(|c| Some((c.name.as_str(), of_container(c)?)))
        .collect();
    let all = words.iter().fold(reason.clone(), |all, (_, words)| format!("{all} {words}"));
    for (name, value) in names_in(&all).into_iter().chain(secrets_in(&all, &facts.secrets)) {
        facts.set(name, value);
    }
    let end = TaskEnd {
        code: seen.stop_code.as_ref(),
        reason: &reason,
        all: &all,
        own: own.and_then(of_container).unwrap_or_default(),
        exit: own.and_then(|own| own.exit_code),
        is_alone: seen.containers.len() == 1,
    };
    let is_spot = seen.provider.as_deref().map_or(facts.is_spot, |provider| provider == SPOT);
    let cause = match of_stop(&end) {
        FailureCause::QuotaVcpu => quota_of(is_spot),
        cause => cause,
    };
    // The job's author needs the limit that was reached, to ask for a larger one.
    if cause == FailureCause::OutOfMemory {
        let limit = seen.memory_mib.map(fargate_model::text::memory);
        facts.set("memory", limit.unwrap_or_else(|| "not reported by ECS".into()));
    }
    let mut why = facts.why(cause);
    if !reason.is_empty() {
        why = why.quoting("ECS", masker.text(&reason));
    }
    for (name, words) in &words {
        why = why.quoting(&format!("Container {name}"), masker.text(words));
    }
    why = naming_quota(why);
    if let Some(variable) = why.facts.get("variable").cloned() {
        why = why.because(format!("The profile gives this secret to its jobs as {variable}."));
    }
    if cause == FailureCause::ImageDenied
        && let Some(secret) = why.facts.get(REGISTRY_SECRET).cloned()
    {
        why = why.because(format!("Login used: secret {secret}."));
    }
    if all.trim().is_empty() {
        why = why.because("ECS gave no reason.");
    }
    let exit = end.exit.map(|code| format!(", exit {code}"));
    let code = end.code.map_or_else(|| "no stop code".to_owned(), StopCode::to_string);
    why.because(format!(
        "Task {} is {}: {code}{}.",
        seen.task.short(),
        seen.status,
        exit.unwrap_or_default()
    ))
}

/// What ECS says of a task's end.
struct TaskEnd<'a> {
    code: Option<&'a StopCode>,
    /// The reason of the task.
    reason: &'a str,
    /// The reasons of the task and of all containers.
    all: &'a str,
    /// The reason of the container that matters.
    own: String,
    exit: Option<i32>,
    /// Whether the task has no other container.
    is_alone: bool,
}

fn of_stop(end: &TaskEnd<'_>) -> FailureCause {
    if end.all.contains("Spot Task was interrupted") {
        return FailureCause::Spot;
    }
    let by_words = || of_failed_start(end.all).unwrap_or(FailureCause::Unknown);
    match end.code {
        Some(StopCode::SpotInterruption | StopCode::TerminationNotice) => FailureCause::Spot,
        Some(StopCode::InfrastructureHealth) => FailureCause::HostRetired,
        Some(StopCode::UserInitiated) if end.reason.contains(super::release::OUR_REASON) => {
            FailureCause::StoppedByCleanup
        }
        Some(StopCode::UserInitiated) => FailureCause::StoppedBy,
        Some(StopCode::EssentialContainerExited) => of_exit(end),
        // ECS has named no code yet. If no order to end leaves such an exit code, the container
        // ended by itself.
        None if end.is_out_of_memory() || !end.exit.is_none_or(is_ordered) => of_exit(end),
        Some(StopCode::TaskFailedToStart) | None => by_words(),
        Some(StopCode::ServiceSchedulerInitiated | StopCode::Other(_)) => by_words(),
    }
}

impl TaskEnd<'_> {
    /// What ECS says of the whole task may be about another container.
    fn is_out_of_memory(&self) -> bool {
        let killed = self.exit.is_none_or(|code| code == KILLED);
        is_out_of_memory(&self.own) || is_out_of_memory(self.reason) && (self.is_alone || killed)
    }
}

fn of_exit(end: &TaskEnd<'_>) -> FailureCause {
    if end.is_out_of_memory() {
        return FailureCause::OutOfMemory;
    }
    match end.exit {
        Some(AGENT_IDLE) => FailureCause::Idle,
        Some(AGENT_LIFETIME) => FailureCause::MaxLifetime,
        Some(_) => FailureCause::EnvironmentEnded,
        // The container may never have started.
        None => of_failed_start(end.all).unwrap_or(FailureCause::EnvironmentEnded),
    }
}

#[cfg(test)]
mod reasons;
#[cfg(test)]
mod tests;
