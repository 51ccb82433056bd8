//! What this build says about itself: its version, the day of it, and which state files it writes
//! and reads.
//!
//! A debug build may claim to be another version. A test appends a claim to a copy of the binary,
//! and so has two real files that can replace each other. A release build reads no claim.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fargate_protocol::{CalendarDay, RELEASED};

/// The schema of the state files that this version writes.
///
/// It grows only if an older version could misread a file: because a word has a new meaning, or
/// because there is a new word where one of several is expected. A version that writes a new schema
/// is released only after one that reads it, so that versions side by side understand each other. A
/// new field needs no new schema.
pub const WRITES: u64 = 1;
/// The newest schema that this version reads.
pub const READS: u64 = 1;
const _: () = assert!(WRITES <= READS, "whatever is written is read by the same version");

/// What a build claims to be.
#[derive(Clone, Debug)]
pub struct BuildInfo {
    /// The version, for example `0.1.0`.
    pub version: String,
    /// The day of the version.
    pub day: CalendarDay,
    /// See [`WRITES`].
    pub writes: u64,
    /// See [`READS`].
    pub reads: u64,
    /// Fields of state files that only this version knows. A test adds them.
    pub adds: BTreeMap<String, serde_json::Value>,
}

static THIS: LazyLock<BuildInfo> = LazyLock::new(|| {
    let own = BuildInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        day: CalendarDay::parse(RELEASED).expect("a test reads it"),
        writes: WRITES,
        reads: READS,
        adds: BTreeMap::new(),
    };
    claimed(own)
});

/// The claim of this build.
#[must_use]
pub fn this() -> &'static BuildInfo {
    &THIS
}

#[cfg(not(debug_assertions))]
fn claimed(own: BuildInfo) -> BuildInfo {
    own
}

#[cfg(debug_assertions)]
fn claimed(own: BuildInfo) -> BuildInfo {
    debug::claim().map_or(own.clone(), |claim| claim.over(own))
}

#[cfg(debug_assertions)]
mod debug {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io::{Read, Seek, SeekFrom};

    use fargate_protocol::CalendarDay;
    use serde::Deserialize;

    use super::BuildInfo;

    /// The text before a claim. The claim is the end of the file.
    const MARK: &[u8] = b"\nfargate-runner claims: ";
    /// Longest claim, with this text.
    const LONGEST: i64 = 1024;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct ClaimedBuild {
        version: String,
        day: Option<String>,
        writes: Option<u64>,
        reads: Option<u64>,
        #[serde(default)]
        adds: BTreeMap<String, serde_json::Value>,
    }

    impl ClaimedBuild {
        pub fn over(self, own: BuildInfo) -> BuildInfo {
            let day = self.day.map(|day| CalendarDay::parse(&day).expect("a claim's day is one"));
            BuildInfo {
                version: self.version,
                day: day.unwrap_or(own.day),
                writes: self.writes.unwrap_or(own.writes),
                reads: self.reads.unwrap_or(own.reads),
                adds: self.adds,
            }
        }
    }

    /// The claim in the file of this very process, even if another file has replaced it.
    pub fn claim() -> Option<ClaimedBuild> {
        let mut end = Vec::new();
        let mut file = File::open("/proc/self/exe").ok()?;
        file.seek(SeekFrom::End(-LONGEST)).ok()?;
        file.read_to_end(&mut end).ok()?;
        let at = end.windows(MARK.len()).rposition(|bytes| bytes == MARK)?;
        Some(serde_json::from_slice(&end[at + MARK.len()..]).expect("a claim that a test wrote"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_has_the_day_of_its_version() {
        assert_eq!(this().day.to_string(), RELEASED);
        let changes = include_str!("../../../CHANGELOG.md");
        let heading = format!("## {} - ", this().version);
        // Before the release, the version is under "Unreleased".
        if let Some(day) = changes.lines().find_map(|line| line.strip_prefix(&heading)) {
            assert_eq!(day, RELEASED);
        }
    }

    #[test]
    fn a_build_without_a_claim_is_what_it_says() {
        assert_eq!((this().writes, this().reads), (WRITES, READS));
    }
}
