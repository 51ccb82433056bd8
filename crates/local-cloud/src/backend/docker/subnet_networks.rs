//! The networks of a cloud on its engine: a bridge for each subnet, made when its first task comes. The
//! engine chooses the addresses, so that no two clouds and nothing else of this machine collide.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bollard::models::NetworkCreateRequest;
use tokio::sync::Mutex;

use super::engine::DockerEngine;
use super::engine_error::EngineError;
use super::labels::CloudLabels;

/// The networks by Region and subnet, as names that the engine knows.
#[derive(Debug, Default)]
pub struct SubnetNetworks {
    made: Mutex<BTreeMap<(String, String), String>>,
    /// The gateways that were asked for, by the network's name. A network keeps its gateway.
    gateways: Mutex<BTreeMap<String, IpAddr>>,
}

impl SubnetNetworks {
    /// Sees to it that the network of a subnet is there; gives its name.
    pub async fn ensure(
        &self,
        engine: &DockerEngine,
        labels: &CloudLabels,
        region: &str,
        subnet: &str,
    ) -> Result<String, EngineError> {
        // Held while the engine makes the network, so that two tasks do not make it twice.
        let mut made = self.made.lock().await;
        let key = (region.to_owned(), subnet.to_owned());
        if let Some(name) = made.get(&key) {
            return Ok(name.clone());
        }
        let name = format!("fargate-local-{}-{region}-{subnet}", labels.cloud);
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("bridge".to_owned()),
            labels: Some(labels.of_cloud()),
            ..NetworkCreateRequest::default()
        };
        engine.ask("making a network", engine.client().create_network(request)).await?;
        made.insert(key, name.clone());
        Ok(name)
    }

    /// The address by which containers of a network reach this machine.
    pub async fn gateway(
        &self,
        engine: &DockerEngine,
        network: &str,
    ) -> Result<IpAddr, EngineError> {
        if let Some(known) = self.gateways.lock().await.get(network) {
            return Ok(*known);
        }
        let what = "looking at a network";
        let inspect = engine.client().inspect_network(network, None);
        let found = engine.ask(what, inspect).await?;
        let ranges = found.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let gateway = ranges.into_iter().find_map(|range| range.gateway?.parse().ok());
        let text = "it names no gateway".to_owned();
        let gateway = gateway.ok_or(EngineError::NoAnswer { what, text })?;
        self.gateways.lock().await.insert(network.to_owned(), gateway);
        Ok(gateway)
    }

    /// Forgets the networks, because the engine lost one or all are removed.
    pub async fn forget(&self) {
        self.made.lock().await.clear();
        self.gateways.lock().await.clear();
    }
}
