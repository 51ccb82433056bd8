//! Searches images, folders and lines for secrets, before anything leaves this machine.
//!
//! Each layer is searched by itself, because a file that a later layer deletes is still shipped. The image's
//! configuration, history and labels are searched too, and what files pack, one level deep. Nothing
//! is skipped in silence. No value of a secret leaves this module, and none is sent anywhere to be checked.

mod context_rules;
mod engine_export;
mod file_search;
mod image_files;
mod image_metadata;
mod image_scan;
mod known_samples;
mod line_redactor;
mod named_values;
mod packed_file;
mod path_rules;
mod registry_scan;
mod rule_search;
mod scan_failure;
mod scan_report;
mod scan_target;
mod secret_rule;
mod stream_search;
mod streamed_archive;
mod token_rules;
mod waivers;
mod watched_reader;
mod wide_text;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::failure::ImageFailure;
use crate::image_run::ImageRun;
use file_search::{FileSearch, SearchDepth, readable};
use named_values::NamedValues;
use rule_search::RuleSearch;
use watched_reader::WatchedReader;

#[cfg(test)]
mod tests;

pub use line_redactor::LineRedactor;
pub use scan_report::{SecretFinding, SecretScanReport, SkipReason, SkippedContent};
pub use scan_target::ScanTarget;
pub use waivers::SecretWaivers;

/// The version of the rules for paths and for names of variables. Whoever changes those raises it.
const OTHER_RULES: u32 = 1;
/// Digits of the digest of the other rules.
const VERSION_DIGITS: usize = 12;

/// All rules, compiled. Make one for a command; clones share it.
#[derive(Clone)]
pub struct SecretScanner {
    rules: Arc<RuleSearch>,
    names: Arc<NamedValues>,
}

impl fmt::Debug for SecretScanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretScanner")
    }
}

impl Default for SecretScanner {
    fn default() -> Self {
        Self::new()
    }
}

impl SecretScanner {
    /// Compiles all rules; some hundredths of a second.
    #[must_use]
    pub fn new() -> Self {
        Self { rules: Arc::new(RuleSearch::new()), names: Arc::new(NamedValues::new()) }
    }

    /// The version of the rules: another one wherever a rule for content was added or changed, or where
    /// `OTHER_RULES` says so.
    #[must_use]
    pub fn rules_version(&self) -> String {
        let mut hasher = Sha256::new();
        self.rules.describe(&mut hasher);
        let mut digest = hex::encode(hasher.finalize());
        digest.truncate(VERSION_DIGITS);
        format!("{OTHER_RULES}-{digest}")
    }

    /// A line without the secrets that the rules find in it.
    #[must_use]
    pub fn redacted<'line>(&self, line: &'line str) -> Cow<'line, str> {
        let mut places: Vec<_> = self.names.places(line).collect();
        self.rules.search(line.as_bytes(), 0..line.len(), true, |hit| places.push(hit.value));
        line_redactor::without(line, places)
    }

    /// Searches files below a folder, such as those of a build context. `paths` are relative to `root`. Links are
    /// not followed: what they lead to is not a part of them. This blocks; it ends early when the run is
    /// asked to stop.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if a file cannot be read, [`ImageFailure::Interrupted`].
    pub fn scan_files<'path>(
        &self,
        root: &Path,
        paths: impl IntoIterator<Item = &'path Path>,
        run: &ImageRun,
    ) -> Result<SecretScanReport, ImageFailure> {
        let mut search = FileSearch::new(&self.rules, None);
        for path in paths {
            let file = root.join(path);
            let name = readable(path.as_os_str().as_encoded_bytes());
            scan_failure::require_not_cancelled(run)?;
            let wrong = |error| scan_failure::unreadable(run, &file.display().to_string(), &error);
            let found = file.symlink_metadata().map_err(wrong)?;
            if !found.is_file() {
                if !found.is_dir() && !found.is_symlink() {
                    search.skip(&name, SkipReason::NotAFile);
                }
                continue;
            }
            let open = std::fs::File::open(&file).map_err(wrong)?;
            let mut content = WatchedReader::new(open, run.clone(), None, found.len());
            if found.len() > 0 {
                let depth = SearchDepth::default();
                search.file(&name, found.len(), &mut content, depth).map_err(wrong)?;
            }
        }
        let mut report = search.into_report();
        report.rules = self.rules.rule_count();
        report.sort();
        Ok(report)
    }
}
