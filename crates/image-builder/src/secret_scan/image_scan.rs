//! Searches all layers of an image, two at a time, and its configuration.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fargate_fail_point::FailPoint;
use serde_json::Value;

use super::file_search::FileSearch;
use super::image_files::ImageFiles;
use super::image_metadata::{ImageContent, layer_instructions, search_config, short_instruction};
use super::scan_failure::{blocking, no_image, unreadable};
use super::scan_report::{SecretScanReport, SkipReason};
use super::waivers::SecretWaivers;
use super::watched_reader::WatchedReader;
use super::{ScanTarget, SecretScanner, engine_export};
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;

/// Layers that are searched at the same time.
const THREADS: usize = 2;
/// Digits of a layer's name that progress shows.
const SHOWN_NAME: usize = 8;

/// A layer that waits.
#[derive(Debug)]
struct WaitingLayer {
    number: usize,
    file: String,
    name: String,
}

/// What an image told of itself.
pub(super) struct ImageParts<'image> {
    pub content: &'image ImageContent,
    pub config: Value,
}

impl SecretScanner {
    /// Searches an image, marks what `waivers` excuse, and reports. Whether a finding stops the work is decided by
    /// [`SecretScanReport::gate`]. An image of the engine is asked for at `engine`, else at the usual socket.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] for a target that cannot be read or is no image,
    /// [`ImageFailure::EngineUnusable`], [`ImageFailure::Interrupted`].
    pub async fn scan_image(
        &self,
        target: &ScanTarget,
        engine: Option<&str>,
        waivers: &SecretWaivers,
        run: &ImageRun,
    ) -> Result<SecretScanReport, ImageFailure> {
        let mut report = match target {
            ScanTarget::EngineImage(name) => {
                engine_export::scan_export(self, name, engine, run).await?
            }
            ScanTarget::Layout(path) | ScanTarget::Archive(path) => {
                let (scanner, run, path) = (self.clone(), run.clone(), path.clone());
                let is_folder = matches!(target, ScanTarget::Layout(_));
                blocking(move || scanner.scan_stored(&path, is_folder, &run)).await?
            }
        };
        waivers.apply(&mut report, std::time::SystemTime::now());
        Ok(report)
    }

    /// [`SecretScanner::scan_image`] as a step of a command: it tells what it did, and which waivers are not
    /// needed.
    ///
    /// # Errors
    ///
    /// As [`SecretScanner::scan_image`].
    pub async fn scan_step(
        &self,
        target: &ScanTarget,
        engine: Option<&str>,
        waivers: &SecretWaivers,
        run: &ImageRun,
    ) -> Result<SecretScanReport, ImageFailure> {
        let step = ImageStep::Scan;
        let work = async {
            let report = self.scan_image(target, engine, waivers, run).await?;
            let summary = report.summary();
            Ok((report, summary))
        };
        let report = run.step(step, work).await?;
        for waiver in &report.unused_waivers {
            run.events.warn(step, waiver.clone());
        }
        Ok(report)
    }

    fn scan_stored(
        &self,
        path: &Path,
        is_folder: bool,
        run: &ImageRun,
    ) -> Result<SecretScanReport, ImageFailure> {
        let place = path.display().to_string();
        let wrong = |error| unreadable(run, &place, &error);
        let files = match is_folder {
            true => ImageFiles::Folder(path.to_owned()),
            false => ImageFiles::of_archive(path).map_err(wrong)?,
        };
        let images = files.images().map_err(wrong)?.filter(|images| !images.is_empty());
        let images = images.ok_or_else(|| no_image(&place))?;
        let mut parts = Vec::new();
        for content in &images {
            let config = files.metadata(&content.config).map_err(wrong)?.unwrap_or_default();
            parts.push(ImageParts { content, config });
        }
        let waiting = Mutex::new(self.waiting_layers(&parts).into_iter());
        let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || -> Result<SecretScanReport, (String, io::Error)> {
            let mut report = SecretScanReport::default();
            while let Some(layer) = next() {
                let name = layer.file.clone();
                report.merge(self.scan_layer(&files, layer, run).map_err(|error| (name, error))?);
            }
            Ok(report)
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
        });
        let mut report = SecretScanReport::default();
        for result in results {
            let done = result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let layer = |(name, error)| unreadable(run, &format!("{name} of {place}"), &error);
            report.merge(done.map_err(layer)?);
        }
        self.finish(&mut report, &parts);
        Ok(report)
    }

    /// Each layer once, with the number that it has in the first image that has it.
    fn waiting_layers(&self, images: &[ImageParts<'_>]) -> Vec<WaitingLayer> {
        let mut waiting: Vec<WaitingLayer> = Vec::new();
        for image in images {
            let names = self.instructions(&image.config);
            for (number, file) in image.content.layers.iter().enumerate() {
                if waiting.iter().all(|layer| layer.file != *file) {
                    let name = names.get(number).cloned().unwrap_or_default();
                    waiting.push(WaitingLayer { number: number + 1, file: file.clone(), name });
                }
            }
        }
        waiting
    }

    fn scan_layer(
        &self,
        files: &ImageFiles,
        layer: WaitingLayer,
        run: &ImageRun,
    ) -> io::Result<SecretScanReport> {
        let mut search = FileSearch::new(&self.rules, Some(layer.number));
        let Some((file, size)) = files.open(&layer.file)? else {
            search.skip(&layer.file, SkipReason::MissingLayer);
            return Ok(search.into_report());
        };
        let shown = (shown_name(&layer.file), layer.name);
        search.layer(&layer.file, WatchedReader::new(file, run.clone(), Some(shown), size))?;
        FailPoint::LayerSearched.reached();
        Ok(search.into_report())
    }

    /// Searches one layer of a stream.
    pub(super) fn scan_stream_layer(
        &self,
        name: &str,
        layer: impl Read + Send,
    ) -> io::Result<SecretScanReport> {
        let mut search = FileSearch::new(&self.rules, None);
        search.layer(name, layer)?;
        Ok(search.into_report())
    }

    /// Adds what the configurations hold, and names the instructions of the layers.
    pub(super) fn finish(&self, report: &mut SecretScanReport, images: &[ImageParts<'_>]) {
        let mut made: BTreeMap<usize, String> = BTreeMap::new();
        for image in images {
            let mut search = FileSearch::new(&self.rules, None);
            search_config(&mut search, &self.names, &image.config);
            let config = search.into_report();
            report.merge(config);
            for (number, text) in self.instructions(&image.config).into_iter().enumerate() {
                made.entry(number + 1).or_insert(text);
            }
        }
        for finding in &mut report.findings {
            finding.created_by = finding.layer.and_then(|layer| made.get(&layer).cloned());
        }
        report.rules = self.rules.rule_count();
        report.sort();
    }

    /// The instructions of the layers as they may be shown: they can hold a secret themselves.
    fn instructions(&self, config: &Value) -> Vec<String> {
        let shown = |text: String| short_instruction(&self.redacted(&text));
        layer_instructions(config).into_iter().map(shown).collect()
    }
}

/// A layer's name for progress: the first digits of its digest or id.
pub(super) fn shown_name(file: &str) -> String {
    let name = file.trim_end_matches("/layer.tar");
    name.rsplit('/').next().unwrap_or(name).chars().take(SHOWN_NAME).collect()
}
