//! Searches a stream of any length in bounded memory: piece by piece, where each piece keeps enough of the former
//! one that no secret is cut.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::rule_search::{REACH, RuleSearch};
use super::wide_text::WideText;

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
    bytes: SearchWindow,
    /// The same as letters, where the stream is UTF-16.
    letters: SearchWindow,
}

impl<'rules> StreamSearch<'rules> {
    /// A search by these rules.
    pub fn new(rules: &'rules RuleSearch) -> Self {
        Self { rules, bytes: SearchWindow::default(), letters: SearchWindow::default() }
    }

    /// Searches a stream to its end, or until it cannot be read. UTF-16 is searched as bytes and as letters.
    pub fn search(&mut self, mut stream: impl Read) -> SearchedStream {
        let mut done = SearchedStream::default();
        self.bytes.clear();
        self.letters.clear();
        let mut kind = None;
        // The first byte of a unit whose second one is not read yet.
        let mut half = 0;
        loop {
            let before = self.bytes.piece.len();
            let read = fill(&mut stream, &mut self.bytes.piece);
            done.bytes += (self.bytes.piece.len() - before) as u64;
            let is_last = match read {
                Ok(is_last) => is_last,
                Err(error) => {
                    done.broken = Some(error);
                    true
                }
            };
            let StreamKind { is_text, wide } =
                *kind.get_or_insert_with(|| StreamKind::of(&self.bytes.piece));
            if let Some(wide) = wide {
                let units = &self.bytes.piece[before - half..];
                wide.append(units, &mut self.letters.piece);
                half = units.len() % 2;
                self.letters.search(self.rules, true, is_last, &mut done.found);
            }
            self.bytes.search(self.rules, is_text, is_last, &mut done.found);
            if is_last {
                return done;
            }
        }
    }
}

/// What the beginning of a stream tells of it.
#[derive(Clone, Copy)]
struct StreamKind {
    is_text: bool,
    wide: Option<WideText>,
}

impl StreamKind {
    fn of(piece: &[u8]) -> Self {
        let is_text = !piece[..piece.len().min(HEAD)].contains(&0);
        Self { is_text, wide: WideText::of(piece) }
    }
}

/// A piece of a stream, with as much of the former one as rules look back at.
#[derive(Default)]
struct SearchWindow {
    piece: Vec<u8>,
    /// Bytes at the beginning of the piece that were searched before.
    searched: usize,
}

impl SearchWindow {
    fn clear(&mut self) {
        self.piece.clear();
        self.searched = 0;
    }

    /// Searches what is new, up to where a secret may go on in the next piece; each secret is found once.
    fn search(
        &mut self,
        rules: &RuleSearch,
        is_text: bool,
        is_last: bool,
        found: &mut Vec<FoundSecret>,
    ) {
        let end = self.piece.len();
        let until = if is_last { end } else { end.saturating_sub(REACH).max(self.searched) };
        rules.search(&self.piece, self.searched..until, is_text, |hit| {
            let secret = FoundSecret::of(hit.rule, &self.piece[hit.value]);
            if !found.contains(&secret) {
                found.push(secret);
            }
        });
        let kept = until.saturating_sub(LOOK_BACK);
        self.piece.drain(..kept);
        self.searched = until - kept;
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
        assert!(search.bytes.piece.capacity() < 3 * PIECE, "{}", search.bytes.piece.capacity());
    }

    #[test]
    fn a_token_in_utf16_is_found_wherever_the_pieces_are_cut() {
        let rules = RuleSearch::new();
        let mut search = StreamSearch::new(&rules);
        for place in [0, PIECE / 2 - 9, PIECE, (PIECE + REACH) / 2 - 5, PIECE + 7] {
            for order in [u16::to_le_bytes, u16::to_be_bytes] {
                let text = format!("{}{}", " ".repeat(place), token());
                let bytes: Vec<u8> = text.encode_utf16().flat_map(order).collect();
                let done = search.search(&bytes[..]);
                assert_eq!(done.bytes, bytes.len() as u64);
                let expected = [FoundSecret::of("gitlab-token", token().as_bytes())];
                assert_eq!(done.found, expected, "{place}");
            }
        }
    }

    #[test]
    fn a_token_in_plain_bytes_is_found_behind_a_mark_of_utf16() {
        let rules = RuleSearch::new();
        let text = [b"\xff\xfe", token().as_bytes()].concat();
        assert_eq!(StreamSearch::new(&rules).search(&text[..]).found.len(), 1);
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
