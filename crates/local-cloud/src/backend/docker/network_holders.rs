//! The containers that hold the networks of tasks: each has a network namespace, and its program does
//! nothing but wait. A task takes the spare one of its network if there is one, else it gets its own.
//!
//! It decides neither when a spare is made (`spare_holders`) nor when a holder is removed (`mod`).

use std::collections::HashMap;
use std::net::IpAddr;

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig, NetworkingConfig,
};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};

use super::container_body::{holder_name, no_log};
use super::engine_error::EngineError;
use super::labels::Labels;
use super::{DockerBackend, DockerCloud, pause_image};
use crate::backend::container::{ContainerStartError, InterfaceRequest};

/// A container that holds a network namespace and runs.
#[derive(Debug)]
pub struct NetworkHolder {
    /// The engine's id.
    pub id: String,
    pub address: IpAddr,
}

impl DockerBackend {
    /// Gives a task a container that holds its network; returns the address.
    pub async fn attach_interface(
        &self,
        request: &InterfaceRequest,
    ) -> Result<IpAddr, ContainerStartError> {
        let _starting = self.shared.spares.begin_start();
        let attached = self.hold_network(request).await;
        attached.map_err(|error| match error {
            EngineError::Refused { message, .. }
                if message.contains("no available IPv4 addresses") =>
            {
                ContainerStartError::SubnetFull { subnet: request.subnet.clone() }
            }
            error => ContainerStartError::Engine { problem: error.to_string() },
        })
    }

    async fn hold_network(&self, request: &InterfaceRequest) -> Result<IpAddr, EngineError> {
        let cloud = &self.shared;
        let (engine, labels) = (&cloud.engine, &cloud.labels);
        let network =
            cloud.networks.ensure(engine, labels, &request.region, &request.subnet).await?;
        let holder = match cloud.take_spare(&network).await? {
            Some(holder) => holder,
            None => {
                let labels = labels.of_task(&request.task, &request.task_arn);
                cloud.make_holder(&network, &holder_name(&request.task), labels).await?
            }
        };
        cloud.spares.want(&network);
        self.containers.holders().insert(request.task.clone(), holder.id);
        Ok(holder.address)
    }
}

impl DockerCloud {
    /// The spare holder of a network, if there is one and it still runs.
    async fn take_spare(&self, network: &str) -> Result<Option<NetworkHolder>, EngineError> {
        let Some(spare) = self.spares.take(network) else { return Ok(None) };
        let inspect = self.engine.client().inspect_container(&spare.id, None);
        let found = self.engine.ask("looking at a container", inspect).await;
        let address = match &found {
            Ok(found) if is_running(found) => address_in(found, network),
            _ => None,
        };
        let Some(address) = address else {
            self.discard(spare.id).await;
            return match found {
                Err(error) if !error.is_answer() => Err(error),
                _ => Ok(None),
            };
        };
        Ok(Some(NetworkHolder { address, ..spare }))
    }

    /// Makes and starts a holder. One that does not start is removed.
    pub(super) async fn make_holder(
        &self,
        network: &str,
        name: &str,
        labels: Labels,
    ) -> Result<NetworkHolder, EngineError> {
        let image = self.pause_image.known(&self.engine).await?;
        let body = holder_body(network, image, labels.clone());
        let id = match self.create(name, body).await {
            Err(error) if error.is_missing_image() => {
                let image = self.pause_image.make_again(&self.engine).await?;
                self.create(name, holder_body(network, image, labels)).await?
            }
            created => created?,
        };
        match self.start_holder(&id, network).await {
            Ok(address) => Ok(NetworkHolder { id, address }),
            Err(error) => {
                self.discard(id).await;
                Err(error)
            }
        }
    }

    async fn start_holder(&self, id: &str, network: &str) -> Result<IpAddr, EngineError> {
        let client = self.engine.client();
        let start = client.start_container(id, None::<StartContainerOptions>);
        self.engine.ask("starting a container", start).await?;
        let what = "looking at a container";
        let found = self.engine.ask(what, client.inspect_container(id, None)).await?;
        let text = "it has no address".to_owned();
        address_in(&found, network).ok_or(EngineError::NoAnswer { what, text })
    }

    /// Makes a container; gives the engine's id of it.
    pub(super) async fn create(
        &self,
        name: &str,
        body: ContainerCreateBody,
    ) -> Result<String, EngineError> {
        let options = CreateContainerOptionsBuilder::default().name(name).build();
        let create = self.engine.client().create_container(Some(options), body);
        Ok(self.engine.ask("making a container", create).await?.id)
    }
}

fn holder_body(network: &str, image: String, labels: Labels) -> ContainerCreateBody {
    let endpoints = HashMap::from([(network.to_owned(), EndpointSettings::default())]);
    ContainerCreateBody {
        image: Some(image),
        entrypoint: Some(vec![pause_image::PROGRAM.to_owned()]),
        labels: Some(labels),
        networking_config: Some(NetworkingConfig { endpoints_config: Some(endpoints) }),
        host_config: Some(HostConfig {
            network_mode: Some(network.to_owned()),
            log_config: Some(no_log()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

fn is_running(found: &ContainerInspectResponse) -> bool {
    found.state.as_ref().and_then(|state| state.running) == Some(true)
}

/// The address that a container has in a network.
fn address_in(found: &ContainerInspectResponse, network: &str) -> Option<IpAddr> {
    let networks = found.network_settings.as_ref()?.networks.as_ref()?;
    networks.get(network)?.ip_address.as_ref()?.parse().ok()
}
