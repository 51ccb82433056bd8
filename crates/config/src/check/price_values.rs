//! Prices, and the day on which they were read.

use super::value_refusal::{CheckResult, ValueRefusal};

/// A price in US dollars: a plain decimal number.
pub(crate) fn price(given: &str) -> CheckResult<String> {
    let digits = |part: &str| {
        !part.is_empty() && part.len() <= 12 && part.bytes().all(|b| b.is_ascii_digit())
    };
    let is_price = match given.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(given),
    };
    match is_price {
        true => Ok(given.to_owned()),
        false => Err(ValueRefusal::new("a number of US dollars is expected, such as `0.04048`")),
    }
}

/// A day, such as `2026-10-09`.
pub(crate) fn day(given: &str) -> CheckResult<String> {
    let parts: Vec<&str> = given.split('-').collect();
    let number = |text: &str, length: usize| {
        let is_right = text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        is_right.then(|| text.parse::<u32>().ok()).flatten()
    };
    let is_day = match &parts[..] {
        [year, month, day] => {
            number(year, 4).is_some()
                && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
                && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
        }
        _ => false,
    };
    match is_day {
        true => Ok(given.to_owned()),
        false => Err(ValueRefusal::new("a day is expected, such as `2026-10-09`")),
    }
}
