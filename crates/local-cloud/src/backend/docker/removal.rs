//! Removes containers, volumes and networks by their labels: those of one task, of one cloud, and of
//! clouds that were killed.

use std::collections::{BTreeSet, HashMap};

use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListVolumesOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveVolumeOptions,
};

use super::engine::DockerEngine;
use super::engine_error::EngineError;
use super::labels::{CLOUD, CloudLabels, TASK};

/// Removes the containers and volumes of one task of this cloud.
pub async fn remove_task(
    engine: &DockerEngine,
    labels: &CloudLabels,
    task: &str,
) -> Result<(), EngineError> {
    let wanted = [format!("{CLOUD}={}", labels.cloud), format!("{TASK}={task}")];
    remove_containers(engine, &wanted).await?;
    remove_volumes(engine, &wanted).await
}

/// Removes everything of one cloud.
pub async fn remove_cloud(engine: &DockerEngine, cloud: &str) -> Result<(), EngineError> {
    let wanted = [format!("{CLOUD}={cloud}")];
    remove_containers(engine, &wanted).await?;
    remove_volumes(engine, &wanted).await?;
    remove_networks(engine, &wanted).await
}

/// The clouds that were killed and left something on the engine.
pub async fn ended_clouds(
    engine: &DockerEngine,
    labels: &CloudLabels,
) -> Result<BTreeSet<String>, EngineError> {
    let wanted = filters(&[CLOUD.to_owned()]);
    let client = engine.client();
    let options = ListContainersOptionsBuilder::default().all(true).filters(&wanted).build();
    let what = "listing containers";
    let containers = engine.ask(what, client.list_containers(Some(options))).await?;
    let options = ListNetworksOptionsBuilder::default().filters(&wanted).build();
    let what = "listing networks";
    let networks = engine.ask(what, client.list_networks(Some(options))).await?;
    let options = ListVolumesOptionsBuilder::default().filters(&wanted).build();
    let what = "listing volumes";
    let volumes = engine.ask(what, client.list_volumes(Some(options))).await?;
    let of_containers = containers.into_iter().filter_map(|one| one.labels);
    let of_networks = networks.into_iter().filter_map(|one| one.labels);
    let of_volumes = volumes.volumes.into_iter().flatten().map(|one| one.labels);
    let all = of_containers.chain(of_networks).chain(of_volumes);
    let ended = all.filter(|found| labels.is_left_over(found));
    Ok(ended.filter_map(|mut found| found.remove(CLOUD)).collect())
}

async fn remove_containers(engine: &DockerEngine, wanted: &[String]) -> Result<(), EngineError> {
    let client = engine.client();
    let options =
        ListContainersOptionsBuilder::default().all(true).filters(&filters(wanted)).build();
    let what = "listing containers";
    for container in engine.ask(what, client.list_containers(Some(options))).await? {
        remove_container(engine, &container.id.unwrap_or_default()).await?;
    }
    Ok(())
}

/// Removes one container, by the engine's id of it.
pub async fn remove_container(engine: &DockerEngine, id: &str) -> Result<(), EngineError> {
    // Together with the volumes that have no name, which images ask for.
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    let remove = engine.client().remove_container(id, Some(options));
    gone(engine.ask("removing a container", remove).await)
}

async fn remove_volumes(engine: &DockerEngine, wanted: &[String]) -> Result<(), EngineError> {
    let client = engine.client();
    let options = ListVolumesOptionsBuilder::default().filters(&filters(wanted)).build();
    let what = "listing volumes";
    let found = engine.ask(what, client.list_volumes(Some(options))).await?;
    for volume in found.volumes.into_iter().flatten() {
        let request = client.remove_volume(&volume.name, None::<RemoveVolumeOptions>);
        gone(engine.ask("removing a volume", request).await)?;
    }
    Ok(())
}

async fn remove_networks(engine: &DockerEngine, wanted: &[String]) -> Result<(), EngineError> {
    let client = engine.client();
    let options = ListNetworksOptionsBuilder::default().filters(&filters(wanted)).build();
    let what = "listing networks";
    for network in engine.ask(what, client.list_networks(Some(options))).await? {
        let id = network.id.unwrap_or_default();
        gone(engine.ask("removing a network", client.remove_network(&id)).await)?;
    }
    Ok(())
}

/// What is gone already, or is just being removed, needs no removal.
fn gone(removed: Result<(), EngineError>) -> Result<(), EngineError> {
    match removed {
        Err(EngineError::Refused { status: 404 | 409, .. }) => Ok(()),
        other => other,
    }
}

fn filters(labels: &[String]) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), labels.to_vec())])
}
