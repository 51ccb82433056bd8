//! How pages write durations, moments, money, changes and sizes, each in one way.
//!
//! Moments are UTC. A number that is not known is never written as zero: callers leave it out.

use std::time::Duration;

use fargate_model::moment::rfc3339_seconds;
use fargate_model::text;
pub(crate) use fargate_model::text::{bytes, count};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_MS: u64 = 86_400_000;

/// `40 ms`, `0.24 s`, `41.2 s`, `4m 12s`, `2h 05m`, `3d 04h`.
pub(crate) fn duration(ms: u64) -> String {
    text::duration(Duration::from_millis(ms))
}

/// A duration that still grows: whole seconds.
pub(crate) fn ticking(ms: u64) -> String {
    text::ticking(Duration::from_millis(ms))
}

/// A duration without its unit `s`, to stand beside another one: `27.1`, `1m 10s`.
pub(crate) fn bare_duration(ms: u64) -> String {
    let written = duration(ms);
    match written.strip_suffix(" s") {
        Some(seconds) => seconds.to_owned(),
        None => written,
    }
}

/// A duration in words, for screen readers: `4 minutes 12 seconds`.
pub(crate) fn spoken(ms: u64) -> String {
    let s = ms / 1000;
    let words = |n: u64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
    let two = |a: String, n: u64, unit: &str| match n {
        0 => a,
        n => format!("{a} {}", words(n, unit)),
    };
    match s {
        0..60 => words(s, "second"),
        60..3600 => two(words(s / 60, "minute"), s % 60, "second"),
        3600..86400 => two(words(s / 3600, "hour"), s % 3600 / 60, "minute"),
        _ => two(words(s / 86400, "day"), s % 86400 / 3600, "hour"),
    }
}

/// A day of the calendar.
pub(crate) struct UtcDay {
    pub(crate) year: u64,
    /// From 1.
    pub(crate) month: u64,
    /// From 1.
    pub(crate) day: u64,
}

/// The day of a moment, UTC.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
pub(crate) fn calendar_day(at_ms: u64) -> UtcDay {
    let days = at_ms / DAY_MS + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    UtcDay {
        year: year_of_era + era * 400 + u64::from(month <= 2),
        month,
        day: of_year - (153 * shifted_month + 2) / 5 + 1,
    }
}

/// `20 Nov`.
pub(crate) fn day_text(at_ms: u64) -> String {
    let day = calendar_day(at_ms);
    format!("{} {}", day.day, month_name(&day))
}

fn month_name(day: &UtcDay) -> &'static str {
    usize::try_from(day.month - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or("?")
}

/// `14:32:10`.
pub(crate) fn clock(at_ms: u64) -> String {
    let s = at_ms % DAY_MS / 1000;
    format!("{:02}:{:02}:{:02}", s / 3600, s % 3600 / 60, s % 60)
}

/// `14:32:10.114`.
pub(crate) fn clock_ms(at_ms: u64) -> String {
    format!("{}.{:03}", clock(at_ms), at_ms % 1000)
}

/// `14:32`.
pub(crate) fn clock_minutes(at_ms: u64) -> String {
    let s = at_ms % DAY_MS / 1000;
    format!("{:02}:{:02}", s / 3600, s % 3600 / 60)
}

/// Today `14:32:10`, else `20 Nov 14:32`, in other years `20 Nov 2025 14:32`.
pub(crate) fn moment(at_ms: u64, now_ms: u64) -> String {
    if at_ms / DAY_MS == now_ms / DAY_MS {
        return clock(at_ms);
    }
    let day = calendar_day(at_ms);
    if day.year == calendar_day(now_ms).year {
        format!("{} {}", day_text(at_ms), clock_minutes(at_ms))
    } else {
        format!("{} {} {}", day_text(at_ms), day.year, clock_minutes(at_ms))
    }
}

/// `2026-11-30T14:02:28.331Z`.
pub(crate) fn exact_moment(at_ms: u64) -> String {
    let day = calendar_day(at_ms);
    format!("{:04}-{:02}-{:02}T{}Z", day.year, day.month, day.day, clock_ms(at_ms))
}

/// `2026-11-30T14:02:28Z`, as it stands in an address.
pub(crate) fn url_moment(at_ms: u64) -> String {
    rfc3339_seconds(at_ms)
}

/// A moment for an address, with its milliseconds if it has some.
pub(crate) fn url_moment_ms(at_ms: u64) -> String {
    let moment = url_moment(at_ms);
    match at_ms % 1000 {
        0 => moment,
        ms => format!("{}.{ms:03}Z", moment.trim_end_matches('Z')),
    }
}

/// How old something is, in one unit: `12m`, `3 days`.
pub(crate) fn age(ms: u64) -> String {
    match ms / 1000 {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3600 => format!("{}m", s / 60),
        s @ 3600..86400 => format!("{}h", s / 3600),
        s @ 86400..172_800 => format!("{} day", s / 86400),
        s => format!("{} days", s / 86400),
    }
}

/// An estimate: `$0.0016`, `$18.42`, `$4,021`. Rounded once, at the end.
pub(crate) use fargate_model::text::money;

/// How a duration changed: `same` within 10 % or 0.5 s, else `6.1 s slower`.
pub(crate) fn slower(now_ms: u64, before_ms: u64) -> String {
    let change = now_ms.abs_diff(before_ms);
    if change <= 500 || change.saturating_mul(10) <= before_ms {
        return "same".to_owned();
    }
    format!("{} {}", duration(change), if now_ms > before_ms { "slower" } else { "faster" })
}

/// How an amount changed: `same` within 10 %, else `12 % more`.
pub(crate) fn more(now: u64, before: u64) -> Option<String> {
    let change = now.abs_diff(before);
    match before {
        0 => None,
        before if change.saturating_mul(10) <= before => Some("same".to_owned()),
        before => {
            let percent = change.saturating_mul(100) / before;
            Some(format!("{} % {}", count(percent), if now > before { "more" } else { "less" }))
        }
    }
}

/// A part of one as `61 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share.clamp(0.0, 1.0) * 100.0)
}

/// A number without zeros after its last digit: `46`, `0.25`.
pub(crate) fn plain(number: f64) -> String {
    // Nothing is written as "-0", which sums of nothing are.
    let written = format!("{:.2}", number + 0.0);
    written.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// One job, or several: `1 job`, `1,204 jobs`.
pub(crate) fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// The first 8 characters of a task's id or a digest.
pub(crate) fn short_id(id: &str) -> String {
    let id = id.rsplit('/').next().unwrap_or(id);
    let id = id.strip_prefix("sha256:").unwrap_or(id);
    id.chars().take(8).collect()
}

/// A number of milliseconds as a part of another one, in percent for a bar.
#[expect(clippy::cast_precision_loss, reason = "drawn, not counted")]
pub(crate) fn part_of(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// A length for an attribute of a drawing: `12.3%`.
pub(crate) fn length(percent: f64) -> String {
    let written = format!("{percent:.2}");
    format!("{}%", written.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most_and_never_round_up() {
        let written: Vec<String> =
            [40, 240, 41_200, 59_999, 252_000, 7_500_000, 273_600_000].map(duration).into();
        assert_eq!(written, ["40 ms", "0.24 s", "41.2 s", "59.9 s", "4m 12s", "2h 05m", "3d 04h"]);
        assert_eq!(ticking(252_900), "4m 12s");
        assert_eq!(ticking(9_900), "9 s");
        assert_eq!(bare_duration(27_100), "27.1");
        assert_eq!(bare_duration(70_000), "1m 10s");
    }

    #[test]
    fn a_screen_reader_hears_words() {
        assert_eq!(spoken(252_000), "4 minutes 12 seconds");
        assert_eq!(spoken(1_000), "1 second");
        assert_eq!(spoken(7_500_000), "2 hours 5 minutes");
        assert_eq!(spoken(86_400_000), "1 day");
    }

    #[test]
    fn moments_say_the_day_only_if_it_is_another_one() {
        // 2026-11-30T14:02:28.331Z
        let now = 1_796_047_348_331;
        assert_eq!(exact_moment(now), "2026-11-30T14:02:28.331Z");
        assert_eq!(url_moment(now), "2026-11-30T14:02:28Z");
        assert_eq!(moment(now - 1000, now), "14:02:27");
        assert_eq!(moment(now - 10 * DAY_MS, now), "20 Nov 14:02");
        assert_eq!(moment(now - 365 * DAY_MS, now), "30 Nov 2025 14:02");
        assert_eq!(exact_moment(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(exact_moment(0), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn money_is_rounded_at_the_end_only() {
        let written: Vec<String> =
            [0, 99, 1_630, 999_949, 999_950, 18_420_000, 999_994_999, 999_995_000, 4_021_000_000]
                .map(money)
                .into();
        assert_eq!(
            written,
            [
                "$0",
                "under $0.0001",
                "$0.0016",
                "$0.9999",
                "$1.00",
                "$18.42",
                "$999.99",
                "$1,000",
                "$4,021"
            ]
        );
    }

    #[test]
    fn a_small_change_is_none() {
        assert_eq!(slower(23_400, 17_300), "6.1 s slower");
        assert_eq!(slower(17_300, 23_400), "6.1 s faster");
        assert_eq!(slower(11_500, 11_000), "same");
        assert_eq!(slower(33_000, 30_000), "same");
        assert_eq!(more(112, 100).as_deref(), Some("12 % more"));
        assert_eq!(more(110, 100).as_deref(), Some("same"));
        assert_eq!(more(80, 100).as_deref(), Some("20 % less"));
        assert_eq!(more(80, 0), None);
    }

    #[test]
    fn ids_are_cut_to_what_people_compare() {
        assert_eq!(short_id("arn:aws:ecs:eu-west-1:123456789012:task/ci/5a7c1e90d1f2"), "5a7c1e90");
        assert_eq!(short_id("sha256:9f2c41d0e7b1"), "9f2c41d0");
    }

    #[test]
    fn numbers_have_no_zeros_at_their_end() {
        assert_eq!(plain(46.0), "46");
        assert_eq!(plain(0.25), "0.25");
        assert_eq!(plain(-0.0), "0");
        assert_eq!(percent(0.614), "61 %");
        assert_eq!(counted(1, "job", "jobs"), "1 job");
        assert_eq!(counted(1204, "job", "jobs"), "1,204 jobs");
        assert_eq!(length(12.3), "12.3%");
        assert_eq!(length(100.0), "100%");
    }
}
