//! SHA-256 digests of content, as OCI writes them.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::sync::mpsc::sync_channel;

use ring::digest::{Context, SHA256};

/// Bytes that are read and hashed at a time.
pub(crate) const CHUNK: usize = 1024 * 1024;

/// Pieces that wait for the thread that hashes.
const WAITING: usize = 4;

/// Takes in content, and gives its digest.
pub(crate) struct ContentHasher(Context);

impl ContentHasher {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// `sha256:` and 64 hexadecimal digits.
    pub(crate) fn finish(self) -> String {
        let mut text = String::from("sha256:");
        for byte in self.0.finish().as_ref() {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

/// The digest of these bytes.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    let mut hasher = ContentHasher::new();
    hasher.update(bytes);
    hasher.finish()
}

/// The digest of all that can be read, and how many bytes that is. Hashing has a thread of its own, so that it
/// runs beside what makes the bytes.
pub(crate) fn digest_of_all(mut source: impl Read) -> io::Result<(String, u64)> {
    std::thread::scope(|scope| {
        let (sender, pieces) = sync_channel::<Vec<u8>>(WAITING);
        let hashed = scope.spawn(move || {
            let mut hasher = ContentHasher::new();
            pieces.iter().for_each(|piece| hasher.update(&piece));
            hasher.finish()
        });
        let mut size = 0;
        loop {
            let mut piece = Vec::with_capacity(CHUNK);
            let count = (&mut source).take(CHUNK as u64).read_to_end(&mut piece)?;
            size += count as u64;
            if count == 0 || sender.send(piece).is_err() {
                break;
            }
        }
        drop(sender);
        Ok((hashed.join().expect("hashing does not panic"), size))
    })
}

/// Whether the text is `sha256:` and 64 lower-case hexadecimal digits, so that it can be part of a path.
pub(crate) fn is_digest(text: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.strip_prefix("sha256:").is_some_and(|rest| rest.len() == 64 && rest.bytes().all(hex))
}

/// The first characters of a digest, by which people tell layers apart.
pub(crate) fn short_digest(digest: &str) -> String {
    digest.strip_prefix("sha256:").unwrap_or(digest).chars().take(12).collect()
}
