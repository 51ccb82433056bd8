//! How many questions about tasks the daemon may send: a few at once, then few a second, whatever the number of
//! tasks. What is asked first is decided elsewhere.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Questions that may follow each other at once. Ours: one start is then seen as early as by its own driver.
const AT_ONCE: u32 = 5;
/// Time that one question costs. Ours: a sweep of 1,000 tasks asks some 21 times a minute, and both together stay below
/// one call a second.
const EACH: Duration = Duration::from_millis(1600);

/// The budget. Clones share it.
#[derive(Clone, Debug)]
pub struct ReadBudget(Arc<Mutex<Instant>>);

impl Default for ReadBudget {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }
}

impl ReadBudget {
    /// Waits until one more question may be sent.
    pub async fn take(&self) {
        let allowed_at = {
            let mut paid_until = self.0.lock().expect("no one panics while holding the budget");
            let now = Instant::now();
            *paid_until = (*paid_until).max(now) + EACH;
            paid_until.checked_sub(EACH * AT_ONCE).unwrap_or(now)
        };
        sleep_until(allowed_at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_questions_pass_at_once_and_then_five_in_eight_seconds() {
        let (budget, begun) = (ReadBudget::default(), Instant::now());
        for _ in 0..AT_ONCE {
            budget.take().await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for _ in 0..40 {
            budget.take().await;
        }
        let took = begun.elapsed();
        assert!((Duration::from_secs(64)..Duration::from_secs(65)).contains(&took), "{took:?}");
    }
}
