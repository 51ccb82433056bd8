//! Writes the headers of a tar stream in one form only: ustar, with PAX records where ustar is too small.
//! Equal members give equal bytes.
//!
//! Source: POSIX.1-2017, "pax".

use std::io::{self, Write};

use super::tar_reader::{BLOCK, TarMember};

/// Largest numbers of ustar's fields with 7 and 11 octal digits.
const SEVEN: u64 = 0o7_777_777;
const ELEVEN: u64 = 0o77_777_777_777;
const ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Writes the header of a member, and PAX records before it where they are needed.
pub(crate) fn write_header(to: &mut impl Write, member: &TarMember) -> io::Result<()> {
    let mut records = Vec::new();
    if member.path.len() > 100 {
        records.push((b"path".to_vec(), member.path.clone()));
    }
    if member.link.len() > 100 {
        records.push((b"linkpath".to_vec(), member.link.clone()));
    }
    for (key, value, most) in
        [("size", member.size, ELEVEN), ("uid", member.uid, SEVEN), ("gid", member.gid, SEVEN)]
    {
        if value > most {
            records.push((key.into(), value.to_string().into_bytes()));
        }
    }
    records.extend(member.attributes.iter().cloned());
    records.sort();
    if !records.is_empty() {
        let body: Vec<u8> = records.iter().flat_map(|(key, value)| record(key, value)).collect();
        let own = TarMember {
            path: b"PaxHeaders".to_vec(),
            kind: b'x',
            mode: 0o644,
            size: body.len() as u64,
            ..TarMember::default()
        };
        to.write_all(&block(&own))?;
        to.write_all(&body)?;
        pad(to, body.len() as u64)?;
    }
    to.write_all(&block(member))
}

/// Fills up the last block of a content of this size.
pub(crate) fn pad(to: &mut impl Write, size: u64) -> io::Result<()> {
    let over = usize::try_from(size % BLOCK as u64).expect("less than a block");
    if over > 0 { to.write_all(&ZEROS[over..]) } else { Ok(()) }
}

/// Writes the end of the stream.
pub(crate) fn finish(to: &mut impl Write) -> io::Result<()> {
    to.write_all(&ZEROS)?;
    to.write_all(&ZEROS)
}

fn block(member: &TarMember) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let text = |block: &mut [u8; BLOCK], at: usize, value: &[u8], most: usize| {
        let length = value.len().min(most);
        block[at..at + length].copy_from_slice(&value[..length]);
    };
    let octal = |block: &mut [u8; BLOCK], at: usize, width: usize, value: u64, most: u64| {
        // What does not fit stands in a PAX record.
        let value = if value > most { 0 } else { value };
        let digits = format!("{value:0width$o}", width = width - 1);
        block[at..at + width - 1].copy_from_slice(digits.as_bytes());
    };
    text(&mut block, 0, &member.path, 100);
    octal(&mut block, 100, 8, member.mode & 0o7777, SEVEN);
    octal(&mut block, 108, 8, member.uid, SEVEN);
    octal(&mut block, 116, 8, member.gid, SEVEN);
    octal(&mut block, 124, 12, member.size, ELEVEN);
    octal(&mut block, 136, 12, u64::try_from(member.mtime).unwrap_or(0), ELEVEN);
    block[156] = member.kind;
    text(&mut block, 157, &member.link, 100);
    block[257..265].copy_from_slice(b"ustar\x0000");
    octal(&mut block, 329, 8, member.device.0, SEVEN);
    octal(&mut block, 337, 8, member.device.1, SEVEN);
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// `LENGTH KEY=VALUE\n`, where the length counts its own digits.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length.to_string().len() + rest != length {
        length = length.to_string().len() + rest;
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}
