//! The members of one spooled layer in the order in which they are written again, and the writing: times
//! are clamped, owner names and PAX times are gone, members are sorted.
//!
//! The order is by path, part by part; within a folder whiteouts come first, because an engine that unpacks
//! them later would remove what the same layer brings; hard links come last, behind their targets.
//!
//! Source: OCI image format specification 1.1, "Image Layer Filesystem Changeset".

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use fargate_config::ReproducibleBuild;

use super::tar_reader::{TarMember, TarReader};
use super::tar_writer;
use crate::content_digest::CHUNK;

/// Changes whenever the same layer would be written with other bytes, so that no cache mixes both.
pub(crate) const REWRITE_VERSION: u32 = 1;
/// Bytes that are read at a header. Between two headers the file is moved, so more would be read in vain.
const HEADERS_AHEAD: usize = 4 * 1024;
/// Most members of a layer. A whole Debian desktop has half a million.
const MAX_MEMBERS: usize = 4_000_000;
/// What package managers write anew in each build, measured with two builds of one Dockerfile.
const VOLATILE: &[&str] = &[
    "var/log/dpkg.log",
    "var/log/alternatives.log",
    "var/log/apt/history.log",
    "var/log/apt/term.log",
    "var/cache/apt/pkgcache.bin",
    "var/cache/apt/srcpkgcache.bin",
    "var/cache/ldconfig/aux-cache",
];

/// How members are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RewriteRules {
    /// The latest time that a member may have, in seconds since 1970.
    pub latest_time: i64,
    /// Whether volatile files are left out.
    pub reproducible: ReproducibleBuild,
}

/// A member, and where its content is in the spooled file.
pub(super) struct IndexedMember {
    pub(super) member: TarMember,
    pub(super) content: u64,
    order: (bool, Vec<u8>),
}

/// The members of a layer.
pub(crate) struct LayerIndex {
    members: Vec<IndexedMember>,
    content_bytes: u64,
    newest: i64,
}

impl LayerIndex {
    /// Reads the headers of a spooled layer.
    pub(crate) fn read(path: &Path, rules: RewriteRules) -> io::Result<Self> {
        let file = BufReader::with_capacity(HEADERS_AHEAD, File::open(path)?);
        let length = file.get_ref().metadata()?.len();
        let mut reader = TarReader::new(file);
        let (mut members, mut content_bytes, mut newest) = (Vec::new(), 0, 0);
        let skip = |file: &mut BufReader<File>, count: u64| {
            file.seek_relative(i64::try_from(count).unwrap_or(i64::MAX))
        };
        while let Some(mut member) = reader.next_by(skip)? {
            if members.len() == MAX_MEMBERS {
                let what = format!("the layer has more than {MAX_MEMBERS} members");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            let content = reader.position();
            if content.saturating_add(member.size) > length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            newest = newest.max(member.mtime);
            member.mtime = member.mtime.clamp(0, rules.latest_time.max(0));
            content_bytes += member.size;
            members.push(IndexedMember { order: order(&member), content, member });
        }
        let mut index = Self { members, content_bytes, newest };
        if rules.reproducible == ReproducibleBuild::Full {
            index.leave_out_volatile();
        }
        // Stable: of two members with one path, the later one stays the later one.
        index.members.sort_by(|a, b| a.order.cmp(&b.order));
        Ok(index)
    }

    /// The members, in the order in which they are written.
    pub(super) fn members(&self) -> &[IndexedMember] {
        &self.members
    }

    /// Bytes of all files.
    pub(crate) fn content_bytes(&self) -> u64 {
        self.content_bytes
    }

    /// The latest time of a member as the engine gave it, in seconds since 1970.
    pub(crate) fn newest(&self) -> i64 {
        self.newest
    }

    /// Writes the layer again. `told` gets the number of bytes of each piece of content.
    pub(crate) fn write(
        &self,
        spooled: &Path,
        to: &mut impl Write,
        mut told: impl FnMut(u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut file = File::open(spooled)?;
        let (mut buffer, mut at) = (vec![0; CHUNK], 0);
        for IndexedMember { member, content, .. } in &self.members {
            if member.size > 0 && at != *content {
                file.seek(SeekFrom::Start(*content))?;
            }
            write_member(to, member, &mut file, &mut buffer, &mut told)?;
            if member.size > 0 {
                at = content + member.size;
            }
        }
        tar_writer::finish(to)
    }

    fn leave_out_volatile(&mut self) {
        let volatile: HashSet<&[u8]> = VOLATILE.iter().map(|path| path.as_bytes()).collect();
        self.members.retain(|indexed| {
            let member = &indexed.member;
            let names_one = volatile.contains(plain(&member.path))
                || member.kind == b'1' && volatile.contains(plain(&member.link));
            !(names_one && matches!(member.kind, b'0' | b'1'))
        });
    }
}

/// Writes a member whose content is next in `file`. `told` gets the number of bytes of each piece.
pub(super) fn write_member(
    to: &mut impl Write,
    member: &TarMember,
    file: &mut File,
    buffer: &mut [u8],
    told: &mut impl FnMut(u64) -> io::Result<()>,
) -> io::Result<()> {
    tar_writer::write_header(to, member)?;
    let mut left = member.size;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        file.read_exact(&mut buffer[..most])?;
        to.write_all(&buffer[..most])?;
        left -= most as u64;
        told(most as u64)?;
    }
    tar_writer::pad(to, member.size)
}

/// The path without `./` before it and `/` behind it.
pub(super) fn plain(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let Some(rest) = path.strip_prefix(b"./").or_else(|| path.strip_prefix(b"/")) {
        path = rest;
    }
    path.strip_suffix(b"/").unwrap_or(path)
}

/// By what members are sorted.
pub(super) fn order(member: &TarMember) -> (bool, Vec<u8>) {
    let path = plain(&member.path);
    let mut key = Vec::with_capacity(path.len() + 1);
    for part in path.split(|b| *b == b'/') {
        key.push(0);
        if part.starts_with(b".wh.") {
            key.push(1);
        }
        key.extend_from_slice(part);
    }
    (member.kind == b'1', key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(path: &str, kind: u8, size: u64) -> TarMember {
        TarMember { path: path.into(), kind, mode: 0o644, size, ..TarMember::default() }
    }

    fn tar(members: &[(TarMember, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (member, content) in members {
            tar_writer::write_header(&mut bytes, member).unwrap();
            bytes.extend_from_slice(content);
            tar_writer::pad(&mut bytes, content.len() as u64).unwrap();
        }
        tar_writer::finish(&mut bytes).unwrap();
        bytes
    }

    fn rewritten(bytes: &[u8], reproducible: ReproducibleBuild) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("layer");
        std::fs::write(&path, bytes).unwrap();
        let rules = RewriteRules { latest_time: 1000, reproducible };
        let index = LayerIndex::read(&path, rules).unwrap();
        let mut written = Vec::new();
        index.write(&path, &mut written, |_| Ok(())).unwrap();
        written
    }

    fn paths(bytes: &[u8]) -> Vec<String> {
        let mut reader = TarReader::new(bytes);
        let mut found = Vec::new();
        while let Some(member) = reader.next_by(super::super::tar_reader::skip_by_reading).unwrap()
        {
            found.push(String::from_utf8(member.path).unwrap());
        }
        found
    }

    #[test]
    fn another_order_and_later_times_give_the_same_bytes() {
        let mut late = member("b/file", b'0', 3);
        late.mtime = 5_000;
        let mut later = late.clone();
        later.mtime = 9_000;
        let folder = member("b/", b'5', 0);
        let mut link = member("a-link", b'1', 0);
        link.link = b"b/file".to_vec();
        let one = tar(&[(link.clone(), b""), (late, b"abc"), (folder.clone(), b"")]);
        let two = tar(&[(folder, b""), (later, b"abc"), (link, b"")]);
        let (one, two) =
            (rewritten(&one, ReproducibleBuild::Times), rewritten(&two, ReproducibleBuild::Times));
        assert_eq!(one, two);
        assert_eq!(paths(&one), ["b/", "b/file", "a-link"]);
        assert_eq!(rewritten(&one, ReproducibleBuild::Times), one);
    }

    #[test]
    fn a_whiteout_comes_before_its_neighbours_and_a_folder_before_what_is_in_it() {
        let names = ["a.b", "a/!x", "a/.wh.x", "a/x", "a/", "a/.wh..wh..opq"];
        let members: Vec<_> = names
            .iter()
            .map(|name| (member(name, if name.ends_with('/') { b'5' } else { b'0' }, 0), &b""[..]))
            .collect();
        assert_eq!(
            paths(&rewritten(&tar(&members), ReproducibleBuild::Times)),
            ["a/", "a/.wh..wh..opq", "a/.wh.x", "a/!x", "a/x", "a.b"]
        );
    }

    #[test]
    fn only_full_leaves_out_what_package_managers_write_anew() {
        let bytes = tar(&[
            (member("var/log/dpkg.log", b'0', 2), b"hi"),
            (member("var/log/other.log", b'0', 0), b""),
        ]);
        assert_eq!(paths(&rewritten(&bytes, ReproducibleBuild::Times)).len(), 2);
        assert_eq!(paths(&rewritten(&bytes, ReproducibleBuild::Full)), ["var/log/other.log"]);
    }

    #[test]
    fn long_names_large_owners_and_binary_attributes_survive() {
        let mut odd = member(&"d/".repeat(80), b'5', 0);
        odd.uid = 3_000_000;
        odd.attributes =
            vec![(b"SCHILY.xattr.security.capability".to_vec(), b"\x01\n\0=\n".to_vec())];
        let bytes = tar(&[(odd.clone(), b"")]);
        let mut reader = TarReader::new(bytes.as_slice());
        assert_eq!(reader.next_by(|_, _| Ok(())).unwrap(), Some(odd));
    }

    #[test]
    fn a_layer_that_is_cut_off_is_an_error() {
        let bytes = tar(&[(member("a", b'0', 3000), &[7; 3000])]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("layer");
        std::fs::write(&path, &bytes[..1000]).unwrap();
        let rules = RewriteRules { latest_time: 0, reproducible: ReproducibleBuild::Times };
        assert!(LayerIndex::read(&path, rules).is_err());
    }
}
