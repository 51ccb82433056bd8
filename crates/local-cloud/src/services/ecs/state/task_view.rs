//! How the API shows a task, and how a test sees it.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::container::CloudContainer;
use super::task::CloudTask;
use crate::backend::container::ContainerHealth;
use crate::clock::epoch_seconds;
use crate::record::{ContainerRecord, TaskRecord};
use crate::services::ecs::shape::common::ContainerOverride;
use crate::wire::member::{ShapeMember, without_nulls};

/// The disk of a task that gives no size, in GiB.
///
/// Source: Amazon ECS Developer Guide, "Fargate task ephemeral storage".
const DEFAULT_DISK_GIB: i32 = 20;

impl CloudTask {
    /// How the API shows it. Tags are shown only if the request includes them.
    pub fn view(&self, with_tags: bool) -> Value {
        let times = &self.times;
        let ending = self.ending.as_ref();
        let tags = if with_tags { self.tags.to_vec() } else { Vec::new() };
        let containers: Value = self.containers.iter().map(|c| self.container_view(c)).collect();
        without_nulls(json!({
            "attachments": [self.attachment_view()],
            "attributes": [{"name": "ecs.cpu-architecture", "value": self.architecture()}],
            "availabilityZone": format!("{}{}", self.region, self.place.zone),
            "capacityProviderName": self.capacity_provider,
            "clusterArn": self.cluster_arn,
            "connectivity": times.connected.map(|_| "CONNECTED"),
            "connectivityAt": times.connected.map(epoch_seconds),
            "containers": containers,
            "cpu": self.cpu,
            "createdAt": epoch_seconds(times.created),
            "desiredStatus": self.desired_status(),
            "enableExecuteCommand": self.execute_command,
            "ephemeralStorage": {"sizeInGiB": self.disk_gib()},
            "executionStoppedAt": times.execution_stopped.map(epoch_seconds),
            "fargateEphemeralStorage": {"sizeInGiB": self.disk_gib()},
            "group": self.group,
            "healthStatus": self.health().word(),
            "lastStatus": self.last_status.to_string(),
            "launchType": "FARGATE",
            "memory": self.memory,
            "overrides": self.overrides_view(),
            "platformFamily": "Linux",
            "platformVersion": self.platform_version,
            "pullStartedAt": times.pull_started.map(epoch_seconds),
            "pullStoppedAt": times.pull_stopped.map(epoch_seconds),
            "startedAt": times.started.map(epoch_seconds),
            "startedBy": self.started_by,
            "stopCode": ending.map(|ending| &ending.stop_code),
            "stoppedAt": times.stopped.map(epoch_seconds),
            "stoppedReason": ending.map(|ending| &ending.stopped_reason),
            "stoppingAt": times.stopping.map(epoch_seconds),
            "tags": tags.write(),
            "taskArn": self.arn,
            "taskDefinitionArn": self.definition.arn,
            "version": self.version,
        }))
    }

    /// That of its essential containers: unhealthy if one of them is, healthy if all with a check are.
    ///
    /// Source: Amazon ECS Developer Guide, "Determine task health using container health checks".
    fn health(&self) -> ContainerHealth {
        let definitions = self.definition.containers().iter().zip(&self.containers);
        let essential = definitions.filter(|(definition, _)| {
            definition.essential != Some(false) && definition.health_check.is_some()
        });
        let health: Vec<_> = essential.map(|(_, container)| container.health).collect();
        let any = |wanted| health.contains(&wanted);
        if any(ContainerHealth::Unhealthy) {
            ContainerHealth::Unhealthy
        } else if health.is_empty() || any(ContainerHealth::Unknown) {
            ContainerHealth::Unknown
        } else {
            ContainerHealth::Healthy
        }
    }

    fn architecture(&self) -> String {
        let platform = self.definition.shape.runtime_platform.as_ref();
        let given = platform.and_then(|platform| platform.cpu_architecture.clone());
        given.map_or_else(|| "x86_64".to_owned(), |word| word.to_lowercase())
    }

    fn disk_gib(&self) -> i32 {
        let own = self.overrides.ephemeral_storage.as_ref();
        let storage = own.or(self.definition.shape.ephemeral_storage.as_ref());
        storage.and_then(|storage| storage.size_in_gib).unwrap_or(DEFAULT_DISK_GIB)
    }

    fn attachment_view(&self) -> Value {
        let interface = &self.interface;
        let mut details = vec![json!({"name": "subnetId", "value": self.place.subnet})];
        if let Some(address) = interface.visible_address() {
            let host = address.to_string().replace(['.', ':'], "-");
            let family =
                if address.is_ipv4() { "privateIPv4Address" } else { "privateIPv6Address" };
            let pairs = [
                ("networkInterfaceId", interface.interface_id.clone()),
                ("macAddress", interface.mac_address.clone()),
                ("privateDnsName", format!("ip-{host}.{}.compute.internal", self.region)),
                (family, address.to_string()),
            ];
            details.extend(pairs.map(|(name, value)| json!({"name": name, "value": value})));
        }
        json!({
            "id": interface.attachment_id,
            "type": "ElasticNetworkInterface",
            "status": interface.status.word(),
            "details": details,
        })
    }

    fn container_view(&self, container: &CloudContainer) -> Value {
        let definition =
            self.definition.containers().iter().find(|d| d.name.as_ref() == Some(&container.name));
        let changed = self.container_override(&container.name);
        let number = |own: fn(&ContainerOverride) -> Option<i32>, registered: Option<i32>| {
            changed.and_then(own).or(registered).map(|number| number.to_string())
        };
        let interface = &self.interface;
        let address = interface.visible_address().filter(|_| interface.seen_by_containers);
        let interfaces: Vec<_> = address
            .map(|address| {
                let family = if address.is_ipv4() { "privateIpv4Address" } else { "ipv6Address" };
                json!({
                    "attachmentId": interface.attachment_id,
                    family: address.to_string(),
                })
            })
            .into_iter()
            .collect();
        json!({
            "containerArn": container.arn,
            "taskArn": self.arn,
            "name": container.name,
            "image": definition.and_then(|d| d.image.as_ref()),
            "imageDigest": container.image_digest,
            "runtimeId": container.runtime_id,
            "lastStatus": container.last_status.to_string(),
            "exitCode": container.exit_code,
            "reason": container.reason,
            "networkBindings": [],
            "networkInterfaces": interfaces,
            "healthStatus": container.health.word(),
            "cpu": number(|o| o.cpu, definition.and_then(|d| d.cpu)).unwrap_or_else(|| "0".into()),
            "memory": number(|o| o.memory, definition.and_then(|d| d.memory)),
            "memoryReservation":
                number(|o| o.memory_reservation, definition.and_then(|d| d.memory_reservation)),
        })
    }

    /// The override of one container, if the request had one.
    pub fn container_override(&self, name: &str) -> Option<&ContainerOverride> {
        let all = self.overrides.container_overrides.as_deref().unwrap_or_default();
        all.iter().find(|one| one.name.as_deref() == Some(name))
    }

    fn overrides_view(&self) -> Value {
        let mut view = self.overrides.write();
        for list in ["containerOverrides", "inferenceAcceleratorOverrides"] {
            if view.get(list).is_none() {
                view[list] = json!([]);
            }
        }
        view
    }

    /// A copy for a test.
    pub fn record(&self) -> TaskRecord {
        let overrides = self.overrides.container_overrides.iter().flatten();
        let pairs = overrides.flat_map(|one| one.environment.iter().flatten());
        let environment = pairs.map(|pair| {
            (pair.name.clone().unwrap_or_default(), pair.value.clone().unwrap_or_default())
        });
        let ending = self.ending.as_ref();
        TaskRecord {
            number: self.sequence,
            arn: self.arn.clone(),
            cluster: self.cluster.clone(),
            region: self.region.clone(),
            last_status: self.last_status.to_string(),
            desired_status: self.desired_status().to_owned(),
            started_by: self.started_by.clone(),
            client_token: self.client_token.clone(),
            overrides: self.overrides_view(),
            environment: environment.collect(),
            tags: self.tags.pairs().collect(),
            address: self.interface.visible_address(),
            public_address: self.interface.visible_public_address(),
            public_connections: self.interface.public_connections.load(Ordering::Relaxed),
            execute_command: self.execute_command,
            containers: self.containers.iter().map(CloudContainer::record).collect(),
            stop_code: ending.map(|ending| ending.stop_code.clone()),
            stopped_reason: ending.map(|ending| ending.stopped_reason.clone()),
            created_at: self.times.created,
            started_at: self.times.started,
            stopped_at: self.times.stopped,
        }
    }
}

impl CloudContainer {
    fn record(&self) -> ContainerRecord {
        ContainerRecord {
            name: self.name.clone(),
            last_status: self.last_status.to_string(),
            exit_code: self.exit_code,
            reason: self.reason.clone(),
            pid: self.local.as_ref().and_then(|local| local.pid),
            log: self.local.as_ref().map(|local| local.log.clone()),
        }
    }
}
