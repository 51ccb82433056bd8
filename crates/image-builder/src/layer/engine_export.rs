//! An image of the Docker Engine as an OCI layout: the export streams from the engine's socket into the
//! thread that takes it apart.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{ExportStream, LayerCache, LayerRules, normalise_export};
use crate::engine::ImageEngine;
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::oci_layout::OciLayout;

/// How long an engine may write its own copy before the first byte, and between two pieces. Measured: 9 s
/// for 950 MB.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(600);

impl ImageEngine {
    /// Whether this engine can pull layers that are compressed by zstd.
    ///
    /// Source: release notes of Docker Engine 23.0; engine 20.10 fails with "invalid tar header".
    #[must_use]
    pub fn takes_zstd(&self) -> bool {
        let major = self.facts().version.split('.').next().and_then(|major| major.parse().ok());
        major.is_none_or(|major: u32| major >= 23)
    }

    /// Exports an image into `folder` as a normalised, compressed OCI layout. It stops by itself when the run is
    /// asked to, and must not be dropped before.
    ///
    /// # Errors
    ///
    /// As [`normalise_export`], or [`ImageFailure::EngineUnusable`].
    pub async fn export_layout(
        &self,
        image: &str,
        folder: &Path,
        rules: LayerRules,
        cache: Option<LayerCache>,
        run: &ImageRun,
    ) -> Result<OciLayout, ImageFailure> {
        // An image that is not there is told by its name, and not by the end of a stream.
        self.ask(&format!("the image {image}"), self.client().inspect_image(image)).await?;
        let (sender, source) = ExportStream::new();
        let (folder, its_run): (PathBuf, ImageRun) = (folder.to_owned(), run.clone());
        let work = tokio::task::spawn_blocking(move || {
            normalise_export(source, &folder, rules, cache.as_ref(), &its_run)
        });
        // The thread is always waited for: it writes into a folder that is removed after that.
        let told = tokio::select! {
            biased;
            () = run.cancelled() => None,
            told = self.send_export(image, sender) => told,
        };
        let done = work.await.unwrap_or_else(|error| {
            Err(ImageFailure::Unusable {
                what: format!("compressing layers: {error}"),
                hint: "report this as a fault of this program".to_owned(),
            })
        });
        run.require_wanted(ImageStep::Export)?;
        match (done, told) {
            (Ok(layout), _) => Ok(layout),
            // What the engine said explains why the export was not whole.
            (Err(ImageFailure::BuildFailed { .. }), Some(failure)) => Err(failure),
            (Err(failure), _) => Err(failure),
        }
    }

    /// Sends the export on; what the engine said if it did not end well.
    async fn send_export(
        &self,
        image: &str,
        sender: mpsc::Sender<io::Result<Bytes>>,
    ) -> Option<ImageFailure> {
        let mut pieces = std::pin::pin!(self.client().export_image(image));
        let failed = |what: String| {
            Some(ImageFailure::EngineUnusable {
                what: format!("exporting {image} from the Docker Engine: {what}"),
                hint: "look whether dockerd lives, whether its disk is full, and at its log"
                    .to_owned(),
            })
        };
        loop {
            match timeout(SILENCE, pieces.next()).await {
                Ok(None) => return None,
                Ok(Some(Ok(piece))) => {
                    // A reader that is gone has its own error.
                    if sender.send(Ok(piece)).await.is_err() {
                        return None;
                    }
                }
                Ok(Some(Err(error))) => {
                    let words = fargate_model::text::error_chain(&error);
                    let _ = sender.send(Err(io::Error::other("the engine ended it"))).await;
                    return failed(words);
                }
                Err(_) => {
                    let _ = sender.send(Err(io::Error::other("the engine fell silent"))).await;
                    return failed(format!("nothing came for {} s", SILENCE.as_secs()));
                }
            }
        }
    }
}
