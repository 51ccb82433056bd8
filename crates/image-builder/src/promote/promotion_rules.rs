//! Whether a version may go to a channel. Each rule that forbids it is one sentence, and all of them are
//! told at once.

use std::time::Duration;

use fargate_image_manifest::{
    ChannelName, ImageManifest, ManifestTime, RecordedVersion, VersionStatus,
};
use fargate_model::text;

use crate::failure::ImageFailure;

/// A further rule, such as one about vulnerabilities: `Err` says in one sentence why the version may not go
/// to the channel.
pub type PromotionRule<'a> =
    Box<dyn Fn(&RecordedVersion, &ChannelName) -> Result<(), String> + Send + Sync + 'a>;

/// What the rules of one promotion look at.
pub(super) struct PromotionCase<'a> {
    pub manifest: &'a ImageManifest,
    pub version: &'a RecordedVersion,
    pub channel: &'a ChannelName,
    /// How old a version must be for `stable`.
    pub soak: Duration,
    pub now: ManifestTime,
}

impl PromotionCase<'_> {
    /// Applies every rule.
    pub fn check(&self, further: &[PromotionRule<'_>]) -> Result<(), ImageFailure> {
        let mut reasons = self.reasons();
        let more = further.iter().filter_map(|rule| rule(self.version, self.channel).err());
        reasons.extend(more);
        if reasons.is_empty() {
            return Ok(());
        }
        let (tag, channel) = (&self.version.tag, self.channel);
        Err(ImageFailure::PromotionRefused {
            what: format!("promoting {tag} to `{channel}`: {}", reasons.join("; ")),
            hint: "promote a version that keeps these rules: `fargate-runner image list`"
                .to_owned(),
        })
    }

    fn reasons(&self) -> Vec<String> {
        let version = self.version;
        let mut reasons = Vec::new();
        match version.status {
            VersionStatus::Tested => {}
            VersionStatus::Candidate => reasons.push("no job has run in it yet".to_owned()),
            VersionStatus::Revoked => {
                let why = version.revoked_reason.as_deref().unwrap_or("no reason is recorded");
                reasons.push(format!("it is revoked ({why})"));
            }
        }
        if version.dirty {
            reasons.push("it was built from files that no commit has".to_owned());
        }
        if version.smoke.as_ref().is_some_and(|smoke| !smoke.ok) {
            reasons.push("the job that ran in it failed".to_owned());
        }
        reasons.extend(self.scan());
        reasons.extend(self.base());
        reasons.extend(self.soak());
        reasons
    }

    fn scan(&self) -> Option<String> {
        let Some(scan) = &self.version.scan else {
            return Some("it was not searched for secrets".to_owned());
        };
        if scan.findings > 0 {
            return Some(format!("the search for secrets has {} findings", scan.findings));
        }
        let ended = scan.waived_until.filter(|until| *until <= self.now)?;
        Some(format!("a waiver for the search for secrets ended at {ended}"))
    }

    /// Any image of the manifest may be the base of another one.
    fn base(&self) -> Option<String> {
        let base = self.version.base.as_ref()?.digest.as_ref()?;
        let versions = self.manifest.images.values().filter_map(|image| image.version(base));
        let revoked = versions.into_iter().find(|version| version.is_revoked())?;
        Some(format!("its base {} is revoked", revoked.tag))
    }

    fn soak(&self) -> Option<String> {
        let age = self.now.since(self.version.created);
        let is_young = self.channel.is_stable() && age < self.soak;
        is_young.then(|| {
            let (age, soak) = (text::duration(age), text::duration(self.soak));
            format!("it is {age} old, and `soak` asks for {soak}")
        })
    }
}

#[cfg(test)]
mod tests {
    use fargate_image_manifest::{ImageDigest, RecordedBase, RecordedImage, ScanRecord};

    use super::*;

    fn digest(n: u8) -> ImageDigest {
        format!("sha256:{n:064x}").parse().unwrap()
    }

    fn good(n: u8, created: ManifestTime) -> RecordedVersion {
        let mut version = RecordedVersion::candidate(digest(n), &format!("ci-{n}"), created);
        version.status = VersionStatus::Tested;
        version.scan = Some(ScanRecord {
            rules: "1".to_owned(),
            findings: 0,
            waived: 0,
            waived_until: None,
            other: Default::default(),
        });
        version
    }

    #[test]
    fn each_rule_has_a_sentence_and_all_are_told_at_once() {
        let start = ManifestTime::of(std::time::UNIX_EPOCH);
        let now = start.after(Duration::from_hours(2));
        let mut manifest = ImageManifest::default();
        let mut base = RecordedImage::empty("registry.example/base");
        base.record(good(9, start));
        base.revoke(&digest(9), "leak", None, now).unwrap();
        manifest.images.insert("base".to_owned(), base);
        let told = |version: &RecordedVersion, channel: &ChannelName, soak: u64| {
            let soak = Duration::from_hours(soak);
            let case = PromotionCase { manifest: &manifest, version, channel, soak, now };
            case.check(&[]).err().map(|error| (error.exit_code(), error.to_string()))
        };
        let (stable, latest) = (ChannelName::stable(), ChannelName::latest());
        let mut version = good(1, start);
        assert_eq!(told(&version, &stable, 2), None);
        assert_eq!(told(&version, &latest, 3), None);
        version.scan.as_mut().unwrap().waived_until = Some(now);
        let (code, words) = told(&version, &stable, 3).unwrap();
        assert_eq!(code, 12);
        insta::assert_snapshot!(words.lines().next().unwrap(), @"promoting ci-1 to `stable`: a waiver for the search for secrets ended at 1970-01-01T02:00:00Z; it is 2h 00m old, and `soak` asks for 3h 00m");
        version.status = VersionStatus::Candidate;
        version.dirty = true;
        version.scan = None;
        let reference = "registry.example/base:1".to_owned();
        version.base =
            Some(RecordedBase { reference, digest: Some(digest(9)), other: Default::default() });
        let (_, words) = told(&version, &latest, 3).unwrap();
        insta::assert_snapshot!(words.lines().next().unwrap(), @"promoting ci-1 to `latest`: no job has run in it yet; it was built from files that no commit has; it was not searched for secrets; its base ci-9 is revoked");
    }

    #[test]
    fn a_further_rule_can_refuse() {
        let now = ManifestTime::now();
        let (manifest, version) = (ImageManifest::default(), good(1, now));
        let channel = &ChannelName::latest();
        let case = PromotionCase {
            manifest: &manifest,
            version: &version,
            channel,
            soak: Duration::ZERO,
            now,
        };
        let rule: PromotionRule<'_> = Box::new(|_, _| Err("CVE-1 is critical".to_owned()));
        let refused = case.check(&[rule]).unwrap_err();
        assert!(refused.to_string().contains("CVE-1 is critical"), "{refused}");
    }
}
