//! Finds secrets of a job in names and files, and overwrites them in place.
//!
//! Which files are searched is decided in `wipe`.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Instant;

use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use fargate_protocol::SecretTrace;
use nix::fcntl::OFlag;

/// Bytes read at a time.
const READ: usize = 1024 * 1024;
/// Most secrets that are overwritten in one file. A file with more is removed.
const MOST_MATCHES: usize = 10_000;

/// What a file holds of the secrets.
#[derive(Debug, PartialEq, Eq)]
pub enum TraceMatches {
    /// Nothing.
    Nothing,
    /// Whole secrets at these places.
    At(Vec<Range<u64>>),
    /// The beginning of a secret, or too many secrets.
    Uncounted,
    /// The time was over before the end of the file.
    TooLate,
}

/// Looks for all secrets at once.
pub struct TraceSearch {
    automaton: AhoCorasick,
    is_cut: Vec<bool>,
    longest: usize,
}

impl TraceSearch {
    /// # Errors
    ///
    /// Returns [`BuildError`] if the secrets are too large for one search.
    pub fn new(traces: &[SecretTrace]) -> Result<Self, BuildError> {
        let texts = traces.iter().map(|trace| trace.text.as_str());
        let longest = texts.clone().map(str::len).max().unwrap_or_default();
        let automaton =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(texts)?;
        Ok(Self { automaton, is_cut: traces.iter().map(|trace| trace.is_cut).collect(), longest })
    }

    /// Whether these bytes hold a secret.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.longest > 0 && self.automaton.is_match(bytes)
    }

    /// Searches a regular file.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if the file cannot be read.
    pub fn search(&self, path: &Path, deadline: Instant) -> std::io::Result<TraceMatches> {
        if self.longest == 0 {
            return Ok(TraceMatches::Nothing);
        }
        let mut file = opened(OpenOptions::new().read(true), path)?;
        let mut buffer = Vec::with_capacity(READ + self.longest);
        let (mut found, mut base) = (Vec::new(), 0_u64);
        loop {
            if Instant::now() >= deadline {
                return Ok(TraceMatches::TooLate);
            }
            let before = buffer.len();
            (&mut file).take(READ as u64).read_to_end(&mut buffer)?;
            if buffer.len() == before {
                break;
            }
            for hit in self.automaton.find_iter(&buffer) {
                if self.is_cut[hit.pattern().as_usize()] || found.len() >= MOST_MATCHES {
                    return Ok(TraceMatches::Uncounted);
                }
                found.push(base + hit.start() as u64..base + hit.end() as u64);
            }
            // A secret may lie across the end of this piece.
            let rest = buffer.len().saturating_sub(self.longest - 1);
            buffer.drain(..rest);
            base += rest as u64;
        }
        Ok(if found.is_empty() { TraceMatches::Nothing } else { TraceMatches::At(found) })
    }

    /// Overwrites these places of a file by `*`.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if the file cannot be written.
    pub fn overwrite(path: &Path, places: &[Range<u64>]) -> std::io::Result<()> {
        let file = opened(OpenOptions::new().write(true), path)?;
        for place in places {
            let stars: Vec<u8> = place.clone().map(|_| b'*').collect();
            file.write_all_at(&stars, place.start)?;
        }
        file.sync_data()
    }
}

/// Opens a file, but neither a link nor a pipe that took its place.
fn opened(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    options.custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn trace(text: &str, is_cut: bool) -> SecretTrace {
        SecretTrace { text: text.to_owned(), is_cut }
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn a_secret_is_overwritten_wherever_it_lies_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let search =
            TraceSearch::new(&[trace("glcbt-12345", false), trace("other\nsecret", false)])
                .unwrap();
        // Around the end of a piece that is read at a time.
        for offset in [0, READ - 11, READ - 10, READ - 1, READ, 2 * READ - 5] {
            let mut text = vec![b'x'; offset];
            text.extend(b"glcbt-12345|other\nsecret|glcbt-1234");
            std::fs::write(&path, &text).unwrap();
            let TraceMatches::At(places) = search.search(&path, later()).unwrap() else {
                panic!("not found at {offset}")
            };
            TraceSearch::overwrite(&path, &places).unwrap();
            let mut expected = vec![b'x'; offset];
            expected.extend(b"***********|************|glcbt-1234");
            assert!(std::fs::read(&path).unwrap() == expected, "{offset}");
            assert_eq!(search.search(&path, later()).unwrap(), TraceMatches::Nothing);
        }
    }

    #[test]
    fn the_beginning_of_a_secret_is_no_place_to_overwrite_and_a_late_search_is_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "a: BEGIN KEY and more").unwrap();
        let search = TraceSearch::new(&[trace("BEGIN KEY", true)]).unwrap();
        assert_eq!(search.search(&path, later()).unwrap(), TraceMatches::Uncounted);
        assert_eq!(search.search(&path, Instant::now()).unwrap(), TraceMatches::TooLate);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        search.search(&link, later()).unwrap_err();
        assert_eq!(
            TraceSearch::new(&[]).unwrap().search(&path, later()).unwrap(),
            TraceMatches::Nothing
        );
    }
}
