use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fargate_image_manifest::{
    ManifestTime, RecordedImage, ScanRecord, SmokeTestRecord, VersionStatus,
};
use serde_json::Map;

use super::super::drift_facts::{ExpectedImage, ImageUse, MovedBase, StoredImage};
use super::*;

const DAY: Duration = Duration::from_hours(24);

fn digest(letter: char) -> ImageDigest {
    format!("sha256:{}", letter.to_string().repeat(64)).parse().unwrap()
}

fn time(text: &str) -> ManifestTime {
    ManifestTime::try_from(text.to_owned()).unwrap()
}

fn proven(letter: char, day: u8) -> RecordedVersion {
    let tag = format!("ci-c202601{day:02}t000000z-1a2b3c4d-5e6f7a8b");
    let created = time(&format!("2026-01-{day:02}T00:00:00Z"));
    RecordedVersion {
        status: VersionStatus::Tested,
        scan: Some(ScanRecord {
            rules: "1".to_owned(),
            findings: 0,
            waived: 0,
            waived_until: None,
            other: Map::new(),
        }),
        smoke: Some(SmokeTestRecord { at: created, banner_ms: 1, ok: true, other: Map::new() }),
        ..RecordedVersion::candidate(digest(letter), &tag, created)
    }
}

fn stored() -> StoredImage {
    StoredImage {
        is_understood: true,
        size_bytes: 1000,
        compressions: BTreeSet::from(["zstd"]),
        ..StoredImage::default()
    }
}

/// An image with two versions, the newer one in both channels, and nothing that differs.
fn clean() -> DriftFacts {
    let mut recorded = RecordedImage::empty("r.example/team/ci");
    recorded.record(proven('a', 1));
    recorded.record(proven('b', 2));
    let now = time("2026-01-20T00:00:00Z");
    for channel in [ChannelName::latest(), ChannelName::stable()] {
        recorded.assign(&channel, &digest('b'), now, None).unwrap();
    }
    let tags =
        recorded.versions.iter().map(|version| (version.tag.clone(), version.digest.clone()));
    let mut tags: BTreeMap<String, ImageDigest> = tags.collect();
    tags.extend(["latest", "stable"].map(|channel| (channel.to_owned(), digest('b'))));
    let user = "task 0123".to_owned();
    DriftFacts {
        name: "ci".to_owned(),
        listed: recorded.versions.iter().map(|version| version.digest.clone()).collect(),
        channel_tags: ["latest", "stable"].map(str::to_owned).into(),
        repositories: vec![RepositoryFacts {
            name: recorded.repository.clone(),
            quota: Some(100),
            tags,
            stored: ['a', 'b'].map(|letter| (digest(letter), stored())).into(),
        }],
        uses: vec![ImageUse { user, repository: 0, tag: None, digest: Some(digest('b')) }],
        moved_bases: Vec::new(),
        unasked: Vec::new(),
        notes: Vec::new(),
        expected: ExpectedImage {
            stale_after: DAY * 30,
            grace: DAY * 14,
            signed: false,
            zstd: true,
            program: "0.1.0".to_owned(),
        },
        recorded,
        now,
    }
}

/// The classes that are found after this change, each with its severity.
fn found(change: impl FnOnce(&mut DriftFacts)) -> Vec<(&'static str, &'static str)> {
    let mut facts = clean();
    change(&mut facts);
    findings(&facts).iter().map(|one| (one.severity.as_str(), one.class.as_str())).collect()
}

fn first(facts: &mut DriftFacts) -> &mut RepositoryFacts {
    &mut facts.repositories[0]
}

const OLD: &str = "ci-c20260101t000000z-ffffffff-5e6f7a8b";

#[test]
fn nothing_is_found_where_nothing_differs() {
    assert_eq!(found(|_| {}), []);
    // A young candidate and the papers of a listed version are no drift either.
    let quiet = found(|facts| {
        let young = "ci-c20260119t000000z-ffffffff-5e6f7a8b".to_owned();
        let papers = digest('b').as_str().replace(':', "-");
        first(facts).tags.extend([(young, digest('c')), (papers, digest('d'))]);
        first(facts).stored.extend(['c', 'd'].map(|letter| (digest(letter), stored())));
        let hub =
            ImageUse { user: "task 1".into(), repository: 0, tag: None, digest: Some(digest('a')) };
        facts.uses.push(hub);
    });
    assert_eq!(quiet, []);
}

#[test]
fn what_the_registry_lacks_or_has_under_another_digest_is_found() {
    let remove = |letter: char| {
        move |facts: &mut DriftFacts| {
            first(facts).stored.remove(&digest(letter));
            first(facts).tags.retain(|_, found| *found != digest(letter));
        }
    };
    assert_eq!(found(remove('a')), [("high", "missing")]);
    assert_eq!(found(remove('b')), [("critical", "missing")]);
    let moved = |facts: &mut DriftFacts| {
        first(facts).tags.insert("stable".to_owned(), digest('a'));
    };
    assert_eq!(found(moved), [("critical", "moved")]);
    assert_eq!(found(|facts| drop(first(facts).tags.remove("latest"))), [("critical", "moved")]);
    let candidate = |facts: &mut DriftFacts| {
        let tag = facts.recorded.versions[0].tag.clone();
        first(facts).tags.insert(tag, digest('b'));
    };
    assert_eq!(found(candidate), [("high", "moved")]);
    let untagged = |facts: &mut DriftFacts| {
        let tag = facts.recorded.versions[0].tag.clone();
        first(facts).tags.remove(&tag);
    };
    assert_eq!(found(untagged), [("warning", "untagged")]);
}

#[test]
fn what_is_in_use_and_not_listed_or_revoked_is_found_once_for_each_image() {
    let uses = |tag: Option<&str>, letter: Option<char>| {
        let (tag, digest) = (tag.map(str::to_owned), letter.map(digest));
        move |facts: &mut DriftFacts| {
            for task in 0..5 {
                let user = format!("task {task}");
                let (tag, digest) = (tag.clone(), digest.clone());
                facts.uses.push(ImageUse { user, repository: 0, tag, digest });
            }
        }
    };
    assert_eq!(found(uses(None, Some('e'))), [("high", "in_use_unlisted")]);
    assert_eq!(found(uses(Some("gone"), None)), [("high", "missing")]);
    assert_eq!(found(uses(Some("stable"), None)), []);
    let revoked = found(|facts| {
        facts.recorded.revoke(&digest('a'), "a key", None, facts.now).unwrap();
        uses(None, Some('a'))(facts);
    });
    assert_eq!(revoked, [("high", "in_use_revoked")]);
    let mut facts = clean();
    uses(None, Some('e'))(&mut facts);
    let what = &findings(&facts)[0].what;
    assert!(what.starts_with("task 0, task 1, task 2 and 2 more has this image"), "{what}");
}

#[test]
fn what_becomes_a_problem_later_is_found() {
    let late = |facts: &mut DriftFacts| facts.now = time("2026-03-01T00:00:00Z");
    assert_eq!(found(late), [("warning", "stale")]);
    let deprecated = |facts: &mut DriftFacts| {
        let since = facts.now;
        facts.recorded.version_mut(&digest('b')).unwrap().deprecation_time = Some(since);
    };
    assert_eq!(found(deprecated), [("warning", "stale")]);
    let base = |facts: &mut DriftFacts| {
        let (reference, now) = ("debian:stable".to_owned(), digest('f').to_string());
        facts.moved_bases.push(MovedBase { version: digest('b'), reference, now });
    };
    assert_eq!(found(base), [("warning", "base_moved")]);
    let agent = |facts: &mut DriftFacts| {
        facts.recorded.version_mut(&digest('b')).unwrap().agent = Some("0.0.9".to_owned());
    };
    assert_eq!(found(agent), [("warning", "agent_differs")]);
    assert_eq!(found(|facts| facts.expected.signed = true), [("warning", "unproven")]);
    let untested = |facts: &mut DriftFacts| {
        facts.recorded.version_mut(&digest('b')).unwrap().smoke = None;
    };
    assert_eq!(found(untested), [("warning", "unproven")]);
    assert_eq!(found(|facts| first(facts).quota = Some(2)), [("warning", "quota")]);
    let unasked = |facts: &mut DriftFacts| facts.unasked.push("a cluster".to_owned());
    assert_eq!(found(unasked), [("high", "unasked")]);
}

#[test]
fn layers_that_fargate_cannot_mix_are_found() {
    let layers = |kinds: &'static [&'static str], is_docker: bool| {
        move |facts: &mut DriftFacts| {
            let image = first(facts).stored.get_mut(&digest('b')).unwrap();
            image.compressions = kinds.iter().copied().collect();
            image.is_docker = is_docker;
        }
    };
    assert_eq!(found(layers(&["gzip", "zstd"], false)), [("high", "format")]);
    assert_eq!(found(layers(&["zstd"], true)), [("high", "format")]);
    assert_eq!(found(layers(&["gzip"], true)), [("info", "format")]);
}

#[test]
fn an_old_candidate_and_a_tag_that_nobody_knows_are_to_be_tidied_up() {
    let add = |tag: &str| {
        let tag = tag.to_owned();
        move |facts: &mut DriftFacts| {
            first(facts).tags.insert(tag, digest('c'));
            first(facts).stored.insert(digest('c'), stored());
        }
    };
    assert_eq!(found(add(OLD)), [("info", "unneeded")]);
    assert_eq!(found(add("try-out")), [("info", "unknown_tag")]);
    let mut facts = clean();
    add(OLD)(&mut facts);
    assert_eq!(findings(&facts)[0].reclaimable_bytes, Some(1000));
    // Where not everything was asked, nothing counts as unneeded.
    facts.unasked.push("a cluster".to_owned());
    assert_eq!(findings(&facts).len(), 1);
}

#[test]
fn replicas_must_have_what_channels_have_and_nothing_else() {
    let replica = |letters: &'static [char]| {
        move |facts: &mut DriftFacts| {
            let tags = ["latest", "stable"].map(|channel| (channel.to_owned(), digest('b')));
            facts.repositories.push(RepositoryFacts {
                name: "us.example/ci".to_owned(),
                quota: None,
                tags: tags.into_iter().filter(|_| letters.contains(&'b')).collect(),
                stored: letters.iter().map(|letter| (digest(*letter), stored())).collect(),
            });
        }
    };
    assert_eq!(found(replica(&['b'])), []);
    assert_eq!(found(replica(&[])), [("critical", "missing")]);
}
