//! `image = "NAME@CHANNEL"`: an image of `[image.NAME]` by its channel; or `"REPOSITORY@DIGEST"`, where the
//! repository is one of `[image.NAME]`.
//!
//! Which digest the channel has, and what is known of a digest, stands in the image's manifest, which is not
//! read here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::check;
use crate::layer::SettingsLayer;
use crate::problem::ConfigProblem;
use crate::settings::ManagedImage;
use crate::unknown_key;
use crate::value::{LocatedValue, SettingsTable};

/// Longest name of a channel, in characters. Ours, as the manifest has it.
const MAX_CHANNEL: usize = 32;

/// The image of a profile, named by a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedChannel {
    /// The NAME of `[image.NAME]`.
    pub image: String,
    /// The channel.
    pub channel: String,
    /// The manifest that says which digest the channel has.
    pub manifest: PathBuf,
    /// After how long a deprecated version is refused; `None` for never.
    pub grace: Option<Duration>,
}

/// The image of a profile, named by the digest of a version of an `[image.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedDigest {
    /// The NAME of `[image.NAME]`.
    pub image: String,
    /// The digest, with `sha256:`.
    pub digest: String,
    /// The manifest that says whether the version may be used.
    pub manifest: PathBuf,
    /// After how long a deprecated version is refused; `None` for never.
    pub grace: Option<Duration>,
}

/// The tables `[image.NAME]` of a file.
pub(crate) type ManagedImages = [(String, SettingsTable)];

/// Name and channel, if the text has the form `NAME@CHANNEL`. `@sha256:` is a digest.
fn parts(text: &str) -> Option<(&str, &str)> {
    let (name, channel) = text.split_once('@')?;
    (check::volume_name(name).is_ok() && !channel.contains(':')).then_some((name, channel))
}

/// The channel that a merged layer names, if it names one that is there.
pub(crate) fn named(layer: &SettingsLayer, images: &ManagedImages) -> Option<ManagedChannel> {
    let text: LocatedValue<String> = layer.values.get("image")?;
    let (name, channel) = parts(&text.value)?;
    let (_, values) = images.iter().find(|(known, _)| known == name)?;
    let image = ManagedImage::from_values(values, name.to_owned())?;
    Some(ManagedChannel {
        image: image.name,
        channel: channel.to_owned(),
        manifest: image.manifest,
        grace: image.deprecate_after,
    })
}

/// The version that a merged layer names by its digest, if it is of a repository of an image that is there.
pub(crate) fn listed(layer: &SettingsLayer, images: &ManagedImages) -> Option<ManagedDigest> {
    let text: LocatedValue<String> = layer.values.get("image")?;
    let (place, digest) = text.value.split_once('@').filter(|(_, d)| d.starts_with("sha256:"))?;
    // A tag may stand before the digest; a port has a slash behind it.
    let repository = match place.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') => before,
        _ => place,
    };
    let all =
        images.iter().filter_map(|(name, values)| ManagedImage::from_values(values, name.clone()));
    let image = all.into_iter().find(|image| {
        let mut repositories = image.replicas.iter().chain([&image.repository]);
        repositories.any(|known| known == repository)
    })?;
    Some(ManagedDigest {
        image: image.name,
        digest: digest.to_owned(),
        manifest: image.manifest,
        grace: image.deprecate_after,
    })
}

/// What is wrong with the channel that a merged layer names.
pub(crate) fn conflicts(
    layer: &SettingsLayer,
    images: &ManagedImages,
    path: &Path,
) -> Option<ConfigProblem> {
    let text: LocatedValue<String> = layer.values.get("image")?;
    let (name, channel) = parts(&text.value)?;
    let given = check::quoted(&text.value);
    if !images.iter().any(|(known, _)| known == name) {
        let names = images.iter().map(|(name, _)| name.as_str());
        let hint = match unknown_key::nearest(name, names) {
            Some(near) => format!("nearest is `image = \"{near}@{channel}\"`"),
            None => format!("add `[image.{name}]`, or name an image by tag or digest"),
        };
        let rest = format!("is {given}, a channel of an image, and `[image.{name}]` is not here");
        return Some(ConfigProblem::of_key(path, &text.place, &rest, Some(hint)));
    }
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_channel = (1..=MAX_CHANNEL).contains(&channel.len())
        && channel.starts_with(|c: char| c.is_ascii_lowercase())
        && channel.bytes().all(allowed);
    let rest = format!(
        "is {given}; behind `@` stands a digest, or a channel of 1 to {MAX_CHANNEL} lower-case letters, \
         digits and hyphens"
    );
    let hint = Some(format!("such as `{name}@stable`"));
    (!is_channel).then(|| ConfigProblem::of_key(path, &text.place, &rest, hint))
}
