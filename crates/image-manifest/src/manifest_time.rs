//! A moment in the manifest: whole seconds in UTC, written as RFC 3339.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fargate_model::text::escape_within;
use humantime::{format_rfc3339_seconds, parse_rfc3339};
use serde::{Deserialize, Serialize};

/// Latest moment that is taken, in seconds since 1970: the end of the year 9998, so that sums stay
/// moments that can be written.
const LATEST: u64 = 253_370_764_799;

/// A moment, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ManifestTime(u64);

impl ManifestTime {
    /// The moment, without the part of a second.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since.as_secs().min(LATEST))
    }

    /// Now, by this host's clock.
    #[must_use]
    pub fn now() -> Self {
        Self::of(SystemTime::now())
    }

    /// The same as a time of the standard library.
    #[must_use]
    pub fn system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0)
    }

    /// This much later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()).min(LATEST))
    }

    /// How long ago `earlier` was; zero if it was not before this.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for ManifestTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format_rfc3339_seconds(self.system_time()).to_string())
    }
}

impl TryFrom<String> for ManifestTime {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let time = parse_rfc3339(&text).map_err(|_| {
            let given = escape_within(&text, 40);
            format!("`{given}` is no time; a time is written as 2026-01-31T08:00:00Z")
        })?;
        Ok(Self::of(time))
    }
}

impl From<ManifestTime> for String {
    fn from(time: ManifestTime) -> Self {
        time.to_string()
    }
}
