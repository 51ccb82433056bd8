//! The image of a profile that names a channel, `NAME@CHANNEL`: the manifest of the image says which digest
//! the channel has now. All tasks of the job then get the same bytes. Of an image that is named by its digest,
//! the manifest says whether it may be used.
//!
//! No registry is asked. Who moves a channel is not known here.

use fargate_config::JobProfile;
use fargate_events::{JobEvent, emit};
use fargate_image_manifest::{
    ChannelImage, ChannelName, ChannelRefusal, ImageDigest, ManifestTime,
};
use fargate_model::cause::{CauseReport, FailureCause};
use fargate_model::text::escape;

/// A profile whose image is no channel any more.
#[derive(Clone, Debug)]
pub struct ChannelProfile {
    /// The profile, with the image by its digest.
    pub profile: JobProfile,
    /// What people should know: the version is deprecated.
    pub warning: Option<String>,
    /// The size of the image in its registry, in bytes, if the manifest says it.
    pub image_bytes: Option<u64>,
}

impl ChannelProfile {
    /// Asks the manifest for the digest of the channel that the profile names. Another profile stays as it
    /// is.
    ///
    /// # Errors
    ///
    /// The cause for which there is no digest: [`FailureCause::ImageManifestUnread`],
    /// [`FailureCause::ImageChannelMissing`], [`FailureCause::ImageRevoked`] or
    /// [`FailureCause::ImageDeprecated`].
    pub fn of(profile: &JobProfile) -> Result<Self, CauseReport> {
        let (Some(channel), Some(text)) = (&profile.channel, &profile.image) else {
            let (warning, image_bytes) = by_digest(profile)?;
            return Ok(Self { profile: profile.clone(), warning, image_bytes });
        };
        let path = channel.manifest.display().to_string();
        let why = |cause: FailureCause, words: &str| {
            CauseReport::new(cause)
                .with("image", &channel.image)
                .with("channel", &channel.channel)
                .with("path", &path)
                .because(format!("{}.", escape(words)))
        };
        let name: ChannelName = channel.channel.parse().map_err(|error| {
            let words = format!("{error}");
            why(FailureCause::ImageChannelMissing, &words)
        })?;
        let (image, grace, now) = (&channel.image, channel.grace, ManifestTime::now());
        let found = ChannelImage::resolve(&channel.manifest, image, &name, grace, now);
        let found = found.map_err(|error| why(cause_of(&error), &words(&error)))?;
        let mut resolved = profile.clone();
        resolved.image = Some(found.text.clone());
        resolved.channel = None;
        emit(JobEvent::ImageResolved { channel: text.clone(), image: found.text.clone() });
        let (warning, image_bytes) = (deprecation(text, &found), found.size_bytes);
        if let Some(message) = warning.clone() {
            let (channel, image) = (text.clone(), found.text);
            emit(JobEvent::ImageDeprecated { channel, image, message });
        }
        Ok(Self { profile: resolved, warning, image_bytes })
    }
}

/// What people should know of an image that is named by its digest, and its size. A manifest that cannot be read forbids
/// nothing: the digest alone is enough to run the job.
fn by_digest(profile: &JobProfile) -> Result<(Option<String>, Option<u64>), CauseReport> {
    let nothing = Ok((None, None));
    let (Some(listed), Some(text)) = (&profile.listed, &profile.image) else { return nothing };
    let Ok(digest) = listed.digest.parse::<ImageDigest>() else { return nothing };
    let (path, now) = (&listed.manifest, ManifestTime::now());
    let found = ChannelImage::of_digest(path, &listed.image, &digest, listed.grace, now);
    let (warning, size_bytes) = match found {
        Ok(None) => (None, None),
        Ok(Some(found)) => (deprecation(text, &found), found.size_bytes),
        Err(error @ ChannelRefusal::Manifest(_)) => {
            (Some(format!("image {text} was not looked up: {}", words(&error))), None)
        }
        Err(error) => {
            return Err(CauseReport::new(cause_of(&error))
                .with("image", &listed.image)
                .with("path", path.to_string_lossy())
                .because(format!("{}.", escape(&words(&error)))));
        }
    };
    if let Some(message) = warning.clone() {
        let (channel, image) = (text.clone(), text.clone());
        emit(JobEvent::ImageDeprecated { channel, image, message });
    }
    Ok((warning, size_bytes))
}

fn words(error: &ChannelRefusal) -> String {
    let words = fargate_model::text::error_chain(error);
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    first + letters.as_str()
}

fn cause_of(error: &ChannelRefusal) -> FailureCause {
    match error {
        ChannelRefusal::Manifest(_) => FailureCause::ImageManifestUnread,
        ChannelRefusal::NoImage { .. } | ChannelRefusal::NoChannel { .. } => {
            FailureCause::ImageChannelMissing
        }
        ChannelRefusal::Revoked { .. } | ChannelRefusal::DigestRevoked { .. } => {
            FailureCause::ImageRevoked
        }
        ChannelRefusal::Deprecated { .. } | ChannelRefusal::DigestDeprecated { .. } => {
            FailureCause::ImageDeprecated
        }
    }
}

fn deprecation(channel: &str, found: &ChannelImage) -> Option<String> {
    let since = found.deprecated_since?;
    let then = match found.refused_from {
        Some(refused) => format!("from {refused} on, jobs are refused"),
        None => "promote a newer version".to_owned(),
    };
    Some(format!("image {channel} ({}) is deprecated since {since}; {then}", found.tag))
}
