//! Keeps what a script wrote, up to a limit; what comes above it is counted and dropped.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Most bytes that are kept: the largest output of a check, and a little more, so that too much is seen.
const MOST_KEPT: usize = 11 * 1024 * 1024;

/// What was written. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct CapturedOutput(Arc<Mutex<CapturedBytes>>);

#[derive(Debug, Default)]
struct CapturedBytes {
    kept: Vec<u8>,
    dropped: u64,
}

impl CapturedOutput {
    /// The bytes that were kept, and the number of all.
    pub(super) fn take(&self) -> (Vec<u8>, u64) {
        let mut captured = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = std::mem::take(&mut captured.kept);
        let count = kept.len() as u64 + captured.dropped;
        (kept, count)
    }
}

impl Write for CapturedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut captured = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MOST_KEPT - captured.kept.len();
        let kept = bytes.len().min(room);
        captured.kept.extend_from_slice(&bytes[..kept]);
        captured.dropped += (bytes.len() - kept) as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_above_the_limit_is_counted_and_dropped() {
        let output = CapturedOutput::default();
        output.clone().write_all(&vec![1; MOST_KEPT - 1]).unwrap();
        output.clone().write_all(&[2; 3]).unwrap();
        let (kept, count) = output.take();
        assert_eq!((kept.len(), kept[MOST_KEPT - 1], count), (MOST_KEPT, 2, MOST_KEPT as u64 + 2));
    }
}
