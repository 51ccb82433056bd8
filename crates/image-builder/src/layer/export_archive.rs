//! Takes an engine's export apart while it streams: each layer into a file of its own, without compression,
//! and the small files into memory. The order of layers stands in `manifest.json`, which comes last.
//!
//! It knows the archive of `docker save` from every engine: `ID/layer.tar` with links between them, and
//! `blobs/sha256/...` of newer ones.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::tar_reader::{TarReader, skip_by_reading};
use crate::oci_layout::MAX_LAYERS;

/// Longest small file that is kept, in bytes.
const LONGEST_SMALL: u64 = 8 * 1024 * 1024;
/// Most small files and links together.
const MAX_NAMES: usize = 10_000;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// What an export holds.
#[derive(Debug)]
pub(crate) struct ExportedImage {
    /// The configuration's exact bytes.
    pub config: Vec<u8>,
    /// Which of the spooled files is which layer, the lowest first; a file may be several.
    pub layers: Vec<usize>,
}

/// A layer that is in its file now.
pub(crate) struct SpooledLayer {
    /// Its number, in the order of the stream.
    pub number: usize,
    /// The file.
    pub path: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExportEntry {
    config: String,
    layers: Vec<String>,
}

#[derive(Default)]
struct ExportNames {
    small: HashMap<String, Vec<u8>>,
    links: HashMap<String, String>,
    layers: HashMap<String, usize>,
}

/// Reads the export. `spooled` gets each layer as soon as its file is whole.
pub(crate) fn take_apart(
    source: impl Read,
    folder: &Path,
    mut spooled: impl FnMut(SpooledLayer) -> io::Result<()>,
) -> io::Result<ExportedImage> {
    let mut reader = TarReader::new(source);
    let mut names = ExportNames::default();
    while let Some(member) = reader.next_by(skip_by_reading)? {
        let path = String::from_utf8_lossy(&member.path).trim_start_matches("./").to_owned();
        if names.small.len() + names.links.len() > MAX_NAMES {
            return Err(wrong("it has too many files"));
        }
        match member.kind {
            b'0' => {}
            b'1' | b'2' => {
                let link = String::from_utf8_lossy(&member.link).into_owned();
                let target = if member.kind == b'2' { beside(&path, &link) } else { link };
                names.links.insert(path, target);
                continue;
            }
            _ => continue,
        }
        let (start, is_small) = begins(&mut reader, &path, member.size)?;
        if is_small {
            let mut bytes = start;
            reader.read_to_end(&mut bytes)?;
            names.small.insert(path, bytes);
            continue;
        }
        let number = names.layers.len();
        if number == MAX_LAYERS {
            return Err(wrong(&format!("it has more than {MAX_LAYERS} layers")));
        }
        let file = folder.join(format!("raw-{number}"));
        spool(start, &mut reader, &file)?;
        names.layers.insert(path, number);
        spooled(SpooledLayer { number, path: file })?;
    }
    names.image()
}

/// The first bytes of a member, and whether it is one of the small JSON files.
fn begins(reader: &mut impl Read, path: &str, size: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut start = Vec::new();
    reader.take(512).read_to_end(&mut start)?;
    let is_layer = path.ends_with("/layer.tar")
        || path.starts_with("blobs/") && !matches!(start.first(), Some(b'{' | b'['));
    if !is_layer && size > LONGEST_SMALL {
        return Err(wrong(&format!("the file {} is too long", shown(path))));
    }
    Ok((start, !is_layer))
}

fn spool(start: Vec<u8>, reader: &mut impl Read, file: &Path) -> io::Result<()> {
    let is = |magic: &[u8]| start.starts_with(magic);
    let (is_gzip, is_zstd) = (is(GZIP), is(ZSTD));
    let mut whole = io::Cursor::new(start).chain(reader);
    let mut to = BufWriter::with_capacity(1024 * 1024, File::create(file)?);
    if is_gzip {
        let whole = io::BufReader::new(&mut whole);
        io::copy(&mut flate2::bufread::MultiGzDecoder::new(whole), &mut to)?;
    } else if is_zstd {
        io::copy(&mut zstd::stream::read::Decoder::new(&mut whole)?, &mut to)?;
    } else {
        let mut buffer = vec![0; 1024 * 1024];
        loop {
            match whole.read(&mut buffer)? {
                0 => break,
                read => to.write_all(&buffer[..read])?,
            }
        }
    }
    to.flush()
}

impl ExportNames {
    fn image(mut self) -> io::Result<ExportedImage> {
        let manifest = self.small.get("manifest.json");
        let manifest = manifest.ok_or_else(|| wrong("it ended without `manifest.json`"))?;
        let entries: Vec<ExportEntry> = serde_json::from_slice(manifest)
            .map_err(|_| wrong("its `manifest.json` is not as documented"))?;
        let [entry] = entries.as_slice() else {
            return Err(wrong(&format!("it holds {} images; one is allowed", entries.len())));
        };
        let layers = entry.layers.iter().map(|path| self.layer(path));
        let layers = layers.collect::<io::Result<Vec<_>>>()?;
        let missing = || wrong(&format!("it has no file {}", shown(&entry.config)));
        let config = self.small.remove(&entry.config).ok_or_else(missing)?;
        Ok(ExportedImage { config, layers })
    }

    fn layer(&self, path: &str) -> io::Result<usize> {
        let mut path = path;
        // A chain of links ends after as many steps as there are layers.
        for _ in 0..=MAX_LAYERS {
            if let Some(number) = self.layers.get(path) {
                return Ok(*number);
            }
            match self.links.get(path) {
                Some(target) => path = target,
                None => break,
            }
        }
        Err(wrong(&format!("it has no layer {}", shown(path))))
    }
}

/// The target of a symbolic link at `path`.
fn beside(path: &str, link: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            other => parts.push(other),
        }
    }
    parts.join("/")
}

fn shown(path: &str) -> String {
    fargate_model::text::escape_within(path, 120)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
