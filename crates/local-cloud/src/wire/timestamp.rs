//! The time formats of signatures, `20150830T123600Z`, of XML answers and of HTTP. No zones, no leap
//! seconds, years 1970 to 9999.

use std::time::SystemTime;

use humantime::{format_rfc3339_seconds, parse_rfc3339};

/// Reads `YYYYMMDDTHHMMSSZ`; `None` for anything else.
pub fn parse(text: &str) -> Option<SystemTime> {
    let part = |from: usize, to: usize| text.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, 15)?);
    let time = parse_rfc3339(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")).ok()?;
    // The parser is more lenient than the service, for example with leap seconds.
    (format(time) == text).then_some(time)
}

/// Writes `YYYYMMDDTHHMMSSZ`.
pub fn format(time: SystemTime) -> String {
    iso_date(time).replace(['-', ':'], "")
}

/// Writes `2015-08-30T12:36:00Z`.
pub fn iso_date(time: SystemTime) -> String {
    format_rfc3339_seconds(time).to_string()
}

/// Writes `Sun, 30 Aug 2015 12:36:00 GMT`.
///
/// Source: RFC 9110, section 5.6.7, "Date/Time Formats".
pub fn http_date(time: SystemTime) -> String {
    httpdate::fmt_http_date(time)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
            "20150830T123660Z",
            "20150830T12360éZ",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
