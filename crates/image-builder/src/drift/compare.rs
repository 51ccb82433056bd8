//! Compares what the manifest says with what was seen, and names every difference. It asks nothing.

use std::collections::BTreeMap;

use fargate_image_manifest::{ChannelName, ImageDigest, RecordedVersion};
use fargate_model::text::{bytes, duration};

use super::drift_facts::{DriftFacts, RepositoryFacts, described_by};
use super::drift_finding::{DriftClass, DriftFinding, DriftSeverity};
use super::unneeded::{needed, unneeded};
use crate::candidate_tag::candidate_time;

/// How many users of one image a finding names.
const SHOWN_USERS: usize = 3;

/// What several users share: the repository by its place, and the digest, or the tag if none is known.
type UsedVersion<'a> = (usize, Option<&'a ImageDigest>, Option<&'a str>);

/// What makes one finding.
struct FindingText<'a> {
    repository: &'a str,
    subject: String,
    what: String,
    next: &'a str,
}

fn finding(severity: DriftSeverity, class: DriftClass, text: FindingText<'_>) -> DriftFinding {
    let FindingText { repository, subject, what, next } = text;
    DriftFinding {
        severity,
        class,
        repository: repository.to_owned(),
        subject,
        what,
        next: next.to_owned(),
        reclaimable_bytes: None,
    }
}

/// Every difference, the gravest first.
pub(crate) fn findings(facts: &DriftFacts) -> Vec<DriftFinding> {
    let mut found = Vec::new();
    for (at, repository) in facts.repositories.iter().enumerate() {
        // Replicas hold what channels have, and nothing else.
        stored_versions(facts, repository, at == 0, &mut found);
        channel_tags(facts, repository, &mut found);
        formats(facts, repository, &mut found);
        unknown_tags(facts, repository, &mut found);
        quota(repository, &mut found);
    }
    uses(facts, &mut found);
    channel_versions(facts, &mut found);
    removable(facts, &mut found);
    let first = facts.recorded.repository.as_str();
    found.extend(facts.unasked.iter().map(|what| {
        let next = "correct it; until then nothing is deleted, and drift may go unseen";
        let (subject, what) = (facts.name.clone(), what.clone());
        let text = FindingText { repository: first, subject, what, next };
        finding(DriftSeverity::High, DriftClass::Unasked, text)
    }));
    found.sort();
    found
}

/// Versions that the registry must have, and the tags that they must have.
fn stored_versions(
    facts: &DriftFacts,
    repository: &RepositoryFacts,
    is_first: bool,
    found: &mut Vec<DriftFinding>,
) {
    for version in facts.recorded.versions.iter().filter(|version| !version.is_revoked()) {
        let (digest, tag) = (&version.digest, version.tag.as_str());
        let channels = channels_of(facts, digest);
        if channels.is_empty() && !is_first {
            continue;
        }
        let text = |what: String, next| FindingText {
            repository: &repository.name,
            subject: digest.to_string(),
            what,
            next,
        };
        if !repository.stored.contains_key(digest) {
            let (severity, whose, next) = match channels.is_empty() {
                true => {
                    (DriftSeverity::High, tag.to_owned(), "revoke the version, or push it again")
                }
                false => (
                    DriftSeverity::Critical,
                    format!("{tag} of {}", channels.join(" and ")),
                    "roll the channel back, or `reconcile --apply` if a replica lacks it",
                ),
            };
            let what = format!("{whose} is listed, and the registry does not have it");
            found.push(finding(severity, DriftClass::Missing, text(what, next)));
            continue;
        }
        match repository.tags.get(tag) {
            Some(other) if other != digest => {
                let what = format!("the candidate tag {tag} has {other} in the registry");
                let next = "find out who moved it: candidate tags are never moved";
                found.push(finding(DriftSeverity::High, DriftClass::Moved, text(what, next)));
            }
            None if is_first && repository.tags_of(digest).next().is_none() => {
                let what = format!("{tag} is in the registry without any tag");
                let next = "tag it again before a rule of the registry deletes it";
                found.push(finding(DriftSeverity::Warning, DriftClass::Untagged, text(what, next)));
            }
            _ => {}
        }
    }
}

/// The tag of each channel.
fn channel_tags(facts: &DriftFacts, repository: &RepositoryFacts, found: &mut Vec<DriftFinding>) {
    for (channel, assigned) in &facts.recorded.channels {
        let wanted = &assigned.digest;
        // Then the version is missing, and that is told already.
        if !repository.stored.contains_key(wanted) {
            continue;
        }
        let has = match repository.tags.get(channel.as_str()) {
            Some(tagged) if tagged == wanted => continue,
            Some(tagged) => format!("it has {tagged}"),
            None => "the registry does not have the tag".to_owned(),
        };
        let text = FindingText {
            repository: &repository.name,
            subject: channel.to_string(),
            what: format!("the manifest gives it {wanted}, and {has}"),
            next: "`reconcile --apply` gives it the digest of the manifest",
        };
        found.push(finding(DriftSeverity::Critical, DriftClass::Moved, text));
    }
}

/// How the layers of the channels' versions are compressed.
fn formats(facts: &DriftFacts, repository: &RepositoryFacts, found: &mut Vec<DriftFinding>) {
    for version in assigned_versions(facts) {
        let Some(stored) = repository.stored.get(&version.digest) else { continue };
        let kinds: Vec<&str> = stored.compressions.iter().copied().collect();
        let has_zstd = stored.compressions.contains("zstd");
        let (severity, what) = if kinds.len() > 1 {
            (DriftSeverity::High, format!("its layers are mixed: {}", kinds.join(", ")))
        } else if has_zstd && stored.is_docker {
            (DriftSeverity::High, "zstd layers under Docker's media types".to_owned())
        } else if facts.expected.zstd && !kinds.is_empty() && !has_zstd {
            let what = format!("its layers are {}, and `compression` is \"zstd\"", kinds[0]);
            (DriftSeverity::Info, what)
        } else {
            continue;
        };
        let text = FindingText {
            repository: &repository.name,
            subject: version.digest.to_string(),
            what: format!("{}: {what}", version.tag),
            next: "publish the image again",
        };
        found.push(finding(severity, DriftClass::Format, text));
    }
}

/// Tags that nobody knows. What is in use or a candidate is told elsewhere.
fn unknown_tags(facts: &DriftFacts, repository: &RepositoryFacts, found: &mut Vec<DriftFinding>) {
    let listed_or_used = needed_by_name(facts);
    for (tag, digest) in &repository.tags {
        let is_known = candidate_time(&facts.name, tag).is_some()
            || described_by(tag).is_some()
            || facts.channel_tags.contains(tag)
            || listed_or_used.contains(digest);
        if !is_known {
            let text = FindingText {
                repository: &repository.name,
                subject: tag.clone(),
                what: format!("it has {digest}, which the manifest does not list"),
                next: "delete it by hand if nobody needs it: `gc` leaves it alone",
            };
            found.push(finding(DriftSeverity::Info, DriftClass::UnknownTag, text));
        }
    }
}

fn quota(repository: &RepositoryFacts, found: &mut Vec<DriftFinding>) {
    let (count, Some(most)) = (repository.stored.len(), repository.quota) else { return };
    // Four fifths: time enough to act.
    if count * 5 >= most * 4 {
        let text = FindingText {
            repository: &repository.name,
            subject: repository.name.clone(),
            what: format!("it has {count} images at least, and its registry keeps {most}"),
            next: "run `gc --apply`, or have the quota raised",
        };
        found.push(finding(DriftSeverity::Warning, DriftClass::Quota, text));
    }
}

/// What tasks and active task definitions have.
fn uses(facts: &DriftFacts, found: &mut Vec<DriftFinding>) {
    let known = needed_by_name(facts);
    let mut users: BTreeMap<UsedVersion<'_>, Vec<&str>> = BTreeMap::new();
    for used in &facts.uses {
        let digest = used.digest(facts);
        let tag = if digest.is_none() { used.tag.as_deref() } else { None };
        users.entry((used.repository, digest, tag)).or_default().push(&used.user);
    }
    for ((at, digest, tag), users) in users {
        let repository = &facts.repositories[at];
        let who = users_in_words(&users);
        let subject = digest.map(ToString::to_string).or_else(|| tag.map(str::to_owned));
        let text = |what, next| FindingText {
            repository: &repository.name,
            subject: subject.clone().unwrap_or_default(),
            what,
            next,
        };
        let Some(digest) = digest else {
            let what = format!("{who} names this tag, and the registry does not have it");
            let next = "correct the task definition, or reconcile";
            found.push(finding(DriftSeverity::High, DriftClass::Missing, text(what, next)));
            continue;
        };
        let version = facts.recorded.version(digest);
        if version.is_some_and(RecordedVersion::is_revoked) {
            let what = format!("{who} has this version, which is revoked");
            let next = "stop the task, or `reconcile --apply` and prune the task definition";
            found.push(finding(DriftSeverity::High, DriftClass::InUseRevoked, text(what, next)));
        } else if !known.contains(digest) {
            let gone = match repository.stored.contains_key(digest) {
                true => "",
                false => "; the registry does not show it either",
            };
            let what = format!("{who} has this image, which the manifest does not list{gone}");
            let next = "publish and promote it, or change the task definition";
            found.push(finding(DriftSeverity::High, DriftClass::InUseUnlisted, text(what, next)));
        }
    }
}

/// What the manifest itself says of the channels' versions: proofs, age, base, agent.
fn channel_versions(facts: &DriftFacts, found: &mut Vec<DriftFinding>) {
    let repository = facts.recorded.repository.as_str();
    for version in assigned_versions(facts) {
        let channels = channels_of(facts, &version.digest);
        let text = |what: String, next| FindingText {
            repository,
            subject: version.digest.to_string(),
            what: format!("{} of {}: {what}", version.tag, channels.join(" and ")),
            next,
        };
        let mut tell = |class, what, next| {
            found.push(finding(DriftSeverity::Warning, class, text(what, next)));
        };
        let lacks = lacking(facts, version);
        if !lacks.is_empty() {
            let next = "publish the image again, with every step, and promote it";
            tell(DriftClass::Unproven, format!("it {}", lacks.join(", ")), next);
        }
        let age = facts.now.since(version.created);
        let is_stable = facts.recorded.channels.get(&ChannelName::stable());
        let is_stable = is_stable.is_some_and(|stable| stable.digest == version.digest);
        if is_stable && age > facts.expected.stale_after {
            let (age, most) = (duration(age), duration(facts.expected.stale_after));
            let what = format!("it was published {age} ago; `stale_after` is {most}");
            tell(DriftClass::Stale, what, "publish and promote a newer version");
        }
        if let Some(since) = version.deprecation_time.filter(|since| *since <= facts.now) {
            let what = format!("it is deprecated since {since}");
            tell(DriftClass::Stale, what, "promote a newer version");
        }
        if let Some(agent) = version.agent.as_ref().filter(|own| **own != facts.expected.program) {
            let what =
                format!("its agent is {agent}, and this program is {}", facts.expected.program);
            tell(DriftClass::AgentDiffers, what, "publish and promote a version with this agent");
        }
        for base in facts.moved_bases.iter().filter(|base| base.version == version.digest) {
            let what = format!("its base {} has {} now", base.reference, base.now);
            tell(DriftClass::BaseMoved, what, "publish it again on the new base, and promote it");
        }
    }
}

/// Which proofs a version lacks.
fn lacking(facts: &DriftFacts, version: &RecordedVersion) -> Vec<String> {
    let mut lacks = Vec::new();
    match &version.scan {
        None => lacks.push("was not searched for secrets".to_owned()),
        Some(scan) if scan.findings > 0 => lacks.push(format!("has {} findings", scan.findings)),
        Some(scan) if scan.waived_until.is_some_and(|until| until <= facts.now) => {
            lacks.push("has findings whose waiver is over".to_owned());
        }
        Some(_) => {}
    }
    if version.smoke.as_ref().is_none_or(|smoke| !smoke.ok) {
        lacks.push("was not tested by a job".to_owned());
    }
    if facts.expected.signed && version.signature.is_none() {
        lacks.push("is not signed".to_owned());
    }
    let papers = [
        ("SBOM", &version.sbom),
        ("provenance", &version.provenance),
        ("signature", &version.signature),
    ];
    for (name, paper) in papers {
        let Some(paper) = paper else { continue };
        if facts.repositories.first().is_some_and(|first| !first.stored.contains_key(paper)) {
            lacks.push(format!("has a {name}, {paper}, that the registry does not have"));
        }
    }
    lacks
}

/// What a clean-up would delete.
fn removable(facts: &DriftFacts, found: &mut Vec<DriftFinding>) {
    for image in unneeded(facts) {
        let what = format!(
            "{}: {} old, not listed and not in use; up to {}",
            image.tags.join(", "),
            duration(image.age),
            bytes(image.size_bytes)
        );
        let text = FindingText {
            repository: &facts.repositories[image.repository].name,
            subject: image.digest.to_string(),
            what,
            next: "`gc --apply` deletes it",
        };
        let finding = finding(DriftSeverity::Info, DriftClass::Unneeded, text);
        found.push(DriftFinding { reclaimable_bytes: Some(image.size_bytes), ..finding });
    }
}

/// What the manifest names, and the images of an index among it. Uses and tags count as nothing here.
fn needed_by_name(facts: &DriftFacts) -> std::collections::BTreeSet<ImageDigest> {
    let mut bare = facts.clone();
    bare.uses.clear();
    bare.repositories.iter_mut().for_each(|repository| repository.tags.clear());
    needed(&bare, &[])
}

/// The versions that channels have, each once.
fn assigned_versions(facts: &DriftFacts) -> impl Iterator<Item = &RecordedVersion> {
    let versions = facts.recorded.versions.iter();
    versions.filter(|version| facts.recorded.channels_of(&version.digest).next().is_some())
}

fn channels_of(facts: &DriftFacts, digest: &ImageDigest) -> Vec<String> {
    facts.recorded.channels_of(digest).map(|channel| format!("`{channel}`")).collect()
}

/// `task a, task b and 3 more`.
fn users_in_words(users: &[&str]) -> String {
    let mut users: Vec<&str> = users.to_vec();
    users.sort_unstable();
    users.dedup();
    match users.len().checked_sub(SHOWN_USERS) {
        Some(more @ 1..) => format!("{} and {more} more", users[..SHOWN_USERS].join(", ")),
        _ => users.join(", "),
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
