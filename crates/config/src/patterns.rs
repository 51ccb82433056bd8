//! Patterns of the configuration: which projects a profile is for, and which images a profile runs.
//!
//! Where the project and the image of a job come from is not known here.

use crate::check::{CheckResult, ValueRefusal};

/// Longest pattern, in bytes. Ours: GitLab's own limit for a path is 255.
const MAX_PATTERN: usize = 255;

/// Stands for one part of a path, and at the end of a pattern for all parts.
const ONE: &str = "*";
const ALL: &str = "**";

/// Whether the project with this path, such as `group/project`, is one that the pattern names.
///
/// GitLab gives no two projects paths that differ in case alone, so case does not count.
#[must_use]
pub fn project_matches(pattern: &str, project: &str) -> bool {
    let mut parts = project.split('/');
    for wanted in pattern.split('/') {
        match (wanted, parts.next()) {
            (_, None | Some("")) => return false,
            (ALL, Some(_)) => return true,
            (ONE, Some(_)) => {}
            (wanted, Some(given)) if wanted.eq_ignore_ascii_case(given) => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

/// Whether the pattern stands for exactly one project.
#[must_use]
pub fn is_one_project(pattern: &str) -> bool {
    !pattern.contains('*')
}

/// Whether the text of an image fits the pattern, in which each `*` stands for any characters.
#[must_use]
pub fn image_matches(pattern: &str, image: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| image.strip_prefix(first)) else {
        return false;
    };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, between)) = pieces.split_last() else { return rest.is_empty() };
    for piece in between {
        let Some(found) = rest.find(piece) else { return false };
        rest = &rest[found + piece.len()..];
    }
    rest.ends_with(last)
}

/// A pattern that at least one project can match.
pub(crate) fn project_pattern(given: &str) -> CheckResult<String> {
    let part = |part: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        part == ONE || (!part.is_empty() && !part.starts_with('-') && part.bytes().all(allowed))
    };
    let parts: Vec<&str> = given.split('/').collect();
    let is_right = match parts.as_slice() {
        [before @ .., ALL] => before.iter().all(|name| part(name)),
        [_] => false,
        all => all.iter().all(|name| part(name)),
    };
    if is_right && given.len() <= MAX_PATTERN {
        return Ok(given.to_owned());
    }
    let refusal = ValueRefusal::new(
        "which no project matches; the path of a project is expected, in which `*` stands for one \
         part and `**` at the end for all that follow",
    );
    Err(refusal.hint("such as `group/project`, `group/*` or `group/**`"))
}

/// A pattern for the text of an image.
pub(crate) fn image_pattern(given: &str) -> CheckResult<String> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@*".contains(&b);
    if (1..=MAX_PATTERN).contains(&given.len()) && given.bytes().all(allowed) {
        return Ok(given.to_owned());
    }
    Err(ValueRefusal::new(format!(
        "allowed are 1 to {MAX_PATTERN} ASCII letters, digits and `- _ . : / @`, and `*` for any \
         characters"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_matches_its_path_and_the_patterns_above_it() {
        for pattern in ["group/sub/app", "GROUP/sub/App", "group/*/app", "group/**", "**", "*/*/*"]
        {
            assert!(project_matches(pattern, "group/sub/app"), "{pattern}");
        }
        for pattern in ["group/sub", "group/*", "group/sub/app/**", "other/**", "group/sub/ap"] {
            assert!(!project_matches(pattern, "group/sub/app"), "{pattern}");
        }
        for odd in ["", "/", "group", "group/", "group//app"] {
            assert!(!project_matches("group/**", odd), "{odd:?}");
            assert!(!project_matches("group/*", odd), "{odd:?}");
        }
    }

    #[test]
    fn a_pattern_that_nothing_can_match_is_refused() {
        for right in ["group/app", "group/*", "group/**", "**", "a/b/c/d", "*/app", "_g/.a"] {
            assert!(project_pattern(right).is_ok(), "{right}");
        }
        for wrong in
            ["", "app", "/group/app", "group//app", "group/", "**/app", "g/a b", "g/-a", "h://g/a"]
        {
            assert!(project_pattern(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_image_fits_a_pattern_with_stars_anywhere() {
        for pattern in ["node:20", "node:*", "*", "*:20", "n*d*:*0", "node*:20", "**"] {
            assert!(image_matches(pattern, "node:20"), "{pattern}");
        }
        for pattern in ["node", "node:20*0", "*node", "no:*", ""] {
            assert!(!image_matches(pattern, "node:20"), "{pattern}");
        }
    }
}
