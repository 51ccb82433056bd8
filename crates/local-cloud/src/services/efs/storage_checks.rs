//! What the members of a request must look like, before any resource is looked at.
//!
//! Source, for each limit: Amazon EFS API Reference, the data types.

use super::errors::bad_request;
use crate::wire::exception::ServiceException;

/// Characters of a token.
const MAX_TOKEN: usize = 64;
/// Characters of the path of an access point.
const MAX_PATH: usize = 100;
/// Folders in that path.
const MAX_LEVELS: usize = 4;
/// Characters that a path may not contain.
const NOT_IN_PATH: &str = "$#<>;`|&?{}^*\n";

/// The token by which a repeated request is known.
pub fn token<'a>(given: Option<&'a String>, name: &str) -> Result<&'a str, ServiceException> {
    let token = given.map(String::as_str).unwrap_or_default();
    if (1..=MAX_TOKEN).contains(&token.chars().count()) {
        return Ok(token);
    }
    Err(bad_request(format!("{name} is missing or not of 1 to {MAX_TOKEN} characters.")))
}

/// A user or group id.
pub fn posix_id(given: Option<i64>, name: &str) -> Result<u32, ServiceException> {
    let id = given.ok_or_else(|| bad_request(format!("{name} is missing.")))?;
    u32::try_from(id)
        .map_err(|_| bad_request(format!("{name} is {id}; allowed are 0 to {}.", u32::MAX)))
}

/// The path of an access point.
pub fn access_point_path(given: Option<&String>) -> Result<String, ServiceException> {
    let path = given.map_or("/", String::as_str);
    let wrong = |rule: &str| Err(bad_request(format!("Invalid Path '{path}': {rule}.")));
    if path.chars().count() > MAX_PATH {
        return wrong(&format!("it has more than {MAX_PATH} characters"));
    }
    if path == "/" {
        return Ok(path.to_owned());
    }
    let Some(folders) = path.strip_prefix('/') else { return wrong("it must begin with /") };
    if path.contains(|c| NOT_IN_PATH.contains(c)) {
        return wrong("it contains a character that is not allowed");
    }
    let folders: Vec<_> = folders.split('/').collect();
    if folders.len() > MAX_LEVELS {
        return wrong(&format!("it has more than {MAX_LEVELS} folders"));
    }
    if folders.iter().any(|folder| folder.is_empty() || folder.starts_with('.')) {
        return wrong("a folder is empty or begins with a dot");
    }
    Ok(path.to_owned())
}

/// The mode of a folder that EFS is to create: three or four octal digits.
pub fn permissions(given: Option<&String>) -> Result<u32, ServiceException> {
    let text = given.map(String::as_str).unwrap_or_default();
    let is_octal = text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let mode = Some(text).filter(|text| is_octal && (3..=4).contains(&text.len()));
    mode.and_then(|text| u32::from_str_radix(text, 8).ok()).ok_or_else(|| {
        bad_request(format!("Permissions are '{text}'; three or four octal digits are allowed."))
    })
}

/// One of several words.
pub fn one_of(given: &str, name: &str, known: &[&str]) -> Result<(), ServiceException> {
    if known.contains(&given) {
        return Ok(());
    }
    Err(bad_request(format!("{name} is '{given}'; allowed are {}.", known.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_at_most_four_folders_and_a_hundred_characters() {
        let checked = |path: &str| access_point_path(Some(&path.to_owned()));
        let longest = format!("/{}", "a".repeat(99));
        for path in ["/", "/a", "/a/b/c/d", "/with space", longest.as_str()] {
            assert_eq!(checked(path).as_deref(), Ok(path));
        }
        assert_eq!(access_point_path(None).as_deref(), Ok("/"));
        let too_long = format!("/{}", "a".repeat(100));
        for path in
            ["", "a", "/a/", "/a//b", "/../b", "/.a", "/a/b/c/d/e", "/a;b", "/a*", &too_long]
        {
            assert!(checked(path).is_err(), "{path}");
        }
    }

    #[test]
    fn permissions_are_octal() {
        let checked = |text: &str| permissions(Some(&text.to_owned()));
        assert_eq!(
            (checked("750"), checked("0755"), checked("1777")),
            (Ok(0o750), Ok(0o755), Ok(0o1777))
        );
        for text in ["", "75", "00755", "rwx", "789", "+75"] {
            assert!(checked(text).is_err(), "{text}");
        }
    }
}
