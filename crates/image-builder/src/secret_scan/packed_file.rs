//! Opens what a file packs, one level deep: gzip, xz, zstd and zip. What comes out is a stream with a limit.
//!
//! It knows a packed file by its first bytes, not by its name. It decides nothing about what is inside.

use std::io::{self, BufRead, Read};

/// Most bytes that one packed file may become.
pub(super) const MOST_UNPACKED: u64 = 512 * 1024 * 1024;
/// Most bytes that come out for each byte that goes in, from 4 MiB on.
const MOST_RATIO: u64 = 400;
const RATIO_FROM: u64 = 4 * 1024 * 1024;
/// Largest window of zstd that is accepted, as a power of two: what `zstd --long` needs.
const ZSTD_WINDOW_LOG: u32 = 27;
/// The property of the largest dictionary of xz that is accepted: 64 MiB, of `xz -9`.
const XZ_DICTIONARY: u8 = 28;
/// Text of the error when a limit is reached.
pub(super) const BOMB: &str = "it unpacks to more than is searched";

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PackedFormat {
    Gzip,
    Xz,
    Zstd,
    Zip,
}

impl PackedFormat {
    /// The format of a file that begins like this.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            [b'P', b'K', 3, 4, ..] => Some(Self::Zip),
            _ => None,
        }
    }

    /// The stream inside; none for zip, which has several.
    ///
    /// # Errors
    ///
    /// If the head of the packed stream cannot be used.
    pub fn stream<'a, R: BufRead + Send + 'a>(
        self,
        mut packed: R,
    ) -> io::Result<Option<Box<dyn Read + Send + 'a>>> {
        Ok(Some(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(packed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            Self::Xz => {
                refuse_large_dictionary(packed.fill_buf()?)?;
                Box::new(lzma_rust2::XzReader::new(packed, true))
            }
            Self::Zip => return Ok(None),
        }))
    }
}

/// Looks at the first block of xz: a head of 12 bytes, then size, flags, and the filters.
fn refuse_large_dictionary(head: &[u8]) -> io::Result<()> {
    let Some([_, flags, rest @ ..]) = head.get(12..) else { return Ok(()) };
    let numbers = usize::from(flags & 0x40 != 0) + usize::from(flags & 0x80 != 0);
    let mut rest = rest;
    for _ in 0..numbers {
        let length = rest.iter().position(|byte| byte & 0x80 == 0).map_or(rest.len(), |at| at + 1);
        rest = &rest[length..];
    }
    match rest {
        // The only filter is LZMA2, with one byte of properties.
        [0x21, 1, size, ..] if *size <= XZ_DICTIONARY => Ok(()),
        [0x21, 1, _, ..] => Err(io::Error::other("its dictionary has more than 64 MiB")),
        // Another filter stands first, for code of one processor. Its dictionary is limited by what is read.
        _ => Ok(()),
    }
}

/// A stream that ends with an error where it becomes too large.
pub(super) struct BoundedStream<R> {
    inner: R,
    given: u64,
    most: u64,
}

impl<R: Read> BoundedStream<R> {
    /// As much as a packed file of this size, in bytes, may become.
    pub fn new(inner: R, packed_size: u64) -> Self {
        Self::after(0, inner, packed_size)
    }

    /// The same, where `given` bytes came out of the packed file before.
    pub fn after(given: u64, inner: R, packed_size: u64) -> Self {
        let by_ratio = packed_size.saturating_mul(MOST_RATIO);
        Self { inner, given, most: MOST_UNPACKED.min(RATIO_FROM.max(by_ratio)) }
    }

    /// At most so many bytes.
    pub fn up_to(most: u64, inner: R) -> Self {
        Self { inner, given: 0, most }
    }

    /// How many bytes came out.
    pub fn given(&self) -> u64 {
        self.given
    }
}

impl<R: Read> Read for BoundedStream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.given += count as u64;
        if self.given > self.most {
            return Err(io::Error::other(BOMB));
        }
        Ok(count)
    }
}

/// One file of a zip.
pub(super) struct ZipMember {
    /// Its name as it is written.
    pub name: Vec<u8>,
    flags: u16,
    method: u16,
    packed_size: u64,
}

/// Why a member of a zip cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ZipObstacle {
    /// It needs a password.
    Encrypted,
    /// Its method or layout is not known here.
    Unknown,
}

impl ZipMember {
    const STREAMED: u16 = 8;

    /// The next member of a zip, whose first byte is next in `zip`; none where its list of files begins.
    ///
    /// # Errors
    ///
    /// If the zip ends in a head.
    pub fn next(zip: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = [0; 30];
        let mut mark = [0; 4];
        if zip.read_exact(&mut mark).is_err() || mark != *b"PK\x03\x04" {
            return Ok(None);
        }
        zip.read_exact(&mut head[4..])?;
        let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let long =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let mut name = vec![0; usize::from(short(26))];
        zip.read_exact(&mut name)?;
        let mut extra = vec![0; usize::from(short(28))];
        zip.read_exact(&mut extra)?;
        let packed_size = match long(18) {
            u32::MAX => zip64_size(&extra).unwrap_or(u64::MAX),
            size => u64::from(size),
        };
        Ok(Some(Self { name, flags: short(6), method: short(8), packed_size }))
    }

    /// What keeps it from being read, if something does.
    pub fn obstacle(&self) -> Option<ZipObstacle> {
        match (self.flags & 1, self.method) {
            (1, _) => Some(ZipObstacle::Encrypted),
            (_, 8) => None,
            (_, 0) if self.flags & Self::STREAMED == 0 => None,
            _ => Some(ZipObstacle::Unknown),
        }
    }

    /// Whether the next member can be found without reading this one.
    pub fn can_be_passed(&self) -> bool {
        self.flags & Self::STREAMED == 0
    }

    /// Its bytes as they are packed.
    pub fn packed_size(&self) -> u64 {
        self.packed_size
    }

    /// Its content. The caller reads it to its end, and then calls [`ZipMember::end`].
    pub fn content<'a, R: BufRead + Send>(&self, zip: &'a mut R) -> Box<dyn Read + Send + 'a> {
        match self.method {
            0 => Box::new(zip.take(self.packed_size)),
            _ => Box::new(flate2::bufread::DeflateDecoder::new(zip)),
        }
    }

    /// Reads what stands after a member whose sizes were not known when it was written.
    ///
    /// # Errors
    ///
    /// If the zip ends here.
    pub fn end(&self, zip: &mut impl BufRead) -> io::Result<()> {
        if self.flags & Self::STREAMED == 0 {
            return Ok(());
        }
        let mut sums = [0; 12];
        zip.read_exact(&mut sums)?;
        if sums[..4] == *b"PK\x07\x08" {
            zip.read_exact(&mut [0; 4])?;
        }
        // Sizes of 8 bytes, if the next member does not begin here.
        if !zip.fill_buf()?.starts_with(b"P") {
            zip.read_exact(&mut [0; 8])?;
        }
        Ok(())
    }
}

fn zip64_size(mut extra: &[u8]) -> Option<u64> {
    while let [a, b, c, d, rest @ ..] = extra {
        let length = usize::from(u16::from_le_bytes([*c, *d])).min(rest.len());
        let (field, next) = rest.split_at(length);
        if u16::from_le_bytes([*a, *b]) == 1 {
            return Some(u64::from_le_bytes(field.get(8..16)?.try_into().ok()?));
        }
        extra = next;
    }
    None
}
