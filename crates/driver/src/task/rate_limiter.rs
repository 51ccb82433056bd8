//! Evenly spaced turns, for calls that share a limit with everybody in the account.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// So many turns a second, given in the order in which they were asked for: whoever asks often gets no
/// more than whoever asked before. Clones share them.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    interval: Duration,
    next: Arc<Mutex<Instant>>,
}

impl RateLimiter {
    /// At most `turns` a second, and no burst.
    ///
    /// # Panics
    ///
    /// If it is 0.
    #[must_use]
    pub fn per_second(turns: u32) -> Self {
        assert!(turns > 0, "nobody waits for ever");
        let interval = Duration::from_secs(1) / turns;
        Self { interval, next: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Returns when it is the caller's turn. A caller that goes away before takes none.
    pub async fn turn(&self) {
        // The lock is fair, and held while the first in line waits.
        let mut next = self.next.lock().await;
        sleep_until(*next).await;
        // A timer that rang late is made up for, a time without callers is not.
        *next = (*next).max(Instant::now() - self.interval) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::task::JoinSet;

    #[tokio::test(start_paused = true)]
    async fn turns_are_evenly_spaced_and_never_saved_up() {
        let pace = RateLimiter::per_second(15);
        let begun = Instant::now();
        for _ in 0..31 {
            pace.turn().await;
        }
        let took = begun.elapsed();
        assert!((Duration::from_secs(2)..Duration::from_millis(2100)).contains(&took), "{took:?}");
        tokio::time::advance(Duration::from_secs(60)).await;
        let begun = Instant::now();
        for _ in 0..16 {
            pace.turn().await;
        }
        assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn two_who_ask_all_the_time_get_the_same_share() {
        let pace = RateLimiter::per_second(10);
        let mut callers = JoinSet::new();
        let until = Instant::now() + Duration::from_secs(10);
        for (name, hands) in [("many", 8), ("few", 8)] {
            for _ in 0..hands {
                let pace = pace.clone();
                callers.spawn(async move {
                    let mut turns = 0;
                    while Instant::now() < until {
                        pace.turn().await;
                        turns += 1;
                    }
                    (name, turns)
                });
            }
        }
        let (mut many, mut few) = (0_u32, 0_u32);
        while let Some(ended) = callers.join_next().await {
            match ended.unwrap() {
                ("many", turns) => many += turns,
                (_, turns) => few += turns,
            }
        }
        assert!(many.abs_diff(few) <= 8, "{many} and {few}");
    }
}
