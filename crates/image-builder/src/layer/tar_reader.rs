//! Reads a tar stream member by member: POSIX with PAX records, and GNU's long names.
//!
//! PAX values are taken by their length, because extended attributes hold any byte. Sparse files and old
//! GNU members are refused: no engine writes them into layers.
//!
//! Source: POSIX.1-2017, "pax", and the GNU tar manual, "Basic Tar Format".

use std::io::{self, Read};

pub(crate) const BLOCK: usize = 512;
/// Longest name, link or set of PAX records, in bytes. Linux takes paths of 4096 and attributes of 64 KiB.
const LONGEST_RECORD: u64 = 1024 * 1024;
/// The PAX records that are kept: attributes that change what a file may do.
const KEPT_PREFIX: &[u8] = b"SCHILY.xattr.";

/// One member, without its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TarMember {
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    /// The type flag: `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` folder, `6` FIFO.
    pub kind: u8,
    pub mode: u64,
    pub uid: u64,
    pub gid: u64,
    pub size: u64,
    pub mtime: i64,
    pub device: (u64, u64),
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A tar stream.
pub(crate) struct TarReader<R> {
    source: R,
    position: u64,
    /// What is left of the current member's content, with its padding.
    left: u64,
    content: u64,
}

#[derive(Default)]
struct TarExtras {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<i64>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

impl<R: Read> TarReader<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, position: 0, left: 0, content: 0 }
    }

    /// Where the content of the current member begins.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Leaves out the rest of the current content by moving the source, and gives the next member.
    pub(crate) fn next_by(
        &mut self,
        skip: impl Fn(&mut R, u64) -> io::Result<()>,
    ) -> io::Result<Option<TarMember>> {
        let mut extras = TarExtras::default();
        loop {
            if self.left > 0 {
                skip(&mut self.source, self.left)?;
                self.position += self.left;
                (self.left, self.content) = (0, 0);
            }
            let Some(header) = self.header()? else { return Ok(None) };
            let size = number(&header[124..136])?;
            match header[156] {
                b'x' => self.records(size, &mut extras)?,
                b'g' => drop(self.record(size)?),
                b'L' => extras.path = Some(until_zero(&self.record(size)?)),
                b'K' => extras.link = Some(until_zero(&self.record(size)?)),
                b'\0' | b'0'..=b'7' => return self.member(&header, extras).map(Some),
                other => {
                    return Err(wrong(&format!(
                        "a member has the type {:?}, which layers may not have",
                        char::from(other)
                    )));
                }
            }
        }
    }

    fn member(&mut self, header: &[u8; BLOCK], extras: TarExtras) -> io::Result<TarMember> {
        let kind = if header[156] == 0 || header[156] == b'7' { b'0' } else { header[156] };
        let size = extras.size.map_or_else(|| number(&header[124..136]), Ok)?;
        let size = if kind == b'0' { size } else { 0 };
        let name = || {
            let (name, prefix) = (until_zero(&header[..100]), until_zero(&header[345..500]));
            match &header[257..262] == b"ustar" && header[262] == 0 && !prefix.is_empty() {
                true => [prefix, name].join(&b'/'),
                false => name,
            }
        };
        let mtime = i64::try_from(number(&header[136..148]).unwrap_or(0)).unwrap_or(0);
        let member = TarMember {
            path: extras.path.unwrap_or_else(name),
            link: extras.link.unwrap_or_else(|| until_zero(&header[157..257])),
            kind,
            mode: number(&header[100..108])?,
            uid: extras.uid.map_or_else(|| number(&header[108..116]), Ok)?,
            gid: extras.gid.map_or_else(|| number(&header[116..124]), Ok)?,
            size,
            mtime: extras.mtime.unwrap_or(mtime),
            device: (number(&header[329..337])?, number(&header[337..345])?),
            attributes: extras.attributes,
        };
        if member.path.is_empty() {
            return Err(wrong("a member has no name"));
        }
        self.content = size;
        self.left = size.div_ceil(BLOCK as u64) * BLOCK as u64;
        Ok(member)
    }

    /// The next header; `None` at the end.
    fn header(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut header = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.source.read(&mut header[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
        }
        self.position += BLOCK as u64;
        if header.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let told = number(&header[148..156])?;
        let sum: u64 = header.iter().map(|b| u64::from(*b)).sum();
        let own: u64 = header[148..156].iter().map(|b| u64::from(*b)).sum();
        match sum - own + 8 * 32 == told {
            true => Ok(Some(header)),
            false => Err(wrong("a header has a wrong checksum, so this is no tar stream")),
        }
    }

    fn record(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > LONGEST_RECORD {
            return Err(wrong(&format!(
                "a name or attribute is longer than {LONGEST_RECORD} bytes"
            )));
        }
        let padded = size.div_ceil(BLOCK as u64) * BLOCK as u64;
        let mut bytes = Vec::new();
        (&mut self.source).take(padded).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != padded {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += padded;
        bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    fn records(&mut self, size: u64, extras: &mut TarExtras) -> io::Result<()> {
        let bytes = self.record(size)?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (key, value, next) =
                record(rest).ok_or_else(|| wrong("a PAX record has a wrong length"))?;
            let text =
                || std::str::from_utf8(value).map_err(|_| wrong("a PAX number is no number"));
            let whole = |text: &str| text.parse().map_err(|_| wrong("a PAX number is no number"));
            match key {
                b"path" => extras.path = Some(value.to_vec()),
                b"linkpath" => extras.link = Some(value.to_vec()),
                b"size" => extras.size = Some(whole(text()?)?),
                b"uid" => extras.uid = Some(whole(text()?)?),
                b"gid" => extras.gid = Some(whole(text()?)?),
                b"mtime" => {
                    let seconds = text()?.split('.').next().unwrap_or_default();
                    extras.mtime = Some(seconds.parse().unwrap_or(0));
                }
                _ if key.starts_with(b"GNU.sparse") => {
                    return Err(wrong("a file is stored as sparse, which layers may not be"));
                }
                _ if key.starts_with(KEPT_PREFIX) => {
                    extras.attributes.push((key.to_vec(), value.to_vec()));
                }
                _ => {}
            }
            rest = next;
        }
        Ok(())
    }
}

/// Reads the content of the current member.
impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.content).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.source.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.content -= read as u64;
        self.left -= read as u64;
        self.position += read as u64;
        Ok(read)
    }
}

/// Leaves out bytes of a stream that cannot be moved.
pub(crate) fn skip_by_reading(source: &mut impl Read, count: u64) -> io::Result<()> {
    match io::copy(&mut source.take(count), &mut io::sink())? {
        read if read == count => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// `LENGTH KEY=VALUE\n`: key, value and what follows.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|b| *b == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let whole = bytes.get(space + 1..length)?;
    let pair = whole.strip_suffix(b"\n")?;
    let equals = pair.iter().position(|b| *b == b'=')?;
    Some((&pair[..equals], &pair[equals + 1..], &bytes[length..]))
}

/// Octal digits, or GNU's binary form for what is too large for them.
fn number(field: &[u8]) -> io::Result<u64> {
    if field[0] & 0x80 != 0 {
        let skip = field.len() - 8;
        if field[0] & 0x7f != 0 || field[1..skip].iter().any(|b| *b != 0) {
            // A time before 1970 is the only negative number, and it becomes 1970.
            return Ok(0);
        }
        let bytes = field[skip..].try_into().expect("eight bytes were taken");
        return Ok(u64::from_be_bytes(bytes));
    }
    let text = until_zero(field);
    let text = text.trim_ascii();
    if text.is_empty() {
        return Ok(0);
    }
    let text = std::str::from_utf8(text).map_err(|_| wrong("a header has a wrong number"))?;
    u64::from_str_radix(text, 8).map_err(|_| wrong("a header has a wrong number"))
}

fn until_zero(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|b| *b == 0).next().unwrap_or_default().to_vec()
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
