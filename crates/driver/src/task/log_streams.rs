//! Where the containers of a task write: the log groups and streams of CloudWatch Logs that its definition
//! names.
//!
//! It reads no log.

use aws_sdk_ecs::types::{ContainerDefinition, LogDriver};
use fargate_aws::{CallError, LogStream};

use super::client::EcsClient;

/// A container of a task, and where it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerLogPlace {
    /// The name of the container.
    pub container: String,
    /// Its stream. `None` if it does not write to CloudWatch Logs by the driver `awslogs`.
    pub stream: Option<LogStream>,
}

impl EcsClient {
    /// The log stream of a container of this task, if it uses the log driver `awslogs`. `None` if
    /// its definition says otherwise.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the definition cannot be read.
    pub async fn log_stream(
        &self,
        definition: &str,
        container: &str,
        task_id: &str,
    ) -> Result<Option<LogStream>, CallError> {
        let places = self.log_places(definition, task_id).await?;
        let own = places.into_iter().find(|place| place.container == container);
        Ok(own.and_then(|place| place.stream))
    }

    /// Where each container of this task writes, in the order of the definition.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the definition cannot be read.
    pub async fn log_places(
        &self,
        definition: &str,
        task_id: &str,
    ) -> Result<Vec<ContainerLogPlace>, CallError> {
        let call = self.client().describe_task_definition().task_definition(definition);
        let answer = self.account().call(|| self.account().sent(call.clone().send())).await?;
        let containers = answer.task_definition().map_or(&[][..], |d| d.container_definitions());
        Ok(containers.iter().map(|container| place(container, task_id)).collect())
    }
}

/// Source: Amazon ECS Developer Guide, "Send Amazon ECS logs to CloudWatch": the stream's name consists
/// of prefix, container and task.
fn place(container: &ContainerDefinition, task_id: &str) -> ContainerLogPlace {
    let name = container.name().unwrap_or_default().to_owned();
    let log = container.log_configuration().filter(|log| *log.log_driver() == LogDriver::Awslogs);
    let option = |name: &str| log?.options()?.get(name).cloned();
    let named = option("awslogs-group").zip(option("awslogs-stream-prefix"));
    let stream = named.map(|(group, prefix)| LogStream {
        region: option("awslogs-region"),
        group,
        stream: format!("{prefix}/{name}/{task_id}"),
    });
    ContainerLogPlace { container: name, stream }
}
