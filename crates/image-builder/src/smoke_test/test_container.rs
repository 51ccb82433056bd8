//! The container of one test: as a task on Fargate has it, as far as an engine can, with the engine's own set
//! of capabilities and without the image's health check.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, PortBinding,
};
use bollard::query_parameters::{
    CreateContainerOptions, StartContainerOptions, StopContainerOptions, WaitContainerOptions,
};
use fargate_fail_point::FailPoint;
use futures_util::StreamExt;

use super::job_keys::JobKeys;
use super::left_over::LABEL;
use super::phase_problem::PhaseProblem;
use super::test_request::SmokeTestRequest;
use crate::engine::{EngineRemnant, ImageEngine, RemnantOwner};
use crate::failure::ImageFailure;

/// Longest log that the engine keeps of it.
const LOG_SIZE: &str = "4m";
/// Most that the container and its processes may write of the engine's message about its start.
const WORDS: usize = 300;

/// The container. It goes with this value.
pub(super) struct TestContainer {
    engine: ImageEngine,
    remnant: EngineRemnant,
    port: u16,
}

impl TestContainer {
    /// Makes it. It does not run yet.
    pub(super) async fn create(
        request: &SmokeTestRequest<'_>,
        keys: &JobKeys,
    ) -> Result<Self, ImageFailure> {
        let engine = request.engine;
        let label = RemnantOwner::this_process()?.new_label()?;
        let name = format!("{}-{}", LABEL.replace('.', "-"), &label[..8]);
        let port = request.expects.ssh.port;
        let body = ContainerCreateBody {
            image: Some(request.image.to_owned()),
            env: Some(keys.variables.clone()),
            labels: Some(HashMap::from([(LABEL.to_owned(), label)])),
            healthcheck: Some(HealthConfig {
                test: Some(vec!["NONE".to_owned()]),
                ..HealthConfig::default()
            }),
            exposed_ports: Some(vec![format!("{port}/tcp")]),
            host_config: Some(host_config(port, engine.is_local())),
            ..ContainerCreateBody::default()
        };
        let remnant = EngineRemnant::container(engine, &name);
        let options = CreateContainerOptions { name: Some(name), ..Default::default() };
        let made = engine.client().create_container(Some(options), body);
        let made = engine.ask("a container for the smoke test", made).await;
        let container = Self { engine: engine.clone(), remnant, port };
        match made {
            Ok(_) => {
                FailPoint::TestContainerMade.reached();
                Ok(container)
            }
            Err(failure) => {
                let _ = container.remove().await;
                Err(failure)
            }
        }
    }

    /// Its name on the engine.
    pub(super) fn name(&self) -> &str {
        self.remnant.name()
    }

    /// Starts it, and gives the addresses at which it may be reached: its own, and on an engine of this host
    /// that of a port on loopback.
    pub(super) async fn start(&self) -> Result<Vec<SocketAddr>, PhaseProblem> {
        let options = None::<StartContainerOptions>;
        match self.engine.client().start_container(self.name(), options).await {
            Ok(()) => FailPoint::TestContainerStarted.reached(),
            Err(Error::DockerResponseServerError { message, .. }) => {
                let message = fargate_model::text::escape_within(&message, WORDS);
                return Err(PhaseProblem::image(
                    format!("the engine could not start it: {message}"),
                    "correct ENTRYPOINT and CMD of the image",
                ));
            }
            Err(error) => return Err(self.engine.unusable("a container's start", &error).into()),
        }
        let found = self.engine.client().inspect_container(self.name(), None);
        let found = self.engine.ask("a container's address", found).await?;
        let networks = found.network_settings.unwrap_or_default();
        let ports = networks.ports.unwrap_or_default();
        let own = networks.networks.unwrap_or_default().into_values();
        let own = own.filter_map(|network| network.ip_address?.parse::<IpAddr>().ok());
        let mut addresses: Vec<_> = own.map(|ip| SocketAddr::new(ip, self.port)).collect();
        let published = ports.into_values().flatten().flatten();
        let published = published.filter_map(|binding| binding.host_port?.parse().ok());
        addresses.extend(published.map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        match addresses.is_empty() && self.exit_code().await.is_none() {
            true => Err(PhaseProblem::Other(ImageFailure::EngineUnusable {
                what: format!(
                    "smoke test on the Docker Engine at {}: a container has no address there",
                    self.engine.facts().address
                ),
                hint: "start dockerd with its network `bridge`".to_owned(),
            })),
            // One that has ended already has no address. The next phase tells its exit code.
            false => Ok(addresses),
        }
    }

    /// Returns its exit code once it has ended. An engine that cannot tell is asked again by the next phase.
    pub(super) async fn ended(&self) -> i64 {
        let options = WaitContainerOptions { condition: "not-running".to_owned() };
        let mut answers =
            std::pin::pin!(self.engine.client().wait_container(self.name(), Some(options)));
        match answers.next().await {
            Some(Ok(answer)) => answer.status_code,
            Some(Err(Error::DockerContainerWaitError { code, .. })) => code,
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    /// The exit code of a container that has ended; `None` if it runs or nobody knows.
    pub(super) async fn exit_code(&self) -> Option<i64> {
        let found = self.engine.client().inspect_container(self.name(), None);
        let state = self.engine.ask("a container's state", found).await.ok()?.state?;
        let is_over = state.running == Some(false) && state.finished_at.is_some();
        state.exit_code.filter(|_| is_over)
    }

    /// Sends the signal that ECS sends, and KILL after the time-out. Gives the time until the end.
    pub(super) async fn stop(&self, stop_timeout: Duration) -> Result<Duration, PhaseProblem> {
        let begun = Instant::now();
        let seconds = i32::try_from(stop_timeout.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptions { t: Some(seconds), ..StopContainerOptions::default() };
        let stopped = self.engine.client().stop_container(self.name(), Some(options)).await;
        stopped.map_err(|error| self.engine.unusable("a container's stop", &error))?;
        Ok(begun.elapsed())
    }

    /// Removes it.
    pub(super) async fn remove(self) -> Result<(), ImageFailure> {
        self.remnant.remove().await
    }
}

fn host_config(port: u16, is_local: bool) -> HostConfig {
    let loopback = PortBinding { host_ip: Some(Ipv4Addr::LOCALHOST.to_string()), host_port: None };
    let bindings = HashMap::from([(format!("{port}/tcp"), Some(vec![loopback]))]);
    HostConfig {
        // A port on another host would be open to whoever reaches that host.
        port_bindings: is_local.then_some(bindings),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([("max-size".to_owned(), LOG_SIZE.to_owned())])),
        }),
        ..HostConfig::default()
    }
}
