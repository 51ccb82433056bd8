//! One build, by whichever builder the engine prefers and the Dockerfile needs.

use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::RemoveContainerOptions;
use tokio::time::{Instant, sleep, timeout_at};

use super::build_failure::{failure, no_result};
use super::build_log::BuildLog;
use super::build_request::{BuildRequest, BuiltImage};
use super::image_engine::ImageEngine;
use super::{buildkit_build, classic_build};
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;

/// How long the container of a stopped build may take to go, and the pause between two looks.
const REMOVAL_TIME: Duration = Duration::from_secs(20);
const REMOVAL_PAUSE: Duration = Duration::from_millis(100);

impl ImageEngine {
    /// Builds an image. When the run is asked to stop, it stops the build and removes its container.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::BuildFailed`] with the step, its exit code and its last lines; others, if the context
    /// cannot be read, the disk is full, or a registry refused the base.
    pub async fn build(
        &self,
        request: &BuildRequest,
        run: &ImageRun,
    ) -> Result<BuiltImage, ImageFailure> {
        let mut log =
            BuildLog::new(run.events.clone(), run.masker.clone(), request.redaction.clone());
        let facts = self.facts();
        let is_foreign = request.architecture != facts.architecture;
        let platform = is_foreign.then(|| format!("linux/{}", request.architecture));
        let by_buildkit =
            facts.prefers_buildkit || request.needs_buildkit || !request.secrets.is_empty();
        let build = async {
            match by_buildkit {
                true => {
                    let secrets = Arc::clone(&request.secrets);
                    buildkit_build::build(&facts.address, platform, request, secrets, &mut log)
                        .await
                }
                false => classic_build::build(self.client(), platform, request, &mut log).await,
            }
        };
        // The engine stops a build whose caller is gone: dropping the request is the order to stop.
        let ended = tokio::select! {
            biased;
            () = run.cancelled() => None,
            ended = build => Some(ended),
        };
        let Some((built, unread)) = ended else {
            return Err(self.interrupted(log.step_container.as_deref()).await);
        };
        // What went wrong on our side explains what the engine says about it.
        if let Some(error) = unread {
            return Err(error.into());
        }
        let (steps, cached) = log.counts();
        match built {
            Ok(Some(id)) => Ok(BuiltImage { id, tag: request.tag.clone(), steps, cached }),
            Ok(None) => Err(no_result(&log)),
            Err(error) => Err(failure(&log, &error)),
        }
    }
}

impl ImageEngine {
    /// Removes the container of a build that was stopped, which the engine may be about to do as well.
    async fn interrupted(&self, container: Option<&str>) -> ImageFailure {
        let during = ImageStep::Build.label();
        let Some(id) = container else {
            let left = "the engine stopped the build".to_owned();
            return ImageFailure::Interrupted { during, left };
        };
        let options = RemoveContainerOptions { force: true, ..RemoveContainerOptions::default() };
        let deadline = Instant::now() + REMOVAL_TIME;
        let left = loop {
            let removed = self.client().remove_container(id, Some(options.clone()));
            match timeout_at(deadline, removed).await {
                Ok(Err(Error::DockerResponseServerError { status_code: 404, .. })) => {
                    break "its container is removed".to_owned();
                }
                // Removed now, or being removed by the engine itself: the next look tells.
                Ok(_) if Instant::now() < deadline => sleep(REMOVAL_PAUSE).await,
                _ => break format!("its container {id} could not be removed"),
            }
        };
        ImageFailure::Interrupted { during, left }
    }
}

#[cfg(test)]
#[path = "image_builds_tests.rs"]
mod tests;
