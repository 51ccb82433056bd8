//! The file of waivers: findings that are no secrets, each with the one value that it means, a reason and a last
//! day.
//!
//! A waiver never means a whole rule or a whole folder.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::scan_report::{SHOWN_DIGITS, SecretFinding, SecretScanReport};
use crate::failure::ImageFailure;

/// Largest file of waivers that is read, in bytes. Ours.
const LARGEST: u64 = 1024 * 1024;
const DAY: Duration = Duration::from_hours(24);

/// The waivers of one file.
#[derive(Clone, Debug, Default)]
pub struct SecretWaivers(Vec<CheckedWaiver>);

#[derive(Clone, Debug)]
struct CheckedWaiver {
    raw: RawWaiver,
    ends: SystemTime,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWaiver {
    rule: String,
    path: String,
    sha256: String,
    reason: String,
    expires: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWaiverFile {
    #[serde(default)]
    waiver: Vec<RawWaiver>,
    /// Waivers of vulnerabilities stand in the same file.
    #[serde(default, rename = "vulnerability")]
    _vulnerability: IgnoredAny,
}

impl SecretWaivers {
    /// Reads a file: one table `[[waiver]]` for each, with `rule`, `path`, `sha256`, `reason` and `expires`.
    ///
    /// # Errors
    ///
    /// [`ImageFailure::Unusable`] if it cannot be read, or a waiver says too little.
    pub fn read(file: &Path) -> Result<Self, ImageFailure> {
        let wrong = |what: String| {
            ImageFailure::Unusable {
            what: format!("reading the waivers {}: {what}", file.display()),
            hint: "each waiver has rule, path, sha256, reason, and expires = \"2027-01-31\", as a finding \
                   shows them"
                .to_owned(),
        }
        };
        let size = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
        if size > LARGEST {
            return Err(wrong(format!("it has {size} bytes; {LARGEST} are allowed")));
        }
        let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        Self::parse(&text).map_err(wrong)
    }

    /// Reads the text of a file.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: RawWaiverFile =
            toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        file.waiver.into_iter().map(CheckedWaiver::of).collect::<Result<_, _>>().map(Self)
    }

    /// Marks the findings that a waiver excuses at the time `now`, and tells the waivers that no finding needed.
    pub fn apply(&self, report: &mut SecretScanReport, now: SystemTime) {
        let mut used = vec![false; self.0.len()];
        for finding in &mut report.findings {
            for (number, waiver) in self.0.iter().enumerate() {
                if !waiver.means(finding) {
                    continue;
                }
                used[number] = true;
                match waiver.ends > now {
                    true => finding.waived = Some(waiver.raw.reason.clone()),
                    false => finding.waiver_expired = Some(waiver.raw.expires.clone()),
                }
            }
        }
        let unused = self.0.iter().zip(used).filter(|(_, used)| !used);
        report.unused_waivers = unused.map(|(waiver, _)| waiver.words(now)).collect();
    }

    /// When the first of the waivers ends that excuse something in this report; none if nothing is excused.
    #[must_use]
    pub fn first_end(&self, report: &SecretScanReport) -> Option<SystemTime> {
        let waived = report.findings.iter().filter(|finding| finding.waived.is_some());
        let last_end = |finding: &SecretFinding| {
            let meaning = self.0.iter().filter(|waiver| waiver.means(finding));
            meaning.map(|waiver| waiver.ends).max()
        };
        waived.filter_map(last_end).min()
    }
}

impl CheckedWaiver {
    fn means(&self, finding: &SecretFinding) -> bool {
        let Self { raw, .. } = self;
        raw.rule == finding.rule
            && raw.path == finding.path
            && raw.sha256[..SHOWN_DIGITS] == finding.sha256
    }

    fn of(raw: RawWaiver) -> Result<Self, String> {
        let place = format!("the waiver of `{}` for `{}`", raw.rule, raw.path);
        if raw.reason.trim().is_empty() {
            return Err(format!("{place} has no reason"));
        }
        let digits = raw.sha256.bytes();
        let is_digits = digits.clone().all(|digit| digit.is_ascii_hexdigit());
        if !is_digits || !(SHOWN_DIGITS..=64).contains(&digits.len()) {
            return Err(format!(
                "{place} has the sha256 `{}`; {SHOWN_DIGITS} to 64 hexadecimal digits are allowed",
                raw.sha256
            ));
        }
        let begins = humantime::parse_rfc3339(&format!("{}T00:00:00Z", raw.expires));
        let begins = begins.map_err(|_| {
            format!("{place} expires on `{}`; a day such as 2027-01-31 is allowed", raw.expires)
        })?;
        let raw = RawWaiver { sha256: raw.sha256.to_ascii_lowercase(), ..raw };
        // The last day counts to its end, in UTC.
        Ok(Self { raw, ends: begins + DAY })
    }

    fn words(&self, now: SystemTime) -> String {
        let RawWaiver { rule, path, expires, .. } = &self.raw;
        let ended = if self.ends > now { "" } else { ", and it has ended" };
        format!("the waiver of `{rule}` for `{path}` until {expires} is not needed{ended}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::stream_search::FoundSecret;
    use super::*;

    fn report() -> SecretScanReport {
        let mut report = SecretScanReport::default();
        report.add(Some(1), "etc/key.pem", FoundSecret::of("private-key", b"the value"));
        report
    }

    fn waivers(expires: &str) -> SecretWaivers {
        let sha256 = FoundSecret::of("private-key", b"the value").sha256;
        SecretWaivers::parse(&format!(
            "[[waiver]]\nrule = \"private-key\"\npath = \"etc/key.pem\"\nsha256 = \"{sha256}\"\n\
             reason = \"the key of a test\"\nexpires = \"{expires}\"\n"
        ))
        .unwrap()
    }

    fn at(day: &str) -> SystemTime {
        humantime::parse_rfc3339(&format!("{day}T12:00:00Z")).unwrap()
    }

    #[test]
    fn a_waiver_excuses_its_finding_to_the_end_of_its_last_day() {
        let mut report = report();
        waivers("2027-01-31").apply(&mut report, at("2027-01-31"));
        assert_eq!(report.findings[0].waived.as_deref(), Some("the key of a test"));
        assert!(report.gate().is_ok() && report.unused_waivers.is_empty());
    }

    #[test]
    fn an_expired_waiver_excuses_nothing_and_the_error_says_so() {
        let mut report = report();
        waivers("2027-01-31").apply(&mut report, at("2027-02-01"));
        let error = report.gate().unwrap_err();
        assert!(error.to_string().contains("its waiver ended on 2027-01-31"), "{error}");
        assert_eq!(error.exit_code(), 4);
    }

    #[test]
    fn a_waiver_that_no_finding_needs_is_told() {
        let mut report = report();
        report.findings[0].path = "elsewhere".into();
        waivers("2027-01-31").apply(&mut report, at("2027-01-01"));
        assert_eq!(report.unused_waivers.len(), 1);
        assert!(report.gate().is_err());
    }

    #[test]
    fn a_waiver_without_reason_day_or_enough_digits_is_refused() {
        let good = [
            ("rule", "a"),
            ("path", "b"),
            ("sha256", "0123456789abcdef"),
            ("reason", "c"),
            ("expires", "2027-01-31"),
        ];
        for (key, value) in
            [("reason", " "), ("expires", "soon"), ("sha256", "0123"), ("kind", "x")]
        {
            let line = |(name, usual): &(&str, &str)| {
                format!("{name} = \"{}\"\n", if *name == key { value } else { usual })
            };
            let mut text: String = good.iter().map(line).collect();
            if key == "kind" {
                text.push_str("kind = \"x\"\n");
            }
            assert!(SecretWaivers::parse(&format!("[[waiver]]\n{text}")).is_err(), "{key}");
        }
    }
}
