//! Writes a context as a tar file: sorted, one time for all, root as the owner, two modes.
//!
//! The format is `ustar` with PAX headers for long names (POSIX.1-2008, "pax Interchange Format").

use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::context_error::ContextError;
use super::context_file::open_file;
use super::context_folder::{ContextEntry, ContextEntryKind, ContextFolder};

const BLOCK: usize = 512;
/// Bytes of a file that are read at once.
const PIECE: usize = 64 * 1024;
/// Where the fields of a header are: offset and length.
const NAME: (usize, usize) = (0, 100);
const MODE: (usize, usize) = (100, 8);
const OWNER: (usize, usize) = (108, 8);
const GROUP: (usize, usize) = (116, 8);
const SIZE: (usize, usize) = (124, 12);
const TIME: (usize, usize) = (136, 12);
const CHECKSUM: (usize, usize) = (148, 8);
const KIND: usize = 156;
const LINK: (usize, usize) = (157, 100);
const MAGIC: (usize, usize) = (257, 8);

/// What a context is, once all of it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextSummary {
    /// Files and links; folders are not counted.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The SHA-256 of the tar file, in hexadecimal digits. Equal contexts have equal digests.
    pub digest: String,
}

impl ContextFolder {
    /// Writes the tar file; blocks. Every entry gets the time `time_s`, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or changed meanwhile, or `out` takes no more.
    pub fn write_tar(&self, out: &mut impl Write, time_s: u64) -> Result<(), ContextError> {
        let mut tar = TarWriter { out, time_s };
        for entry in &self.entries {
            match &entry.kind {
                ContextEntryKind::Folder => {
                    tar.header(&format!("{}/", entry.path), b'5', 0o755, 0, "")?;
                }
                ContextEntryKind::Link { target } => {
                    tar.header(&entry.path, b'2', 0o777, 0, target)?;
                }
                ContextEntryKind::File { size_bytes, executable } => {
                    if self.hidden_dockerfile.is_some() && entry.path == ".dockerignore" {
                        continue;
                    }
                    let mode = if *executable { 0o755 } else { 0o644 };
                    tar.header(&entry.path, b'0', mode, *size_bytes, "")?;
                    tar.content(&self.root.join(&entry.path), entry, *size_bytes)?;
                }
            }
        }
        if let Some(dockerfile) = &self.hidden_dockerfile {
            // The engine leaves out what this names, after it has read it.
            tar.text(".dockerignore", &format!("{dockerfile}\n.dockerignore\n"))?;
        }
        tar.end()
    }

    /// Reads everything once and gives the digest; blocks.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or changed meanwhile.
    pub fn summary(&self, time_s: u64) -> Result<ContextSummary, ContextError> {
        let mut hash = HashWriter(Sha256::new());
        self.write_tar(&mut hash, time_s)?;
        let size = |entry: &ContextEntry| match entry.kind {
            ContextEntryKind::File { size_bytes, .. } => size_bytes,
            ContextEntryKind::Folder | ContextEntryKind::Link { .. } => 0,
        };
        Ok(ContextSummary {
            files: self.entries.iter().filter(|one| one.kind != ContextEntryKind::Folder).count()
                as u64,
            bytes: self.entries.iter().map(size).sum(),
            digest: hex::encode(hash.0.finalize()),
        })
    }
}

struct HashWriter(Sha256);

impl Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct TarWriter<'a, W> {
    out: &'a mut W,
    time_s: u64,
}

impl<W: Write> TarWriter<'_, W> {
    fn header(
        &mut self,
        name: &str,
        kind: u8,
        mode: u64,
        size: u64,
        link: &str,
    ) -> Result<(), ContextError> {
        let mut records = String::new();
        if name.len() > NAME.1 {
            records += &pax_record("path", name);
        }
        if link.len() > LINK.1 {
            records += &pax_record("linkpath", link);
        }
        if !records.is_empty() {
            self.block("PaxHeaders/long-name", b'x', 0o644, records.len() as u64, "")?;
            self.padded(records.as_bytes())?;
        }
        self.block(name, kind, mode, size, link)
    }

    fn block(
        &mut self,
        name: &str,
        kind: u8,
        mode: u64,
        size: u64,
        link: &str,
    ) -> Result<(), ContextError> {
        let mut block = [0; BLOCK];
        put(&mut block, NAME, name.as_bytes());
        put(&mut block, LINK, link.as_bytes());
        put(&mut block, MAGIC, b"ustar\x0000");
        for (field, value) in
            [(MODE, mode), (OWNER, 0), (GROUP, 0), (SIZE, size), (TIME, self.time_s)]
        {
            put(&mut block, field, format!("{value:0width$o}", width = field.1 - 1).as_bytes());
        }
        block[KIND] = kind;
        put(&mut block, CHECKSUM, b"        ");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        put(&mut block, CHECKSUM, format!("{sum:06o}\0 ").as_bytes());
        self.write(&block)
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), ContextError> {
        self.header(name, b'0', 0o644, text.len() as u64, "")?;
        self.padded(text.as_bytes())
    }

    fn padded(&mut self, bytes: &[u8]) -> Result<(), ContextError> {
        self.write(bytes)?;
        self.padding(bytes.len() as u64)
    }

    fn padding(&mut self, size: u64) -> Result<(), ContextError> {
        let over = usize::try_from(size % BLOCK as u64).expect("less than a block");
        self.write(&[0; BLOCK][..(BLOCK - over) % BLOCK])
    }

    fn content(
        &mut self,
        place: &Path,
        entry: &ContextEntry,
        size: u64,
    ) -> Result<(), ContextError> {
        let changed = || ContextError::Changed { path: entry.path.clone() };
        let unreadable = || ContextError::unreadable("reading", place);
        let mut file = open_file(place).map_err(unreadable())?;
        if !file.metadata().map_err(unreadable())?.is_file() {
            return Err(changed());
        }
        let mut room = vec![0; PIECE];
        let mut left = size;
        loop {
            let read = file.read(&mut room).map_err(unreadable())?;
            match (read as u64, left) {
                (0, 0) => break,
                (read, left) if read == 0 || read > left => return Err(changed()),
                (count, _) => left -= count,
            }
            self.write(&room[..read])?;
        }
        self.padding(size)
    }

    fn end(&mut self) -> Result<(), ContextError> {
        self.write(&[0; 2 * BLOCK])?;
        self.out.flush().map_err(ContextError::Unsent)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ContextError> {
        self.out.write_all(bytes).map_err(ContextError::Unsent)
    }
}

/// As much of `value` as fits; a PAX header holds the whole.
fn put(block: &mut [u8; BLOCK], (at, length): (usize, usize), value: &[u8]) {
    let length = value.len().min(length);
    block[at..at + length].copy_from_slice(&value[..length]);
}

/// `LENGTH KEY=VALUE`, where LENGTH counts itself.
fn pax_record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n")
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
