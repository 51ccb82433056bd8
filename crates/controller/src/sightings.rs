//! What was seen orphaned before, and when. It is kept in memory on a clock that never steps: a
//! file of it could be lost, forged, or judged by a clock that was set.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Marks of what was seen, with the moment of the first sighting in a row.
#[derive(Clone, Debug)]
pub struct OrphanSightings<M> {
    apart: Duration,
    first: HashMap<M, Instant>,
}

impl<M: Eq + Hash> OrphanSightings<M> {
    /// Two sightings count if they are at least `apart`.
    pub fn new(apart: Duration) -> Self {
        Self { apart, first: HashMap::new() }
    }

    /// Notes everything that is seen now, and forgets what is not: it must be seen twice in a row.
    /// True for each that was first seen long enough ago.
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
