//! Decides which connections may wait for a login, and which one must leave when there is no room.
//!
//! Anyone who reaches the port can connect, and so can the job itself, but only the client that has
//! the job's key can log in. However many strangers connect, they must not keep that client out. So
//! each step of the login has its own places. When a step is full, one connection there must leave:
//! the oldest one from the address that holds most places. Clients that are logged in have places
//! of their own.
//!
//! Strangers who reconnect at once would push out a login of ours before it is done. So each
//! connection that is sent away delays the next accept a little. Waiting connections stay in the
//! kernel's queue, from which nobody is sent away.
//!
//! It only counts. It knows neither sockets nor SSH.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

/// Most connections that may be logged in. The places of each step are a multiple of it.
const MOST_PLACES: usize = 64;
/// Fewest connections that may be logged in, however few files the process may open.
const FEWEST_PLACES: usize = 4;
/// Open files that the process may have for each place. With the places of the steps and two files
/// per connection, connections use two thirds of all files. The rest is left for scripts.
const FILES_TO_A_PLACE: usize = 16;
/// The least time that a login has for the key exchange before strangers can push it out: two or
/// three round trips, and the computation.
const TIME_FOR_KEYS: Duration = Duration::from_millis(128);
/// How many connections may be sent away before the next accept is delayed.
const SENT_AWAY_AT_ONCE: u32 = 16;

/// How far the login of a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoginStep {
    /// It is connected, and has not yet said that it speaks SSH.
    Connected,
    /// It has said so, and keys are being exchanged.
    Identified,
    /// Keys are exchanged, and it tries to log in.
    Encrypted,
}

/// The number of steps.
const STEPS: usize = 3;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// At each step of the login.
    waiting: [usize; STEPS],
    /// Logged in.
    logged_in: usize,
    /// Sent away, but not closed yet.
    leaving: usize,
}

impl AdmissionLimits {
    /// Limits that fit the number of files that this process may open.
    pub fn of_this_process() -> Self {
        let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
        Self::for_files(usize::try_from(files).unwrap_or(usize::MAX))
    }

    fn for_files(files: usize) -> Self {
        let places = (files / FILES_TO_A_PLACE).clamp(FEWEST_PLACES, MOST_PLACES);
        // The key exchange takes most of the time, so most connections are at the second step.
        let waiting = [places, places * 2, places];
        Self { waiting, logged_in: places, leaving: places / 4 }
    }

    /// How long each connection that is sent away delays the next accept.
    fn pause(&self) -> Duration {
        let places =
            u32::try_from(self.waiting[LoginStep::Identified as usize]).unwrap_or(u32::MAX);
        TIME_FOR_KEYS / places.max(1)
    }
}

/// All connections at the port, counted by step.
pub struct LoginAdmission {
    limits: AdmissionLimits,
    present: Mutex<AdmissionState>,
}

struct AdmissionState {
    /// The waiting connections of each step, oldest first.
    waiting: [Vec<WaitingClient>; STEPS],
    logged_in: usize,
    next_number: u64,
    /// The moment at which the delays of all connections that were sent away have passed.
    calm_at: Instant,
}

struct WaitingClient {
    number: u64,
    from: SourceNetwork,
    /// The connection sees that this was dropped, and leaves.
    _stay: oneshot::Sender<()>,
}

/// The source of a connection: one machine, or one network that a single machine may own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SourceNetwork(IpAddr);

impl SourceNetwork {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            address if address.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V4(address) => address.into(),
            // A machine may choose any address within its /64 network. Source: RFC 4291, 2.5.1.
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

impl AdmissionState {
    /// Adds a client as the newest at `step`. If the step is full, one client must leave.
    fn put(&mut self, step: LoginStep, client: WaitingClient, limits: &AdmissionLimits) {
        let waiting = &mut self.waiting[step as usize];
        waiting.push(client);
        if waiting.len() > limits.waiting[step as usize] {
            waiting.remove(who_goes(waiting));
            self.calm_at = self.calm_at.max(Instant::now()) + limits.pause();
        }
    }

    fn take(&mut self, number: u64) -> Option<WaitingClient> {
        self.waiting.iter_mut().find_map(|waiting| {
            let at = waiting.iter().position(|client| client.number == number)?;
            Some(waiting.remove(at))
        })
    }
}

/// Chooses the client that must leave: the oldest one of the source that holds most places. If two
/// sources hold as many, the oldest client of both.
fn who_goes(waiting: &[WaitingClient]) -> usize {
    let mut places = BTreeMap::<SourceNetwork, usize>::new();
    for client in waiting {
        *places.entry(client.from).or_default() += 1;
    }
    let most = places.values().copied().max();
    waiting.iter().position(|client| places.get(&client.from).copied() == most).unwrap_or(0)
}

impl LoginAdmission {
    /// Makes an admission without any connection.
    pub fn new(limits: AdmissionLimits) -> Arc<Self> {
        let present = AdmissionState {
            waiting: Default::default(),
            logged_in: 0,
            next_number: 0,
            calm_at: Instant::now(),
        };
        Arc::new(Self { limits, present: Mutex::new(present) })
    }

    /// Registers a new connection, which waits for its login. Another one may have to leave.
    pub fn enter(self: &Arc<Self>, from: IpAddr) -> LoginSlot {
        let (stay, leave) = oneshot::channel();
        let mut present = self.present();
        let number = present.next_number;
        present.next_number += 1;
        let client = WaitingClient { number, from: SourceNetwork::of(from), _stay: stay };
        present.put(LoginStep::Connected, client, &self.limits);
        drop(present);
        LoginSlot { progress: LoginProgress { admission: self.clone(), number }, leave }
    }

    /// Whether there is room for one more beside `connections`, which include those that are
    /// leaving.
    pub fn has_room(&self, connections: usize) -> bool {
        let present = self.present();
        let staying = present.waiting.iter().map(Vec::len).sum::<usize>() + present.logged_in;
        connections < staying + self.limits.leaving
    }

    /// The moment from which the next connection may be accepted. It may be in the past.
    pub fn opens_at(&self) -> Instant {
        let ahead = self.limits.pause() * SENT_AWAY_AT_ONCE;
        let calm_at = self.present().calm_at;
        calm_at.checked_sub(ahead).unwrap_or(calm_at)
    }

    fn present(&self) -> MutexGuard<'_, AdmissionState> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of a connection that waits for its login.
pub struct LoginSlot {
    progress: LoginProgress,
    leave: oneshot::Receiver<()>,
}

/// Reports how far a login has come.
#[derive(Clone)]
pub struct LoginProgress {
    admission: Arc<LoginAdmission>,
    number: u64,
}

impl LoginProgress {
    /// Notes that the login has reached `step`. Another connection may have to leave. An earlier
    /// step than the present one changes nothing, so nobody can gain time by going back.
    pub fn reached(&self, step: LoginStep) {
        let mut present = self.admission.present();
        let further = &present.waiting[step as usize..];
        if further.iter().flatten().any(|client| client.number == self.number) {
            return;
        }
        if let Some(client) = present.take(self.number) {
            present.put(step, client, &self.admission.limits);
        }
    }
}

impl LoginSlot {
    /// A handle for the code that sees how far the login has come.
    pub fn progress(&self) -> LoginProgress {
        self.progress.clone()
    }

    /// Returns when this connection must leave.
    pub async fn has_to_go(&mut self) {
        // Nothing is ever sent: the other end is dropped.
        let _ = (&mut self.leave).await;
    }

    /// Notes that the login has succeeded. Returns `None` if too many connections are logged in.
    pub fn log_in(self) -> Option<ConnectionSlot> {
        let admission = self.progress.admission.clone();
        let mut present = admission.present();
        if present.logged_in >= admission.limits.logged_in {
            return None;
        }
        present.logged_in += 1;
        drop(present);
        Some(ConnectionSlot { admission })
    }
}

impl Drop for LoginSlot {
    fn drop(&mut self) {
        self.progress.admission.present().take(self.progress.number);
    }
}

/// The place of a connection that is logged in. Dropping it frees the place.
pub struct ConnectionSlot {
    admission: Arc<LoginAdmission>,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut present = self.admission.present();
        present.logged_in = present.logged_in.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests;
