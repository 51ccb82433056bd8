//! The lease: when the task ends by itself. It ends when no client is connected for too long, or
//! when its lifetime is over.
//!
//! If nobody else stops a task, these timers do. They need no network. What still runs is ended by
//! `task`.

use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep_until};

use crate::settings::LeaseDefaults;
use crate::stage::SHORT_GRACE;

/// The limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseLimit {
    Idle,
    Lifetime,
}

impl LeaseLimit {
    /// The word for it in notices.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Lifetime => "lifetime",
        }
    }

    /// The agent's exit code for it, which ECS reports. No other program uses these codes here.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Idle => 70,
            Self::Lifetime => 71,
        }
    }
}

#[derive(Clone, Copy)]
struct LeaseTerms {
    idle: Duration,
    deadline: Instant,
    client_gone: Duration,
    next_stage_grace: Duration,
}

#[derive(Clone, Copy)]
struct ClientActivity {
    connected: usize,
    last_seen: Instant,
}

/// The terms of the lease, and who is connected.
pub struct LeaseTracker {
    terms: watch::Sender<LeaseTerms>,
    clients: watch::Sender<ClientActivity>,
}

/// A connected client. Dropping it counts the client out.
pub struct ConnectedClient<'a>(&'a LeaseTracker);

impl Drop for ConnectedClient<'_> {
    fn drop(&mut self) {
        self.0.clients.send_modify(|clients| {
            clients.connected = clients.connected.saturating_sub(1);
            clients.last_seen = Instant::now();
        });
    }
}

impl LeaseTracker {
    /// Starts with the terms from the container's environment. A client may send others.
    pub fn new(limits: LeaseDefaults) -> Self {
        let now = Instant::now();
        Self {
            terms: watch::Sender::new(LeaseTerms {
                idle: limits.idle,
                deadline: now + limits.lifetime,
                client_gone: limits.client_gone,
                next_stage_grace: SHORT_GRACE,
            }),
            clients: watch::Sender::new(ClientActivity { connected: 0, last_seen: now }),
        }
    }

    /// Takes new terms from a client. A time of more than a year counts as a year.
    pub fn renew(&self, lease: &fargate_protocol::TaskLease) {
        const YEAR_MS: u64 = 365 * 24 * 3600 * 1000;
        let time = |ms: u64| Duration::from_millis(ms.min(YEAR_MS));
        self.terms.send_replace(LeaseTerms {
            idle: time(lease.idle_ms),
            deadline: Instant::now() + time(lease.deadline_ms),
            client_gone: time(lease.client_gone_ms),
            next_stage_grace: lease.next_stage_grace_ms.map_or(SHORT_GRACE, time),
        });
    }

    /// How long a stage may run without its client.
    pub fn client_gone(&self) -> Duration {
        self.terms.borrow().client_gone
    }

    /// How long a former stage has between TERM and KILL when the next one needs its place.
    pub fn next_stage_grace(&self) -> Duration {
        self.terms.borrow().next_stage_grace
    }

    /// Counts a client in.
    pub fn client(&self) -> ConnectedClient<'_> {
        self.clients.send_modify(|clients| clients.connected += 1);
        ConnectedClient(self)
    }

    /// Returns when a limit is reached.
    pub async fn over(&self) -> LeaseLimit {
        let mut terms = self.terms.subscribe();
        let mut clients = self.clients.subscribe();
        loop {
            let now = *terms.borrow_and_update();
            let seen = *clients.borrow_and_update();
            tokio::select! {
                () = sleep_until(now.deadline) => return LeaseLimit::Lifetime,
                () = sleep_until(seen.last_seen + now.idle), if seen.connected == 0 => {
                    return LeaseLimit::Idle;
                }
                _ = terms.changed() => {}
                _ = clients.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fargate_model::lifetime::MAX_LIFETIME_S;
    use proptest::prelude::*;
    use tokio::time::{advance, sleep, timeout};

    const LIMITS: LeaseDefaults = LeaseDefaults {
        idle: Duration::from_secs(600),
        lifetime: Duration::from_secs(3600),
        client_gone: Duration::from_secs(120),
    };

    #[tokio::test(start_paused = true)]
    async fn a_task_that_no_client_ever_reached_ends_at_the_idle_limit() {
        let start = Instant::now();
        assert_eq!(LeaseTracker::new(LIMITS).over().await, LeaseLimit::Idle);
        assert_eq!(start.elapsed().as_secs(), 600);
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_counts_from_the_last_client_that_was_lost() {
        let lease = LeaseTracker::new(LIMITS);
        let first = lease.client();
        let second = lease.client();
        advance(Duration::from_secs(1000)).await;
        drop(first);
        advance(Duration::from_secs(1000)).await;
        assert!(timeout(Duration::from_secs(1), lease.over()).await.is_err());
        drop(second);
        let lost = Instant::now();
        assert_eq!(lease.over().await, LeaseLimit::Idle);
        assert_eq!(lost.elapsed().as_secs(), 600);
    }

    fn named(idle_ms: u64, deadline_ms: u64) -> fargate_protocol::TaskLease {
        let (client_gone_ms, next_stage_grace_ms) = (idle_ms, Some(idle_ms));
        let hosts = Vec::new();
        fargate_protocol::TaskLease {
            idle_ms,
            deadline_ms,
            client_gone_ms,
            next_stage_grace_ms,
            hosts,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_lifetime_ends_also_while_a_client_is_connected() {
        let lease = LeaseTracker::new(LIMITS);
        let _client = lease.client();
        lease.renew(&named(1000, 5000));
        let start = Instant::now();
        assert_eq!(lease.over().await, LeaseLimit::Lifetime);
        assert_eq!(start.elapsed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_names_more_than_any_clock_holds_is_one_of_a_year() {
        let lease = LeaseTracker::new(LIMITS);
        lease.renew(&named(u64::MAX, u64::MAX));
        let year = Duration::from_secs(365 * 24 * 3600);
        assert_eq!((lease.client_gone(), lease.next_stage_grace()), (year, year));
        let start = Instant::now();
        lease.over().await;
        assert_eq!(start.elapsed(), year);
    }

    /// Time without a client, and then with one, in s.
    type ClientVisit = (u64, u64);

    /// When a lease must end, in s, and why. `None` if both limits are reached at once.
    fn expected_end(
        idle_s: u64,
        lifetime_s: u64,
        visits: &[ClientVisit],
    ) -> Option<(u64, LeaseLimit)> {
        let mut last_seen = 0;
        for &(away, stay) in visits.iter().take_while(|(away, _)| *away < idle_s) {
            last_seen += away + stay;
        }
        match (last_seen + idle_s).cmp(&lifetime_s) {
            std::cmp::Ordering::Less => Some((last_seen + idle_s, LeaseLimit::Idle)),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some((lifetime_s, LeaseLimit::Lifetime)),
        }
    }

    proptest! {
        #[test]
        fn a_lease_of_any_length_ends_at_its_first_limit_and_at_no_other_time(
            idle_s in 1..=24 * 3600_u64,
            lifetime_s in 1..=MAX_LIFETIME_S,
            visits in prop::collection::vec((0..2 * 24 * 3600_u64, 0..3 * 24 * 3600_u64), 0..30),
        ) {
            prop_assume!(visits.iter().all(|(away, _)| *away != idle_s));
            let expected = expected_end(idle_s, lifetime_s, &visits);
            prop_assume!(expected.is_some());
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap();
            let ended = runtime.block_on(async {
                let lease = LeaseTracker::new(LIMITS);
                lease.renew(&named(idle_s * 1000, lifetime_s * 1000));
                let start = Instant::now();
                let clients = async {
                    for (away, stay) in visits {
                        sleep(Duration::from_secs(away)).await;
                        let _client = lease.client();
                        sleep(Duration::from_secs(stay)).await;
                    }
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    limit = lease.over() => (start.elapsed().as_secs(), limit),
                    () = clients => unreachable!("they never end"),
                }
            });
            prop_assert_eq!(Some(ended), expected);
        }
    }
}
