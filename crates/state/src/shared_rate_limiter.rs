//! A rate limiter for questions to ECS about tasks, shared by all processes of this host. It is a
//! token bucket with a queue, in one small file for each account and Region. The file lies beside
//! the tombstones, where it is swept when nobody uses it.
//!
//! AWS counts these questions for the whole account, and refuses those that come too fast. If two
//! hundred drivers wait for their tasks, they would use up each other's answers. Here each gets its
//! turn in the order in which it asked. If AWS still refuses because others ask as well, the rate
//! is halved, and grows back within [`RECOVERY`].
//!
//! Some questions wait for no turn, and those who wait then wait longer. But they keep half of the
//! rate, whatever goes ahead: a daemon that starts again and again asks at each start.
//!
//! No job depends on it. A process that cannot read, write or lock the file goes on at once, and
//! damaged content counts as a full bucket. The lock is held for moments, and ends with its
//! process. A caller that leaves returns its turn; the turn of a killed process expires unused. The
//! file is not synced, because nothing is lost with it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::Duration;

use fargate_events::{JobEvent, emit};
use fargate_model::backoff::{RetryBackoff, jittered};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use crate::StateFolder;

/// After this time without use, a bucket is full. Source of the relation, 100 at once and 20 a
/// second: Amazon ECS API Reference, "Request throttling for the Amazon ECS API".
const FULL_AFTER: Duration = Duration::from_secs(5);
/// After a refusal, the rate is back to normal within this time.
const RECOVERY: Duration = Duration::from_secs(60);
/// All refusals within this time halve the rate once, because they answer questions that were asked
/// at the old rate.
const ONE_REFUSAL: Duration = Duration::from_secs(1);
/// The lowest rate, as a part of the configured one.
const SLOWEST: f64 = 0.01;
/// Longest queue, in turns. A process that finds it full asks again later. It is twice as long as
/// the number of drivers that one host should run.
const LONGEST_LINE: f64 = 1000.0;
/// The part of the rate, and of the burst, that questions which wait for no turn can take from those
/// who wait.
const MOST_AHEAD: f64 = 0.5;
/// Longest pause between two looks at the queue. The rate may change in between.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Time between two tries to lock the file. It doubles up to the second value.
const LOCK_AGAIN: Duration = Duration::from_millis(2);
const LONGEST_LOCK_AGAIN: Duration = Duration::from_millis(100);
/// How long another process may hold the lock, on an overloaded machine, before the others go on
/// without it.
const LOCK_WITHIN: Duration = Duration::from_secs(5);
/// Years of turns at the highest rate.
const MOST_GIVEN: u32 = 1 << 31;
/// Largest file that is read, in bytes.
const MAX_BYTES: usize = 16 * 1024;
/// The file has this many bytes from the start. So it stays usable when the disk fills up, and
/// takes no room from a job's record.
const FIRST_BYTES: usize = 256;

/// The limiter of one account and Region.
#[derive(Clone, Debug)]
pub struct SharedRateLimiter {
    path: PathBuf,
    per_second: f64,
}

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct SharedLimiterState {
    /// Turns that were given out. At [`MOST_GIVEN`] the count starts again.
    given: u32,
    /// Turns that have come. At most a burst more than were given out.
    come: f64,
    /// The present rate, in turns per second.
    rate: f64,
    /// The moment of these values, in milliseconds since the host's boot.
    at_ms: u64,
    /// The moment at which the rate was halved, on the same clock.
    slowed_ms: u64,
    /// Turns that questions took which waited for none, less what has come back since at
    /// half of the rate.
    #[serde(default)]
    ahead: f64,
    /// Turns that were returned before they came, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    back: Vec<u32>,
}

/// The position of a caller in the queue.
#[derive(Clone, Copy, Debug, PartialEq)]
enum QueuePosition {
    /// It is the caller's turn.
    First,
    /// The caller has this number, and must wait this long at the present rate.
    Behind(u32, Duration),
    /// The queue is full.
    Full,
}

impl StateFolder {
    /// The limiter for calls in `region`, as `role` or as the host itself. Profiles with another
    /// rate use a limiter of their own, because they would change each other's rate.
    #[must_use]
    pub fn turns(&self, region: &str, role: Option<&str>, per_second: u32) -> SharedRateLimiter {
        let account = format!("{region} {} {per_second}", role.unwrap_or_default());
        let account = Sha256::digest(account);
        let name = format!("turns-{}", hex::encode(&account[..8]));
        let turns = SharedRateLimiter {
            path: self.tombstones().join(name),
            per_second: f64::from(per_second),
        };
        turns.take_room();
        turns
    }
}

impl SharedRateLimiter {
    /// Returns when it is the caller's turn. A caller that stops waiting returns its turn.
    pub async fn wait(&self) {
        let mut waiting = QueuedCaller { turns: self, number: None };
        loop {
            if let Some(pause) = waiting.number.and_then(|own| self.far_behind(own)) {
                sleep(pause.min(LOOK_AGAIN)).await;
                continue;
            }
            let number = waiting.number;
            let looked = self.change(|line| line.ask(number, now_ms(), self.per_second)).await;
            let pause = match looked {
                Some(QueuePosition::First) | None => {
                    waiting.number = None;
                    return;
                }
                Some(QueuePosition::Behind(own, pause)) => {
                    waiting.number = Some(own);
                    pause
                }
                Some(QueuePosition::Full) => LOOK_AGAIN,
            };
            sleep(pause.min(LOOK_AGAIN)).await;
        }
    }

    /// How long the caller with this number must wait. `None` if it may be its turn. It reads
    /// without the lock, for which many may wait.
    fn far_behind(&self, own: u32) -> Option<Duration> {
        let mut line = read(&self.open().ok()?).ok()?.0?;
        match line.ask(Some(own), now_ms(), self.per_second) {
            QueuePosition::Behind(number, pause) if number == own => Some(pause),
            QueuePosition::Behind(..) | QueuePosition::First | QueuePosition::Full => None,
        }
    }

    /// Creates the file if it does not exist.
    fn take_room(&self) {
        let taken = self.open().and_then(|file| match file.metadata()?.len() {
            0 => file.write_all_at(&[b' '; FIRST_BYTES], 0),
            _ => Ok(()),
        });
        if let Err(error) = taken {
            let message = format!("{}: {error}", self.path.display());
            emit(JobEvent::RateLimiterUnusable { message });
        }
    }

    /// Counts a question that does not wait, because a verdict or the end of a task depends on it.
    /// All who wait then wait longer, but never at less than half of the rate.
    pub async fn go_ahead(&self) {
        self.change(|line| line.go_ahead(now_ms(), self.per_second)).await;
    }

    /// Notes that AWS refused a question as too fast.
    pub async fn slow_down(&self) {
        let slowed = self.change(|line| line.slow_down(now_ms(), self.per_second)).await;
        if let Some(Some(rate)) = slowed {
            emit(JobEvent::ReadsSlowed { per_second: rate });
        }
    }

    /// Changes the file under its lock. Returns `None` if the file cannot be used.
    async fn change<T>(&self, change: impl FnOnce(&mut SharedLimiterState) -> T) -> Option<T> {
        match self.locked().await.and_then(|file| rewrite(&file, change)) {
            Ok(done) => Some(done),
            Err(error) => {
                let message = format!("{}: {error}", self.path.display());
                emit(JobEvent::RateLimiterUnusable { message });
                None
            }
        }
    }

    /// Returns a turn that has not come. `Drop` cannot wait, so if the lock is held, the turn
    /// expires unused.
    fn give_back(&self, number: u32) {
        let locked = self.open().map(|file| Flock::lock(file, FlockArg::LockExclusiveNonblock));
        if let Ok(Ok(file)) = locked {
            let _ = rewrite(&file, |line| line.give_back(number));
        }
    }

    fn open(&self) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
            .open(&self.path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        Ok(file)
    }

    async fn locked(&self) -> io::Result<Flock<File>> {
        let mut file = self.open()?;
        let deadline = Instant::now() + LOCK_WITHIN;
        let mut again = RetryBackoff::doubling(LOCK_AGAIN, LONGEST_LOCK_AGAIN);
        while Instant::now() < deadline {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(locked) => return Ok(locked),
                Err((file, Errno::EWOULDBLOCK)) => file,
                Err((_, error)) => return Err(error.into()),
            };
            sleep(jittered(again.next_pause())).await;
        }
        Err(io::Error::other("another process locks it"))
    }
}

/// A caller in the queue, with its number.
struct QueuedCaller<'a> {
    turns: &'a SharedRateLimiter,
    number: Option<u32>,
}

impl Drop for QueuedCaller<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.turns.give_back(number);
        }
    }
}

/// Reads the file. Returns its content if it is valid, and its length in bytes.
fn read(file: &File) -> io::Result<(Option<SharedLimiterState>, usize)> {
    let mut bytes = [0; MAX_BYTES];
    let read = file.read_at(&mut bytes, 0)?;
    Ok((serde_json::from_slice(&bytes[..read]).ok(), read))
}

fn rewrite<T>(file: &File, change: impl FnOnce(&mut SharedLimiterState) -> T) -> io::Result<T> {
    let (line, read) = read(file)?;
    let mut line = line.unwrap_or_default();
    let done = change(&mut line);
    let mut text = serde_json::to_vec(&line).expect("numbers can be written");
    // Cover the old content with blanks, so that the file need not be truncated.
    text.resize(text.len().max(read), b' ');
    if text.len() > MAX_BYTES {
        return Err(io::Error::other("the file is full"));
    }
    file.write_all_at(&text, 0)?;
    Ok(done)
}

/// Milliseconds since the host's boot, a clock that nobody sets.
fn now_ms() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

impl SharedLimiterState {
    /// Returns `false` for a new file, after another boot, in another time namespace, and for
    /// values that no process of ours wrote.
    fn is_possible(&self, now_ms: u64, per_second: f64) -> bool {
        let longest = LONGEST_LINE + 1.0;
        now_ms >= self.at_ms
            && self.given < MOST_GIVEN
            && self.rate >= per_second * SLOWEST / 2.0
            && self.come >= f64::from(self.given) - longest
            && self.ahead >= 0.0
    }

    /// Adds the turns that have come since the last look. Impossible values become a full bucket.
    fn flow(&mut self, now_ms: u64, per_second: f64) {
        let burst = per_second * FULL_AFTER.as_secs_f64();
        if !self.is_possible(now_ms, per_second) {
            let given = if self.given >= MOST_GIVEN { 0 } else { self.given };
            let come = f64::from(given) + burst;
            *self = Self { given, come, rate: per_second, at_ms: now_ms, ..Self::default() };
        }
        let passed = Duration::from_millis(now_ms - self.at_ms).as_secs_f64();
        let given = f64::from(self.given);
        self.come += self.rate * passed;
        self.ahead = (self.ahead - self.rate * MOST_AHEAD * passed).clamp(0.0, burst);
        // A turn that was returned takes no time.
        while self.back.first().is_some_and(|back| f64::from(*back) <= self.come) {
            self.back.remove(0);
            self.come += 1.0;
        }
        self.come = self.come.clamp(given - LONGEST_LINE, given + burst);
        let back = per_second * passed / RECOVERY.as_secs_f64();
        self.rate = (self.rate + back).clamp(per_second * SLOWEST, per_second);
        self.at_ms = now_ms;
    }

    /// The position of a caller that has this number, or none yet.
    fn ask(&mut self, number: Option<u32>, now_ms: u64, per_second: f64) -> QueuePosition {
        self.flow(now_ms, per_second);
        // A number that was not given out belongs to a file that is gone.
        let own = match number.filter(|number| *number < self.given) {
            Some(number) => number,
            None if f64::from(self.given) + 1.0 - self.come > LONGEST_LINE => {
                return QueuePosition::Full;
            }
            None => {
                self.given += 1;
                self.given - 1
            }
        };
        let back = self.back.iter().filter(|back| **back < own).count();
        let back = f64::from(u32::try_from(back).unwrap_or(u32::MAX));
        let missing = f64::from(own) + 1.0 - self.come - back;
        // Sums of fractions miss whole numbers by a little.
        if missing <= 1e-6 {
            return QueuePosition::First;
        }
        QueuePosition::Behind(
            own,
            Duration::from_secs_f64((missing / self.rate).clamp(0.001, 3600.0)),
        )
    }

    fn give_back(&mut self, number: u32) {
        // A turn that has already come was another caller's, and is not saved for later.
        if number < self.given && f64::from(number) + 1.0 > self.come {
            let at = self.back.binary_search(&number).unwrap_or_else(|at| at);
            self.back.insert(at, number);
        }
    }

    fn go_ahead(&mut self, now_ms: u64, per_second: f64) {
        self.flow(now_ms, per_second);
        if self.ahead + 1.0 > per_second * FULL_AFTER.as_secs_f64() * MOST_AHEAD {
            return;
        }
        self.ahead += 1.0;
        self.come = (self.come - 1.0).max(f64::from(self.given) - LONGEST_LINE);
    }

    /// Halves the rate, unless it was already halved for the same reason. Returns the new rate.
    fn slow_down(&mut self, now_ms: u64, per_second: f64) -> Option<f64> {
        self.flow(now_ms, per_second);
        let since = Duration::from_millis(now_ms.saturating_sub(self.slowed_ms));
        if self.slowed_ms > 0 && since < ONE_REFUSAL {
            return None;
        }
        // The account's own bucket is empty, so saved turns are worth nothing.
        self.come = self.come.min(f64::from(self.given));
        self.rate = (self.rate / 2.0).max(per_second * SLOWEST);
        self.slowed_ms = now_ms;
        Some(self.rate)
    }
}

#[cfg(test)]
mod tests;
