//! The half hours of a window of time, as the heat map of starts shows them. Counts nothing.

/// A half hour, in milliseconds.
pub const HALF_HOUR_MS: u64 = 30 * 60 * 1000;
/// Half hours of a day.
pub const HALF_HOURS_OF_DAY: u64 = 48;

/// The half hours that a map of this window shows, counted from 1970: the first one, and the one after the last. Each is
/// a half hour of one day. `None` for a window of more than a day: a cell is a sum over its days then.
#[must_use]
pub fn shown_half_hours(from_ms: u64, to_ms: u64) -> Option<(u64, u64)> {
    let (begun, end) = (from_ms / HALF_HOUR_MS, to_ms.div_ceil(HALF_HOUR_MS));
    match end.saturating_sub(begun) {
        0..=HALF_HOURS_OF_DAY => Some((begun, end)),
        // A window of a day begins and ends in the same half hour of two days. Both in one cell would be two stretches
        // of time, which no address means, so the rest of the first half hour is left out.
        n if n == HALF_HOURS_OF_DAY + 1 => Some((begun + 1, end)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_half_hour_of_the_day_is_shown_twice() {
        let day = HALF_HOURS_OF_DAY * HALF_HOUR_MS;
        assert_eq!(shown_half_hours(0, day), Some((0, 48)));
        assert_eq!(shown_half_hours(1, day), Some((0, 48)));
        assert_eq!(shown_half_hours(1, day + 1), Some((1, 49)));
        assert_eq!(shown_half_hours(1, day + HALF_HOUR_MS + 1), None);
        assert_eq!(shown_half_hours(day, day), Some((48, 48)));
    }
}
