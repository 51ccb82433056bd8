//! Numbers, durations and names of the fault language, and their limits.

use std::time::Duration;

use super::line_error::RuleLineError;
use crate::fault::PROVIDERS;

/// Longest duration of a rule: a leap year.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
/// Fewest characters of a key's beginning that name a job.
const FEWEST_OF_KEY: usize = 8;

/// The error that something else was given than was expected.
pub(super) fn expected(after: &'static str, expected: &'static str, given: &str) -> RuleLineError {
    RuleLineError::Expected { after, expected, given: given.to_owned() }
}

pub(super) fn number(after: &'static str, given: &str) -> Result<u64, RuleLineError> {
    given.parse().map_err(|_| expected(after, "a whole number from 0 on", given))
}

/// `N`, `N-M` or `N-`; `None` where it is none of them.
pub(super) fn range(given: &str) -> Option<Result<(u64, Option<u64>), RuleLineError>> {
    let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0);
    let Some((from, to)) = given.split_once('-') else {
        return number(given).map(|only| Ok((only, Some(only))));
    };
    let from = number(from)?;
    if to.is_empty() {
        return Some(Ok((from, None)));
    }
    let to = number(to)?;
    Some(if from <= to {
        Ok((from, Some(to)))
    } else {
        Err(RuleLineError::EmptyRange { from, to })
    })
}

/// A number without its `%`.
pub(super) fn percent(given: &str) -> Result<f64, RuleLineError> {
    let percent = given.parse::<f64>().ok().filter(|percent| *percent > 0.0 && *percent <= 100.0);
    percent.ok_or_else(|| {
        let text = format!("{given}%");
        expected("", "a probability above 0% and up to 100%", &text)
    })
}

/// `5s`, `200ms`, `1h30m`.
pub(super) fn duration(after: &'static str, given: &str) -> Result<Duration, RuleLineError> {
    let parsed = humantime::parse_duration(given).ok().filter(|duration| *duration <= LONGEST);
    parsed.ok_or_else(|| {
        expected(after, "a duration of at most 366 days, as in `5s`, `200ms` or `1h30m`,", given)
    })
}

/// As above, but longer than nothing.
pub(super) fn some_time(after: &'static str, given: &str) -> Result<Duration, RuleLineError> {
    let parsed = duration(after, given)?;
    match parsed.is_zero() {
        true => Err(expected(after, "a duration above 0, as in `5s`,", given)),
        false => Ok(parsed),
    }
}

pub(super) fn job(given: &str) -> Result<String, RuleLineError> {
    let hex = given.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match hex && (FEWEST_OF_KEY..=64).contains(&given.len()) {
        true => Ok(given.to_owned()),
        false => Err(expected(
            "job",
            "the key of a job, or 8 characters or more of its beginning (0-9, a-f),",
            given,
        )),
    }
}

pub(super) fn family(given: &str) -> Result<String, RuleLineError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match (1..=255).contains(&given.len()) && given.bytes().all(fits) {
        true => Ok(given.to_owned()),
        false => Err(expected("family", "the name of a task definition's family", given)),
    }
}

pub(super) fn provider(given: &str) -> Result<String, RuleLineError> {
    match PROVIDERS.contains(&given) {
        true => Ok(given.to_owned()),
        false => Err(expected("on", "FARGATE or FARGATE_SPOT", given)),
    }
}

/// A subnet or an availability zone.
pub(super) fn place(given: &str) -> Result<String, RuleLineError> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    match (1..=64).contains(&given.len()) && given.bytes().all(fits) {
        true => Ok(given.to_owned()),
        false => {
            Err(expected("in", "a subnet or an availability zone, as in `eu-west-1a`,", given))
        }
    }
}

pub(super) fn task_arn(given: &str) -> Result<String, RuleLineError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b":/-_".contains(&b);
    let whole = given.contains(":task/") && !given.ends_with(':') && given.len() <= 2048;
    match whole && given.bytes().all(fits) {
        true => Ok(given.to_owned()),
        false => {
            Err(expected("task", "the ARN of a task, as in `arn:aws:ecs:...:task/...`", given))
        }
    }
}

/// The name of an exception or of a stop code.
pub(super) fn name(after: &'static str, given: &str) -> Result<String, RuleLineError> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-#".contains(&b);
    let begins = given.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    match begins && given.len() <= 128 && given.bytes().all(fits) {
        true => Ok(given.to_owned()),
        false => Err(expected(after, "a name of letters, as in `ThrottlingException`,", given)),
    }
}
