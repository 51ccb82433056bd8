//! Work that blocks, beside the event loop.

use crate::failure::ImageFailure;

/// Does work that blocks on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ImageFailure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ImageFailure::Unusable {
        what: format!("waiting for a thread of this process: {error}"),
        hint: "this is a bug of Fargate Runner; report it".to_owned(),
    })
}
