//! A context on its way to the engine: written on a thread of its own, in pieces, a bounded number of
//! which wait.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::mpsc;

use crate::context::{ContextError, ContextFolder};

/// Bytes of a piece, and how many pieces wait at most.
const PIECE: usize = 256 * 1024;
const PIECES: usize = 8;

/// Why the context could not be read, once its stream has ended in an error.
#[derive(Clone, Debug, Default)]
pub(super) struct ContextOutcome(Arc<Mutex<Option<ContextError>>>);

impl ContextOutcome {
    /// The error, if there was one on our side.
    pub fn take(&self) -> Option<ContextError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The tar file of a context, and where its error will be.
pub(super) fn context_stream(
    context: Arc<ContextFolder>,
    time_s: u64,
) -> (impl Stream<Item = io::Result<Bytes>> + Send + 'static, ContextOutcome) {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(PIECES);
    let outcome = ContextOutcome::default();
    let told = outcome.clone();
    // The thread ends when everything is sent, and when nobody receives any more.
    tokio::task::spawn_blocking(move || {
        let mut out = PieceWriter { sender, piece: Vec::with_capacity(PIECE) };
        if let Err(error) = context.write_tar(&mut out, time_s) {
            let text = io::Error::other("the context could not be read");
            if !matches!(error, ContextError::Unsent(_)) {
                *told.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
            let _ = out.sender.blocking_send(Err(text));
        }
    });
    let stream = unfold(receiver, async |mut receiver| {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    });
    (stream, outcome)
}

struct PieceWriter {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl PieceWriter {
    fn send(&mut self) -> io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        let sent = self.sender.blocking_send(Ok(Bytes::from(piece)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() { Ok(()) } else { self.send() }
    }
}
