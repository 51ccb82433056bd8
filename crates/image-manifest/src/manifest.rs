//! The whole manifest: its text is read with every check, and written with sorted keys, so that a change is a
//! small diff in git.
//!
//! It knows no file.

use std::collections::{BTreeMap, BTreeSet};

use fargate_model::text::escape_within;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{RecordedImage, unique_keys};

/// The schema that is written, and the newest that is read.
pub const MANIFEST_SCHEMA: u64 = 1;

/// Longest text in the manifest, in bytes. Ours: the longest is a reason or a reference of an image.
const MAX_TEXT: usize = 4096;
/// Longest candidate tag, in characters. Source: OCI distribution specification, "Pulling manifests".
const MAX_TAG: usize = 128;
/// Markers that git leaves in a file that it could not merge.
const CONFLICT_MARKERS: [&[u8]; 2] = [b"<<<<<<< ", b">>>>>>> "];

/// All images that one manifest knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageManifest {
    /// The version of the form of this file.
    pub schema: u64,
    /// The images by their names.
    #[serde(default)]
    pub images: BTreeMap<String, RecordedImage>,
    /// Members that this version of the program does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Why a text is no manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UnreadableText {
    /// A newer program wrote it.
    NewerSchema(u64),
    /// What is wrong, and where.
    Malformed(String),
}

/// Read before anything else, because another schema may have another form.
#[derive(Deserialize)]
#[serde(expecting = "an object with `schema`")]
struct SchemaAlone {
    schema: u64,
}

impl Default for ImageManifest {
    fn default() -> Self {
        Self { schema: MANIFEST_SCHEMA, images: BTreeMap::new(), other: Map::new() }
    }
}

impl ImageManifest {
    /// Reads the text of a manifest.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, UnreadableText> {
        let malformed = |error: serde_json::Error| {
            // The error repeats what stands there.
            UnreadableText::Malformed(escape_within(&error.to_string(), 300))
        };
        let has_marker =
            |line: &[u8]| CONFLICT_MARKERS.iter().any(|marker| line.starts_with(marker));
        if let Some(at) = text.split(|b| *b == b'\n').position(has_marker) {
            let line = at + 1;
            let what = format!("line {line} is a conflict marker of git; resolve the conflict");
            return Err(UnreadableText::Malformed(what));
        }
        unique_keys::check(text).map_err(malformed)?;
        let SchemaAlone { schema } = serde_json::from_slice(text).map_err(malformed)?;
        if schema > MANIFEST_SCHEMA {
            return Err(UnreadableText::NewerSchema(schema));
        }
        let value: Value = serde_json::from_slice(text).map_err(malformed)?;
        check_texts(&value, "").map_err(UnreadableText::Malformed)?;
        let manifest: Self = serde_json::from_slice(text).map_err(malformed)?;
        manifest.check().map_err(UnreadableText::Malformed)?;
        Ok(manifest)
    }

    /// The text for the file: sorted keys, one member a line, a line break at the end.
    ///
    /// # Errors
    ///
    /// What is wrong, if a check that [`Self::parse`] makes would fail.
    pub(crate) fn text(&self) -> Result<String, String> {
        self.check()?;
        // A map of JSON values sorts its keys.
        let value = serde_json::to_value(self).map_err(|error| error.to_string())?;
        check_texts(&value, "")?;
        let text = serde_json::to_string_pretty(&value).map_err(|error| error.to_string())?;
        Ok(text + "\n")
    }

    /// What the form alone does not say.
    fn check(&self) -> Result<(), String> {
        if self.schema == 0 {
            return Err("`schema` is 0; the first schema is 1".to_owned());
        }
        self.images.iter().try_for_each(|(name, image)| check_image(name, image))
    }
}

fn check_image(name: &str, image: &RecordedImage) -> Result<(), String> {
    let repository = &image.repository;
    // A channel becomes `REPOSITORY@DIGEST`, so the text must be that of a repository alone.
    let last = repository.rsplit('/').next().unwrap_or_default();
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/[]".contains(&b);
    if last.is_empty() || last.contains(':') || !repository.bytes().all(allowed) {
        return Err(format!("`images.{name}.repository` is no repository: `{repository}`"));
    }
    let (mut digests, mut tags) = (BTreeSet::new(), BTreeSet::new());
    for version in &image.versions {
        let (digest, tag) = (&version.digest, &version.tag);
        if !digests.insert(digest) {
            return Err(format!("`images.{name}.versions` lists {digest} twice"));
        }
        if !is_tag(tag) {
            return Err(format!("version {digest} of `{name}` has a tag that is none: `{tag}`"));
        }
        if !tags.insert(tag) {
            return Err(format!("two versions of `{name}` have the tag `{tag}`"));
        }
    }
    for (channel, assigned) in &image.channels {
        let digest = &assigned.digest;
        // A revoked version is no error of the file: a job must be told that its version is revoked.
        if image.version(digest).is_none() {
            return Err(format!(
                "channel `{channel}` of `{name}` has {digest}, which `versions` does not list"
            ));
        }
    }
    Ok(())
}

fn is_tag(tag: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    (1..=MAX_TAG).contains(&tag.len()) && tag.bytes().all(allowed) && !tag.starts_with(['.', '-'])
}

/// Refuses what would be harmful where it is shown. `place` is the path of the value.
fn check_texts(value: &Value, place: &str) -> Result<(), String> {
    let below = |name: &str| match place {
        "" => name.to_owned(),
        place => format!("{place}.{name}"),
    };
    match value {
        Value::String(text) => check_text(text, place),
        Value::Array(items) => {
            let place = |at: usize| below(&at.to_string());
            items.iter().enumerate().try_for_each(|(at, item)| check_texts(item, &place(at)))
        }
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            check_text(name, place)?;
            check_texts(member, &below(name))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn check_text(text: &str, place: &str) -> Result<(), String> {
    if text.len() > MAX_TEXT {
        return Err(format!("a text in `{place}` is longer than {MAX_TEXT} bytes"));
    }
    match text.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some(c) => Err(format!("a text in `{place}` has the control character {c:?}")),
    }
}
