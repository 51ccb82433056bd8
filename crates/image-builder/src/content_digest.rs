//! SHA-256 digests of content, as OCI writes them.

use std::fmt::Write as _;
use std::io::{self, Read};

use ring::digest::{Context, SHA256};

/// Bytes that are read and hashed at a time.
pub(crate) const CHUNK: usize = 1024 * 1024;

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

/// The digest of all that can be read, and how many bytes that is.
pub(crate) fn digest_of_all(mut source: impl Read) -> io::Result<(String, u64)> {
    let (mut hasher, mut buffer, mut size) = (ContentHasher::new(), vec![0; CHUNK], 0_u64);
    loop {
        match source.read(&mut buffer)? {
            0 => return Ok((hasher.finish(), size)),
            read => {
                hasher.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
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
