//! A stream of pieces as something that blocks until it can be read: between an event loop, which reads the
//! engine, and the thread that takes the export apart.

use std::io::{self, Read};

use bytes::Bytes;
use tokio::sync::mpsc;

/// Pieces that wait.
const WAITING: usize = 32;

/// The reading side.
#[derive(Debug)]
pub struct ExportStream {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl ExportStream {
    /// The writing side, and the reading side. An error ends the stream; so does dropping the writing side,
    /// and then an export that is not whole is an error of its reader.
    #[must_use]
    pub fn new() -> (mpsc::Sender<io::Result<Bytes>>, Self) {
        let (sender, pieces) = mpsc::channel(WAITING);
        (sender, Self { pieces, piece: Bytes::new() })
    }
}

impl Read for ExportStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.piece = piece?,
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}
