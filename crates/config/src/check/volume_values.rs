//! Volumes: file systems, access points, and the folders behind them.

use super::aws_names::is_id;
use super::name_values::plain_name;
use super::path_values::absolute_path;
use super::value_refusal::{CheckResult, ValueRefusal};

/// Longest name of a volume, and of the folder that holds volumes. Ours: with the hash of a project they
/// make the path of an access point, which has at most 100 characters.
///
/// Source of that limit: Amazon EFS API Reference, `RootDirectory`.
const MAX_VOLUME_NAME: usize = 32;

const MAX_VOLUME_FOLDER: usize = 30;

pub(crate) fn file_system(given: &str) -> CheckResult<String> {
    let rule = || ValueRefusal::new("an id is expected: `fs-` and lower-case hexadecimal digits");
    is_id(given, "fs-").then(|| given.to_owned()).ok_or_else(rule)
}

/// The id of an access point, or `none`.
pub(crate) fn access_point(given: &str) -> CheckResult<String> {
    let rule = || {
        ValueRefusal::new(
            "an id is expected, `fsap-` and lower-case hexadecimal digits, or `none` for the root",
        )
    };
    (given == "none" || is_id(given, "fsap-")).then(|| given.to_owned()).ok_or_else(rule)
}

pub(crate) fn volume_name(given: &str) -> CheckResult<String> {
    plain_name(given, MAX_VOLUME_NAME)
}

/// Where something is mounted inside a task.
pub(crate) fn mount_path(given: &str) -> CheckResult<String> {
    let path = absolute_path(given)?;
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    let is_root = parts.peek().is_none();
    if is_root || path.contains(':') || parts.any(|part| part == "." || part == "..") {
        let refusal = "an absolute path below `/` is expected, without `.`, `..` and `:`";
        return Err(ValueRefusal::new(refusal));
    }
    Ok(path)
}

/// One folder right below the root of a file system.
pub(crate) fn volume_folder(given: &str) -> CheckResult<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let name = given.strip_prefix('/').unwrap_or_default();
    let is_name = (1..=MAX_VOLUME_FOLDER).contains(&name.len()) && name.bytes().all(allowed);
    if is_name && name != "." && name != ".." {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "`/` and one name of 1 to {MAX_VOLUME_FOLDER} ASCII letters, digits and `- _ .` is expected"
    )))
}

/// The mode of a folder in octal digits. Source: Amazon EFS API Reference, `CreationInfo`.
pub(crate) fn folder_mode(given: &str) -> CheckResult<String> {
    let is_octal = given.bytes().all(|b| (b'0'..=b'7').contains(&b));
    if (3..=4).contains(&given.len()) && is_octal {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new("3 or 4 octal digits are expected").hint("such as `\"0750\"`"))
}
