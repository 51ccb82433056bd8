//! Whether the replicas of an image could take it now: asked before anything is promoted. It changes nothing.
//!
//! A version is published to the first repository alone, so a replica that cannot be reached stops nothing here;
//! `image reconcile` would fail at it.

use fargate_config::{JobProfile, ManagedImage};

use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::push::PushTarget;

/// Warns of each replica that could not take the image, or whose tags cannot be moved.
///
/// # Errors
///
/// [`ImageFailure::Interrupted`].
pub(crate) async fn check_replicas(
    image: &ManagedImage,
    profile: &JobProfile,
    run: &ImageRun,
) -> Result<(), ImageFailure> {
    if image.replicas.is_empty() {
        return Ok(());
    }
    run.step(ImageStep::Preflight, async {
        let warn = |text: String| run.events.warn(ImageStep::Preflight, text);
        let mut ready = 0;
        for replica in &image.replicas {
            match tag_warning(image, replica, profile, run).await {
                Ok(warning) => {
                    ready += 1;
                    warning.into_iter().for_each(warn);
                }
                Err(failure) => warn(format!(
                    "`image reconcile` cannot copy to the replica {replica}: {}",
                    failure.in_one_line()
                )),
            }
        }
        Ok(((), format!("may push to {ready} of {} replicas", image.replicas.len())))
    })
    .await
}

async fn tag_warning(
    image: &ManagedImage,
    replica: &str,
    profile: &JobProfile,
    run: &ImageRun,
) -> Result<Option<String>, ImageFailure> {
    let target = PushTarget::open_repository(image, replica, profile, &run.masker).await?;
    target.preflight().await?;
    Ok(target.tag_warning(true).await)
}
