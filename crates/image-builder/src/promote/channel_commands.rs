//! `image promote`, `rollback` and `revoke`: each reads the manifest, asks the registry whether it still has
//! the version, changes the manifest and writes it.
//!
//! Tags and task definitions stay as they are until the manifest is reconciled.

use std::collections::BTreeSet;

use fargate_config::{ManagedImage, RunnerConfig};
use fargate_image_manifest::{
    ChannelChange, ChannelName, ImageDigest, ManifestFile, ManifestTime, RecordedImage,
    RecordedVersion,
};
use fargate_registry::{RepositoryRights, StoredManifest};
use serde::Serialize;

use super::promotion_papers::signed;
use super::promotion_rescan::rescanned;
use super::promotion_rules::{PromotionCase, PromotionRule};
use super::repository_access::{ImageRepositories, ImageRepository};
use crate::event::ImageStep;
use crate::failure::ImageFailure;
use crate::image_run::ImageRun;

/// What is to be promoted.
pub struct PromotionRequest<'a> {
    /// The version: its digest, its candidate tag, or the channel that has it.
    pub version: &'a str,
    /// The channel that is to get it.
    pub channel: ChannelName,
    /// Further rules.
    pub rules: Vec<PromotionRule<'a>>,
}

/// A channel has another version, or had it already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelReport {
    /// The image.
    pub image: String,
    /// The channel.
    pub channel: ChannelName,
    /// The version that it had.
    pub from: Option<ImageDigest>,
    /// The version that it has.
    pub to: ImageDigest,
    /// The candidate tag of that version.
    pub tag: String,
    /// Whether the manifest was changed.
    pub changed: bool,
}

/// What a revocation did.
#[derive(Clone, Debug, Serialize)]
pub struct RevocationReport {
    /// The image.
    pub image: String,
    /// The version.
    pub digest: ImageDigest,
    /// Its candidate tag.
    pub tag: String,
    /// Channels that got another version.
    pub replaced: Vec<ChannelReport>,
    /// Versions of the same manifest that were built on it.
    pub descendants: Vec<DescendantVersion>,
}

/// A version that was built on a revoked one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DescendantVersion {
    /// Its image.
    pub image: String,
    /// Its digest.
    pub digest: ImageDigest,
    /// Its candidate tag.
    pub tag: String,
    /// The channels that have it.
    pub channels: Vec<ChannelName>,
}

/// Gives a channel a version that keeps every rule and that the registry has.
///
/// # Errors
///
/// [`ImageFailure::PromotionRefused`] with each rule that forbids it, [`ImageFailure::Conflict`] if somebody
/// else changed the manifest, [`ImageFailure::NotVerified`] if the registry does not have the version, and
/// what keeps manifest or registry from being asked. The manifest is as before then.
pub async fn promote(
    config: &RunnerConfig,
    image: &ManagedImage,
    request: &PromotionRequest<'_>,
    run: &ImageRun,
) -> Result<ChannelReport, ImageFailure> {
    let work = async {
        let mut file = ManifestFile::read(&image.manifest)?;
        let version = find(recorded(&file, image)?, image, request.version)?.clone();
        let case = PromotionCase {
            manifest: &file.manifest,
            version: &version,
            channel: &request.channel,
            soak: image.soak,
            now: ManifestTime::now(),
        };
        case.check(&request.rules)?;
        let present = require_present(config, image, &version, run).await?;
        let scan = rescanned(image, &version, (&present.0, &present.1), run).await?;
        let signature = signed(config, image, &version, run).await?;
        let entry = recorded_mut(&mut file, image)?;
        let (channel, digest) = (&request.channel, &version.digest);
        if let (Some(signature), Some(version)) = (signature, entry.version_mut(digest)) {
            version.signature = Some(signature);
        }
        if let (Some(scan), Some(version)) = (scan, entry.version_mut(digest)) {
            version.scan = Some(scan);
        }
        let changed = entry.assign(channel, digest, case_time(), image.deprecate_after)?;
        let report = report(image, channel, &version, changed);
        file.save()?;
        let summary = summary(&report);
        Ok((report, summary))
    };
    run.step(ImageStep::Promote, work).await
}

/// Brings back the version that a channel had before, or an older one that `to` names.
///
/// # Errors
///
/// As [`promote`]; [`ImageFailure::PromotionRefused`] if the channel had no other version that is still good.
pub async fn roll_back(
    config: &RunnerConfig,
    image: &ManagedImage,
    channel: &ChannelName,
    to: Option<&str>,
    run: &ImageRun,
) -> Result<ChannelReport, ImageFailure> {
    let work = async {
        let mut file = ManifestFile::read(&image.manifest)?;
        let entry = recorded(&file, image)?;
        let version = match to {
            Some(named) => find(entry, image, named)?,
            None => entry.former(channel)?,
        };
        let version = version.clone();
        require_present(config, image, &version, run).await?;
        let entry = recorded_mut(&mut file, image)?;
        let change = entry.roll_back(channel, &version.digest, case_time())?;
        let report = report(image, channel, &version, Some(change));
        file.save()?;
        let summary = summary(&report);
        Ok((report, summary))
    };
    run.step(ImageStep::Promote, work).await
}

/// Revokes a version: no channel may get it any more. Channels that have it get `replacement`.
///
/// # Errors
///
/// [`ImageFailure::Conflict`] if a channel has it and there is no replacement; for the replacement as
/// [`promote`].
pub async fn revoke(
    config: &RunnerConfig,
    image: &ManagedImage,
    (version, reason): (&str, &str),
    replacement: Option<&str>,
    run: &ImageRun,
) -> Result<RevocationReport, ImageFailure> {
    let work = async {
        let mut file = ManifestFile::read(&image.manifest)?;
        let entry = recorded(&file, image)?;
        let version = find(entry, image, version)?.clone();
        let replacement = match replacement {
            None => None,
            Some(named) => {
                let other = find(entry, image, named)?;
                check_replacement(&file, image, &version, other)?;
                require_present(config, image, other, run).await?;
                Some(other.clone())
            }
        };
        let digest = version.digest.clone();
        let descendants = descendants(&file, &digest);
        let entry = recorded_mut(&mut file, image)?;
        let other = replacement.as_ref().map(|version| &version.digest);
        let changes = entry.revoke(&digest, reason, other, case_time())?;
        let replaced = changes.into_iter().zip(std::iter::repeat(replacement.as_ref()));
        let replaced = replaced
            .filter_map(|(change, other)| {
                let channel = change.channel.clone();
                Some(report(image, &channel, other?, Some(change)))
            })
            .collect();
        file.save()?;
        let summary = format!("{} revoked", version.tag);
        let (image, tag) = (image.name.clone(), version.tag);
        Ok((RevocationReport { image, digest, tag, replaced, descendants }, summary))
    };
    run.step(ImageStep::Promote, work).await
}

/// A replacement keeps the rules of each channel that gets it. It need not wait: what it replaces is worse.
fn check_replacement(
    file: &ManifestFile,
    image: &ManagedImage,
    version: &RecordedVersion,
    other: &RecordedVersion,
) -> Result<(), ImageFailure> {
    let entry = recorded(file, image)?;
    entry.channels_of(&version.digest).try_for_each(|channel| {
        let case = PromotionCase {
            manifest: &file.manifest,
            version: other,
            channel,
            soak: std::time::Duration::ZERO,
            now: case_time(),
        };
        case.check(&[])
    })
}

/// Versions of any image of the manifest that were built on this one, or on one that was.
fn descendants(file: &ManifestFile, digest: &ImageDigest) -> Vec<DescendantVersion> {
    let mut ancestors = BTreeSet::from([digest.clone()]);
    let mut found = Vec::new();
    loop {
        let before = found.len();
        for (name, image) in &file.manifest.images {
            for version in &image.versions {
                let base = version.base.as_ref().and_then(|base| base.digest.as_ref());
                let is_new = base.is_some_and(|base| ancestors.contains(base))
                    && ancestors.insert(version.digest.clone());
                if is_new {
                    found.push(DescendantVersion {
                        image: name.clone(),
                        digest: version.digest.clone(),
                        tag: version.tag.clone(),
                        channels: image.channels_of(&version.digest).cloned().collect(),
                    });
                }
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// The version's repository and manifest. It fails if the registry does not have it: a channel must not lead to
/// nothing.
async fn require_present(
    config: &RunnerConfig,
    image: &ManagedImage,
    version: &RecordedVersion,
    run: &ImageRun,
) -> Result<(ImageRepository, StoredManifest), ImageFailure> {
    let access = ImageRepositories::open(config, image, &run.masker).await?;
    let repository = access.repository(&image.repository, RepositoryRights::Pull).await?;
    match repository.by_digest(&version.digest).await? {
        Some(manifest) => Ok((repository, manifest)),
        None => Err(ImageFailure::NotVerified {
            what: format!(
                "looking for {} at {}: the registry does not have it any more",
                version.digest, repository.name
            ),
            hint: format!("revoke {}, and choose or publish another version", version.tag),
        }),
    }
}

pub(crate) fn recorded<'a>(
    file: &'a ManifestFile,
    image: &ManagedImage,
) -> Result<&'a RecordedImage, ImageFailure> {
    let entry = file.manifest.images.get(&image.name);
    let entry = entry.ok_or_else(|| ImageFailure::Unusable {
        what: format!("the manifest {} lists no image `{}`", file.path().display(), image.name),
        hint: format!("publish its first version: `fargate-runner image publish {}`", image.name),
    })?;
    if entry.repository == image.repository {
        return Ok(entry);
    }
    Err(ImageFailure::Conflict {
        what: format!(
            "the manifest {} says that `{}` is in {}, and the configuration says {}",
            file.path().display(),
            image.name,
            entry.repository,
            image.repository
        ),
        hint: "correct one of them".to_owned(),
    })
}

fn recorded_mut<'a>(
    file: &'a mut ManifestFile,
    image: &ManagedImage,
) -> Result<&'a mut RecordedImage, ImageFailure> {
    recorded(file, image)?;
    Ok(file.manifest.images.get_mut(&image.name).expect("it was found just now"))
}

/// The version that a digest, a candidate tag or a channel names.
fn find<'a>(
    entry: &'a RecordedImage,
    image: &ManagedImage,
    named: &str,
) -> Result<&'a RecordedVersion, ImageFailure> {
    let of_channel = || entry.version_of(&named.parse().ok()?);
    entry.named(named).or_else(of_channel).ok_or_else(|| ImageFailure::Unusable {
        what: format!(
            "`{}` is no digest, candidate tag or channel of `{}`",
            fargate_model::text::escape_within(named, 140),
            image.name
        ),
        hint: format!("see `fargate-runner image list {}`", image.name),
    })
}

fn report(
    image: &ManagedImage,
    channel: &ChannelName,
    version: &RecordedVersion,
    change: Option<ChannelChange>,
) -> ChannelReport {
    let changed = change.is_some();
    ChannelReport {
        image: image.name.clone(),
        channel: channel.clone(),
        from: change.and_then(|change| change.from),
        to: version.digest.clone(),
        tag: version.tag.clone(),
        changed,
    }
}

fn summary(report: &ChannelReport) -> String {
    let had = if report.changed { "has" } else { "had already" };
    format!("`{}` {had} {}", report.channel, report.tag)
}

/// The moment of a change.
fn case_time() -> ManifestTime {
    ManifestTime::now()
}
