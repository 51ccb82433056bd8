//! What was seen as an orphan before, and since when.
//!
//! It is kept in memory, by a clock that is never set. A file could be lost or forged, and a clock
//! that is set would judge it wrongly. What a sighting means is not known here.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// What was seen, each with the moment of its first sighting without a gap.
#[derive(Clone, Debug)]
pub struct OrphanSightings<M> {
    apart: Duration,
    first: HashMap<M, Instant>,
}

impl<M: Eq + Hash> OrphanSightings<M> {
    /// Two sightings count if at least `apart` lies between them.
    pub fn new(apart: Duration) -> Self {
        Self { apart, first: HashMap::new() }
    }

    /// Notes what is seen now, and forgets what is not, because two sightings must have no gap.
    /// Returns `true` for each that was first seen long enough ago.
    pub fn note(&mut self, seen: Vec<M>) -> Vec<bool> {
        let now = Instant::now();
        let before = std::mem::take(&mut self.first);
        let mut due = Vec::with_capacity(seen.len());
        for mark in seen {
            let first = before.get(&mark).copied();
            due.push(first.is_some_and(|first| now >= first + self.apart));
            self.first.insert(mark, first.unwrap_or(now));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_was_seen_long_enough_ago_and_ever_since_is_due() {
        let mut sightings = OrphanSightings::new(Duration::from_secs(10));
        assert_eq!(sightings.note(vec!["a", "b"]), [false, false]);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(sightings.note(vec!["a"]), [false]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(sightings.note(vec!["a", "b", "c"]), [true, false, false]);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(sightings.note(vec!["b", "c"]), [true, true]);
    }
}
