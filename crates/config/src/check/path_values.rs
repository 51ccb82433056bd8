//! Paths, and templates, which are named by a word or a path. Nothing is opened.

use super::value_refusal::{CheckResult, ValueRefusal};

/// Longest path, in bytes. Source: Linux, `PATH_MAX` without its final NUL.
const MAX_PATH: usize = 4095;

/// Any path that the operating system takes, absolute or not.
pub(crate) fn path(given: &str) -> CheckResult<String> {
    if given.len() <= MAX_PATH && !given.contains(char::is_control) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "a path of at most {MAX_PATH} bytes without control characters is expected"
    )))
}

pub(crate) fn absolute_path(given: &str) -> CheckResult<String> {
    if given.starts_with('/') && given.len() <= MAX_PATH && !given.contains(char::is_control) {
        return Ok(given.to_owned());
    }
    let refusal = ValueRefusal::new("an absolute path is expected");
    Err(match given.chars().next() {
        None => refusal.hint("leave the key out for its default"),
        Some('~' | '$') => refusal.hint("`~` and variables are not expanded: write the path out"),
        Some('/') => {
            refusal.hint(format!("a path has at most {MAX_PATH} bytes and no control characters"))
        }
        Some(_) => refusal,
    })
}

/// A path below a folder.
pub(crate) fn relative_path(given: &str) -> CheckResult<String> {
    let is_below = !given.is_empty() && !given.starts_with('/');
    let leaves = given.split('/').any(|part| part == "..");
    match path(given) {
        Ok(path) if is_below && !leaves => Ok(path),
        _ => Err(ValueRefusal::new("a path inside the context is expected, without `..`")),
    }
}

/// The templates of task definitions that are part of the program.
const OWN_TEMPLATES: [&str; 2] = ["ci", "manager"];

pub(crate) fn template(given: &str) -> CheckResult<String> {
    if OWN_TEMPLATES.contains(&given) {
        return Ok(given.to_owned());
    }
    absolute_path(given).map_err(|_| {
        ValueRefusal::new("allowed are `ci`, `manager` and the absolute path of a file")
    })
}
