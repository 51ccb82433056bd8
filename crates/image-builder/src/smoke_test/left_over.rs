//! What smoke tests of killed processes left on an engine, and its removal. What a living process uses stays.

use std::collections::HashMap;

use bollard::query_parameters::{ListContainersOptions, ListImagesOptions};

use crate::engine::{EngineRemnant, ImageEngine, is_left_over};
use crate::failure::ImageFailure;
use crate::layer::LOADED_REPOSITORY;

/// The label of the test's containers; its value names the process.
pub(super) const LABEL: &str = "fargate-runner.smoke-test";

/// Removes containers and images of smoke tests whose process is gone, or, on another host, that are older
/// than an hour. Gives their number.
///
/// # Errors
///
/// [`ImageFailure::EngineUnusable`].
pub async fn sweep_smoke_tests(engine: &ImageEngine) -> Result<usize, ImageFailure> {
    let mut left = containers(engine).await?;
    // Images come last: a container holds its image.
    left.extend(images(engine).await?);
    let count = left.len();
    for remnant in left {
        remnant.remove().await?;
    }
    Ok(count)
}

async fn containers(engine: &ImageEngine) -> Result<Vec<EngineRemnant>, ImageFailure> {
    let filters = HashMap::from([("label".to_owned(), vec![LABEL.to_owned()])]);
    let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
    let listed = engine.client().list_containers(Some(options));
    let listed = engine.ask("the containers of smoke tests", listed).await?;
    let gone = listed.into_iter().filter_map(|container| {
        let label = container.labels?.remove(LABEL)?;
        is_left_over(&label).then_some(container.id?)
    });
    Ok(gone.map(|id| EngineRemnant::container(engine, &id)).collect())
}

async fn images(engine: &ImageEngine) -> Result<Vec<EngineRemnant>, ImageFailure> {
    let filters = HashMap::from([("reference".to_owned(), vec![LOADED_REPOSITORY.to_owned()])]);
    let options = ListImagesOptions { filters: Some(filters), ..Default::default() };
    let listed = engine.client().list_images(Some(options));
    let listed = engine.ask("the images of smoke tests", listed).await?;
    let tags = listed.into_iter().flat_map(|image| image.repo_tags);
    let gone = tags.filter(|tag| {
        let label = tag.strip_prefix(LOADED_REPOSITORY).and_then(|rest| rest.strip_prefix(':'));
        label.is_some_and(is_left_over)
    });
    Ok(gone.map(|tag| EngineRemnant::image(engine, &tag)).collect())
}
