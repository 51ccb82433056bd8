//! Searches an archive of images while it arrives, once and in its order, without keeping it: an engine's export
//! needs no room on the disk.
//!
//! Which layer is which is known only at the end, because the list of layers may come last.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde_json::Value;

use super::SecretScanner;
use super::file_search::readable;
use super::image_files::link_target;
use super::image_metadata::{ImageContent, LARGEST_METADATA, SavedImage};
use super::image_scan::{ImageParts, shown_name};
use super::scan_failure::{no_image, unreadable};
use super::scan_report::{SecretScanReport, SkipReason};
use super::watched_reader::WatchedReader;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use crate::layer::tar_reader::TarReader;

/// Most bytes of metadata that are kept.
const KEPT: usize = 64 * 1024 * 1024;

/// What is known so far.
#[derive(Default)]
struct ArrivedFiles {
    documents: BTreeMap<String, Value>,
    kept: usize,
    layers: BTreeMap<String, SecretScanReport>,
    links: BTreeMap<String, String>,
}

impl SecretScanner {
    /// Searches an archive that arrives; this blocks.
    pub(super) fn scan_stream(
        &self,
        place: &str,
        stream: impl Read + Send,
        run: &ImageRun,
    ) -> Result<SecretScanReport, ImageFailure> {
        let wrong = |error: io::Error| unreadable(run, place, &error);
        let mut arrived = ArrivedFiles::default();
        let stream = WatchedReader::new(stream, run.clone(), None, 0);
        let mut members = TarReader::of_any_tar(stream);
        while let Some(member) = members.next_member().map_err(wrong)? {
            let name = readable(&member.path);
            if member.is_file() {
                let done = self.arrive(&mut arrived, &name, member.size, &mut members, run);
                done.map_err(wrong)?;
            } else if member.is_link() {
                let target = link_target(&name, &readable(&member.link));
                arrived.links.insert(name, target);
            }
        }
        self.settle(place, arrived)
    }

    /// Takes one file: metadata is kept, anything else is searched as a layer.
    fn arrive(
        &self,
        arrived: &mut ArrivedFiles,
        name: &str,
        size: u64,
        file: &mut (impl Read + Send),
        run: &ImageRun,
    ) -> io::Result<()> {
        let mut head = Vec::new();
        file.take(1).read_to_end(&mut head)?;
        let is_document = matches!(head.first(), Some(b'{' | b'[')) && size <= LARGEST_METADATA;
        if is_document {
            file.read_to_end(&mut head)?;
            arrived.kept += head.len();
            if arrived.kept > KEPT {
                return Err(io::Error::other(format!("it has more than {KEPT} bytes of metadata")));
            }
            if let Ok(document) = serde_json::from_slice(&head) {
                arrived.documents.insert(name.to_owned(), document);
            }
            return Ok(());
        }
        let id = shown_name(name);
        let layer =
            WatchedReader::new(head.chain(file), run.clone(), Some((id, String::new())), size);
        let report = self.scan_stream_layer(name, layer)?;
        arrived.layers.insert(name.to_owned(), report);
        Ok(())
    }

    /// Gives each layer its number, once all have arrived.
    fn settle(
        &self,
        place: &str,
        mut arrived: ArrivedFiles,
    ) -> Result<SecretScanReport, ImageFailure> {
        let saved = arrived.documents.remove("manifest.json");
        let saved = saved.and_then(|list| serde_json::from_value::<Vec<SavedImage>>(list).ok());
        let saved = saved.filter(|saved| !saved.is_empty()).ok_or_else(|| no_image(place))?;
        let contents: Vec<ImageContent> = saved.into_iter().map(ImageContent::from).collect();
        let mut parts = Vec::new();
        let mut report = SecretScanReport::default();
        for content in &contents {
            let config = arrived.documents.get(&content.config).cloned().unwrap_or_default();
            for (number, file) in content.layers.iter().enumerate() {
                let file = arrived.links.get(file).unwrap_or(file);
                // What is left is empty, so that a layer of two images counts once.
                match arrived.layers.get_mut(file).map(std::mem::take) {
                    Some(layer) => report.merge(layer.numbered(number + 1)),
                    None => report.skip(Some(number + 1), file, SkipReason::MissingLayer),
                }
            }
            parts.push(ImageParts { content, config });
        }
        self.finish(&mut report, &parts);
        Ok(report)
    }
}

impl SecretScanReport {
    /// The same, as the report of this layer.
    pub(super) fn numbered(mut self, layer: usize) -> Self {
        for finding in &mut self.findings {
            finding.layer = Some(layer);
        }
        for skipped in &mut self.skipped_content {
            skipped.layer = Some(layer);
        }
        self
    }
}
