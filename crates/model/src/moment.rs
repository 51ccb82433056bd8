//! A moment of the time of day as numbers, and as text in UTC. No clock is read here.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The end of the year 9999, which is as far as RFC 3339 goes: milliseconds since 1970.
pub const LAST_UNIX_MS: u64 = 253_402_300_799_999;

/// A moment in milliseconds since 1970, as the history and all answers have it. Before 1970 it is 0.
#[must_use]
pub fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The moment so many milliseconds after 1970; at the latest [`LAST_UNIX_MS`].
#[must_use]
pub fn time_of_unix_ms(unix_ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(unix_ms.min(LAST_UNIX_MS))
}

/// `2026-12-01T00:00:00Z`; at the latest [`LAST_UNIX_MS`].
#[must_use]
pub fn rfc3339_seconds(unix_ms: u64) -> String {
    humantime::format_rfc3339_seconds(time_of_unix_ms(unix_ms)).to_string()
}

/// `2026-12-01T00:00:00.000Z`; at the latest [`LAST_UNIX_MS`].
#[must_use]
pub fn rfc3339_millis(unix_ms: u64) -> String {
    humantime::format_rfc3339_millis(time_of_unix_ms(unix_ms)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_no_calendar_can_tell_is_shown_as_the_last_one() {
        assert_eq!(rfc3339_seconds(1_796_083_200_999), "2026-12-01T00:00:00Z");
        assert_eq!(rfc3339_millis(1_796_083_200_999), "2026-12-01T00:00:00.999Z");
        for unix_ms in [LAST_UNIX_MS, LAST_UNIX_MS + 1, u64::MAX] {
            assert_eq!(rfc3339_seconds(unix_ms), "9999-12-31T23:59:59Z");
            assert_eq!(rfc3339_millis(unix_ms), "9999-12-31T23:59:59.999Z");
        }
    }
}
