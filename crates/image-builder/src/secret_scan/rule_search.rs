//! Searches a piece of text or bytes by all rules at once: one pass for the words of all rules, and the shape
//! of a rule only where one of its words stands.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use regex::bytes::Regex;
use sha2::{Digest, Sha256};

use super::context_rules::CONTEXT_RULES;
use super::known_samples::{is_published, is_reserved_host, is_sample_token};
use super::secret_rule::{RuleScope, SecretRule, ValueCheck, entropy, is_placeholder};
use super::token_rules::TOKEN_RULES;

/// Most bytes that are looked at from the first byte of a word on. The longest secret is a private key.
pub(super) const REACH: usize = 16 * 1024;

/// A secret in a piece: which rule found it, and which bytes it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RuleMatch {
    pub rule: &'static str,
    pub value: Range<usize>,
}

/// All rules, compiled.
pub(super) struct RuleSearch {
    words: AhoCorasick,
    /// For each word, which rule it belongs to.
    owners: Vec<usize>,
    rules: Vec<(&'static SecretRule, Regex)>,
}

impl RuleSearch {
    /// Compiles all rules; some hundredths of a second.
    pub fn new() -> Self {
        let rules: Vec<_> =
            TOKEN_RULES.iter().chain(CONTEXT_RULES).map(|rule| (rule, rule.compiled())).collect();
        let words = |(number, (rule, _)): (usize, &(&'static SecretRule, Regex))| {
            rule.first_words().map(|word| (word, number)).collect::<Vec<_>>()
        };
        let (words, owners): (Vec<&str>, Vec<usize>) =
            rules.iter().enumerate().flat_map(words).unzip();
        let words = AhoCorasick::builder()
            // Twice as fast as the smaller kind; its table has some hundred KiB.
            .kind(Some(AhoCorasickKind::DFA))
            .build(words)
            .expect("a few hundred short words fit");
        Self { words, owners, rules }
    }

    /// Adds to a digest everything by which a secret is found.
    pub fn describe(&self, to: &mut Sha256) {
        for (rule, _) in &self.rules {
            for text in [rule.id, rule.shape].into_iter().chain(rule.first_words()) {
                to.update(text);
                to.update([0]);
            }
            to.update(rule.entropy.to_be_bytes());
            to.update(format!("{:?} {:?}", rule.scope, rule.check));
        }
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// Calls `found` for each secret that begins in `starts`. What stands before and after is context.
    pub fn search(
        &self,
        piece: &[u8],
        starts: Range<usize>,
        is_text: bool,
        mut found: impl FnMut(RuleMatch),
    ) {
        for word in self.words.find_overlapping_iter(piece) {
            if !starts.contains(&word.start()) {
                continue;
            }
            let (rule, shape) = &self.rules[self.owners[word.pattern().as_usize()]];
            if rule.scope == RuleScope::Text && !is_text {
                continue;
            }
            if rule.scope == RuleScope::Everywhere && !begins_word(piece, word.start()) {
                continue;
            }
            let end = piece.len().min(word.start() + REACH);
            if let Some(value) = matched(rule, shape, &piece[word.start()..end]) {
                let value = value.start + word.start()..value.end + word.start();
                found(RuleMatch { rule: rule.id, value });
            }
        }
    }
}

/// Whether a token may begin here: no letter or digit stands before it, unless that is the end of an escape
/// such as `\n`.
fn begins_word(piece: &[u8], at: usize) -> bool {
    // The word of a token of Terraform stands in its middle.
    if piece[at] == b'.' {
        return true;
    }
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    match at.checked_sub(1).map(|before| &piece[before]) {
        Some(before) if is_word(before) => at >= 2 && piece[at - 2] == b'\\',
        _ => true,
    }
}

fn matched(rule: &SecretRule, shape: &Regex, text: &[u8]) -> Option<Range<usize>> {
    let groups = shape.captures(text)?;
    let value = groups.get(1).or_else(|| groups.get(0))?;
    if rule.check == ValueCheck::KeyBody {
        return key_range(text, value.end()).filter(|key| !is_published(&text[key.clone()]));
    }
    let bytes = value.as_bytes();
    let counts = entropy(bytes) >= rule.entropy
        && !is_placeholder(bytes)
        && checked(rule, bytes, &text[value.end()..]);
    // Tokens of providers count even where somebody has published one.
    let is_sample = rule.scope == RuleScope::Text && is_published(bytes);
    (counts && !is_sample).then(|| value.range())
}

/// `after` is what follows the value.
fn checked(rule: &SecretRule, value: &[u8], after: &[u8]) -> bool {
    let has = |kind: fn(&u8) -> bool| value.iter().any(kind);
    match rule.check {
        ValueCheck::None | ValueCheck::KeyBody => true,
        ValueCheck::Mixed => {
            has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit)
        }
        ValueCheck::Password => has(u8::is_ascii_alphabetic) && has(u8::is_ascii_digit),
        ValueCheck::UrlPassword => {
            let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
            let host = after.strip_prefix(b"@").unwrap_or_default();
            let end = host.iter().position(|byte| !is_host(byte)).unwrap_or(host.len());
            has(u8::is_ascii_alphabetic)
                && has(u8::is_ascii_digit)
                && !is_reserved_host(&host[..end])
        }
        ValueCheck::WebToken => !is_sample_token(value),
        ValueCheck::Login => is_login(value),
    }
}

fn is_login(value: &[u8]) -> bool {
    let padded = value.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let Ok(plain) = STANDARD_NO_PAD.decode(&value[..padded]) else { return false };
    let colon = plain.iter().position(|byte| *byte == b':');
    let is_printed = plain.iter().all(|byte| (b' '..=b'~').contains(byte));
    is_printed && colon.is_some_and(|colon| colon > 0 && plain.len() - colon > 4)
}

/// All of a private key whose first line ends at `head`; none if nothing like a key follows. Lines may be
/// wrapped in whatever way a text in another language wraps them.
fn key_range(text: &[u8], head: usize) -> Option<Range<usize>> {
    const FOOT: &[u8] = b"-----END ";
    /// Shortest line of base64 that counts; the lines of a key have 64 or more, but for the last one.
    const LINE: usize = 32;
    let foot = text[head..].windows(FOOT.len()).position(|part| part == FOOT);
    let body = &text[head..foot.map_or(text.len(), |foot| head + foot)];
    let is_code = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let mut code: Vec<u8> = Vec::new();
    let mut end = head;
    for part in body.split(|byte| byte.is_ascii_whitespace() || b"\"'\\,".contains(byte)) {
        if part.len() >= LINE && part.iter().all(is_code) {
            code.extend_from_slice(part);
            end = part.as_ptr_range().end.addr() - text.as_ptr().addr();
        }
    }
    let is_key = code.len() >= 64 && entropy(&code) > 4.0;
    is_key.then(|| 0..foot.map_or(end, |foot| head + foot))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str, is_text: bool) -> Vec<&'static str> {
        let mut found = Vec::new();
        let search = RuleSearch::new();
        search.search(text.as_bytes(), 0..text.len(), is_text, |hit| found.push(hit.rule));
        found
    }

    #[test]
    fn every_rule_compiles_and_each_name_is_used_once() {
        let search = RuleSearch::new();
        let mut names: Vec<_> = search.rules.iter().map(|(rule, _)| rule.id).collect();
        assert!(TOKEN_RULES.len() >= 60);
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn a_token_is_found_in_quotes_after_an_escape_and_in_binary_data() {
        let token = format!("ghp_{}", "q8ZbT3mW9xKcV2nR7sLpD4fGhJ6yEaU5oQ1i");
        for text in [format!("x=\"{token}\""), format!("a\\n{token}\\n"), format!("\0\0{token}\0")]
        {
            assert_eq!(rules(&text, false), ["github-token"], "{text:?}");
        }
        assert!(rules(&format!("a{token}"), true).is_empty());
    }

    #[test]
    fn placeholders_of_documentation_are_no_secrets() {
        for text in [
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "https://user:password@host/",
            "https://user:${TOKEN}@host/",
            "//registry/:_authToken=${NPM_TOKEN}",
            "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
            "\"auth\": \"bm90aGluZw==\"",
        ] {
            assert!(rules(text, true).is_empty(), "{text:?}: {:?}", rules(text, true));
        }
    }

    #[test]
    fn words_that_a_program_keeps_side_by_side_are_no_token_of_vault() {
        let short = format!("hvs.{}", "q8ZbT3mW9xKcV2nR7sLpD4fG");
        let long = format!("hvs.{}", "CAESIq8ZbT3mW9xKcV2nR7sLpD4-fGhJ6y".repeat(3));
        for token in [short, long] {
            assert_eq!(rules(&format!("\0{token}\0"), false), ["vault-token"], "{token}");
        }
        assert!(rules("PK\x03\x04hvs.LookcherhungsamrsyloThaiExitext3\0", false).is_empty());
    }

    #[test]
    fn the_words_of_our_rules_are_no_tokens_in_our_own_binary_whatever_follows_them() {
        let next = "q8ZbT3mW9xKcV2nR7sLpD4fGhJ6yEaU5oQ1i".repeat(3);
        let binary = |words: Vec<&str>| {
            let follow = |(word, length)| format!("\0{word}{}\0", &next[..length]);
            let all = words.iter().flat_map(|word| (16..next.len()).map(move |at| (*word, at)));
            rules(&all.map(follow).collect::<String>(), false)
        };
        let kept = TOKEN_RULES.iter().flat_map(|rule| rule.words.iter().copied());
        assert_eq!(binary(kept.collect()), Vec::<&str>::new());
        let bare = TOKEN_RULES.iter().flat_map(SecretRule::first_words);
        assert!(binary(bare.collect()).contains(&"stripe-key"));
    }

    #[test]
    fn rules_that_need_context_are_silent_in_binary_data() {
        let text = "https://bot:k3yb0ardCat@git.internal/x";
        assert_eq!(rules(text, true), ["url-password"]);
        assert!(rules(text, false).is_empty());
    }
}
