//! Searches one file, or a tar of files: its place, its content, and what it packs, one level deep.

use std::io::{self, BufRead, BufReader, Read};

use sha2::{Digest, Sha256};

use super::packed_file::{BOMB, BoundedStream, PackedFormat, ZipMember, ZipObstacle};
use super::path_rules::path_rule;
use super::rule_search::RuleSearch;
use super::scan_report::{SecretScanReport, SkipReason};
use super::stream_search::{FoundSecret, SearchedStream, StreamSearch};
use crate::layer::tar_reader::{TarReader, is_tar};

/// Bytes that are read ahead of a stream.
const AHEAD: usize = 64 * 1024;
/// Most bytes of a file with a secret's name that its SHA-256 covers.
const HASHED: u64 = 4 * 1024 * 1024;
/// Largest layer, in bytes after unpacking.
///
/// Source: Amazon ECR User Guide, "Amazon ECR service quotas": a layer has at most 52,000 MiB.
const LARGEST_LAYER: u64 = 52_000 * 1024 * 1024;
/// Most files of one zip.
const MOST_MEMBERS: usize = 200_000;
/// What a report calls the bytes after the end of a tar.
const TRAILER: &str = "(bytes after the end of the tar)";

/// Searches files one after the other, and collects what is found.
pub(super) struct FileSearch<'rules> {
    stream: StreamSearch<'rules>,
    report: SecretScanReport,
    layer: Option<usize>,
}

impl<'rules> FileSearch<'rules> {
    /// Files of this layer, or of no layer.
    pub fn new(rules: &'rules RuleSearch, layer: Option<usize>) -> Self {
        Self { stream: StreamSearch::new(rules), report: SecretScanReport::default(), layer }
    }

    /// What was found.
    pub fn into_report(self) -> SecretScanReport {
        self.report
    }

    /// Skips something.
    pub fn skip(&mut self, path: &str, reason: SkipReason) {
        self.report.skip(self.layer, path, reason);
    }

    /// Searches a layer: a tar, packed or not, or anything else as one file.
    ///
    /// # Errors
    ///
    /// If it cannot be read to its end.
    pub fn layer(&mut self, name: &str, layer: impl Read + Send) -> io::Result<()> {
        self.report.layers += 1;
        // A first read may give a single byte, which tells no format.
        let mut layer = layer;
        let mut head = Vec::new();
        layer.by_ref().take(512).read_to_end(&mut head)?;
        let format = PackedFormat::of(&head);
        let packed = BufReader::with_capacity(AHEAD, head.chain(layer));
        let Some(format) = format.filter(|format| *format != PackedFormat::Zip) else {
            return self.plain_layer(name, packed);
        };
        match format.stream(packed)? {
            Some(stream) => {
                let stream = BoundedStream::up_to(LARGEST_LAYER, stream);
                self.plain_layer(name, BufReader::with_capacity(AHEAD, stream))
            }
            None => Ok(()),
        }
    }

    fn plain_layer(&mut self, name: &str, mut layer: impl BufRead + Send) -> io::Result<()> {
        let mut head = Vec::new();
        layer.by_ref().take(512).read_to_end(&mut head)?;
        let is_layer = is_tar(&head) || head.iter().all(|byte| *byte == 0);
        let mut whole = head.chain(layer);
        if is_layer {
            return self.tar("", &mut whole, SearchDepth::default());
        }
        self.skip(name, SkipReason::NotTar);
        self.content(name, &mut whole)
    }

    /// Searches each file of a tar. `prefix` stands before its names.
    fn tar(
        &mut self,
        prefix: &str,
        tar: &mut (dyn Read + Send),
        depth: SearchDepth,
    ) -> io::Result<()> {
        let mut members = TarReader::of_any_tar(tar);
        while let Some(member) = members.next_member()? {
            let path = format!("{prefix}{}", readable(&member.path));
            if member.is_file() && member.size > 0 {
                self.file(&path, member.size, &mut members, depth)?;
            }
        }
        // They are shipped with the layer, although nothing unpacks them.
        self.content(&format!("{prefix}{TRAILER}"), members.source())
    }

    /// Searches one file of `size` bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be read to its end.
    pub fn file(
        &mut self,
        path: &str,
        size: u64,
        file: &mut (dyn Read + Send),
        depth: SearchDepth,
    ) -> io::Result<()> {
        self.report.files += 1;
        let mut head = Vec::new();
        if let Some(rule) = path_rule(judged_path(path)) {
            file.take(HASHED).read_to_end(&mut head)?;
            let secret = FoundSecret {
                rule,
                shown: "a file".to_owned(),
                length: size,
                sha256: hex::encode(Sha256::digest(&head)),
            };
            self.report.add(self.layer, path, secret);
        } else {
            file.take(512).read_to_end(&mut head)?;
        }
        let format = PackedFormat::of(&head);
        let has_tar = is_tar(&head);
        let mut whole = head.chain(file);
        match format {
            Some(_) if depth.is_unpacked => {
                self.skip(path, SkipReason::PackedTwice);
                self.content(path, &mut whole)
            }
            Some(PackedFormat::Zip) => self.zip(path, size, depth, whole),
            Some(format) => self.packed(path, size, format, depth, whole),
            None if has_tar && !depth.is_in_tar => {
                let inside = SearchDepth { is_in_tar: true, ..depth };
                let done =
                    self.tar(&format!("{}!", path.trim_end_matches('!')), &mut whole, inside);
                self.damaged(path, done);
                Ok(())
            }
            None => self.content(path, &mut whole),
        }
    }

    fn packed(
        &mut self,
        path: &str,
        size: u64,
        format: PackedFormat,
        depth: SearchDepth,
        file: impl Read + Send,
    ) -> io::Result<()> {
        let unpacked = format.stream(BufReader::with_capacity(AHEAD, file));
        let stream = match unpacked {
            Ok(Some(stream)) => stream,
            Ok(None) => return Ok(()),
            Err(error) => {
                self.damaged(path, Err(error));
                return Ok(());
            }
        };
        let mut stream = BoundedStream::new(stream, size);
        let inside = SearchDepth { is_unpacked: true, ..depth };
        let done = self.file(&format!("{path}!"), size, &mut stream, inside);
        self.damaged(path, done);
        Ok(())
    }

    fn zip(
        &mut self,
        path: &str,
        size: u64,
        depth: SearchDepth,
        file: impl Read + Send,
    ) -> io::Result<()> {
        let mut zip = BufReader::with_capacity(AHEAD, file);
        let inside = SearchDepth { is_unpacked: true, ..depth };
        let done = self.members(path, size, inside, &mut zip);
        self.damaged(path, done);
        Ok(())
    }

    fn members(
        &mut self,
        path: &str,
        size: u64,
        depth: SearchDepth,
        zip: &mut (impl BufRead + Send),
    ) -> io::Result<()> {
        // All members together have the limit of one packed file.
        let mut spent = 0;
        for _ in 0..MOST_MEMBERS {
            let Some(member) = ZipMember::next(zip)? else { return Ok(()) };
            let name = format!("{path}!{}", readable(&member.name));
            if let Some(obstacle) = member.obstacle() {
                self.skip(
                    &name,
                    match obstacle {
                        ZipObstacle::Encrypted => SkipReason::Encrypted,
                        ZipObstacle::Unknown => SkipReason::UnknownPacking,
                    },
                );
                if !member.can_be_passed() {
                    return Ok(());
                }
                io::copy(&mut zip.take(member.packed_size()), &mut io::sink())?;
                continue;
            }
            let mut content = BoundedStream::after(spent, member.content(zip), size);
            self.file(&name, member.packed_size(), &mut content, depth)?;
            io::copy(&mut content, &mut io::sink())?;
            spent = content.given();
            drop(content);
            member.end(zip)?;
        }
        self.skip(path, SkipReason::TooLarge);
        Ok(())
    }

    /// Tells what could not be unpacked. The outer stream is read on, and says itself if it is broken.
    fn damaged(&mut self, path: &str, done: io::Result<()>) {
        if let Err(error) = done {
            let is_bomb = error.to_string() == BOMB;
            self.skip(path, if is_bomb { SkipReason::TooLarge } else { SkipReason::Damaged });
        }
    }

    /// Searches the content of a file, or a text.
    pub fn content(&mut self, path: &str, content: &mut (dyn Read + Send)) -> io::Result<()> {
        let SearchedStream { bytes, found, broken } = self.stream.search(content);
        self.report.bytes += bytes;
        for secret in found {
            self.report.add(self.layer, path, secret);
        }
        broken.map_or(Ok(()), Err)
    }

    /// Adds a secret that another rule has found.
    pub fn add(&mut self, path: &str, secret: FoundSecret) {
        self.report.add(self.layer, path, secret);
    }
}

/// What a file was taken out of. Each is opened once on the way, so nesting ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SearchDepth {
    /// Out of a packed file.
    is_unpacked: bool,
    /// Out of a tar that is a file itself.
    is_in_tar: bool,
}

/// The path by which the rules for files judge: the innermost name, without the ending of a packed file.
fn judged_path(path: &str) -> &str {
    let Some(packed) = path.strip_suffix('!') else {
        return path.rsplit_once('!').map_or(path, |(_, inner)| inner);
    };
    let endings = [".gz", ".xz", ".zst"];
    endings.iter().find_map(|ending| packed.strip_suffix(ending)).unwrap_or(packed)
}

/// A name as it can be shown and compared: what is no UTF-8 or not printable is escaped.
pub(super) fn readable(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    let name = name.strip_prefix(b"./").unwrap_or(name);
    for part in name.utf8_chunks() {
        for letter in part.valid().chars() {
            match letter.is_control() {
                true => text.extend(letter.escape_default()),
                false => text.push(letter),
            }
        }
        for byte in part.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
