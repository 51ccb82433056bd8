//! Values that an image's configuration gives a name of a secret: `ENV`, build arguments in the history, labels.
//!
//! A name says little in a file, so this is not used for files.

use std::ops::Range;

use regex::bytes::Regex;

use super::secret_rule::{entropy, is_placeholder};
use super::stream_search::FoundSecret;

/// The name of this rule.
const NAMED_SECRET: &str = "named-secret";
/// Shortest value that counts, in bytes.
const SHORTEST_VALUE: usize = 8;

/// Words of names.
const WORDS: [&str; 9] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "CREDENTIAL",
    "API_KEY",
    "APIKEY",
    "PRIVATE_KEY",
    "ACCESS_KEY",
];
/// Ends of names that mean where a secret is, not what it is.
const HARMLESS_ENDS: [&str; 9] =
    ["_FILE", "_PATH", "_DIR", "_URL", "_ID", "_NAME", "_SOCK", "_HELPER", "_LENGTH"];

/// Finds values by their names.
pub(super) struct NamedValues(Regex);

impl NamedValues {
    /// Compiles the rule.
    pub fn new() -> Self {
        let shape = r#"([A-Za-z_][0-9A-Za-z_]*)=("[^"]*"|'[^']*'|[^\s"']+)"#;
        Self(Regex::new(shape).expect("a test compiles it"))
    }

    /// Calls `found` for each `NAME=value` in a text that counts.
    pub fn in_text(&self, text: &str, mut found: impl FnMut(FoundSecret)) {
        for value in self.places(text) {
            found(FoundSecret::of(NAMED_SECRET, &text.as_bytes()[value]));
        }
    }

    /// Where the values of such pairs stand in a text.
    pub fn places<'text>(&'text self, text: &'text str) -> impl Iterator<Item = Range<usize>> {
        self.0.captures_iter(text.as_bytes()).filter_map(|pair| {
            let value = pair.get(2)?;
            let is_quoted =
                value.as_bytes().starts_with(b"\"") || value.as_bytes().starts_with(b"'");
            let quote = usize::from(is_quoted && value.len() > 1);
            let place = value.start() + quote..value.end() - quote;
            let name = String::from_utf8_lossy(&pair[1]);
            counts(&name, text.get(place.clone())?).then_some(place)
        })
    }

    /// Calls `found` if a name says that its value is a secret.
    pub fn in_pair(&self, name: &str, value: &str, found: impl FnOnce(FoundSecret)) {
        if counts(name, value) {
            found(FoundSecret::of(NAMED_SECRET, value.as_bytes()));
        }
    }
}

fn counts(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let is_named = WORDS.iter().any(|word| name.contains(word))
        && !HARMLESS_ENDS.iter().any(|end| name.ends_with(end));
    let bytes = value.as_bytes();
    is_named
        && bytes.len() >= SHORTEST_VALUE
        && !value.starts_with(['$', '/', '<', '{'])
        && !value.contains(' ')
        && entropy(bytes) > 2.0
        && !is_placeholder(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> usize {
        let mut count = 0;
        NamedValues::new().in_text(text, |_| count += 1);
        count
    }

    #[test]
    fn a_value_with_the_name_of_a_secret_counts() {
        for text in [
            "DEPLOY_TOKEN=fjord-walrus-92",
            "|1 NPM_PASSWORD=\"k3yb0ardCat\" /bin/sh -c npm ci",
            "db.password='k3yb0ardCat'".trim_start_matches("db."),
        ] {
            assert_eq!(count(text), 1, "{text}");
        }
    }

    #[test]
    fn variables_places_and_ordinary_names_do_not_count() {
        for text in [
            "TOKEN=$CI_TOKEN",
            "TOKEN_FILE=run-secrets-token",
            "SECRET=/run/secrets/it",
            "GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568",
            "PATH=/usr/bin:/bin",
            "PASSWORD=changeme",
        ] {
            assert_eq!(count(text), 0, "{text}");
        }
    }
}
