//! Which stored images nobody needs: those that the manifest does not list, that are candidates of this very
//! image, older than the grace period, and that no channel, task, task definition, index or base needs.
//!
//! In doubt an image stays. Nothing is deleted here.

use std::collections::BTreeSet;
use std::time::Duration;

use fargate_image_manifest::ImageDigest;

use super::drift_facts::{DriftFacts, RepositoryFacts, described_by};
use crate::candidate_tag::candidate_time;

/// An image that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnneededImage {
    /// Its repository, by its place in [`DriftFacts::repositories`].
    pub repository: usize,
    /// Its digest.
    pub digest: ImageDigest,
    /// Its tags, all of them candidate tags.
    pub tags: Vec<String>,
    /// How old its newest tag is.
    pub age: Duration,
    /// Bytes of its manifest, configuration and layers. Other images may share some of them.
    pub size_bytes: u64,
    /// What is said about it and goes with it, by digest.
    pub referrers: BTreeSet<ImageDigest>,
}

/// The images that may go, the oldest first. None if anything could not be asked.
pub(crate) fn unneeded(facts: &DriftFacts) -> Vec<UnneededImage> {
    if !facts.unasked.is_empty() {
        return Vec::new();
    }
    let mut going: Vec<UnneededImage> = Vec::new();
    for (at, repository) in facts.repositories.iter().enumerate() {
        let tagged: BTreeSet<&ImageDigest> = repository.tags.values().collect();
        let judged = tagged.into_iter().filter_map(|digest| judged(facts, at, repository, digest));
        going.extend(judged);
    }
    let mut going = without_needed(facts, going);
    going.sort_by(|a, b| (b.age, &a.digest).cmp(&(a.age, &b.digest)));
    going
}

/// Those of `going` that may go if nothing else goes. What stays may need what was to go, and then that stays
/// and may need more.
pub(crate) fn without_needed(
    facts: &DriftFacts,
    mut going: Vec<UnneededImage>,
) -> Vec<UnneededImage> {
    loop {
        let (needed, before) = (needed(facts, &going), going.len());
        going.retain(|image| {
            let stored = facts.repositories[image.repository].stored.get(&image.digest);
            let mut children = stored.iter().flat_map(|stored| &stored.children);
            !needed.contains(&image.digest) && !children.any(|child| needed.contains(child))
        });
        if going.len() < before {
            continue;
        }
        for image in &mut going {
            image.referrers.retain(|referrer| !needed.contains(referrer));
        }
        return going;
    }
}

/// The image if its tags alone allow that it goes.
fn judged(
    facts: &DriftFacts,
    at: usize,
    repository: &RepositoryFacts,
    digest: &ImageDigest,
) -> Option<UnneededImage> {
    let stored = repository.stored.get(digest)?;
    let tags: Vec<&str> = repository.tags_of(digest).collect();
    // Whoever gave it another tag wants to keep it.
    let times: Option<Vec<_>> = tags.iter().map(|tag| candidate_time(&facts.name, tag)).collect();
    // A time in the future counts as now.
    let age = facts.now.since(times?.into_iter().max()?);
    if age < facts.expected.grace || stored.subject.is_some() || !stored.is_understood {
        return None;
    }
    Some(UnneededImage {
        repository: at,
        digest: digest.clone(),
        tags: tags.into_iter().map(str::to_owned).collect(),
        age,
        size_bytes: stored.size_bytes,
        referrers: referrers(repository, digest),
    })
}

/// What is said about an image: manifests that name it as their subject, and the tags that do.
fn referrers(repository: &RepositoryFacts, subject: &ImageDigest) -> BTreeSet<ImageDigest> {
    let by_subject = repository
        .stored
        .iter()
        .filter(|(_, stored)| stored.subject.as_ref() == Some(subject))
        .map(|(digest, _)| digest.clone());
    let by_tag = repository
        .tags
        .iter()
        .filter(|(tag, _)| described_by(tag).as_ref() == Some(subject))
        .map(|(_, digest)| digest.clone());
    let mut found: BTreeSet<ImageDigest> = by_subject.chain(by_tag).collect();
    // The index under the fallback tag lists what has no tag of its own.
    let children: Vec<_> = found
        .iter()
        .filter_map(|digest| repository.stored.get(digest))
        .flat_map(|stored| stored.children.iter().cloned())
        .collect();
    found.extend(children);
    // Something else may have the same bytes, and then it has a tag of its own.
    found.retain(|digest| {
        repository.tags_of(digest).all(|tag| described_by(tag).as_ref() == Some(subject))
    });
    found
}

/// Every digest that must stay if `going` goes: what is listed or used, what has a tag and does not go, the
/// images of an index that stays, and what is said about any of them.
pub(crate) fn needed(facts: &DriftFacts, going: &[UnneededImage]) -> BTreeSet<ImageDigest> {
    let mut needed = facts.listed.clone();
    needed.extend(facts.uses.iter().flat_map(|used| used.digests(facts)).cloned());
    for (at, repository) in facts.repositories.iter().enumerate() {
        let of_it = going.iter().filter(|image| image.repository == at);
        let gone: BTreeSet<&ImageDigest> =
            of_it.flat_map(|image| image.referrers.iter().chain([&image.digest])).collect();
        let stays = |(tag, digest): &(&String, &ImageDigest)| {
            facts.channel_tags.contains(*tag) || !gone.contains(digest)
        };
        let staying = repository.tags.iter().filter(stays);
        needed.extend(staying.map(|(_, digest)| digest.clone()));
    }
    // An index of indexes is allowed, so this goes on until nothing is added.
    loop {
        let mut more = BTreeSet::new();
        for (digest, stored) in facts.repositories.iter().flat_map(|found| &found.stored) {
            let of_needed = stored.subject.as_ref().is_some_and(|subject| needed.contains(subject));
            if of_needed {
                more.insert(digest.clone());
            }
            if of_needed || needed.contains(digest) {
                more.extend(stored.children.iter().cloned());
            }
        }
        let before = needed.len();
        needed.extend(more);
        if needed.len() == before {
            return needed;
        }
    }
}

#[cfg(test)]
#[path = "unneeded_tests.rs"]
mod tests;
