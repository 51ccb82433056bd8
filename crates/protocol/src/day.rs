//! The day of a version. Two versions compare their days to tell how far apart they are.
//!
//! It reads no clock, because a clock of one side may be wrong.

use std::fmt;

/// A day of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CalendarDay {
    year: u16,
    month: u8,
    day: u8,
}

impl CalendarDay {
    /// Reads `YYYY-MM-DD`. Any other text gives `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = |from: usize, to: usize| {
            let part = text.get(from..to)?;
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u16>().ok())?
        };
        if text.len() != 10 || text.get(4..5) != Some("-") || text.get(7..8) != Some("-") {
            return None;
        }
        let month = u8::try_from(digits(5, 7)?).ok().filter(|month| (1..=12).contains(month))?;
        let day = u8::try_from(digits(8, 10)?).ok().filter(|day| (1..=31).contains(day))?;
        Some(Self { year: digits(0, 4)?, month, day })
    }

    /// Whether this day comes later than `months` months after `earlier`.
    #[must_use]
    pub fn is_beyond(self, months: u32, earlier: Self) -> bool {
        (self.months(), self.day) > (earlier.months() + months, earlier.day)
    }

    fn months(self) -> u32 {
        u32::from(self.year) * 12 + u32::from(self.month)
    }
}

impl fmt::Display for CalendarDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> CalendarDay {
        CalendarDay::parse(text).unwrap()
    }

    #[test]
    fn a_day_is_beyond_so_many_months_from_the_next_day_on() {
        let beyond = |now: &str, then: &str| day(now).is_beyond(12, day(then));
        assert!(!beyond("2027-11-21", "2026-11-21") && beyond("2027-11-22", "2026-11-21"));
        assert!(!beyond("2027-11-30", "2026-12-01") && beyond("2028-01-01", "2026-12-31"));
    }

    #[test]
    fn only_a_day_is_read_as_one() {
        for odd in [
            "",
            "2026-13-01",
            "2026-00-01",
            "2026-01-32",
            "26-01-01",
            "2026-1-01 ",
            "2026-01-1x",
            "+026-01-01",
            "2026/01/01",
            "2026-01-01T",
            "ü026-01-1",
        ] {
            assert_eq!(CalendarDay::parse(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_written_alike(text in "\\PC{0,12}") {
            prop_assert!(CalendarDay::parse(&text).is_none_or(|day| day.to_string() == text));
        }
    }
}
