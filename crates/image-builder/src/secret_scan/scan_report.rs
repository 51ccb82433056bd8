//! What a scan says: what it searched, what it found, what it skipped and why.
//!
//! No value of a secret is in it. It does not decide whether a finding counts; waivers do.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;

use serde::Serialize;

use super::stream_search::FoundSecret;
use crate::failure::ImageFailure;

/// Most skipped files that are named; all are counted.
const MOST_NAMED: usize = 200;
/// Most findings that an error names.
const MOST_TOLD: usize = 30;
/// Digits of the SHA-256 that are shown. A waiver may name so few.
pub(super) const SHOWN_DIGITS: usize = 16;

/// A secret that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SecretFinding {
    /// The number of the layer, from 1; none outside of layers.
    pub layer: Option<usize>,
    /// The instruction that made the layer, if the image tells it; masked.
    pub created_by: Option<String>,
    /// The file, or the part of the image's configuration. `!` stands before what a packed file contains.
    pub path: String,
    /// The rule that found it.
    pub rule: &'static str,
    /// The first characters, if it is long enough to show them, and `****`.
    pub masked: String,
    /// Its length in bytes. A rule for files means the whole file.
    pub length: u64,
    /// The first digits of its SHA-256.
    pub sha256: String,
    /// Why it is no secret, if a waiver says so.
    pub waived: Option<String>,
    /// The day on which its waiver ended.
    pub waiver_expired: Option<String>,
}

/// Why something was not searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It is packed inside a packed file.
    PackedTwice,
    /// It unpacks to more than is searched; the beginning was searched.
    TooLarge,
    /// It cannot be unpacked to its end; what came out was searched.
    Damaged,
    /// It is packed with a password.
    Encrypted,
    /// It is packed in a way that is not known here.
    UnknownPacking,
    /// A layer that the image names and does not contain.
    MissingLayer,
    /// A layer that is no tar. Its bytes were searched as one file.
    NotTar,
    /// A device, a socket or a pipe.
    NotAFile,
}

impl SkipReason {
    /// In words, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::PackedTwice => "packed inside a packed file",
            Self::TooLarge => "unpacks to more than is searched",
            Self::Damaged => "cannot be unpacked to its end",
            Self::Encrypted => "packed with a password",
            Self::UnknownPacking => "packed in an unknown way",
            Self::MissingLayer => "a layer that the image does not contain",
            Self::NotTar => "a layer that is no tar",
            Self::NotAFile => "no file",
        }
    }
}

/// Something that was not searched, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SkippedContent {
    /// The number of the layer, from 1; none outside of layers.
    pub layer: Option<usize>,
    /// The file.
    pub path: String,
    /// Why.
    pub reason: SkipReason,
}

impl fmt::Display for SkippedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Some(layer) => write!(f, "layer {layer}: {}: {}", self.path, self.reason.words()),
            None => write!(f, "{}: {}", self.path, self.reason.words()),
        }
    }
}

/// What a scan says.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SecretScanReport {
    /// How many rules were used.
    pub rules: usize,
    /// How many layers were searched. A layer that several images share counts once.
    pub layers: usize,
    /// How many files were searched, files inside packed files included.
    pub files: u64,
    /// How many bytes were searched, after unpacking.
    pub bytes: u64,
    /// What was found, in order.
    pub findings: Vec<SecretFinding>,
    /// How much was skipped for each reason.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// What was skipped, at most 200 of them.
    pub skipped_content: Vec<SkippedContent>,
    /// Waivers that no finding needed.
    pub unused_waivers: Vec<String>,
}

impl SecretScanReport {
    /// Adds a secret.
    pub(super) fn add(&mut self, layer: Option<usize>, path: &str, found: FoundSecret) {
        self.findings.push(SecretFinding {
            layer,
            created_by: None,
            path: path.to_owned(),
            rule: found.rule,
            masked: found.shown,
            length: found.length,
            sha256: found.sha256[..SHOWN_DIGITS].to_owned(),
            waived: None,
            waiver_expired: None,
        });
    }

    /// Adds what was skipped.
    pub(super) fn skip(&mut self, layer: Option<usize>, path: &str, reason: SkipReason) {
        *self.skipped.entry(reason).or_default() += 1;
        if self.skipped_content.len() < MOST_NAMED {
            self.skipped_content.push(SkippedContent { layer, path: path.to_owned(), reason });
        }
    }

    /// Adds what another scan of the same image said.
    pub(super) fn merge(&mut self, other: Self) {
        self.layers += other.layers;
        self.files += other.files;
        self.bytes += other.bytes;
        self.findings.extend(other.findings);
        for (reason, count) in other.skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
        self.skipped_content.extend(other.skipped_content);
        self.skipped_content.truncate(MOST_NAMED);
    }

    /// Puts everything in order, so that two scans of one image say the same.
    pub(super) fn sort(&mut self) {
        self.findings.sort();
        self.findings.dedup();
        self.skipped_content.sort();
    }

    /// The findings that count.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretFinding> {
        self.findings.iter().filter(|finding| finding.waived.is_none())
    }

    /// How much was skipped.
    #[must_use]
    pub fn skipped_count(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// In one line for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let waived = self.findings.len() - self.secrets().count();
        let mut text = match self.layers {
            0 => String::new(),
            layers => format!("{layers} layers, "),
        };
        let _ = write!(
            text,
            "{} files, {} MB, {} findings",
            self.files,
            self.bytes / 1_000_000,
            self.secrets().count()
        );
        if waived > 0 {
            let _ = write!(text, ", {waived} waived");
        }
        if self.skipped_count() > 0 {
            let reasons = self.skipped.iter();
            let reasons: Vec<_> =
                reasons.map(|(reason, count)| format!("{count} {}", reason.words())).collect();
            let _ = write!(text, ", {} skipped ({})", self.skipped_count(), reasons.join(", "));
        }
        text
    }

    /// Writes the report to a file, as JSON.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if it cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), ImageFailure> {
        let text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other);
        let done = text.and_then(|text| std::fs::write(file, text));
        done.map_err(|error| ImageFailure::Unusable {
            what: format!("writing the report of the scan to {}: {error}", file.display()),
            hint: "name a file in a folder that exists".to_owned(),
        })
    }

    /// The gate: whether this may be built or pushed.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::SecretsFound`] if a finding counts.
    pub fn gate(&self) -> Result<(), ImageFailure> {
        let count = self.secrets().count();
        if count == 0 {
            return Ok(());
        }
        let mut what = format!("{count} {}", if count == 1 { "secret" } else { "secrets" });
        for finding in self.secrets().take(MOST_TOLD) {
            let _ = write!(what, "\n  {}", finding.line());
        }
        if count > MOST_TOLD {
            let _ = write!(what, "\n  and {} more", count - MOST_TOLD);
        }
        let hint = "take each out of what is built, and rotate it: it was in a file or a layer. If it is no \
                    secret, add a waiver with rule, path, sha256, reason and expires to the file of waivers"
            .to_owned();
        Err(ImageFailure::SecretsFound { what, hint })
    }
}

impl SecretFinding {
    /// In one line for people.
    #[must_use]
    pub fn line(&self) -> String {
        let layer = match (self.layer, &self.created_by) {
            (Some(layer), Some(made)) => format!("layer {layer} ({made}): "),
            (Some(layer), None) => format!("layer {layer}: "),
            (None, _) => String::new(),
        };
        let expired = match &self.waiver_expired {
            Some(day) => format!(", its waiver ended on {day}"),
            None => String::new(),
        };
        let Self { path, rule, masked, length, sha256, .. } = self;
        format!("{layer}{path}, rule {rule}, {masked}, {length} bytes, sha256 {sha256}{expired}")
    }
}
