//! Stores a task definition as the next revision of its family, with the defaults that ECS fills in.

use std::sync::Arc;
use std::time::SystemTime;

use super::definition::{DefinitionStatus, TaskDefinition};
use super::region::CloudRegion;
use super::tags::ResourceTags;
use crate::services::ecs::shape::definition::{ContainerDefinition, RegisterTaskDefinition};

impl RegisterTaskDefinition {
    /// Fills in the members that ECS shows even when they were not given.
    fn fill_in(&mut self) {
        self.network_mode.get_or_insert_with(|| "bridge".to_owned());
        self.volumes.get_or_insert_default();
        self.placement_constraints.get_or_insert_default();
        for container in self.container_definitions.iter_mut().flatten() {
            container.fill_in();
        }
    }
}

impl ContainerDefinition {
    fn fill_in(&mut self) {
        self.cpu.get_or_insert(0);
        self.essential.get_or_insert(true);
        self.environment.get_or_insert_default();
        self.mount_points.get_or_insert_default();
        self.volumes_from.get_or_insert_default();
        self.system_controls.get_or_insert_default();
        for port in self.port_mappings.get_or_insert_default() {
            port.protocol.get_or_insert_with(|| "tcp".to_owned());
            if port.host_port.is_none() {
                port.host_port = port.container_port;
            }
        }
    }
}

impl CloudRegion {
    /// Stores a checked definition as the next revision of its family.
    pub fn register(
        &mut self,
        mut shape: RegisterTaskDefinition,
        tags: ResourceTags,
        now: SystemTime,
    ) -> Arc<TaskDefinition> {
        shape.fill_in();
        let family = shape.family.clone().unwrap_or_default();
        let revisions = self.families.entry(family.clone()).or_default();
        let revision = i32::try_from(revisions.len() + 1).unwrap_or(i32::MAX);
        let definition = Arc::new(TaskDefinition {
            arn: self.names.definition(&family, revision),
            family,
            revision,
            status: DefinitionStatus::Active,
            tags,
            shape,
            registered_at: now,
            registered_by: self.names.registrant(),
            deregistered_at: None,
            delete_requested_at: None,
        });
        revisions.push(Arc::clone(&definition));
        definition
    }
}
