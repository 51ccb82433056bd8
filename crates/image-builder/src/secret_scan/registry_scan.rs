//! Searches an image that a registry has, as it streams: nothing is kept on the disk. The layers come one after
//! the other.
//!
//! It decides nothing about what is found.

use std::io::{self, Read as _};

use fargate_registry::{RepositorySession, StoredManifest};

use super::SecretScanner;
use super::image_metadata::{BlobReference, ImageContent, LARGEST_METADATA, OciDocument};
use super::image_scan::{ImageParts, shown_name};
use super::scan_failure::{blocking, require_not_cancelled, unreadable};
use super::scan_report::{SecretScanReport, SkipReason};
use super::watched_reader::WatchedReader;
use crate::content_digest::ContentHasher;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::layer::ExportStream;
use crate::registry_failure::of_registry;
use crate::transfer_retry::retried;

impl SecretScanner {
    /// Searches the image with this manifest.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] for what cannot be read, [`ImageFailure::Interrupted`], and what the registry
    /// refuses.
    pub async fn scan_registry_image(
        &self,
        session: &RepositorySession,
        manifest: &StoredManifest,
        run: &ImageRun,
    ) -> Result<SecretScanReport, ImageFailure> {
        let place = format!("{}", session.access().image);
        let wrong = |what: &str| unreadable(run, &place, &io::Error::other(what.to_owned()));
        let document: OciDocument = serde_json::from_slice(&manifest.bytes)
            .map_err(|_| wrong("its manifest is not as documented"))?;
        let named = document.config.as_ref().ok_or_else(|| wrong("it is no single image"))?;
        let config = read(session, named, run, |stream| {
            let mut config = Vec::new();
            stream.take(LARGEST_METADATA).read_to_end(&mut config).map(|_| config)
        });
        let config = config.await?.map_err(|error| unreadable(run, &place, &error))?;
        let config = serde_json::from_slice(&config)
            .map_err(|_| wrong("its configuration is not as documented"))?;
        let names: Vec<String> = document.layers.iter().filter_map(BlobReference::file).collect();
        let content = ImageContent { config: String::new(), layers: names.clone() };
        let mut report = SecretScanReport::default();
        for (number, (layer, name)) in document.layers.iter().zip(names).enumerate() {
            require_not_cancelled(run)?;
            let (scanner, watched, file) = (self.clone(), run.clone(), name.clone());
            let searched = read(session, layer, run, move |stream| {
                let shown = Some((shown_name(&file), String::new()));
                scanner.scan_stream_layer(&file, WatchedReader::new(stream, watched, shown, 0))
            });
            match searched.await? {
                Ok(found) => report.merge(found.numbered(number + 1)),
                Err(error) => return Err(unreadable(run, &format!("{name} of {place}"), &error)),
            }
        }
        if document.layers.len() > content.layers.len() {
            report.skip(None, &place, SkipReason::MissingLayer);
        }
        self.finish(&mut report, &[ImageParts { content: &content, config }]);
        Ok(report)
    }
}

/// Reads a blob by `work`, on a thread that blocks. The bytes must be those of the blob's digest.
async fn read<T: Send + 'static>(
    session: &RepositorySession,
    blob: &BlobReference,
    run: &ImageRun,
    work: impl FnOnce(ExportStream) -> io::Result<T> + Send + 'static,
) -> Result<io::Result<T>, ImageFailure> {
    let digest = blob.digest();
    let answer = retried(|| session.blob(digest)).await;
    let mut answer = answer.map_err(|error| of_registry(&error))?;
    let (sender, stream) = ExportStream::new();
    let pass_on = async move {
        let (mut hasher, mut sender) = (ContentHasher::new(), Some(sender));
        loop {
            let part = tokio::select! {
                () = run.cancelled() => return None,
                part = answer.next() => part,
            };
            let part = part.map_err(|error| io::Error::other(error.to_string()));
            let Some(part) = part.transpose() else { return Some(hasher.finish()) };
            let is_broken = part.is_err();
            part.iter().for_each(|bytes| hasher.update(bytes));
            if let Some(to) = &sender
                && to.send(part).await.is_err()
            {
                sender = None;
            }
            if is_broken {
                return None;
            }
        }
    };
    let (done, found) = tokio::join!(blocking(move || Ok(work(stream))), pass_on);
    match found.filter(|found| found != digest) {
        Some(found) => Err(ImageFailure::NotVerified {
            what: format!("searching the stored image: the blob {digest} came back as {found}"),
            hint: "do not use this image; look at the registry and at what stands before it"
                .to_owned(),
        }),
        None => done,
    }
}
