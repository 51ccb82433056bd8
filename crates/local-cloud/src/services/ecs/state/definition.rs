//! A registered task definition and how it is shown.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::tags::ResourceTags;
use crate::clock::epoch_seconds;
use crate::services::ecs::shape::definition::{
    ContainerDefinition, RegisterTaskDefinition, Volume,
};
use crate::wire::member::{ShapeMember, without_nulls};

/// The status of a task definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefinitionStatus {
    Active,
    Inactive,
    DeleteInProgress,
}

impl DefinitionStatus {
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
        }
    }
}

/// One revision.
#[derive(Clone, Debug)]
pub struct TaskDefinition {
    pub arn: String,
    pub family: String,
    pub revision: i32,
    pub status: DefinitionStatus,
    pub tags: ResourceTags,
    /// What was registered, checked, with defaults filled in.
    pub shape: RegisterTaskDefinition,
    pub registered_at: SystemTime,
    pub registered_by: String,
    pub deregistered_at: Option<SystemTime>,
    pub delete_requested_at: Option<SystemTime>,
}

impl TaskDefinition {
    pub fn containers(&self) -> &[ContainerDefinition] {
        self.shape.container_definitions.as_deref().unwrap_or_default()
    }

    pub fn volumes(&self) -> &[Volume] {
        self.shape.volumes.as_deref().unwrap_or_default()
    }

    pub fn is_awsvpc(&self) -> bool {
        self.shape.network_mode.as_deref() == Some("awsvpc")
    }

    /// What it can run on. Fargate needs the network mode `awsvpc` and a size.
    pub fn compatibilities(&self) -> Vec<&'static str> {
        let sized = self.shape.cpu.is_some() && self.shape.memory.is_some();
        if self.is_awsvpc() && sized { vec!["EC2", "FARGATE"] } else { vec!["EC2"] }
    }

    pub fn mounts_file_systems(&self) -> bool {
        self.volumes().iter().any(|volume| volume.efs_volume_configuration.is_some())
    }

    /// How the API shows it. Tags are not part of it; answers have them beside it.
    pub fn view(&self) -> Value {
        let mut view = RegisterTaskDefinition { tags: None, ..self.shape.clone() }.write();
        let seconds = |time: Option<SystemTime>| time.map(epoch_seconds);
        let own = without_nulls(json!({
            "taskDefinitionArn": self.arn,
            "revision": self.revision,
            "status": self.status.word(),
            "requiresAttributes": self.requires_attributes(),
            "compatibilities": self.compatibilities(),
            "registeredAt": epoch_seconds(self.registered_at),
            "registeredBy": self.registered_by,
            "deregisteredAt": seconds(self.deregistered_at),
            "deleteRequestedAt": seconds(self.delete_requested_at),
        }));
        if let (Some(view), Value::Object(own)) = (view.as_object_mut(), own) {
            view.extend(own);
        }
        view
    }

    /// What a container instance would have to offer. Fargate offers all of it.
    fn requires_attributes(&self) -> Value {
        let prefix = "com.amazonaws.ecs.capability";
        let mut names = vec![format!("{prefix}.docker-remote-api.1.18")];
        if self.is_awsvpc() {
            names.push("ecs.capability.task-eni".to_owned());
        }
        if self.shape.task_role_arn.is_some() {
            names.push(format!("{prefix}.task-iam-role"));
        }
        if self.mounts_file_systems() {
            names.push("ecs.capability.efs".to_owned());
        }
        for container in self.containers() {
            let driver =
                container.log_configuration.as_ref().and_then(|log| log.log_driver.as_ref());
            names.extend(driver.map(|driver| format!("{prefix}.logging-driver.{driver}")));
            if container.image.as_deref().is_some_and(|image| image.contains(".dkr.ecr.")) {
                names.push(format!("{prefix}.ecr-auth"));
            }
        }
        names.sort();
        names.dedup();
        names.iter().map(|name| json!({ "name": name })).collect()
    }
}
