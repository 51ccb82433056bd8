//! Uploads that were begun and not finished, so that a push that fails or is stopped can end them.
//!
//! What a killed process leaves is not known here: the registry removes it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fargate_registry::{RepositorySession, UploadPlace};
use tokio::time::timeout;

/// Longest time to end all of them. Whoever waits has pressed Ctrl-C.
const LIMIT: Duration = Duration::from_secs(5);

/// The uploads of one push.
#[derive(Debug, Default)]
pub(super) struct OpenUploads(Mutex<Vec<UploadPlace>>);

impl OpenUploads {
    /// An upload was begun.
    pub fn opened(&self, place: &UploadPlace) {
        self.places(|places| places.push(place.clone()));
    }

    /// An upload became a blob.
    pub fn finished(&self, place: &UploadPlace) {
        self.places(|places| places.retain(|open| open != place));
    }

    /// Ends those that are open, as far as the registry does it in time.
    pub async fn end_all(&self, session: &RepositorySession) {
        let open = self.places(std::mem::take);
        let ending = async {
            for place in open {
                // Where this is not possible the registry removes the upload by itself.
                let _ = session.cancel_upload(place).await;
            }
        };
        let _ = timeout(LIMIT, ending).await;
    }

    fn places<T>(&self, change: impl FnOnce(&mut Vec<UploadPlace>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
