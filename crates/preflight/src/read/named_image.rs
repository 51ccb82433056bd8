//! The image of a profile as a registry knows it: a channel of an `[image.NAME]` becomes the digest that its
//! manifest gives now. No registry is asked.

use fargate_config::JobProfile;
use fargate_image_manifest::{ChannelImage, ChannelName, ManifestTime};
use fargate_model::text::error_chain;

/// The text of the image; `None` for a profile with a fixed task definition.
///
/// # Errors
///
/// Why the channel has no digest, in words.
pub(crate) fn named_image(profile: &JobProfile) -> Result<Option<String>, String> {
    let Some(channel) = &profile.channel else { return Ok(profile.image.clone()) };
    let failed = |why: String| {
        let (image, path) = (&channel.image, channel.manifest.display());
        format!("the channel {image}@{} has no image in {path}: {why}", channel.channel)
    };
    let name: ChannelName = channel.channel.parse().map_err(|error| failed(format!("{error}")))?;
    let (image, now) = (&channel.image, ManifestTime::now());
    ChannelImage::resolve(&channel.manifest, image, &name, channel.grace, now)
        .map(|found| Some(found.text))
        .map_err(|error| failed(error_chain(&error)))
}
