//! Why a search ends early, and the thread on which it blocks.

use std::io;

use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;

/// Does work that blocks on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageFailure> + Send + 'static,
) -> Result<T, ImageFailure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(interrupted()),
        },
    }
}

fn interrupted() -> ImageFailure {
    ImageFailure::Interrupted {
        during: ImageStep::Scan.label(),
        left: "nothing is left of it".to_owned(),
    }
}

/// Fails if the run was asked to stop.
pub(super) fn require_not_cancelled(run: &ImageRun) -> Result<(), ImageFailure> {
    if run.is_cancelled() { Err(interrupted()) } else { Ok(()) }
}

/// Something could not be read, unless that is because the run was asked to stop.
pub(super) fn unreadable(run: &ImageRun, place: &str, error: &io::Error) -> ImageFailure {
    if run.is_cancelled() {
        return interrupted();
    }
    ImageFailure::Unusable {
        what: format!("searching {place} for secrets: {error}"),
        hint: "what cannot be read is not passed on; look at the file, or make it again".to_owned(),
    }
}

/// There is nothing that could be searched.
pub(super) fn no_image(place: &str) -> ImageFailure {
    ImageFailure::Unusable {
        what: format!("searching {place} for secrets: it has neither index.json nor manifest.json"),
        hint: "name an image of the engine, a tar of `docker save`, or a folder in the OCI image layout"
            .to_owned(),
    }
}
