//! Turns the bytes of one layer into a compressed file, with both of its digests. Hashing has a thread of
//! its own, and zstd as many as it is given.
//!
//! zstd's output is equal for every number of threads from one on, and differs from that of the mode without
//! threads, so that mode is never used.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use flate2::write::GzEncoder;

use super::layer_rules::LayerFormat;
use crate::content_digest::{CHUNK, ContentHasher};

/// Pieces that wait for the hashing thread.
const WAITING: usize = 8;

/// What became of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CompressedLayer {
    /// The digest without compression.
    pub diff_id: String,
    /// The digest of the file.
    pub digest: String,
    /// The size of the file, in bytes.
    pub size: u64,
    /// The latest time of a member before it was rewritten, in seconds since 1970; 0 if nobody read it.
    pub newest: i64,
}

/// Takes in the bytes of a layer.
pub(crate) struct LayerSink {
    pending: Vec<u8>,
    hashing: SyncSender<Arc<Vec<u8>>>,
    hashed: JoinHandle<String>,
    encoder: LayerEncoder,
}

enum LayerEncoder {
    Zstd(zstd::stream::write::Encoder<'static, HashedFile>),
    Gzip(GzEncoder<HashedFile>),
}

struct HashedFile {
    file: BufWriter<File>,
    hasher: ContentHasher,
    size: u64,
}

impl LayerSink {
    /// Begins a file at `path`. `threads` is for zstd.
    pub(crate) fn begin(path: &Path, format: LayerFormat, threads: u32) -> io::Result<Self> {
        let file = BufWriter::with_capacity(CHUNK / 4, File::create(path)?);
        let file = HashedFile { file, hasher: ContentHasher::new(), size: 0 };
        let encoder = match format {
            LayerFormat::Zstd { level } => {
                let level = i32::try_from(level).unwrap_or(i32::MAX);
                let mut encoder = zstd::stream::write::Encoder::new(file, level)?;
                encoder.multithread(threads.max(1))?;
                LayerEncoder::Zstd(encoder)
            }
            LayerFormat::Gzip { level } => {
                LayerEncoder::Gzip(GzEncoder::new(file, flate2::Compression::new(level.min(9))))
            }
        };
        let (hashing, pieces) = sync_channel::<Arc<Vec<u8>>>(WAITING);
        let hashed = std::thread::Builder::new().name("layer-digest".into()).spawn(move || {
            let mut hasher = ContentHasher::new();
            while let Ok(piece) = pieces.recv() {
                hasher.update(&piece);
            }
            hasher.finish()
        })?;
        Ok(Self { pending: Vec::with_capacity(CHUNK), hashing, hashed, encoder })
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> io::Result<CompressedLayer> {
        self.pass_on()?;
        let mut file = match self.encoder {
            LayerEncoder::Zstd(encoder) => encoder.finish()?,
            LayerEncoder::Gzip(encoder) => encoder.finish()?,
        };
        file.file.flush()?;
        drop(self.hashing);
        let diff_id = self.hashed.join().expect("hashing does not panic");
        Ok(CompressedLayer { diff_id, digest: file.hasher.finish(), size: file.size, newest: 0 })
    }

    fn pass_on(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let next = Vec::with_capacity(CHUNK);
        let piece = Arc::new(std::mem::replace(&mut self.pending, next));
        let gone = |_| io::Error::other("the hashing thread ended");
        self.hashing.send(Arc::clone(&piece)).map_err(gone)?;
        match &mut self.encoder {
            LayerEncoder::Zstd(encoder) => encoder.write_all(&piece),
            LayerEncoder::Gzip(encoder) => encoder.write_all(&piece),
        }
    }
}

impl Write for LayerSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.pending.len());
        self.pending.extend_from_slice(&bytes[..taken]);
        if self.pending.len() == CHUNK {
            self.pass_on()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for HashedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
