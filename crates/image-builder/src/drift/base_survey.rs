//! Asks the registries of bases whether a base that a channel's version was built on has another digest now.
//!
//! A base is somebody else's: a registry that does not answer is a note, and no drift.

use std::collections::BTreeMap;
use std::time::Duration;

use fargate_image_manifest::{ImageDigest, RecordedImage};
use fargate_registry::{ImageReference, ImageVersion, RepositoryRights};
use tokio::time::timeout;

use super::drift_facts::{MovedBase, StoredImage};
use crate::failure::ImageFailure;
use crate::promote::repository_access::ImageRepositories;

/// Longest time for one base.
const LIMIT: Duration = Duration::from_secs(20);

/// The bases that moved, and notes about those that could not be asked.
pub(super) async fn look(
    access: &ImageRepositories,
    entry: &RecordedImage,
) -> (Vec<MovedBase>, Vec<String>) {
    let mut notes = Vec::new();
    let mut moved = Vec::new();
    let mut asked: BTreeMap<(String, ImageDigest), Option<String>> = BTreeMap::new();
    for version in &entry.versions {
        let Some(base) = &version.base else { continue };
        let Some(built_on) = &base.digest else { continue };
        if entry.channels_of(&version.digest).next().is_none() {
            continue;
        }
        let key = (base.reference.clone(), built_on.clone());
        if !asked.contains_key(&key) {
            let found = timeout(LIMIT, now(access, entry, &base.reference, built_on)).await;
            let found = match found {
                Ok(Ok(found)) => found,
                Ok(Err(failure)) => {
                    notes.push(format!("base {}: {}", base.reference, failure.in_one_line()));
                    None
                }
                Err(_) => {
                    let seconds = LIMIT.as_secs();
                    notes.push(format!("base {}: no answer in {seconds} s", base.reference));
                    None
                }
            };
            asked.insert(key.clone(), found);
        }
        if let Some(Some(now)) = asked.get(&key) {
            let (version, reference) = (version.digest.clone(), base.reference.clone());
            moved.push(MovedBase { version, reference, now: now.clone() });
        }
    }
    (moved, notes)
}

/// The digest that the base has now, if it is another one.
async fn now(
    access: &ImageRepositories,
    entry: &RecordedImage,
    reference: &str,
    built_on: &ImageDigest,
) -> Result<Option<String>, ImageFailure> {
    // A base without a registry, or one by digest, cannot move.
    let Ok(image) = reference.parse::<ImageReference>() else { return Ok(None) };
    let ImageVersion::Tag(tag) = image.version().clone() else { return Ok(None) };
    let own: Option<ImageReference> = entry.repository.parse().ok();
    let repository = if own.is_some_and(|own| own.host() == image.host()) {
        let name = format!("{}/{}", image.registry(), image.repository());
        access.repository(&name, RepositoryRights::Pull).await?
    } else {
        access.foreign_repository(image).await?
    };
    let Some(found) = repository.head(&tag).await?.filter(|found| found != built_on.as_str())
    else {
        return Ok(None);
    };
    // An engine may have recorded the image of its own platform instead of the index.
    let digest = found.parse::<ImageDigest>().ok();
    let manifest = match &digest {
        Some(digest) => repository.by_digest(digest).await?,
        None => None,
    };
    let children = manifest.map(|manifest| StoredImage::listed_by(&manifest.bytes));
    Ok(Some(found).filter(|_| !children.unwrap_or_default().contains(built_on)))
}
