use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fargate_image_manifest::{ManifestTime, RecordedImage};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::super::drift_facts::{ExpectedImage, ImageUse, StoredImage};
use super::*;

/// How many images the random states know.
const IMAGES: u8 = 12;
const NOW: &str = "2026-02-01T00:00:00Z";

fn digest(number: u8) -> ImageDigest {
    format!("sha256:{number:064x}").parse().unwrap()
}

/// A tag of any kind. Candidate tags of January are older than the grace period until the 17th.
fn any_tag() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (1..=31u8).prop_map(|day| format!("ci-c202601{day:02}t000000z-1a2b-5e6f")),
        1 => Just("stable".to_owned()),
        1 => Just("try-out".to_owned()),
        1 => Just("ci-node-c20260101t000000z-1a2b-5e6f".to_owned()),
        2 => (0..IMAGES).prop_map(|n| digest(n).as_str().replace(':', "-")),
        1 => (0..IMAGES).prop_map(|n| digest(n).as_str().replace(':', "-") + ".sig"),
    ]
}

fn any_stored() -> impl Strategy<Value = StoredImage> {
    let children = prop_oneof![3 => Just(BTreeSet::new()), 1 => btree_set(0..IMAGES, 1..3)];
    (prop::bool::weighted(0.9), children, option::weighted(0.2, 0..IMAGES)).prop_map(
        |(is_understood, children, subject)| StoredImage {
            is_understood,
            size_bytes: 100,
            children: children.into_iter().map(digest).collect(),
            subject: subject.map(digest),
            ..StoredImage::default()
        },
    )
}

fn any_repository() -> impl Strategy<Value = RepositoryFacts> {
    let stored = btree_map(0..IMAGES, any_stored(), 0..usize::from(IMAGES));
    (btree_map(any_tag(), 0..IMAGES, 0..20), stored).prop_map(|(tags, stored)| RepositoryFacts {
        name: "r.example/ci".to_owned(),
        quota: None,
        tags: tags.into_iter().map(|(tag, number)| (tag, digest(number))).collect(),
        stored: stored.into_iter().map(|(number, image)| (digest(number), image)).collect(),
    })
}

fn any_use() -> impl Strategy<Value = ImageUse> {
    (0..3usize, option::of(any_tag()), option::of(0..IMAGES)).prop_map(
        |(repository, tag, number)| ImageUse {
            user: "task 1".to_owned(),
            repository,
            tag,
            digest: number.map(digest),
        },
    )
}

fn any_facts() -> impl Strategy<Value = DriftFacts> {
    (vec(any_repository(), 1..3), vec(any_use(), 0..3), btree_set(0..IMAGES, 0..4)).prop_map(
        |(repositories, uses, listed)| DriftFacts {
            name: "ci".to_owned(),
            recorded: RecordedImage::empty("r.example/ci"),
            listed: listed.into_iter().map(digest).collect(),
            channel_tags: BTreeSet::from(["stable".to_owned()]),
            repositories,
            uses,
            moved_bases: Vec::new(),
            unasked: Vec::new(),
            notes: Vec::new(),
            expected: ExpectedImage {
                stale_after: Duration::from_hours(24 * 30),
                grace: Duration::from_hours(24 * 15),
                signed: false,
                zstd: false,
                program: String::new(),
            },
            now: ManifestTime::try_from(NOW.to_owned()).unwrap(),
        },
    )
}

/// What is left in each repository if all of it is deleted, in the order of a registry: a digest goes with
/// all its tags.
fn deleted(facts: &DriftFacts) -> BTreeMap<usize, BTreeSet<ImageDigest>> {
    let mut gone: BTreeMap<usize, BTreeSet<ImageDigest>> = BTreeMap::new();
    for image in unneeded(facts) {
        let gone = gone.entry(image.repository).or_default();
        gone.insert(image.digest);
        gone.extend(image.referrers);
    }
    gone
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_that_anybody_needs_is_ever_deleted(facts in any_facts()) {
        for (at, gone) in deleted(&facts) {
            let repository = &facts.repositories[at];
            prop_assert!(gone.is_disjoint(&facts.listed));
            for used in &facts.uses {
                // Another repository may have the same digest; that one stays as well.
                prop_assert!(used.digests(&facts).all(|digest| !gone.contains(digest)));
            }
            for (tag, digest) in &repository.tags {
                if !gone.contains(digest) {
                    continue;
                }
                // Each tag that goes is an old candidate, or says something about an image that goes.
                let old = candidate_time("ci", tag)
                    .is_some_and(|time| facts.now.since(time) >= facts.expected.grace);
                let paper = described_by(tag).is_some_and(|subject| gone.contains(&subject));
                prop_assert!(old || paper, "{tag} goes");
            }
            for (digest, stored) in &repository.stored {
                let has_tag = repository.tags_of(digest).next().is_some();
                if (has_tag || facts.listed.contains(digest)) && !gone.contains(digest) {
                    prop_assert!(stored.children.is_disjoint(&gone), "{digest} loses an image");
                }
                // What is said about a needed image stays.
                if gone.contains(digest) && let Some(subject) = &stored.subject {
                    prop_assert!(!facts.listed.contains(subject), "{digest} is about a listed one");
                }
            }
        }
    }

    #[test]
    fn on_partial_knowledge_nothing_is_deleted(mut facts in any_facts()) {
        facts.unasked.push("a cluster".to_owned());
        prop_assert!(unneeded(&facts).is_empty());
    }
}

/// One repository with an old candidate (1) beside a listed image (0).
fn simple() -> DriftFacts {
    let image = || StoredImage { is_understood: true, ..StoredImage::default() };
    let tag = |day: u8| format!("ci-c202601{day:02}t000000z-1a2b-5e6f");
    DriftFacts {
        name: "ci".to_owned(),
        recorded: RecordedImage::empty("r.example/ci"),
        listed: BTreeSet::from([digest(0)]),
        channel_tags: BTreeSet::new(),
        repositories: vec![RepositoryFacts {
            name: "r.example/ci".to_owned(),
            quota: None,
            tags: [(tag(1), digest(0)), (tag(2), digest(1))].into(),
            stored: [(digest(0), image()), (digest(1), image())].into(),
        }],
        uses: Vec::new(),
        moved_bases: Vec::new(),
        unasked: Vec::new(),
        notes: Vec::new(),
        expected: ExpectedImage {
            stale_after: Duration::ZERO,
            grace: Duration::from_hours(24),
            signed: false,
            zstd: false,
            program: String::new(),
        },
        now: ManifestTime::try_from(NOW.to_owned()).unwrap(),
    }
}

#[test]
fn an_old_candidate_goes_with_what_is_said_about_it() {
    let mut facts = simple();
    let fallback = digest(1).as_str().replace(':', "-");
    let repository = &mut facts.repositories[0];
    repository.tags.insert(fallback, digest(2));
    let index = StoredImage { children: BTreeSet::from([digest(3)]), ..StoredImage::default() };
    let paper = StoredImage { subject: Some(digest(1)), ..StoredImage::default() };
    repository.stored.extend([(digest(2), index), (digest(3), paper)]);
    let gone = deleted(&facts).remove(&0).unwrap();
    assert_eq!(gone, BTreeSet::from([1, 2, 3].map(digest)));
    // A second tag keeps all of it.
    facts.repositories[0].tags.insert("try-out".to_owned(), digest(1));
    assert_eq!(unneeded(&facts), []);
}

#[test]
fn an_index_stays_as_long_as_one_of_its_images_is_needed() {
    let mut facts = simple();
    assert_eq!(unneeded(&facts).len(), 1);
    let index = facts.repositories[0].stored.get_mut(&digest(1)).unwrap();
    index.children.insert(digest(4));
    assert_eq!(unneeded(&facts).len(), 1);
    let user = "task 1".to_owned();
    facts.uses.push(ImageUse { user, repository: 0, tag: None, digest: Some(digest(4)) });
    assert_eq!(unneeded(&facts), []);
}
