//! How channels of one image change: a version is assigned, the former one comes back, a version is revoked.
//!
//! Whatever the order, no channel gets a version that is revoked or not listed. Whether a version is good
//! enough, and whether the registry still has it, is decided before these are called.

use std::time::Duration;

use serde_json::Map;

use crate::{
    ChannelAssignment, ChannelName, FormerAssignment, ImageDigest, ManifestTime, RecordedImage,
    RecordedVersion, VersionStatus,
};

/// Most former versions that a channel remembers. Ours: git remembers all of them.
const MAX_FORMER: usize = 20;

/// A channel has another version now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelChange {
    /// The channel.
    pub channel: ChannelName,
    /// The version that it had.
    pub from: Option<ImageDigest>,
    /// The version that it has.
    pub to: ImageDigest,
}

/// Why a channel was not changed. Nothing was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelChangeError {
    /// No such version.
    #[error("no version {0} is listed")]
    NotListed(ImageDigest),
    /// The version is revoked.
    #[error("version {digest} is revoked{}", reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Revoked {
        /// The version.
        digest: ImageDigest,
        /// Why.
        reason: Option<String>,
    },
    /// The image has no such channel.
    #[error("there is no channel `{0}`; the first promotion to it makes it")]
    NoChannel(ChannelName),
    /// The channel had no other version that is still good.
    #[error("channel `{0}` had no other version before that is listed and not revoked")]
    NoFormer(ChannelName),
    /// A channel has the version that is to be revoked.
    #[error(
        "version {digest} is the one of {}; name another version for it with `--replace-with`, or promote \
         or roll back first",
        names(channels)
    )]
    Assigned {
        /// The version.
        digest: ImageDigest,
        /// The channels that have it.
        channels: Vec<ChannelName>,
    },
    /// A version cannot replace itself.
    #[error("version {0} cannot replace itself")]
    SameVersion(ImageDigest),
}

fn names(channels: &[ChannelName]) -> String {
    let names: Vec<String> = channels.iter().map(|name| format!("channel `{name}`")).collect();
    names.join(" and ")
}

impl RecordedImage {
    /// Gives the channel this version. The version that `stable` had before is deprecated after
    /// `deprecate_after`; the new one is not deprecated any more. `None` if the channel has it already.
    ///
    /// # Errors
    ///
    /// [`ChannelChangeError::NotListed`] and [`ChannelChangeError::Revoked`].
    pub fn assign(
        &mut self,
        channel: &ChannelName,
        digest: &ImageDigest,
        now: ManifestTime,
        deprecate_after: Option<Duration>,
    ) -> Result<Option<ChannelChange>, ChannelChangeError> {
        self.usable(digest)?;
        let before = self.channels.get(channel).cloned();
        if before.as_ref().is_some_and(|before| before.digest == *digest) {
            return Ok(None);
        }
        let from = before.as_ref().map(|before| before.digest.clone());
        self.set(channel, digest, now, remembered(before, digest));
        if let (Some(from), Some(wait), true) = (&from, deprecate_after, channel.is_stable()) {
            let replaced = self.version_mut(from);
            replaced.into_iter().for_each(|old| old.deprecation_time = Some(now.after(wait)));
        }
        Ok(Some(ChannelChange { channel: channel.clone(), from, to: digest.clone() }))
    }

    /// The version to which a rollback of the channel leads: the last one before that is still good.
    ///
    /// # Errors
    ///
    /// [`ChannelChangeError::NoChannel`] and [`ChannelChangeError::NoFormer`].
    pub fn former(&self, channel: &ChannelName) -> Result<&RecordedVersion, ChannelChangeError> {
        let assigned = self.channels.get(channel);
        let assigned = assigned.ok_or_else(|| ChannelChangeError::NoChannel(channel.clone()))?;
        let usable = assigned.former.iter().filter_map(|former| self.version(&former.digest));
        let mut usable = usable.filter(|version| !version.is_revoked());
        usable.next().ok_or_else(|| ChannelChangeError::NoFormer(channel.clone()))
    }

    /// Brings the channel back to `digest`. What it had in between is forgotten, so that the next rollback
    /// goes on to an older version, and not back to the one that was left.
    ///
    /// # Errors
    ///
    /// [`ChannelChangeError::NoChannel`], [`ChannelChangeError::NotListed`],
    /// [`ChannelChangeError::Revoked`], and [`ChannelChangeError::NoFormer`] if the channel never had it.
    pub fn roll_back(
        &mut self,
        channel: &ChannelName,
        digest: &ImageDigest,
        now: ManifestTime,
    ) -> Result<ChannelChange, ChannelChangeError> {
        self.usable(digest)?;
        let before = self.channels.get(channel).cloned();
        let before = before.ok_or_else(|| ChannelChangeError::NoChannel(channel.clone()))?;
        let at = before.former.iter().position(|former| former.digest == *digest);
        let at = at.ok_or_else(|| ChannelChangeError::NoFormer(channel.clone()))?;
        let (from, other) = (before.digest, before.other);
        let former = before.former.into_iter().skip(at + 1).collect();
        self.set(channel, digest, now, (former, other));
        Ok(ChannelChange { channel: channel.clone(), from: Some(from), to: digest.clone() })
    }

    /// Revokes a version. Channels that have it get `replacement`.
    ///
    /// # Errors
    ///
    /// [`ChannelChangeError`]: [`ChannelChangeError::Assigned`] if a channel has it and there is no
    /// replacement, and what [`Self::assign`] refuses of the replacement.
    pub fn revoke(
        &mut self,
        digest: &ImageDigest,
        reason: &str,
        replacement: Option<&ImageDigest>,
        now: ManifestTime,
    ) -> Result<Vec<ChannelChange>, ChannelChangeError> {
        if self.version(digest).is_none() {
            return Err(ChannelChangeError::NotListed(digest.clone()));
        }
        if replacement == Some(digest) {
            return Err(ChannelChangeError::SameVersion(digest.clone()));
        }
        let channels: Vec<ChannelName> = self.channels_of(digest).cloned().collect();
        let mut changes = Vec::new();
        match replacement {
            None if !channels.is_empty() => {
                return Err(ChannelChangeError::Assigned { digest: digest.clone(), channels });
            }
            None => {}
            Some(replacement) => {
                self.usable(replacement)?;
                for channel in &channels {
                    changes.extend(self.assign(channel, replacement, now, None)?);
                }
            }
        }
        if let Some(version) = self.version_mut(digest) {
            version.status = VersionStatus::Revoked;
            version.revoked_reason = Some(reason.to_owned());
        }
        Ok(changes)
    }

    fn usable(&self, digest: &ImageDigest) -> Result<(), ChannelChangeError> {
        match self.version(digest) {
            None => Err(ChannelChangeError::NotListed(digest.clone())),
            Some(version) if version.is_revoked() => Err(ChannelChangeError::Revoked {
                digest: digest.clone(),
                reason: version.revoked_reason.clone(),
            }),
            Some(_) => Ok(()),
        }
    }

    fn set(
        &mut self,
        channel: &ChannelName,
        digest: &ImageDigest,
        since: ManifestTime,
        (former, other): (Vec<FormerAssignment>, Map<String, serde_json::Value>),
    ) {
        let assigned = ChannelAssignment { digest: digest.clone(), since, former, other };
        self.channels.insert(channel.clone(), assigned);
        // What a channel has is in use again.
        if let Some(version) = self.version_mut(digest) {
            version.deprecation_time = None;
        }
    }
}

/// What a channel remembers after it gets `digest`. A version stands there once.
fn remembered(
    before: Option<ChannelAssignment>,
    digest: &ImageDigest,
) -> (Vec<FormerAssignment>, Map<String, serde_json::Value>) {
    let Some(ChannelAssignment { digest: from, since, former, other }) = before else {
        return Default::default();
    };
    let last = FormerAssignment { digest: from.clone(), since, other: Map::new() };
    let older = former.into_iter().filter(|old| old.digest != from && old.digest != *digest);
    (std::iter::once(last).chain(older).take(MAX_FORMER).collect(), other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(n: u8) -> ImageDigest {
        format!("sha256:{n:064x}").parse().unwrap()
    }

    fn image(count: u8) -> RecordedImage {
        let mut image = RecordedImage::empty("registry.example/ci");
        for n in 0..count {
            let tag = format!("ci-{n}");
            image.record(RecordedVersion::candidate(digest(n), &tag, moment(n.into())));
        }
        image
    }

    fn moment(day: u64) -> ManifestTime {
        let start = ManifestTime::of(std::time::UNIX_EPOCH);
        start.after(Duration::from_hours(24 * day))
    }

    #[test]
    fn a_second_rollback_goes_on_to_an_older_version() {
        let (mut image, stable) = (image(3), ChannelName::stable());
        for n in 0..3 {
            image.assign(&stable, &digest(n), moment(n.into()), None).unwrap();
        }
        for n in [1, 0] {
            let former = image.former(&stable).unwrap().digest.clone();
            assert_eq!(former, digest(n));
            image.roll_back(&stable, &former, moment(9)).unwrap();
        }
        assert_eq!(image.former(&stable), Err(ChannelChangeError::NoFormer(stable.clone())));
    }

    #[test]
    fn what_stable_had_before_is_deprecated_until_it_is_used_again() {
        let (mut image, stable) = (image(2), ChannelName::stable());
        let wait = Some(Duration::from_hours(48));
        image.assign(&stable, &digest(0), moment(1), wait).unwrap();
        image.assign(&stable, &digest(1), moment(2), wait).unwrap();
        assert_eq!(image.version(&digest(0)).unwrap().deprecation_time, Some(moment(4)));
        assert_eq!(image.version(&digest(1)).unwrap().deprecation_time, None);
        image.roll_back(&stable, &digest(0), moment(3)).unwrap();
        assert_eq!(image.version(&digest(0)).unwrap().deprecation_time, None);
        let latest = ChannelName::latest();
        image.assign(&latest, &digest(0), moment(3), wait).unwrap();
        image.assign(&latest, &digest(1), moment(3), wait).unwrap();
        assert_eq!(image.version(&digest(0)).unwrap().deprecation_time, None);
    }

    #[test]
    fn a_version_of_a_channel_is_revoked_only_with_another_for_the_channel() {
        let (mut image, stable) = (image(3), ChannelName::stable());
        image.assign(&stable, &digest(0), moment(1), None).unwrap();
        let before = image.clone();
        let refused = image.revoke(&digest(0), "leak", None, moment(2)).unwrap_err();
        assert!(matches!(refused, ChannelChangeError::Assigned { .. }), "{refused}");
        assert!(image.revoke(&digest(0), "leak", Some(&digest(0)), moment(2)).is_err());
        assert!(image.revoke(&digest(0), "leak", Some(&digest(7)), moment(2)).is_err());
        assert_eq!(image, before);
        let changes = image.revoke(&digest(0), "leak", Some(&digest(1)), moment(2)).unwrap();
        assert_eq!(changes.len(), 1);
        assert_eq!(image.version_of(&stable).unwrap().digest, digest(1));
        let back = image.former(&stable).unwrap_err();
        assert_eq!(back, ChannelChangeError::NoFormer(stable.clone()));
        let again = image.assign(&stable, &digest(0), moment(3), None).unwrap_err();
        assert_eq!(again.to_string(), format!("version {} is revoked: leak", digest(0)));
    }

    #[derive(Clone, Debug)]
    enum ChannelCommand {
        Assign(bool, u8),
        RollBack(bool),
        Revoke(u8, Option<u8>),
        Record(u8),
    }

    fn step() -> impl Strategy<Value = ChannelCommand> {
        prop_oneof![
            (any::<bool>(), 0..6u8).prop_map(|(stable, n)| ChannelCommand::Assign(stable, n)),
            any::<bool>().prop_map(ChannelCommand::RollBack),
            (0..6u8, proptest::option::of(0..6u8)).prop_map(|(n, m)| ChannelCommand::Revoke(n, m)),
            (0..6u8).prop_map(ChannelCommand::Record),
        ]
    }

    proptest! {
        #[test]
        fn no_order_of_changes_leaves_a_channel_at_a_version_that_is_revoked_or_not_listed(
            steps in proptest::collection::vec(step(), 0..60)
        ) {
            let mut image = image(4);
            let name = |stable| if stable { ChannelName::stable() } else { ChannelName::latest() };
            for (day, step) in steps.into_iter().enumerate() {
                let now = moment(day as u64);
                let before = image.clone();
                let done = match step {
                    ChannelCommand::Assign(stable, n) => {
                        image.assign(&name(stable), &digest(n), now, Some(Duration::ZERO)).is_ok()
                    }
                    ChannelCommand::RollBack(stable) => {
                        let former = image.former(&name(stable)).map(|found| found.digest.clone());
                        former.is_ok_and(|to| image.roll_back(&name(stable), &to, now).is_ok())
                    }
                    ChannelCommand::Revoke(n, m) => {
                        let replacement = m.map(digest);
                        image.revoke(&digest(n), "why", replacement.as_ref(), now).is_ok()
                    }
                    ChannelCommand::Record(n) => {
                        let tag = format!("ci-{n}");
                        image.record(RecordedVersion::candidate(digest(n), &tag, moment(n.into())));
                        true
                    }
                };
                prop_assert!(done || image == before, "a refused step changed something");
                for assigned in image.channels.values() {
                    let version = image.version(&assigned.digest);
                    prop_assert!(version.is_some_and(|version| !version.is_revoked()));
                    let has_itself =
                        assigned.former.iter().any(|former| former.digest == assigned.digest);
                    prop_assert!(!has_itself && assigned.former.len() <= MAX_FORMER);
                }
            }
        }
    }
}
