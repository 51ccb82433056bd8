//! Names that we give ourselves: owners, profiles, users, tags.

use fargate_model::id::TaskOwner;

use super::aws_names::is_name;
use super::value_refusal::{CheckResult, ValueRefusal};

/// Longest login name. Source: Linux, `useradd(8)`.
const MAX_USER: usize = 32;

/// Longest name of a profile; it is the value of a tag and part of file names.
const MAX_PROFILE_NAME: usize = 64;

/// Longest key and value of a tag, in characters. Source: Amazon ECS API Reference, `Tag`.
const MAX_TAG_KEY: usize = 128;

const MAX_TAG_VALUE: usize = 256;

pub(crate) fn owner(given: &str) -> CheckResult<String> {
    TaskOwner::try_from(given.to_owned()).map(String::from).map_err(|_| {
        let max = TaskOwner::MAX_LENGTH;
        ValueRefusal::new(format!("allowed are 1 to {max} ASCII letters, digits, `-`, `_` and `/`"))
    })
}

pub(crate) fn profile_name(given: &str) -> CheckResult<String> {
    plain_name(given, MAX_PROFILE_NAME)
}

/// A name of at most `max` plain characters.
pub(super) fn plain_name(given: &str, max: usize) -> CheckResult<String> {
    if is_name(given) && given.len() <= max {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!("allowed are 1 to {max} ASCII letters, digits, `-` and `_`")))
}

pub(crate) fn user(given: &str) -> CheckResult<String> {
    let first = given.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let rest = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if first && given.len() <= MAX_USER && given.bytes().all(rest) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "a login name is expected: a letter or `_`, then letters, digits, `_`, `.` and `-`, \
         {MAX_USER} in all"
    )))
}

/// A person as a proxy names them.
pub(crate) fn person(given: &str) -> CheckResult<String> {
    match (1..=255).contains(&given.len()) && !given.contains(char::is_control) {
        true => Ok(given.to_owned()),
        false => Err(ValueRefusal::new("1 to 255 characters on one line are expected")),
    }
}

/// The characters that ECS takes in tags: `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
///
/// Source: Amazon ECS API Reference, `Tag`. Combining vowel signs pass here although ECS may refuse
/// them; control characters never pass.
fn is_tag_text(text: &str) -> bool {
    let space = |c: char| c.is_whitespace() && !c.is_control();
    text.chars().all(|c| c.is_alphanumeric() || space(c) || "_.:/=+-@".contains(c))
}

pub(crate) fn tag_key(given: &str) -> CheckResult<String> {
    let lower = given.to_lowercase();
    for reserved in ["aws:", "fargate-runner:"] {
        if lower.starts_with(reserved) {
            return Err(ValueRefusal::new(format!(
                "a name that begins with `{reserved}` is reserved"
            )));
        }
    }
    if (1..=MAX_TAG_KEY).contains(&given.chars().count()) && is_tag_text(given) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "allowed are 1 to {MAX_TAG_KEY} letters, digits, spaces and `_ . : / = + - @`"
    )))
}

pub(crate) fn tag_value(given: &str) -> CheckResult<String> {
    if given.chars().count() <= MAX_TAG_VALUE && is_tag_text(given) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "allowed are up to {MAX_TAG_VALUE} letters, digits, spaces and `_ . : / = + - @`"
    )))
}
