//! Searches an image of the engine as the engine exports it. Nothing is written to the disk by us; the engine
//! makes its own temporary copy.

use std::io::{self, Read};
use std::time::Duration;

use bollard::errors::Error;
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::SecretScanner;
use super::scan_failure::blocking;
use super::scan_report::SecretScanReport;
use crate::engine::ImageEngine;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;

/// Pieces that wait to be searched. The engine sends some tens of KiB each.
const WAITING: usize = 64;
/// How long the engine may be silent. Before its first byte it writes a copy of the whole image.
const FIRST_PIECE: Duration = Duration::from_secs(1800);
const NEXT_PIECE: Duration = Duration::from_secs(120);

/// Searches the image with this name.
pub(super) async fn scan_export(
    scanner: &SecretScanner,
    name: &str,
    engine: Option<&str>,
    run: &ImageRun,
) -> Result<SecretScanReport, ImageFailure> {
    let engine = ImageEngine::connect(engine).await?;
    // An unknown name ends here, where the engine's answer says so.
    let found = engine.client().inspect_image(name).await;
    found.map_err(|error| match error {
        Error::DockerResponseServerError { status_code: 404, .. } => ImageFailure::Unusable {
            what: format!(
                "scanning {name}: the engine has no such image, and there is no such file"
            ),
            hint: "`docker images` lists what it has".to_owned(),
        },
        error => engine_failed(&engine, name, &error.to_string()),
    })?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let search = {
        let (scanner, run, place) = (scanner.clone(), run.clone(), format!("image {name}"));
        let stream = ReceivedStream { receiver, piece: Vec::new(), read: 0 };
        blocking(move || scanner.scan_stream(&place, stream, &run))
    };
    let pass_on = pass_on(engine.client().export_image(name), sender);
    let (searched, passed) = tokio::join!(search, pass_on);
    match passed {
        Err(what) => Err(engine_failed(&engine, name, &what)),
        Ok(()) => searched,
    }
}

/// Hands the engine's pieces to the search until either ends.
async fn pass_on<P: AsRef<[u8]>>(
    pieces: impl Stream<Item = Result<P, Error>>,
    sender: mpsc::Sender<Vec<u8>>,
) -> Result<(), String> {
    let mut pieces = std::pin::pin!(pieces);
    let mut within = FIRST_PIECE;
    loop {
        match timeout(within, pieces.next()).await {
            Ok(Some(Ok(piece))) => {
                // A search that is gone has its own reason, which its result tells.
                if sender.send(piece.as_ref().to_vec()).await.is_err() {
                    return Ok(());
                }
            }
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(None) => return Ok(()),
            Err(_) => return Err(format!("it sent nothing for {} s", within.as_secs())),
        }
        within = NEXT_PIECE;
    }
}

fn engine_failed(engine: &ImageEngine, name: &str, what: &str) -> ImageFailure {
    ImageFailure::EngineUnusable {
        what: format!("exporting {name} from the engine at {}: {what}", engine.facts().address),
        hint: "look at the engine's log, and whether its disk has room for a copy of the image"
            .to_owned(),
    }
}

/// The pieces as a stream for the search.
struct ReceivedStream {
    receiver: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    read: usize,
}

impl Read for ReceivedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            match self.receiver.blocking_recv() {
                Some(piece) => (self.piece, self.read) = (piece, 0),
                None => return Ok(0),
            }
        }
        let count = (self.piece.len() - self.read).min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}
