//! The time of day in the unit of all answers, and the texts in which URLs give it.

use std::time::{SystemTime, UNIX_EPOCH};

use fargate_model::moment::{LAST_UNIX_MS, rfc3339_seconds, unix_ms};

/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;
/// Milliseconds of an hour.
pub const HOUR_MS: u64 = 3_600_000;

/// Now, in milliseconds since 1970.
#[must_use]
pub fn now_ms() -> u64 {
    unix_ms(SystemTime::now())
}

/// A moment of a URL: RFC 3339 in UTC, or milliseconds since 1970.
#[must_use]
pub fn parse_moment(text: &str) -> Option<u64> {
    let ms = match text.parse() {
        Ok(ms) => ms,
        Err(_) => {
            let time = humantime::parse_rfc3339_weak(text).ok()?;
            unix_ms(Some(time).filter(|time| *time >= UNIX_EPOCH)?)
        }
    };
    (ms <= LAST_UNIX_MS).then_some(ms)
}

/// A moment as a URL gives it.
#[must_use]
pub fn moment(at_ms: u64) -> String {
    rfc3339_seconds(at_ms)
}

/// The beginning of the day, UTC.
#[must_use]
pub fn day_begin(at_ms: u64) -> u64 {
    at_ms - at_ms % DAY_MS
}

/// The beginning of the month, UTC.
#[must_use]
pub fn month_begin(at_ms: u64) -> u64 {
    let text = moment(at_ms);
    let first = text.get(..8).map(|month| format!("{month}01T00:00:00Z"));
    first.and_then(|text| parse_moment(&text)).unwrap_or(day_begin(at_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_urls_are_read_in_both_spellings() {
        assert_eq!(parse_moment("1970-01-02T00:00:00Z"), Some(DAY_MS));
        assert_eq!(parse_moment("1970-01-02 00:00:00"), Some(DAY_MS));
        assert_eq!(parse_moment("86400000"), Some(DAY_MS));
        assert_eq!(parse_moment("yesterday"), None);
        assert_eq!(moment(DAY_MS), "1970-01-02T00:00:00Z");
        assert_eq!(
            moment(month_begin(parse_moment("2026-11-29T22:00:00Z").unwrap())),
            "2026-11-01T00:00:00Z"
        );
    }
}
