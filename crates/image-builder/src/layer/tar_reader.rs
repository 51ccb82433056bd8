//! Reads a tar stream member by member, in bounded memory: POSIX with PAX records, and GNU's long names. It
//! extracts nothing, so no name and no link can lead anywhere.
//!
//! PAX values are taken by their length, because extended attributes hold any byte. Who writes a layer anew
//! reads strictly: sparse files and old GNU members are refused, because no engine writes them into layers.
//! Who only looks for something reads anything, and takes a sparse file as it is stored.
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
    /// Whether members are given whose type or numbers have no use in a layer.
    takes_any: bool,
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

impl TarMember {
    /// Whether it is a file with content.
    pub(crate) fn is_file(&self) -> bool {
        self.kind == b'0'
    }

    /// Whether it is a symbolic or a hard link.
    pub(crate) fn is_link(&self) -> bool {
        matches!(self.kind, b'1' | b'2')
    }
}

impl<R: Read> TarReader<R> {
    /// For layers that are to be written anew: what cannot be kept is an error.
    pub(crate) fn new(source: R) -> Self {
        Self { source, position: 0, left: 0, content: 0, takes_any: false }
    }

    /// For any tar, to look at names and contents alone. Owners and modes that are no numbers count as 0.
    pub(crate) fn of_any_tar(source: R) -> Self {
        Self { takes_any: true, ..Self::new(source) }
    }

    /// The next member; what was not read of the former one is read and left out.
    pub(crate) fn next_member(&mut self) -> io::Result<Option<TarMember>> {
        self.next_by(skip_by_reading)
    }

    /// What is read from.
    pub(crate) fn source(&mut self) -> &mut R {
        &mut self.source
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
                self.position = self.position.saturating_add(self.left);
                (self.left, self.content) = (0, 0);
            }
            let Some(header) = self.header()? else { return Ok(None) };
            let size = number(&header[124..136])?;
            match header[156] {
                b'x' => self.records(size, &mut extras)?,
                // Records for all members hold no name and no size of a layer's file.
                b'g' => self.left = padded(size),
                b'L' => extras.path = Some(until_zero(&self.record(size)?)),
                b'K' => extras.link = Some(until_zero(&self.record(size)?)),
                b'\0' | b'0'..=b'7' => return self.member(&header, extras).map(Some),
                _ if self.takes_any => return self.member(&header, extras).map(Some),
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
        let kind = match header[156] {
            0 | b'7' | b'S' => b'0',
            kind => kind,
        };
        let size = extras.size.map_or_else(|| number(&header[124..136]), Ok)?;
        // Old writers give a link the size of what it leads to, without content.
        let size = if (b'1'..=b'6').contains(&kind) { 0 } else { size };
        if header[156] == b'S' {
            self.skip_sparse_map(header[482] != 0)?;
        }
        let lenient = self.takes_any;
        let other = |field: &[u8]| number(field).or_else(|error| lenient.then_some(0).ok_or(error));
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
            mode: other(&header[100..108])?,
            uid: extras.uid.map_or_else(|| other(&header[108..116]), Ok)?,
            gid: extras.gid.map_or_else(|| other(&header[116..124]), Ok)?,
            size,
            mtime: extras.mtime.unwrap_or(mtime),
            device: (other(&header[329..337])?, other(&header[337..345])?),
            attributes: extras.attributes,
        };
        if member.path.is_empty() && !lenient {
            return Err(wrong("a member has no name"));
        }
        self.content = size;
        self.left = padded(size);
        Ok(member)
    }

    /// The map of a sparse file may go on in blocks of its own.
    fn skip_sparse_map(&mut self, mut goes_on: bool) -> io::Result<()> {
        while goes_on {
            let block = self.block()?.ok_or_else(cut)?;
            goes_on = block[504] != 0;
        }
        Ok(())
    }

    /// The next header; `None` at the end.
    fn header(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let Some(header) = self.block()?.filter(|block| block.iter().any(|b| *b != 0)) else {
            return Ok(None);
        };
        match checksum_fits(&header) {
            true => Ok(Some(header)),
            false => Err(wrong("a header has a wrong checksum, so this is no tar stream")),
        }
    }

    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.source.read(&mut block[filled..])? {
                0 if filled == 0 => return Ok(None),
                0 => return Err(cut()),
                read => filled += read,
            }
        }
        self.position += BLOCK as u64;
        Ok(Some(block))
    }

    fn record(&mut self, size: u64) -> io::Result<Vec<u8>> {
        if size > LONGEST_RECORD {
            return Err(wrong(&format!(
                "a name or attribute is longer than {LONGEST_RECORD} bytes"
            )));
        }
        let padded = padded(size);
        let mut bytes = Vec::new();
        (&mut self.source).take(padded).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != padded {
            return Err(cut());
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
                b"uid" | b"gid" | b"mtime" if self.takes_any => {}
                b"uid" => extras.uid = Some(whole(text()?)?),
                b"gid" => extras.gid = Some(whole(text()?)?),
                b"mtime" => {
                    let seconds = text()?.split('.').next().unwrap_or_default();
                    extras.mtime = Some(seconds.parse().unwrap_or(0));
                }
                _ if key.starts_with(b"GNU.sparse") && !self.takes_any => {
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
            return Err(cut());
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
        _ => Err(cut()),
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
    let no_number = || wrong("a header has a wrong number");
    if field[0] & 0x80 != 0 {
        let first = u64::from(field[0] & 0x7f);
        let number = field[1..].iter().try_fold(first, |value, byte| {
            value.checked_mul(256).map(|value| value + u64::from(*byte))
        });
        return number.ok_or_else(no_number);
    }
    let text = until_zero(field);
    let text = text.trim_ascii();
    if text.is_empty() {
        return Ok(0);
    }
    let text = std::str::from_utf8(text).map_err(|_| no_number())?;
    u64::from_str_radix(text, 8).map_err(|_| no_number())
}

fn checksum_fits(header: &[u8]) -> bool {
    let field = 148..156;
    let sum: u64 = header.iter().map(|b| u64::from(*b)).sum();
    let own: u64 = header[field.clone()].iter().map(|b| u64::from(*b)).sum();
    number(&header[field]).is_ok_and(|told| sum - own + 8 * u64::from(b' ') == told)
}

/// Whether a stream that begins with these bytes is a tar.
pub(crate) fn is_tar(head: &[u8]) -> bool {
    head.len() >= BLOCK && checksum_fits(&head[..BLOCK])
}

/// Bytes of content with what fills its last block.
fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64)
}

fn until_zero(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|b| *b == 0).next().unwrap_or_default().to_vec()
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the tar stream ends in the middle of a member")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of this type for two bytes of content, and the content; the owner is no number.
    fn odd_member(kind: u8) -> Vec<u8> {
        let mut header = [0; BLOCK];
        header[..4].copy_from_slice(b"name");
        header[108..111].copy_from_slice(b"who");
        header[124..135].copy_from_slice(b"00000000002");
        header[156] = kind;
        let sum: u64 = header.iter().map(|b| u64::from(*b)).sum::<u64>() + 8 * u64::from(b' ');
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let mut content = [0; BLOCK];
        content[..2].copy_from_slice(b"hi");
        [header, content].concat()
    }

    #[test]
    fn who_only_looks_reads_what_no_layer_may_have() {
        let tar = [odd_member(b'S'), odd_member(b'V'), odd_member(b'0')].concat();
        let mut reader = TarReader::of_any_tar(tar.as_slice());
        let mut contents = Vec::new();
        while let Some(member) = reader.next_member().unwrap() {
            let mut content = String::new();
            reader.read_to_string(&mut content).unwrap();
            contents.push((member.is_file(), content));
        }
        assert_eq!(contents, [true, false, true].map(|is_file| (is_file, "hi".to_owned())));
        for kind in [b'V', b'0'] {
            assert!(TarReader::new(odd_member(kind).as_slice()).next_member().is_err());
        }
    }

    #[test]
    fn a_size_that_no_number_holds_is_an_error() {
        let mut field = [0xff; 12];
        assert!(number(&field).is_err());
        field[..4].copy_from_slice(&[0x80, 0, 0, 0]);
        assert_eq!(number(&field).unwrap(), u64::MAX);
    }
}
