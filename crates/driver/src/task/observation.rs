//! A task as ECS described it at one moment, in our types.
//!
//! A value that ECS did not give stays missing. Nothing is guessed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use aws_sdk_ecs::primitives::DateTime;
use aws_sdk_ecs::types::{KeyValuePair, Tag, Task};
use fargate_events::{JobFact, TaskFact, emit_fact};
use fargate_model::id::TaskArn;
use fargate_model::moment::unix_ms;
use fargate_model::size::FargateSize;
use fargate_model::task::{StopCode, TaskStatus};
use serde::{Deserialize, Serialize};

use super::spec::{FOLDER_VARIABLE, JOB_VARIABLE, LEASE_VARIABLE, LIFETIME_VARIABLE, TAG_PREFIX};

/// What ECS says of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedContainer {
    /// The name in the definition.
    pub name: String,
    /// The image as the definition names it.
    pub image: Option<String>,
    /// The digest to which the tag was resolved.
    pub digest: Option<String>,
    /// Its own state. While a task is being stopped, this follows the task's own state.
    pub last_status: Option<TaskStatus>,
    /// Whether its end ends the task. `None` if nobody read the definition.
    pub essential: Option<bool>,
    /// The exit code, after its end.
    pub exit_code: Option<i32>,
    /// Why it ended or did not start.
    pub reason: Option<String>,
}

/// When the parts of a start happened, by ECS's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStartTimeline {
    /// ECS accepted RunTask.
    pub created: Option<SystemTime>,
    /// The network interface is attached, as far as ECS says so.
    pub connected: Option<SystemTime>,
    /// The first image pull began. Before it, ECS attached the network interface.
    pub pull_started: Option<SystemTime>,
    /// The last image pull ended.
    pub pull_stopped: Option<SystemTime>,
    /// The task runs.
    pub started: Option<SystemTime>,
    /// ECS began to stop it.
    pub stopping: Option<SystemTime>,
    /// The task has ended.
    pub stopped: Option<SystemTime>,
}

impl TaskStartTimeline {
    fn between(from: Option<SystemTime>, to: Option<SystemTime>) -> Option<Duration> {
        to?.duration_since(from?).ok()
    }

    /// From the acceptance to the pull.
    #[must_use]
    pub fn network(&self) -> Option<Duration> {
        Self::between(self.created, self.pull_started)
    }

    /// The image pull.
    #[must_use]
    pub fn pull(&self) -> Option<Duration> {
        Self::between(self.pull_started, self.pull_stopped)
    }

    /// From the end of the pull to the running process.
    #[must_use]
    pub fn start(&self) -> Option<Duration> {
        Self::between(self.pull_stopped, self.started)
    }
}

/// What ECS said of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedTask {
    /// Its ARN.
    pub task: TaskArn,
    /// Its state.
    pub status: TaskStatus,
    /// Whether somebody asked for its end.
    pub stopping: bool,
    /// The private address, as soon as the network interface is attached. IPv4 if the task has
    /// both.
    pub address: Option<IpAddr>,
    /// The id of the network interface in EC2.
    pub interface: Option<String>,
    /// The subnet.
    pub subnet: Option<String>,
    /// The availability zone.
    pub zone: Option<String>,
    /// CPU units.
    pub cpu_units: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u32>,
    /// Ephemeral storage in GiB, if it is more than every task has.
    pub disk_gib: Option<u32>,
    /// `x86_64` or `arm64`.
    pub architecture: Option<String>,
    /// The platform version.
    pub platform: Option<String>,
    /// The capacity provider, for example `FARGATE_SPOT`.
    pub provider: Option<String>,
    /// Who or what ended it.
    pub stop_code: Option<StopCode>,
    /// Why, in ECS's words.
    pub stopped_reason: Option<String>,
    /// All containers.
    pub containers: Vec<ObservedContainer>,
    /// Who started it, as `startedBy` says.
    pub started_by: Option<String>,
    /// The state folder that knows it, if its overrides name one.
    pub folder: Option<String>,
    /// After this time it ends itself, if its overrides say so.
    pub lifetime: Option<Duration>,
    /// The job's key among its overrides.
    pub job: Option<String>,
    /// The ARN of its definition.
    pub definition: Option<String>,
    /// Our own tags, without their prefix. Empty if they were not asked for, or may not be read.
    pub tags: BTreeMap<String, String>,
    /// When the parts of its start happened.
    pub timeline: TaskStartTimeline,
}

impl ObservedTask {
    /// Reads ECS's description. Returns `None` if it has no ARN, because nothing can be done with
    /// it.
    #[must_use]
    pub fn of(task: &Task) -> Option<Self> {
        let details = || {
            task.attachments()
                .iter()
                .filter(|a| matches!(a.r#type(), Some("ElasticNetworkInterface" | "eni")))
                .filter(|a| a.status() != Some("DELETED"))
                .flat_map(|a| a.details())
        };
        // These names are in upper or lower case, depending on the answer.
        let attached = |name: &str| {
            let is_it = |detail: &&KeyValuePair| {
                detail.name().is_some_and(|given| given.eq_ignore_ascii_case(name))
            };
            details().find(is_it).and_then(|detail| detail.value())
        };
        let interfaces =
            || task.containers().iter().flat_map(|container| container.network_interfaces());
        let four = attached("privateIPv4Address")
            .or_else(|| interfaces().find_map(|interface| interface.private_ipv4_address()));
        let six = attached("privateIPv6Address")
            .or_else(|| attached("ipv6Address"))
            .or_else(|| interfaces().find_map(|interface| interface.ipv6_address()));
        let parsed = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        Some(Self {
            task: TaskArn(task.task_arn().filter(|arn| !arn.is_empty())?.to_owned()),
            status: TaskStatus::of(task.last_status().unwrap_or_default()),
            stopping: task.desired_status() == Some("STOPPED"),
            address: parsed(four).or_else(|| parsed(six)),
            interface: attached("networkInterfaceId").map(str::to_owned),
            subnet: attached("subnetId").map(str::to_owned),
            zone: task.availability_zone().map(str::to_owned),
            cpu_units: task.cpu().and_then(|text| text.parse().ok()),
            memory_mib: task.memory().and_then(|text| text.parse().ok()),
            disk_gib: task
                .ephemeral_storage()
                .and_then(|disk| u32::try_from(disk.size_in_gib()).ok()),
            architecture: attribute(task, "ecs.cpu-architecture"),
            platform: task.platform_version().map(str::to_owned),
            provider: task.capacity_provider_name().map(str::to_owned),
            stop_code: task.stop_code().and_then(|code| said(code.as_str())).map(StopCode::of),
            stopped_reason: task.stopped_reason().and_then(said).map(str::to_owned),
            containers: containers(task),
            started_by: task.started_by().map(str::to_owned),
            job: variable(task, JOB_VARIABLE),
            folder: variable(task, FOLDER_VARIABLE),
            lifetime: [LEASE_VARIABLE, LIFETIME_VARIABLE]
                .into_iter()
                .find_map(|name| variable(task, name)?.parse().ok())
                .map(Duration::from_secs),
            definition: task.task_definition_arn().map(str::to_owned),
            tags: own_tags(task),
            timeline: TaskStartTimeline {
                created: time(task.created_at()),
                connected: time(task.connectivity_at()),
                pull_started: time(task.pull_started_at()),
                pull_stopped: time(task.pull_stopped_at()),
                started: time(task.started_at()),
                stopping: time(task.stopping_at()),
                stopped: time(task.stopped_at()),
            },
        })
    }

    /// Tells the history of the job what ECS says.
    pub fn tell(&self) {
        emit_fact(JobFact::TaskSeen(Box::new(self.fact())));
    }

    /// What the history keeps of it.
    #[must_use]
    pub fn fact(&self) -> TaskFact {
        let own = self.containers.first();
        let size = self.cpu_units.zip(self.memory_mib);
        TaskFact {
            task: self.task.0.clone(),
            status: self.status.to_string(),
            created_ms: self.timeline.created.map(unix_ms),
            connected_ms: self.timeline.connected.map(unix_ms),
            pull_started_ms: self.timeline.pull_started.map(unix_ms),
            pull_stopped_ms: self.timeline.pull_stopped.map(unix_ms),
            started_ms: self.timeline.started.map(unix_ms),
            stopping_ms: self.timeline.stopping.map(unix_ms),
            stopped_ms: self.timeline.stopped.map(unix_ms),
            zone: self.zone.clone(),
            subnet: self.subnet.clone(),
            address: self.address.map(|address| address.to_string()),
            capacity: self.provider.clone(),
            platform: self.platform.clone(),
            image_digest: own.and_then(|own| own.digest.clone()),
            size: size.map(|(cpu_units, memory_mib)| FargateSize { cpu_units, memory_mib }),
            disk_gib: self.disk_gib,
            architecture: self.architecture.clone(),
            stop_code: self.stop_code.as_ref().map(ToString::to_string),
            stop_reason: self.stopped_reason.clone(),
            container_reason: self.containers.iter().find_map(|one| one.reason.clone()),
            container_exit: own.and_then(|own| own.exit_code),
        }
    }

    /// The container of this name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&ObservedContainer> {
        self.containers.iter().find(|container| container.name == name)
    }
}

/// The text, unless it is empty: an endpoint that has nothing to say may send an empty one.
fn said(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.trim().is_empty())
}

fn containers(task: &Task) -> Vec<ObservedContainer> {
    task.containers()
        .iter()
        .map(|container| ObservedContainer {
            name: container.name().unwrap_or_default().to_owned(),
            image: container.image().map(str::to_owned),
            digest: container.image_digest().map(str::to_owned),
            last_status: container.last_status().map(TaskStatus::of),
            essential: None,
            exit_code: container.exit_code(),
            reason: container.reason().and_then(said).map(str::to_owned),
        })
        .collect()
}

fn own_tags(task: &Task) -> BTreeMap<String, String> {
    let own = |tag: &Tag| {
        let name = tag.key()?.strip_prefix(TAG_PREFIX)?;
        Some((name.to_owned(), tag.value().unwrap_or_default().to_owned()))
    };
    task.tags().iter().filter_map(own).collect()
}

/// The value of this variable among the overrides.
fn variable(task: &Task, name: &str) -> Option<String> {
    let containers = task.overrides()?.container_overrides();
    let mut variables = containers.iter().flat_map(|container| container.environment());
    let variable = variables.find(|variable| variable.name() == Some(name))?;
    variable.value().map(str::to_owned)
}

/// The value of this attribute of the task.
fn attribute(task: &Task, name: &str) -> Option<String> {
    task.attributes().iter().find(|attribute| attribute.name() == name)?.value().map(str::to_owned)
}

fn time(time: Option<&DateTime>) -> Option<SystemTime> {
    SystemTime::try_from(*time?).ok()
}

/// A task as ECS would describe it, for tests.
#[cfg(test)]
pub fn example(status: TaskStatus) -> ObservedTask {
    ObservedTask {
        task: TaskArn("arn:aws:ecs:eu-west-1:123456789012:task/ci/5a7c1e90d1f24f0f".to_owned()),
        status,
        stopping: false,
        address: Some(IpAddr::from([10, 0, 12, 44])),
        interface: Some("eni-0b3".to_owned()),
        subnet: Some("subnet-0b2".to_owned()),
        zone: Some("eu-west-1b".to_owned()),
        cpu_units: Some(1024),
        memory_mib: Some(2048),
        disk_gib: None,
        architecture: None,
        platform: None,
        provider: None,
        stop_code: None,
        stopped_reason: None,
        containers: vec![ObservedContainer {
            name: "job".to_owned(),
            image: Some("acme/ci:stable".to_owned()),
            ..ObservedContainer::default()
        }],
        started_by: None,
        job: None,
        folder: None,
        lifetime: None,
        definition: None,
        tags: BTreeMap::new(),
        timeline: TaskStartTimeline::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::{Attachment, Container, NetworkInterface};

    fn task() -> aws_sdk_ecs::types::builders::TaskBuilder {
        Task::builder().task_arn("arn:aws:ecs:eu-west-1:1:task/ci/abc").last_status("PENDING")
    }

    #[test]
    fn the_address_comes_from_the_attachment_as_soon_as_it_is_there() {
        let detail =
            |name: &str, value: &str| KeyValuePair::builder().name(name).value(value).build();
        let attachment = Attachment::builder()
            .r#type("ElasticNetworkInterface")
            .status("ATTACHED")
            .details(detail("subnetId", "subnet-1"))
            .details(detail("privateIPv4Address", "10.0.0.7"))
            .build();
        let seen = ObservedTask::of(&task().attachments(attachment).build()).unwrap();
        assert_eq!(seen.address, Some("10.0.0.7".parse().unwrap()));
        assert_eq!(seen.subnet.as_deref(), Some("subnet-1"));
    }

    #[test]
    fn the_address_is_read_from_the_containers_where_only_they_have_it() {
        let interface = NetworkInterface::builder().private_ipv4_address("10.0.0.8").build();
        let container = Container::builder().network_interfaces(interface).build();
        let seen = ObservedTask::of(&task().containers(container).build()).unwrap();
        assert_eq!(seen.address, Some("10.0.0.8".parse().unwrap()));
    }

    #[test]
    fn a_task_lives_as_long_as_it_is_given_and_not_only_as_long_as_it_is_told_at_its_start() {
        use aws_sdk_ecs::types::{ContainerOverride, TaskOverride};
        let lifetime = |variables: &[(&str, &str)]| {
            let pair = |(name, value): &(&str, &str)| {
                KeyValuePair::builder().name(*name).value(*value).build()
            };
            let container = ContainerOverride::builder()
                .set_environment(Some(variables.iter().map(pair).collect()))
                .build();
            let overrides = TaskOverride::builder().container_overrides(container).build();
            ObservedTask::of(&task().overrides(overrides).build()).unwrap().lifetime
        };
        let first = (LIFETIME_VARIABLE, "604800");
        assert_eq!(lifetime(&[first]), Some(Duration::from_secs(604_800)));
        let given = Some(Duration::from_secs(2_000_000));
        assert_eq!(lifetime(&[first, (LEASE_VARIABLE, "2000000")]), given);
        assert_eq!(lifetime(&[]), None);
    }

    #[test]
    fn a_task_without_ipv4_has_its_ipv6_address() {
        let detail =
            |name: &str, value: &str| KeyValuePair::builder().name(name).value(value).build();
        let attachment = |name: &str| {
            Attachment::builder()
                .r#type("ElasticNetworkInterface")
                .status("ATTACHED")
                .details(detail("networkInterfaceId", "eni-1"))
                .details(detail(name, "2001:db8::7"))
        };
        let six: IpAddr = "2001:db8::7".parse().unwrap();
        for name in ["privateIPv6Address", "privateIpv6Address", "ipv6Address"] {
            let task = task().attachments(attachment(name).build()).build();
            let seen = ObservedTask::of(&task).unwrap();
            assert_eq!((seen.address, seen.interface.as_deref()), (Some(six), Some("eni-1")));
        }
        let both = attachment("ipv6Address").details(detail("privateIPv4Address", "10.0.0.7"));
        let seen = ObservedTask::of(&task().attachments(both.build()).build()).unwrap();
        assert_eq!(seen.address, Some("10.0.0.7".parse().unwrap()));
        let interface = NetworkInterface::builder().ipv6_address("2001:db8::7").build();
        let container = Container::builder().network_interfaces(interface).build();
        let seen = ObservedTask::of(&task().containers(container).build()).unwrap();
        assert_eq!(seen.address, Some(six));
    }

    #[test]
    fn empty_words_of_an_end_are_no_words() {
        let container = Container::builder().name("job").reason("").build();
        let task = task().stop_code("".into()).stopped_reason(" ").containers(container).build();
        let seen = ObservedTask::of(&task).unwrap();
        assert_eq!((seen.stop_code, seen.stopped_reason), (None, None));
        assert_eq!(seen.containers[0].reason, None);
    }

    #[test]
    fn odd_answers_are_read_without_a_panic() {
        assert_eq!(ObservedTask::of(&Task::builder().build()), None);
        let odd = task().last_status("DANCING").cpu("many").build();
        let seen = ObservedTask::of(&odd).unwrap();
        assert_eq!(seen.status, TaskStatus::Other("DANCING".into()));
        assert_eq!((seen.cpu_units, seen.address), (None, None));
    }
}
