//! How long to wait before the next try, so that many waiting processes do not call at once.
//!
//! It chooses lengths and waits for nothing. The numbers are not secret, so a fast generator makes
//! them.

use std::time::Duration;

/// A pause that grows with each try, up to a limit.
#[derive(Clone, Copy, Debug)]
pub struct RetryBackoff {
    pause: Duration,
    longest: Duration,
    factor: f64,
}

impl RetryBackoff {
    /// Begins with `first` and doubles, up to `longest`.
    #[must_use]
    pub fn doubling(first: Duration, longest: Duration) -> Self {
        Self::growing(first, longest, 2.0)
    }

    /// Begins with `first` and grows by `factor`, up to `longest`.
    #[must_use]
    pub fn growing(first: Duration, longest: Duration, factor: f64) -> Self {
        Self { pause: first, longest, factor }
    }

    /// The pause before the next try.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// The same, after which the pause grows.
    pub fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.grow();
        pause
    }

    /// Lets the pause grow.
    pub fn grow(&mut self) {
        self.pause = self.pause.mul_f64(self.factor).min(self.longest);
    }
}

/// Between nothing and `limit` ("full jitter").
#[must_use]
pub fn up_to(limit: Duration) -> Duration {
    limit.mul_f64(fastrand::f64())
}

/// `duration`, plus or minus up to a fifth.
#[must_use]
pub fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(0.8) + up_to(duration.mul_f64(0.4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_up_to_its_limit() {
        let ms = Duration::from_millis;
        let mut backoff = RetryBackoff::doubling(ms(200), ms(500));
        let pauses: Vec<_> = (0..4).map(|_| backoff.next_pause()).collect();
        assert_eq!(pauses, [ms(200), ms(400), ms(500), ms(500)]);
        assert_eq!(backoff.pause(), ms(500));
    }

    #[test]
    fn jitter_stays_near_what_was_asked_for() {
        let second = Duration::from_secs(1);
        for _ in 0..1000 {
            assert!(up_to(second) <= second);
            let near = Duration::from_millis(800)..=Duration::from_millis(1200);
            assert!(near.contains(&jittered(second)));
        }
    }
}
