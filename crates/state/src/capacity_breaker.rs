//! Remembers how often a capacity provider failed the jobs of this host lately, and leaves it alone
//! for a while if that was often. One small file for each provider and Region, beside the tombstones,
//! where it is swept when nobody uses it.
//!
//! All processes of a host share what each of them has met. Otherwise each job would find out by
//! itself that a provider has nothing, and each Spot interruption costs a whole job.
//!
//! It launches nothing and chooses no provider. No job depends on it: a file that is damaged, or that
//! cannot be read, written or locked, counts as a provider that may be used.

use std::path::PathBuf;
use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_files::{self as files, FileLock};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::StateFolder;

/// How long another process may hold the lock before a failure is not counted.
const LOCK_WITHIN: Duration = Duration::from_secs(2);
/// Largest file that is read, in bytes. Ours stay below it with [`MOST_KEPT`] failures.
const MAX_BYTES: u64 = 64 * 1024;
/// Most failures that are kept: the highest limit of the configuration.
const MOST_KEPT: usize = 100;
/// A time that lies ahead by more than this was written before the clock was set back.
const AHEAD: u64 = 60;

/// When a provider is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerLimits {
    /// So many failures open the breaker. With 0 it never opens.
    pub failures: u32,
    /// Only failures within this time count together.
    pub window: Duration,
    /// How long it stays open.
    pub pause: Duration,
}

/// The breaker of one capacity provider in one Region.
#[derive(Clone, Debug)]
pub struct CapacityBreaker {
    provider: String,
    path: PathBuf,
    limits: BreakerLimits,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CapacityFailure {
    /// In seconds since 1970.
    at_s: u64,
    /// What failed. It counts once, however many stages of a job meet it.
    of: String,
}

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct BreakerState {
    #[serde(default)]
    failures: Vec<CapacityFailure>,
    /// When it opened last, in seconds since 1970.
    #[serde(default)]
    opened_s: Option<u64>,
}

impl StateFolder {
    /// The breaker of `provider` in `region`.
    #[must_use]
    pub fn capacity_breaker(
        &self,
        region: &str,
        provider: &str,
        limits: BreakerLimits,
    ) -> CapacityBreaker {
        let place = Sha256::digest(format!("{region} {provider}"));
        let name = format!("capacity-{}", hex::encode(&place[..8]));
        let path = self.tombstones().join(name);
        CapacityBreaker { provider: provider.to_owned(), path, limits }
    }
}

impl CapacityBreaker {
    /// How much longer launches should leave the provider alone. `None` if they may use it.
    #[must_use]
    pub fn left(&self, since_1970: Duration) -> Option<Duration> {
        if self.limits.failures == 0 {
            return None;
        }
        self.read().left(since_1970.as_secs(), self.limits.pause)
    }

    /// Counts a failure: a Spot interruption, or a refusal in every subnet. `of` names what failed, so
    /// that it counts once.
    pub async fn failed(&self, of: &str, since_1970: Duration) {
        if self.limits.failures == 0 {
            return;
        }
        let now = since_1970.as_secs();
        let lock = self.path.with_extension("lock");
        let written = match FileLock::take(&lock, LOCK_WITHIN).await {
            Ok(_lock) => {
                let mut state = self.read();
                let opened = state.failed(of, now, self.limits);
                let bytes = serde_json::to_vec(&state).expect("numbers and texts can be written");
                files::write(&self.path, &bytes).map(|()| opened)
            }
            Err(error) => Err(error),
        };
        match written {
            Ok(false) => {}
            Ok(true) => emit(JobEvent::CapacityAvoided {
                provider: self.provider.clone(),
                failures: self.limits.failures,
                pause_s: self.limits.pause.as_secs(),
            }),
            Err(error) => emit(JobEvent::BreakerUnusable { message: error.to_string() }),
        }
    }

    /// What the file holds. A file that is missing, or is not one of ours, holds nothing.
    fn read(&self) -> BreakerState {
        let bytes = match files::read_at_most(&self.path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                let message = format!("reading {}: {error}", self.path.display());
                emit(JobEvent::BreakerUnusable { message });
                Vec::new()
            }
        };
        serde_json::from_slice(&bytes).unwrap_or_default()
    }
}

impl BreakerState {
    fn left(&self, now: u64, pause: Duration) -> Option<Duration> {
        // A time that lies far ahead is of another clock, and opens nothing.
        let opened = self.opened_s.filter(|opened| *opened <= now.saturating_add(AHEAD))?;
        let since = Duration::from_secs(now.saturating_sub(opened));
        pause.checked_sub(since).filter(|left| !left.is_zero())
    }

    /// Adds a failure. Returns whether the breaker opened by it.
    fn failed(&mut self, of: &str, now: u64, limits: BreakerLimits) -> bool {
        let window = limits.window.as_secs();
        self.failures.retain(|failure| {
            failure.at_s <= now.saturating_add(AHEAD) && now.saturating_sub(failure.at_s) <= window
        });
        if self.failures.iter().any(|failure| failure.of == of) {
            return false;
        }
        self.failures.push(CapacityFailure { at_s: now, of: of.to_owned() });
        let limit = usize::try_from(limits.failures).unwrap_or(MOST_KEPT).min(MOST_KEPT);
        if self.failures.len() < limit {
            return false;
        }
        // Counting begins anew when it closes. What was already on its way while it opened, for
        // example the refusals of two hundred jobs at once, does not keep it open for longer.
        let was_open = self.left(now, limits.pause).is_some();
        self.failures.clear();
        if !was_open {
            self.opened_s = Some(now);
        }
        !was_open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BreakerLimits = BreakerLimits {
        failures: 3,
        window: Duration::from_secs(600),
        pause: Duration::from_secs(900),
    };

    fn at(second: u64) -> Duration {
        Duration::from_secs(1_800_000_000 + second)
    }

    fn folder() -> (tempfile::TempDir, StateFolder) {
        let root = tempfile::tempdir().unwrap();
        let folder = StateFolder::open(root.path(), Duration::from_secs(1)).unwrap();
        (root, folder)
    }

    #[tokio::test]
    async fn it_opens_after_three_failures_within_the_window_and_closes_after_its_pause() {
        let (_root, folder) = folder();
        let breaker = folder.capacity_breaker("r", "FARGATE_SPOT", LIMITS);
        for (of, second) in [("a", 0), ("b", 550), ("b", 560), ("c", 620)] {
            breaker.failed(of, at(second)).await;
            assert_eq!(breaker.left(at(second)), None, "{of}: `a` was too long ago");
        }
        breaker.failed("d", at(700)).await;
        assert_eq!(breaker.left(at(700)), Some(LIMITS.pause));
        for other in [
            folder.capacity_breaker("r", "FARGATE", LIMITS),
            folder.capacity_breaker("s", "FARGATE_SPOT", LIMITS),
        ] {
            assert_eq!(other.left(at(700)), None);
        }
        let other_process = folder.capacity_breaker("r", "FARGATE_SPOT", LIMITS);
        assert_eq!(other_process.left(at(1599)), Some(Duration::from_secs(1)));
        assert_eq!(other_process.left(at(1600)), None);
        other_process.failed("e", at(1601)).await;
        assert_eq!(other_process.left(at(1601)), None, "it counts anew");
    }

    #[tokio::test]
    async fn failures_that_come_while_it_is_open_do_not_keep_it_open() {
        let (_root, folder) = folder();
        let breaker = folder.capacity_breaker("r", "FARGATE_SPOT", LIMITS);
        for n in 0..50 {
            breaker.failed(&n.to_string(), at(n)).await;
        }
        assert_eq!(breaker.left(at(49)), Some(LIMITS.pause - Duration::from_secs(47)));
    }

    #[tokio::test]
    async fn many_processes_at_once_lose_no_failure() {
        let (_root, folder) = folder();
        let limits = BreakerLimits { failures: 40, ..LIMITS };
        let breaker = folder.capacity_breaker("r", "FARGATE_SPOT", limits);
        let tasks: Vec<_> = (0..39)
            .map(|n| {
                let breaker = breaker.clone();
                tokio::spawn(async move { breaker.failed(&n.to_string(), at(1)).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(breaker.left(at(1)), None);
        breaker.failed("last", at(1)).await;
        assert_eq!(breaker.left(at(1)), Some(limits.pause));
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_opens_nothing_for_years() {
        let (_root, folder) = folder();
        let breaker = folder.capacity_breaker("r", "FARGATE_SPOT", LIMITS);
        for n in 0..3 {
            breaker.failed(&n.to_string(), at(100_000)).await;
        }
        assert_eq!(breaker.left(at(0)), None);
        breaker.failed("x", at(0)).await;
        assert_eq!(breaker.left(at(0)), None);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_used_counts_as_closed() {
        let (root, folder) = folder();
        let breaker = folder.capacity_breaker("r", "FARGATE_SPOT", LIMITS);
        for damaged in [&b"{"[..], b"", b"\xff\xfe", b"[1]", b"{\"opened_s\": \"x\"}"] {
            std::fs::write(&breaker.path, damaged).unwrap();
            assert_eq!(breaker.left(at(0)), None, "{damaged:?}");
            breaker.failed("a", at(0)).await;
            assert_eq!(breaker.read().failures.len(), 1, "it is usable again");
        }
        std::fs::remove_file(&breaker.path).unwrap();
        std::fs::create_dir(&breaker.path).unwrap();
        for n in 0..3 {
            breaker.failed(&n.to_string(), at(0)).await;
            assert_eq!(breaker.left(at(0)), None, "a folder in its place");
        }
        drop(root);
        breaker.failed("gone", at(0)).await;
        assert_eq!(breaker.left(at(0)), None, "no folder at all");
    }

    #[tokio::test]
    async fn a_limit_of_none_never_opens_and_writes_nothing() {
        let (_root, folder) = folder();
        let limits = BreakerLimits { failures: 0, ..LIMITS };
        let breaker = folder.capacity_breaker("r", "FARGATE_SPOT", limits);
        for n in 0..200 {
            breaker.failed(&n.to_string(), at(n)).await;
        }
        assert_eq!(breaker.left(at(200)), None);
        assert!(!breaker.path.exists());
    }
}
