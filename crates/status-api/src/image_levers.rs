//! What slows the starts of an image, as far as the manifests of the images that this configuration manages tell it: its
//! size, and how its layers are compressed. What no manifest says is left out; nothing is guessed.

use fargate_image_manifest::{ChannelName, ManifestFile, RecordedVersion};
use fargate_status_answers::{ImageStarts, StartTimeAnswer};

use crate::StatusSettings;

/// An image that is larger slows starts. Source: AWS, the size from which it recommends lazy loading (SOCI).
const LARGE_BYTES: u64 = 250_000_000;

/// Adds to each image of a channel its digest, its size and what slows it.
pub(crate) fn add_levers(settings: &StatusSettings, answer: &mut StartTimeAnswer) {
    for row in &mut answer.by_image {
        if let Some(version) = version_of(settings, &row.image) {
            describe(row, &version);
        }
    }
}

/// The version that a channel has now: `image` is `NAME@CHANNEL`.
fn version_of(settings: &StatusSettings, image: &str) -> Option<RecordedVersion> {
    let (name, channel) = image.split_once('@')?;
    let channel: ChannelName = channel.parse().ok()?;
    let configured = settings.images.iter().find(|configured| configured.name == name)?;
    let file = ManifestFile::read_or_empty(&configured.manifest).ok()?;
    file.manifest.images.get(name)?.version_of(&channel).cloned()
}

fn describe(row: &mut ImageStarts, version: &RecordedVersion) {
    row.digest = Some(version.digest.to_string());
    row.compressed_bytes = Some(version.size_bytes).filter(|size| *size > 0);
    if version.size_bytes > LARGE_BYTES {
        row.levers.push("over 250 MB".to_owned());
    }
    match version.compression.as_deref() {
        // Source: AWS, "Reducing AWS Fargate startup times with zstd compressed container images".
        Some("gzip") => row.levers.push("gzip layers; zstd unpacks faster".to_owned()),
        Some("uncompressed") => row.levers.push("layers are not compressed".to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use fargate_image_manifest::{ManifestTime, RecordedImage};
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::status_settings::ConfiguredImage;

    #[test]
    fn an_image_of_a_channel_has_its_size_and_what_slows_it_and_others_have_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("images.json");
        let digest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        let made = ManifestTime::of(SystemTime::UNIX_EPOCH + Duration::from_hours(400_000));
        let mut version = RecordedVersion::candidate(digest, "ci-a", made);
        version.size_bytes = 412_000_000;
        version.compression = Some("gzip".to_owned());
        let mut recorded = RecordedImage::empty("registry.example/team/ci");
        let assigned = serde_json::json!({"digest": version.digest, "since": made});
        recorded.record(version);
        recorded.channels.insert(ChannelName::stable(), serde_json::from_value(assigned).unwrap());
        let mut file = ManifestFile::read_or_empty(&manifest).unwrap();
        file.manifest.images.insert("ci".to_owned(), recorded);
        file.save().unwrap();
        let image = ConfiguredImage { name: "ci".to_owned(), manifest, ..Default::default() };
        let settings = StatusSettings { images: vec![image], ..StatusSettings::default() };
        let row = |image: &str| ImageStarts { image: image.to_owned(), ..ImageStarts::default() };
        let by_image = ["ci@stable", "ci@next", "node@stable", "debian:13"].map(row).to_vec();
        let mut answer = StartTimeAnswer { by_image, ..StartTimeAnswer::default() };
        add_levers(&settings, &mut answer);
        let [stable, others @ ..] = &answer.by_image[..] else { panic!("rows") };
        assert_eq!(stable.compressed_bytes, Some(412_000_000));
        assert_eq!(stable.levers, ["over 250 MB", "gzip layers; zstd unpacks faster"]);
        let is_bare = |row: &ImageStarts| row.compressed_bytes.is_none() && row.levers.is_empty();
        assert!(others.iter().all(is_bare), "{others:?}");
    }
}
