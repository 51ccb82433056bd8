//! Every window, deadline and poll of the product: one list with defaults and limits.
//!
//! Reading them from a file is in `layer`, and what one must be to another is in `fit`.

use std::time::Duration;

use fargate_model::lifetime::MAX_LIFETIME_MARGIN;

/// The value of one key: a duration or a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeoutValue {
    Span(Duration),
    Count(u32),
}

impl From<Duration> for TimeoutValue {
    fn from(span: Duration) -> Self {
        Self::Span(span)
    }
}

impl From<u32> for TimeoutValue {
    fn from(count: u32) -> Self {
        Self::Count(count)
    }
}

impl std::fmt::Display for TimeoutValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Span(span) => write!(f, "{}", humantime::format_duration(*span)),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

/// What a key accepts; both ends are included.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TimeoutLimits {
    Span(Duration, Duration),
    /// As `Span`, in whole seconds, because the agent receives it so.
    Seconds(Duration, Duration),
    Count(u32, u32),
}

/// Takes an amount of its own kind; limits and field have the same kind in the list below.
trait TimeoutField {
    fn put(&mut self, amount: TimeoutValue);
}

impl TimeoutField for Duration {
    fn put(&mut self, amount: TimeoutValue) {
        if let TimeoutValue::Span(span) = amount {
            *self = span;
        }
    }
}

impl TimeoutField for u32 {
    fn put(&mut self, amount: TimeoutValue) {
        if let TimeoutValue::Count(count) = amount {
            *self = count;
        }
    }
}

/// One key of `[timeouts]`.
pub(crate) struct TimeoutKey {
    pub(crate) name: &'static str,
    pub(crate) limits: TimeoutLimits,
    pub(crate) get: fn(&JobTimeouts) -> TimeoutValue,
    pub(crate) set: fn(&mut JobTimeouts, TimeoutValue),
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn m(n: u64) -> Duration {
    s(n * 60)
}

const fn h(n: u64) -> Duration {
    m(n * 60)
}

macro_rules! timeouts {
    ($($(#[$doc:meta])+ $name:ident: $type:ty = $default:expr, $limits:expr;)+) => {
        /// How long each wait may last, and how often something is asked again.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct JobTimeouts {
            $($(#[$doc])+ pub $name: $type,)+
        }

        impl Default for JobTimeouts {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        /// All keys, in the order of the reference file.
        pub(crate) const TIMEOUT_KEYS: &[TimeoutKey] = &[
            $(TimeoutKey {
                name: stringify!($name),
                limits: $limits,
                get: |timeouts| TimeoutValue::from(timeouts.$name),
                set: |timeouts, amount| TimeoutField::put(&mut timeouts.$name, amount),
            },)+
        ];
    };
}

timeouts! {
    /// The whole `prepare` stage.
    prepare: Duration = m(15), TimeoutLimits::Span(ms(10), h(6));
    /// From the accepted RunTask until the agent answers. A task that cannot reach its image or
    /// secrets ends by itself after 4m 49s.
    start: Duration = m(10), TimeoutLimits::Span(ms(10), h(6));
    /// Longest time from RUNNING to the agent's answer.
    ready: Duration = m(2), TimeoutLimits::Span(ms(10), h(6));
    /// How long one connection attempt waits for an answer before a fresh one is made.
    dial: Duration = s(1), TimeoutLimits::Span(ms(1), m(1));
    /// Pause after a refused connection attempt.
    dial_again: Duration = ms(50), TimeoutLimits::Span(ms(1), m(1));
    /// From the open connection to the proven host key.
    handshake: Duration = s(15), TimeoutLimits::Span(ms(10), m(5));
    /// The client key being accepted.
    authenticate: Duration = s(15), TimeoutLimits::Span(ms(10), m(5));
    /// The agent's first answer in the session protocol.
    hello: Duration = s(10), TimeoutLimits::Span(ms(10), m(5));
    /// How long the task may take nothing of what it is sent, a script above all. Then the
    /// connection counts as lost, though its probes are answered.
    send_stall: Duration = m(1), TimeoutLimits::Span(ms(10), m(5));
    /// Silence after which the connection is probed.
    keepalive: Duration = s(15), TimeoutLimits::Span(ms(10), m(5));
    /// Probes without an answer after which the connection counts as lost.
    keepalive_tries: u32 = 3, TimeoutLimits::Count(1, 100);
    /// MiB through one connection, either way, after which its keys are exchanged anew. They are
    /// after an hour as well.
    rekey_mib: u32 = 1024, TimeoutLimits::Count(1, 1024);
    /// Connecting to an AWS endpoint.
    api_connect: Duration = s(3), TimeoutLimits::Span(ms(10), m(1));
    /// One attempt of an AWS call.
    api_attempt: Duration = s(10), TimeoutLimits::Span(ms(10), m(5));
    /// An AWS call with all its attempts, and each source of credentials.
    api_operation: Duration = s(60), TimeoutLimits::Span(ms(10), m(15));
    /// Shortest pause between two questions to ECS about a task.
    poll_min: Duration = ms(200), TimeoutLimits::Span(ms(1), m(1));
    /// Longest pause between two questions to ECS about a task.
    poll_max: Duration = s(5), TimeoutLimits::Span(ms(1), m(5));
    /// Questions to ECS about tasks that all jobs of this host together may ask each second; five
    /// times as many at once after a quiet time. AWS answers 20 a second, and 100 at once, for all of
    /// an account in a Region (Amazon ECS API Reference, "Request throttling for the Amazon ECS API").
    reads_per_second: u32 = 20, TimeoutLimits::Count(1, 1000);
    /// Stopping the task after `prepare` was told to end, on a deadline of its own.
    stop: Duration = s(10), TimeoutLimits::Span(ms(10), m(5));
    /// `cleanup`, with all its attempts to stop the task.
    cleanup: Duration = s(60), TimeoutLimits::Span(ms(10), h(1));
    /// How long a cancelled script has after TERM.
    cancel_grace: Duration = s(10), TimeoutLimits::Span(ms(1), m(10));
    /// How soon a cancelled `run` returns.
    cancel_return: Duration = s(2), TimeoutLimits::Span(ms(1), m(1));
    /// How long a former script has left once the next stage begins.
    next_stage_grace: Duration = s(2), TimeoutLimits::Span(ms(1), m(10));
    /// How long the agent lets a script run whose client is gone; whole seconds.
    client_gone: Duration = s(120), TimeoutLimits::Seconds(s(1), h(1));
    /// How long a `run` whose connection was cut tries to come back to its script, and one that has
    /// sent nothing yet tries to reach its task. No longer than `client_gone`, whatever it says.
    resume: Duration = m(2), TimeoutLimits::Span(ms(1), h(1));
    /// How long a task waits for a client before it stops itself; whole seconds. The runner may
    /// pause 5 minutes between two tries.
    idle: Duration = m(10), TimeoutLimits::Seconds(s(1), h(24));
    /// The same for tasks of `exec`; whole seconds.
    exec_idle: Duration = m(2), TimeoutLimits::Seconds(s(1), h(24));
    /// What a task may live beyond the job's own time-out; whole seconds.
    lifetime_margin: Duration = m(15), TimeoutLimits::Seconds(s(1), MAX_LIFETIME_MARGIN);
    /// The job's time-out where the job names none; whole seconds.
    job_fallback: Duration = h(1), TimeoutLimits::Seconds(s(1), h(720));
    /// When `prepare` says that the task is still PENDING.
    slow_start: Duration = s(90), TimeoutLimits::Span(ms(10), h(6));
    /// How often `prepare` speaks while it waits.
    progress: Duration = s(15), TimeoutLimits::Span(ms(10), h(1));
    /// Asking ECS why a task stopped, once the connection to it was lost.
    verdict: Duration = m(2), TimeoutLimits::Span(ms(10), h(1));
    /// How long ECS may not know a new task yet: its answers are eventually consistent.
    visible: Duration = s(60), TimeoutLimits::Span(ms(10), h(1));
    /// Waiting for another stage of the same job to leave the state file.
    lock: Duration = s(10), TimeoutLimits::Span(ms(10), m(10));
    /// How long the tombstone of a job is kept.
    tombstone: Duration = h(24), TimeoutLimits::Span(s(1), h(720));
    /// How long `prepare` waits on a host that is paused, before it starts anything.
    paused: Duration = m(15), TimeoutLimits::Span(ms(10), h(24));
    /// Between the two times that a task must be seen orphaned before it is stopped.
    second_sighting: Duration = s(10), TimeoutLimits::Span(ms(10), h(1));
    /// New tasks inside one `prepare` after one that did not come up for a reason that passes.
    relaunches: u32 = 3, TimeoutLimits::Count(0, 20);
    /// Before the first of them where a registry limits pulls; it doubles up to 5 minutes.
    registry_pause: Duration = s(30), TimeoutLimits::Span(ms(10), m(5));
}

impl JobTimeouts {
    /// How long a `run` tries to come back: [`Self::resume`], and no longer than the agent keeps its
    /// script.
    #[must_use]
    pub fn resume_window(&self) -> Duration {
        self.resume.min(self.client_gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_default_is_within_its_own_limits_and_of_their_kind() {
        let defaults = JobTimeouts::default();
        for key in TIMEOUT_KEYS {
            let fits = match (key.limits, (key.get)(&defaults)) {
                (TimeoutLimits::Span(min, max), TimeoutValue::Span(d)) => (min..=max).contains(&d),
                (TimeoutLimits::Seconds(min, max), TimeoutValue::Span(d)) => {
                    (min..=max).contains(&d) && d.subsec_nanos() == 0
                }
                (TimeoutLimits::Count(min, max), TimeoutValue::Count(n)) => {
                    (min..=max).contains(&n)
                }
                _ => false,
            };
            assert!(fits, "{}", key.name);
        }
    }

    #[test]
    fn nobody_comes_back_for_longer_than_the_agent_waits() {
        let mut timeouts = JobTimeouts::default();
        assert_eq!(timeouts.resume_window(), m(2));
        timeouts.resume = m(5);
        assert_eq!(timeouts.resume_window(), timeouts.client_gone);
        timeouts.resume = s(3);
        assert_eq!(timeouts.resume_window(), s(3));
    }

    #[test]
    fn what_is_set_is_what_is_read() {
        for key in TIMEOUT_KEYS {
            let mut timeouts = JobTimeouts::default();
            let other = match key.limits {
                TimeoutLimits::Span(_, max) | TimeoutLimits::Seconds(_, max) => {
                    TimeoutValue::Span(max)
                }
                TimeoutLimits::Count(_, max) => TimeoutValue::Count(max),
            };
            (key.set)(&mut timeouts, other);
            assert_eq!((key.get)(&timeouts), other, "{}", key.name);
            (key.set)(&mut timeouts, (key.get)(&JobTimeouts::default()));
            assert_eq!(timeouts, JobTimeouts::default(), "{} touches another key", key.name);
        }
    }
}
