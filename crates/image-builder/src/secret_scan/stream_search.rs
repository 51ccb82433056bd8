//! Searches a stream of any length in bounded memory: piece by piece, where each piece keeps enough of the former
//! one that no secret is cut.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::rule_search::{REACH, RuleSearch};

/// Bytes that are searched at a time.
const PIECE: usize = 1024 * 1024;
/// Bytes before the place where a secret begins that rules look at.
const LOOK_BACK: usize = 16;
/// A file is binary if there is a zero byte in so many bytes at its beginning, as git has it.
const HEAD: usize = 8000;

/// A secret that was found, without its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FoundSecret {
    /// The rule that found it.
    pub rule: &'static str,
    /// Its first characters, if it is long enough to show them.
    pub shown: String,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of it, in hexadecimal digits.
    pub sha256: String,
}

impl FoundSecret {
    /// Describes a secret.
    pub fn of(rule: &'static str, value: &[u8]) -> Self {
        Self {
            rule,
            shown: shown(value),
            length: value.len() as u64,
            sha256: hex::encode(Sha256::digest(value)),
        }
    }
}

/// The first four characters of a value from 16 on. Of a shorter one they would be too much.
fn shown(value: &[u8]) -> String {
    let is_shown = value.len() >= 16 && value[..4].iter().all(u8::is_ascii_graphic);
    match is_shown {
        true => format!("{}****", String::from_utf8_lossy(&value[..4])),
        false => "****".to_owned(),
    }
}

/// What a stream had.
#[derive(Debug, Default)]
pub(super) struct SearchedStream {
    /// Bytes that were read.
    pub bytes: u64,
    /// What was found, each once.
    pub found: Vec<FoundSecret>,
    /// Why reading ended early.
    pub broken: Option<io::Error>,
}

/// Room for a piece, used for one stream after the other.
pub(super) struct StreamSearch<'rules> {
    rules: &'rules RuleSearch,
    piece: Vec<u8>,
}

impl<'rules> StreamSearch<'rules> {
    /// A search by these rules.
    pub fn new(rules: &'rules RuleSearch) -> Self {
        Self { rules, piece: Vec::new() }
    }

    /// Searches a stream to its end, or until it cannot be read.
    pub fn search(&mut self, mut stream: impl Read) -> SearchedStream {
        let mut done = SearchedStream::default();
        self.piece.clear();
        // Bytes at the beginning of the piece that were searched before.
        let mut searched = 0;
        let mut is_text = None;
        loop {
            let before = self.piece.len();
            let read = fill(&mut stream, &mut self.piece);
            done.bytes += (self.piece.len() - before) as u64;
            let is_last = match read {
                Ok(is_last) => is_last,
                Err(error) => {
                    done.broken = Some(error);
                    true
                }
            };
            let is_text = *is_text.get_or_insert_with(|| {
                let head = &self.piece[..self.piece.len().min(HEAD)];
                !head.contains(&0)
            });
            let end = self.piece.len();
            let until = if is_last { end } else { end.saturating_sub(REACH).max(searched) };
            self.rules.search(&self.piece, searched..until, is_text, |hit| {
                let secret = FoundSecret::of(hit.rule, &self.piece[hit.value]);
                if !done.found.contains(&secret) {
                    done.found.push(secret);
                }
            });
            if is_last {
                return done;
            }
            let kept = until.saturating_sub(LOOK_BACK);
            self.piece.drain(..kept);
            searched = until - kept;
        }
    }
}

/// Fills the piece; true at the end of the stream.
fn fill(stream: &mut impl Read, piece: &mut Vec<u8>) -> io::Result<bool> {
    let room = (PIECE + REACH).saturating_sub(piece.len());
    let wanted = room as u64;
    let count = stream.take(wanted).read_to_end(piece)?;
    Ok(count < room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> String {
        format!("glpat-{}", "Zq8bT3mW9xKcV2nR7sLp")
    }

    #[test]
    fn a_token_is_found_wherever_the_pieces_are_cut() {
        let rules = RuleSearch::new();
        let mut search = StreamSearch::new(&rules);
        for place in [0, PIECE - 3, PIECE, PIECE + REACH - 5, 2 * PIECE + 7] {
            let mut text = vec![b' '; place];
            text.extend_from_slice(token().as_bytes());
            text.extend_from_slice(&vec![b' '; PIECE]);
            let done = search.search(&text[..]);
            assert_eq!(done.bytes, text.len() as u64);
            assert_eq!(done.found, [FoundSecret::of("gitlab-token", token().as_bytes())]);
        }
    }

    #[test]
    fn a_line_of_many_mebibytes_is_searched_in_bounded_memory() {
        let rules = RuleSearch::new();
        let mut search = StreamSearch::new(&rules);
        let line = io::repeat(b'e').take(6 * 1024 * 1024);
        let done = search.search(line.chain(&b" "[..]).chain(token().as_bytes()));
        assert_eq!(done.found.len(), 1);
        assert!(search.piece.capacity() < 3 * PIECE, "{}", search.piece.capacity());
    }

    #[test]
    fn what_was_read_before_a_stream_broke_is_searched() {
        struct BrokenStream;
        impl Read for BrokenStream {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("cut"))
            }
        }
        let rules = RuleSearch::new();
        let done = StreamSearch::new(&rules).search(token().as_bytes().chain(BrokenStream));
        assert_eq!(done.found.len(), 1);
        assert!(done.broken.is_some());
    }

    #[test]
    fn four_characters_are_shown_of_a_long_value_and_none_of_a_short_one() {
        assert_eq!(shown(b"ghp_0123456789ab"), "ghp_****");
        assert_eq!(shown(b"hunter22hunter"), "****");
    }
}
