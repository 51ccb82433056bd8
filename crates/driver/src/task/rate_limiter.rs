//! Spaces calls evenly that share a limit with the whole account.
//!
//! It works within one process. For the whole host, see `state::shared_rate_limiter`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Gives a number of turns a second, in the order in which they were asked for. A caller that asks
/// often gets no more than one that asked before. Clones share the turns.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    interval: Duration,
    next: Arc<Mutex<Instant>>,
}

impl RateLimiter {
    /// Allows at most `turns` a second, without bursts.
    ///
    /// # Panics
    ///
    /// Panics if `turns` is 0.
    #[must_use]
    pub fn per_second(turns: u32) -> Self {
        assert!(turns > 0, "nobody waits for ever");
        let interval = Duration::from_secs(1) / turns;
        Self { interval, next: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Returns when it is the caller's turn. A caller that stops waiting uses no turn.
    pub async fn turn(&self) {
        // The lock is fair, and the first in the queue holds it while it waits.
        let mut next = self.next.lock().await;
        sleep_until(*next).await;
        // If a timer was late, the next turn makes up for it. A time without callers is not made up
        // for.
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
