//! One try of one blob: it is looked for, mounted, or sent whole in one request.
//!
//! A blob is never sent in chunks: ECR and others disagree about them, and a chunk that got lost costs the
//! same as a whole try.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fargate_aws::StreamedBody;
use fargate_fail_point::FailPoint;
use fargate_registry::{BlobMount, RepositoryError, RepositorySession, UploadPlace};
use tokio::sync::mpsc;

use super::open_uploads::OpenUploads;
use super::push_halt::PushHalt;
use crate::content_digest::short_digest;
use crate::event::{ImageEvent, ImageStep};
use crate::image_run::ImageRun;
use crate::oci_layout::BlobDescriptor;

/// Bytes of one piece, and how many wait.
const PIECE: usize = 256 * 1024;
const WAITING: usize = 4;

/// How a blob came to be in the repository.
pub(super) enum BlobOutcome {
    /// It was there.
    There,
    /// It came from a sibling repository.
    Mounted,
    /// It was sent.
    Sent,
    /// The push was stopped.
    Halted,
}

/// One blob on its way.
pub(super) struct BlobUpload<'a> {
    pub session: &'a RepositorySession,
    /// Where uploads are written down while they are open.
    pub uploads: &'a OpenUploads,
    pub blob: &'a BlobDescriptor,
    pub path: &'a Path,
    /// Says when to stop.
    pub halt: &'a PushHalt,
    pub run: &'a ImageRun,
}

impl BlobUpload<'_> {
    /// One try.
    pub async fn once(&self) -> Result<BlobOutcome, RepositoryError> {
        let Self { session, blob, .. } = self;
        let tell = BlobProgress { blob: (*blob).clone(), run: self.run.clone() };
        if self.halt.is_halted() {
            return Ok(BlobOutcome::Halted);
        }
        if session.has_blob(&blob.digest).await? {
            tell.note("the registry has it, 0 bytes sent");
            return Ok(BlobOutcome::There);
        }
        let mut place: Option<UploadPlace> = None;
        for from in &session.access().mount_from {
            match session.mount(&blob.digest, from).await? {
                BlobMount::Mounted => {
                    tell.note(&format!("mounted from {from}, 0 bytes sent"));
                    return Ok(BlobOutcome::Mounted);
                }
                BlobMount::Upload(given) => {
                    if let Some(unused) = place.replace(given) {
                        let _ = session.cancel_upload(unused).await;
                    }
                }
            }
        }
        let place = match place {
            Some(place) => place,
            None => session.begin_upload().await?,
        };
        self.uploads.opened(&place);
        FailPoint::UploadBegun.reached();
        let body = StreamedBody::new(pieces(self.path.to_owned(), tell), blob.size);
        let sent = session.finish_upload(place.clone(), &blob.digest, blob.size, body);
        tokio::select! {
            biased;
            () = self.halt.halted() => return Ok(BlobOutcome::Halted),
            sent = sent => sent?,
        }
        self.uploads.finished(&place);
        Ok(BlobOutcome::Sent)
    }
}

/// The file, piece by piece, from a thread that ends when nobody takes them any more.
fn pieces(path: PathBuf, tell: BlobProgress) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::task::spawn_blocking(move || {
        let mut done = 0;
        let mut file = File::open(&path);
        loop {
            let piece = file.as_mut().map_err(copied).and_then(|file| {
                let mut piece = Vec::with_capacity(PIECE);
                file.take(PIECE as u64).read_to_end(&mut piece)?;
                Ok(Bytes::from(piece))
            });
            let is_end = piece.as_ref().is_ok_and(Bytes::is_empty);
            let is_error = piece.is_err();
            done += piece.as_ref().map_or(0, |piece| piece.len() as u64);
            if is_end || sender.blocking_send(piece).is_err() || is_error {
                return;
            }
            tell.done(done);
        }
    });
    receiver
}

fn copied(error: &mut io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

/// Tells how far a blob is.
struct BlobProgress {
    blob: BlobDescriptor,
    run: ImageRun,
}

impl BlobProgress {
    fn done(&self, done_bytes: u64) {
        self.tell(done_bytes, None);
    }

    fn note(&self, note: &str) {
        self.tell(self.blob.size, Some(note.to_owned()));
    }

    fn tell(&self, done_bytes: u64, note: Option<String>) {
        let is_layer = self.blob.media_type.contains("layer");
        self.run.events.tell(ImageEvent::LayerProgress {
            step: ImageStep::Push,
            id: short_digest(&self.blob.digest),
            name: if is_layer { "layer" } else { "config" }.to_owned(),
            done_bytes,
            of_bytes: self.blob.size,
            note,
        });
    }
}
