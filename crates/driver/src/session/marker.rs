//! Finds where a script's output begins. What a login shell writes before our program's first word
//! does not belong to the job.
//!
//! It does not interpret what follows.

/// Most bytes that a login shell may write before our program begins.
pub(super) const MAX_BEFORE: usize = 64 * 1024;

/// What remains of a piece of output.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FilteredOutput {
    /// Nothing. The script's output has not begun yet.
    Nothing,
    /// Bytes of the script.
    Bytes(Vec<u8>),
    /// More bytes than a login shell writes.
    TooMuch,
}

/// The beginning of one stream.
#[derive(Debug)]
pub(super) struct StartMarker {
    word: Vec<u8>,
    before: Vec<u8>,
    met: bool,
}

impl StartMarker {
    pub(super) fn new(token: &str) -> Self {
        let word = format!("fargate-runner-started-{token}\n").into_bytes();
        Self { word, before: Vec::new(), met: false }
    }

    /// Whether the beginning was found.
    pub(super) fn is_met(&self) -> bool {
        self.met
    }

    /// What came before the beginning.
    pub(super) fn before(&self) -> &[u8] {
        &self.before
    }

    /// Takes the next piece of the stream, and returns the script's part of it.
    pub(super) fn pass(&mut self, bytes: Vec<u8>) -> FilteredOutput {
        if self.met {
            return FilteredOutput::Bytes(bytes);
        }
        let searched = self.before.len().saturating_sub(self.word.len());
        self.before.extend(bytes);
        let place = self.before[searched..].windows(self.word.len()).position(|w| w == self.word);
        if let Some(place) = place {
            self.met = true;
            let rest = self.before.split_off(searched + place + self.word.len());
            self.before.truncate(searched + place);
            return if rest.is_empty() {
                FilteredOutput::Nothing
            } else {
                FilteredOutput::Bytes(rest)
            };
        }
        if self.before.len() > MAX_BEFORE {
            FilteredOutput::TooMuch
        } else {
            FilteredOutput::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_begins_behind_the_marker_however_the_stream_is_cut() {
        let stream = b"noise\nfargate-runner-started-\nfargate-runner-started-ab\nhello\n";
        for cut in 0..stream.len() {
            let mut marker = StartMarker::new("ab");
            let mut told = Vec::new();
            for piece in [&stream[..cut], &stream[cut..]] {
                match marker.pass(piece.to_vec()) {
                    FilteredOutput::Bytes(bytes) => told.extend(bytes),
                    FilteredOutput::Nothing => {}
                    FilteredOutput::TooMuch => panic!("too much"),
                }
            }
            assert_eq!(told, b"hello\n", "cut at {cut}");
            assert_eq!(marker.before(), b"noise\nfargate-runner-started-\n");
        }
    }

    #[test]
    fn a_stream_that_never_begins_is_bounded() {
        let mut marker = StartMarker::new("ab");
        let mut pieces = 0;
        while marker.pass(vec![b'x'; 1000]) == FilteredOutput::Nothing {
            pieces += 1;
        }
        assert!(pieces <= 70);
        assert!(!marker.is_met());
    }
}
