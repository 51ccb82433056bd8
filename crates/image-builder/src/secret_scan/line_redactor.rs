//! Takes secrets out of lines that somebody else wrote, such as the lines of a build, before they are shown or
//! kept.
//!
//! It finds what the gate finds. A secret that has no known shape and no telling name stays; secrets that
//! the program knows are the business of the masker.

use std::borrow::Cow;
use std::ops::Range;

use fargate_mask::MASK;

use super::SecretScanner;

/// Longest private key that is followed over its lines.
const LONGEST_KEY: usize = 400;

/// Redacts the lines of one stream, in order.
#[derive(Clone, Debug)]
pub struct LineRedactor {
    scanner: SecretScanner,
    /// Lines of the private key in which the stream is.
    key_lines: Option<usize>,
}

impl LineRedactor {
    /// For a stream that begins.
    #[must_use]
    pub fn new(scanner: SecretScanner) -> Self {
        Self { scanner, key_lines: None }
    }

    /// The next line, without its secrets.
    pub fn line<'line>(&mut self, line: &'line str) -> Cow<'line, str> {
        if let Some(lines) = self.key_lines {
            let ends = line.contains("-----END") || lines >= LONGEST_KEY;
            self.key_lines = (!ends).then_some(lines + 1);
            return Cow::Borrowed(MASK);
        }
        let begins_key = line.contains("-----BEGIN ") && line.contains("PRIVATE KEY");
        if begins_key && !line.contains("-----END") {
            self.key_lines = Some(0);
            return Cow::Borrowed(MASK);
        }
        self.scanner.redacted(line)
    }
}

/// The line without what stands in these places.
pub(super) fn without(line: &str, mut places: Vec<Range<usize>>) -> Cow<'_, str> {
    if places.is_empty() {
        return Cow::Borrowed(line);
    }
    places.sort_by_key(|place| place.start);
    let mut text = String::with_capacity(line.len());
    let mut done = 0;
    for place in places {
        if place.start >= done {
            text.push_str(&String::from_utf8_lossy(&line.as_bytes()[done..place.start]));
            text.push_str(MASK);
        }
        done = done.max(place.end);
    }
    text.push_str(&String::from_utf8_lossy(&line.as_bytes()[done..]));
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(lines: &[&str]) -> Vec<String> {
        let mut redactor = LineRedactor::new(SecretScanner::new());
        lines.iter().map(|line| redactor.line(line).into_owned()).collect()
    }

    #[test]
    fn tokens_and_named_values_are_taken_out_and_the_rest_stays() {
        let token = format!("glpat-{}", "Zq8bT3mW9xKcV2nR7sLp");
        let lines = [
            format!("fetching with {token}, please wait"),
            format!("{token} {token}"),
            "+ export DEPLOY_PASSWORD=fjord-walrus-92".to_owned(),
            "ordinary, with ünïcode".to_owned(),
        ];
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        assert_eq!(
            redacted(&lines),
            [
                format!("fetching with {MASK}, please wait"),
                format!("{MASK} {MASK}"),
                format!("+ export DEPLOY_PASSWORD={MASK}"),
                "ordinary, with ünïcode".to_owned(),
            ]
        );
    }

    #[test]
    fn a_private_key_is_taken_out_with_all_of_its_lines() {
        let head = "-----BEGIN OPENSSH PRIVATE KEY-----";
        let lines = [head, "b3BlbnNzaC1rZXk", "AAAA", "-----END OPENSSH PRIVATE KEY-----", "done"];
        assert_eq!(redacted(&lines), [MASK, MASK, MASK, MASK, "done"]);
    }
}
