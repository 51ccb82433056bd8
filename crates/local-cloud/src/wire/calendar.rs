//! The time formats of signatures, `20150830T123600Z`, and of HTTP. No zones, no leap seconds, years
//! 1970 to 9999.

use std::time::{Duration, SystemTime};

const DAY_S: u64 = 86_400;

/// Reads `YYYYMMDDTHHMMSSZ`; `None` for anything else.
pub fn parse(text: &str) -> Option<SystemTime> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |range: std::ops::Range<usize>| -> Option<u64> {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(9..11)?, number(11..13)?, number(13..15)?);
    if year < 1970 || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if day < 1 || day > days_in(year, month) {
        return None;
    }
    let days: u64 = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum::<u64>()
        + (1..month).map(|m| days_in(year, m)).sum::<u64>()
        + day
        - 1;
    let seconds = days * DAY_S + hour * 3600 + minute * 60 + second;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Writes `Sun, 30 Aug 2015 12:36:00 GMT`.
///
/// Source: RFC 9110, section 5.6.7, "Date/Time Formats".
pub fn http_date(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let weekday = DAYS[usize::try_from(seconds / DAY_S % 7).expect("less than 7")];
    let text = format(time);
    let month: usize = text[4..6].parse().expect("two digits");
    let (year, day, month) = (&text[..4], &text[6..8], MONTHS[month - 1]);
    let (hour, minute, second) = (&text[9..11], &text[11..13], &text[13..15]);
    format!("{weekday}, {day} {month} {year} {hour}:{minute}:{second} GMT")
}

/// Writes `YYYYMMDDTHHMMSSZ`.
pub fn format(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (mut days, rest) = (seconds / DAY_S, seconds % DAY_S);
    let mut year = 1970;
    while days >= if leap(year) { 366 } else { 365 } {
        days -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let mut month = 1;
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
    format!("{year:04}{month:02}{:02}T{hour:02}{minute:02}{second:02}Z", days + 1)
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_http_names_the_weekday() {
        let date = |text: &str| http_date(parse(text).unwrap());
        assert_eq!(date("20150830T123600Z"), "Sun, 30 Aug 2015 12:36:00 GMT");
        assert_eq!(date("19700101T000000Z"), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(date("20240229T235959Z"), "Thu, 29 Feb 2024 23:59:59 GMT");
    }

    #[test]
    fn what_is_read_is_written_again() {
        for text in ["19700101T000000Z", "20000229T235959Z", "20150830T123600Z", "21000301T000000Z"]
        {
            assert_eq!(format(parse(text).expect("a time")), text);
        }
        let known = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        assert_eq!(parse("20150830T123600Z"), Some(known));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "20150830T123600",
            "20150230T000000Z",
            "20151301T000000Z",
            "20150830T246000Z",
            "2015-08-30T12:36",
            "+0150830T123600Z",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
