//! The configuration of an image, and what its layers are: environment, labels and history are shipped with it.
//!
//! It reads both forms of a manifest: that of OCI, and `manifest.json` of `docker save`.

use serde::Deserialize;
use serde_json::Value;

use super::file_search::FileSearch;
use super::named_values::NamedValues;

/// Largest configuration or manifest that is read, in bytes.
///
/// Source: OCI distribution specification, "Pushing Manifests": registries take 4 MiB.
pub(super) const LARGEST_METADATA: u64 = 4 * 1024 * 1024;
/// Longest instruction that a finding names, in characters.
const LONGEST_INSTRUCTION: usize = 60;

/// One image of a folder or an archive.
#[derive(Clone, Debug)]
pub(super) struct ImageContent {
    /// The name of the file with its configuration.
    pub config: String,
    /// The names of its layers' files, in order.
    pub layers: Vec<String>,
}

/// An entry of `manifest.json`.
#[derive(Debug, Deserialize)]
pub(super) struct SavedImage {
    #[serde(rename = "Config")]
    config: String,
    #[serde(rename = "Layers", default)]
    layers: Vec<String>,
}

impl From<SavedImage> for ImageContent {
    fn from(saved: SavedImage) -> Self {
        Self { config: saved.config, layers: saved.layers }
    }
}

/// An index or a manifest of OCI: an index has manifests, a manifest has layers.
#[derive(Debug, Default, Deserialize)]
pub(super) struct OciDocument {
    #[serde(default)]
    pub manifests: Vec<BlobReference>,
    #[serde(default)]
    pub config: Option<BlobReference>,
    #[serde(default)]
    pub layers: Vec<BlobReference>,
}

/// What names a blob.
#[derive(Debug, Deserialize)]
pub(super) struct BlobReference {
    digest: String,
}

impl BlobReference {
    /// Its digest as it is written.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The file of the blob in a layout; none if the digest cannot be a part of a path.
    pub fn file(&self) -> Option<String> {
        let (kind, digits) = self.digest.split_once(':')?;
        let is_plain =
            |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
        (is_plain(kind) && is_plain(digits)).then(|| format!("blobs/{kind}/{digits}"))
    }
}

/// The instructions that made the layers, in order.
pub(super) fn layer_instructions(config: &Value) -> Vec<String> {
    let history = config["history"].as_array().map_or(&[][..], Vec::as_slice);
    let makes_layer = |entry: &&Value| entry["empty_layer"].as_bool() != Some(true);
    let text = |entry: &Value| entry["created_by"].as_str().unwrap_or_default().to_owned();
    history.iter().filter(makes_layer).map(text).collect()
}

/// An instruction as a finding shows it: its beginning, on one line.
pub(super) fn short_instruction(text: &str) -> String {
    let text = text.strip_prefix("/bin/sh -c ").unwrap_or(text);
    let text = text.strip_prefix("#(nop) ").unwrap_or(text).trim();
    let mut short: String = text.chars().take(LONGEST_INSTRUCTION).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short.replace(char::is_control, " ")
}

/// Searches each text of a configuration, and the values that have the name of a secret.
pub(super) fn search_config(search: &mut FileSearch<'_>, names: &NamedValues, config: &Value) {
    search_value(search, names, "", "config", config);
}

fn search_value(
    search: &mut FileSearch<'_>,
    names: &NamedValues,
    name: &str,
    place: &str,
    value: &Value,
) {
    match value {
        Value::String(text) => {
            // Reading from memory does not fail.
            let _ = search.content(place, &mut text.as_bytes());
            names.in_pair(name, text, |secret| search.add(place, secret));
            names.in_text(text, |secret| search.add(place, secret));
        }
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                search_value(search, names, name, &format!("{place}[{number}]"), item);
            }
        }
        Value::Object(fields) => {
            for (field, item) in fields {
                let place = format!("{place}.{field}");
                search_value(search, names, field, &place, item);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
