//! Reads the entries of a tar one after the other, from a stream, in bounded memory.
//!
//! It knows ustar, the long names of GNU and of PAX, and nothing that it does not need: owners, modes and times
//! are not read. It extracts nothing, so no name and no link can lead anywhere.

use std::io::{self, Read};

const BLOCK: usize = 512;
/// Longest list of PAX records, or name of GNU's kind, that is read.
const LONGEST_EXTENSION: u64 = 1024 * 1024;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TarEntryKind {
    /// A file with content.
    File,
    /// A symbolic or hard link.
    Link,
    /// A folder, a device, or anything else without content.
    Other,
}

/// The head of an entry.
#[derive(Clone, Debug)]
pub(super) struct TarEntry {
    /// The name as it is written.
    pub name: Vec<u8>,
    /// Where a link leads.
    pub link: Vec<u8>,
    /// Bytes of content.
    pub size: u64,
    pub kind: TarEntryKind,
}

/// The reader. While an entry is current, reading gives its content.
pub(super) struct TarEntryReader<R> {
    inner: R,
    /// Content of the current entry that was not read.
    left: u64,
    /// Bytes that fill its last block.
    padding: u64,
    /// Bytes read from `inner`.
    position: u64,
}

/// Whether a stream that begins with these bytes is a tar.
pub(super) fn is_tar(head: &[u8]) -> bool {
    head.len() >= BLOCK && checksum_fits(&head[..BLOCK])
}

fn checksum_fits(block: &[u8]) -> bool {
    let field = 148..156;
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| u64::from(if field.contains(&at) { b' ' } else { *byte }))
        .sum();
    number(&block[field]).is_some_and(|told| told == sum)
}

/// A number of a head: octal digits, or the binary form of GNU.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let mut bytes = field.iter().skip(1);
        let first = u64::from(field[0] & 0x7f);
        return bytes.try_fold(first, |value, byte| {
            value.checked_mul(256).map(|value| value + u64::from(*byte))
        });
    }
    let text = field.trim_ascii();
    let digits = text.split(|byte| *byte == 0).next().unwrap_or(b"").trim_ascii();
    if digits.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

fn text(field: &[u8]) -> Vec<u8> {
    field.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the tar is damaged: {what}"))
}

/// What comes before an entry and changes it.
#[derive(Default)]
struct TarExtension {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: Read> TarEntryReader<R> {
    /// Reads from `inner`, which stands at the first entry.
    pub fn new(inner: R) -> Self {
        Self { inner, left: 0, padding: 0, position: 0 }
    }

    /// How many bytes were read: where the content of a new entry begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What is read from.
    pub fn inner(&mut self) -> &mut R {
        &mut self.inner
    }

    /// Counts the rest of the current entry as read, after the caller has moved `inner` that far.
    pub fn passed_over(&mut self) -> u64 {
        let rest = self.left + self.padding;
        self.position += rest;
        (self.left, self.padding) = (0, 0);
        rest
    }

    /// The next entry, if there is one. What was not read of the former one is skipped.
    ///
    /// # Errors
    ///
    /// If the stream ends in an entry, or is no tar.
    pub fn next_entry(&mut self) -> io::Result<Option<TarEntry>> {
        let mut extension = TarExtension::default();
        loop {
            self.skip_rest()?;
            let Some(block) = self.block()? else { return Ok(None) };
            if block.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            if !checksum_fits(&block) {
                return Err(damaged("the sum of a head does not fit"));
            }
            let size = number(&block[124..136]).ok_or_else(|| damaged("a size is no number"))?;
            let kind = block[156];
            match kind {
                b'L' | b'K' | b'x' => {
                    let content = self.extension(size)?;
                    extension.read(kind, &content)?;
                }
                // Records for all entries: they hold no name and no size.
                b'g' => self.begin(size),
                _ => return self.entry(&block, extension, size).map(Some),
            }
        }
    }

    fn entry(
        &mut self,
        block: &[u8; BLOCK],
        extension: TarExtension,
        size: u64,
    ) -> io::Result<TarEntry> {
        let kind = match block[156] {
            0 | b'0' | b'7' | b'S' => TarEntryKind::File,
            b'1' | b'2' => TarEntryKind::Link,
            _ => TarEntryKind::Other,
        };
        let size = extension.size.unwrap_or(size);
        // Old writers give a link the size of what it leads to, without content.
        let size = if kind == TarEntryKind::Link { 0 } else { size };
        if block[156] == b'S' {
            self.skip_sparse_map(block[482] != 0)?;
        }
        self.begin(size);
        let name = extension.name.unwrap_or_else(|| plain_name(block));
        let link = extension.link.unwrap_or_else(|| text(&block[157..257]));
        Ok(TarEntry { name, link, size, kind })
    }

    /// The map of a sparse file may go on in blocks of its own.
    fn skip_sparse_map(&mut self, mut goes_on: bool) -> io::Result<()> {
        while goes_on {
            let block = self.block()?.ok_or_else(|| damaged("it ends in a sparse file"))?;
            goes_on = block[504] != 0;
        }
        Ok(())
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = (512 - size % 512) % 512;
    }

    fn extension(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > LONGEST_EXTENSION {
            return Err(damaged("a name or its records have more than 1 MiB"));
        }
        self.begin(size);
        let mut content = Vec::new();
        self.take(size).read_to_end(&mut content)?;
        Ok(content)
    }

    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut block[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(damaged("it ends in a head")),
                count => filled += count,
            }
        }
        self.position += BLOCK as u64;
        Ok(Some(block))
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        io::copy(&mut self.by_ref().take(u64::MAX), &mut io::sink())?;
        let skipped = io::copy(&mut self.inner.by_ref().take(self.padding), &mut io::sink())?;
        if skipped < self.padding {
            return Err(damaged("it ends in a file"));
        }
        self.position += skipped;
        self.padding = 0;
        Ok(())
    }
}

impl<R: Read> Read for TarEntryReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(damaged("it ends in a file"));
        }
        self.left -= count as u64;
        self.position += count as u64;
        Ok(count)
    }
}

/// The name in the head itself, with the prefix of ustar.
fn plain_name(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = text(&block[..100]);
    let prefix = text(&block[345..500]);
    let is_ustar = &block[257..263] == b"ustar\0";
    match is_ustar && !prefix.is_empty() {
        true => [&prefix[..], b"/", &name[..]].concat(),
        false => name,
    }
}

impl TarExtension {
    fn read(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        match kind {
            b'L' => self.name = Some(text(content)),
            b'K' => self.link = Some(text(content)),
            _ => self.read_records(content)?,
        }
        Ok(())
    }

    /// Records of PAX: `LENGTH KEY=VALUE\n`, one after the other.
    fn read_records(&mut self, mut rest: &[u8]) -> io::Result<()> {
        let wrong = || damaged("a PAX record has no length");
        while !rest.is_empty() {
            let space = rest.iter().position(|byte| *byte == b' ').ok_or_else(wrong)?;
            let length =
                std::str::from_utf8(&rest[..space]).ok().and_then(|text| text.parse().ok());
            let length: usize = length.ok_or_else(wrong)?;
            if length <= space + 1 || length > rest.len() {
                return Err(wrong());
            }
            let record = rest[space + 1..length].strip_suffix(b"\n").ok_or_else(wrong)?;
            let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(wrong)?;
            let value = &record[equals + 1..];
            match &record[..equals] {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => {
                    let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    self.size = Some(size.ok_or_else(|| damaged("a PAX size is no number"))?);
                }
                _ => {}
            }
            rest = &rest[length..];
        }
        Ok(())
    }
}
