//! The network interface that a task asks of the backend.

use crate::backend::container::{ContainerStartError, InterfaceRequest};
use crate::services::ecs::state::task::CloudTask;

/// The network interface of a task, or that its subnet is full.
pub(super) fn interface_request(task: &CloudTask) -> Result<InterfaceRequest, ContainerStartError> {
    let subnet = task.place.subnet.clone();
    let Some(seat) = task.interface.seat else {
        return Err(ContainerStartError::SubnetFull { subnet });
    };
    Ok(InterfaceRequest {
        task: task.id.clone(),
        task_arn: task.arn.clone(),
        region: task.region.clone(),
        subnet,
        seat,
    })
}
