//! Which revisions nobody needs any more.
//!
//! A revision stays if this program did not make it, if a profile makes the same content today, if a task
//! runs with it, if a record of this host names it, or if it was registered or used on this host not long
//! ago. A revision that another host still uses may go: that host then registers it again.
//!
//! Nothing is removed here.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use fargate_model::text::duration;

use crate::revision::{DefinitionRevision, RevisionStatus};

/// What is needed, and for how long the rest stays.
#[derive(Clone, Debug)]
pub struct RevisionUse {
    /// Contents that profiles make today.
    pub current: BTreeSet<String>,
    /// Revisions of running tasks and of records: ARNs, or `family:revision`, or `family`.
    pub referenced: BTreeSet<String>,
    /// How long an unused revision stays.
    pub retention: Duration,
    /// The time.
    pub now: SystemTime,
}

/// Whether a revision stays, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruneVerdict {
    /// Nobody needs it. The time since it was last used on this host, else since it was registered.
    Remove(Duration),
    /// This program did not register it.
    NotOurs,
    /// A profile makes it today.
    Current,
    /// A running task or a record of this host names it.
    InUse,
    /// It was used or registered this long ago.
    Recent(Duration),
    /// ECS does not say when it was registered.
    Undated,
    /// It is being deleted already.
    Deleting,
}

impl PruneVerdict {
    /// Judges one revision. `last_used` is when this host last used it.
    #[must_use]
    pub fn of(
        revision: &DefinitionRevision,
        needs: &RevisionUse,
        last_used: Option<SystemTime>,
    ) -> Self {
        let Some(content) = &revision.content else { return Self::NotOurs };
        let names = [revision.arn.clone(), revision.name()];
        if revision.status == RevisionStatus::Deleting {
            return Self::Deleting;
        }
        if names.iter().any(|name| needs.referenced.contains(name)) {
            return Self::InUse;
        }
        // Nothing can be started from an inactive one, whatever its content is.
        if needs.current.contains(content) && revision.status == RevisionStatus::Active {
            return Self::Current;
        }
        let Some(last) = last_used.max(revision.registered) else { return Self::Undated };
        // A time in the future counts as now.
        let age = needs.now.duration_since(last).unwrap_or_default();
        if age < needs.retention { Self::Recent(age) } else { Self::Remove(age) }
    }

    /// Whether the revision goes.
    #[must_use]
    pub fn removes(self) -> bool {
        matches!(self, Self::Remove(_))
    }
}

impl std::fmt::Display for PruneVerdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Remove(age) => write!(f, "unused for {}", duration(*age)),
            Self::NotOurs => f.write_str("not made by Fargate Runner"),
            Self::Current => f.write_str("a profile uses it"),
            Self::InUse => f.write_str("a task or a job of this host uses it"),
            Self::Recent(age) => write!(f, "used or registered {} ago", duration(*age)),
            Self::Undated => f.write_str("its age is unknown"),
            Self::Deleting => f.write_str("is being deleted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical::CanonicalDefinition;
    use serde_json::json;

    const DAY: Duration = Duration::from_secs(86_400);

    fn revision(content: Option<&str>, days: u32, now: SystemTime) -> DefinitionRevision {
        DefinitionRevision {
            arn: "arn:aws:ecs:r:1:task-definition/ci:7".to_owned(),
            family: "ci".to_owned(),
            number: 7,
            status: RevisionStatus::Active,
            registered: Some(now - DAY * days),
            content: content.map(str::to_owned),
            images: Vec::new(),
            canonical: CanonicalDefinition::of(&json!({})),
        }
    }

    #[test]
    fn only_what_this_program_made_and_nobody_needs_goes() {
        let now = SystemTime::now();
        let needs = |current: &[&str], referenced: &[&str]| RevisionUse {
            current: current.iter().map(|&text| text.to_owned()).collect(),
            referenced: referenced.iter().map(|&text| text.to_owned()).collect(),
            retention: DAY * 30,
            now,
        };
        let judge = |revision: &DefinitionRevision, needs: &RevisionUse, used: Option<u32>| {
            PruneVerdict::of(revision, needs, used.map(|days| now - DAY * days))
        };
        let old = revision(Some("a"), 31, now);
        assert_eq!(judge(&old, &needs(&[], &[]), None), PruneVerdict::Remove(DAY * 31));
        assert_eq!(judge(&old, &needs(&[], &[]), Some(30)), PruneVerdict::Remove(DAY * 30));
        assert_eq!(judge(&old, &needs(&[], &[]), Some(29)), PruneVerdict::Recent(DAY * 29));
        assert_eq!(judge(&old, &needs(&["a"], &[]), None), PruneVerdict::Current);
        assert_eq!(judge(&old, &needs(&["b"], &["ci:7"]), None), PruneVerdict::InUse);
        assert_eq!(judge(&old, &needs(&[], &[&old.arn]), None), PruneVerdict::InUse);
        assert_eq!(judge(&old, &needs(&[], &["ci:70"]), None), PruneVerdict::Remove(DAY * 31));
        let young = revision(Some("a"), 3, now);
        assert_eq!(judge(&young, &needs(&[], &[]), None), PruneVerdict::Recent(DAY * 3));
        let foreign = revision(None, 999, now);
        assert_eq!(judge(&foreign, &needs(&[], &[]), None), PruneVerdict::NotOurs);
        let undated = DefinitionRevision { registered: None, ..old.clone() };
        assert_eq!(judge(&undated, &needs(&[], &[]), None), PruneVerdict::Undated);
        let inactive = DefinitionRevision { status: RevisionStatus::Inactive, ..old };
        assert_eq!(judge(&inactive, &needs(&["a"], &[]), None), PruneVerdict::Remove(DAY * 31));
    }
}
