//! Who may wait for a login at the agent's port, and who has to go.
//!
//! Whoever reaches the port may connect, and a job itself can as well, but only a client with the job's key
//! logs in. Strangers must not keep it out, at no step of the login and however many they are. So each
//! step has places of its own, and whoever comes to a step that is full sends one away there: of the
//! address that holds most places the one that has been there longest. Those who are logged in have
//! other places.
//!
//! Strangers who come again as soon as they are sent away would empty a step faster than a login of ours
//! gets through it. So each one who is sent away puts off the next connection a little; it waits in
//! the kernel's queue, where nobody is sent away.
//!
//! It counts. It knows no socket and no SSH.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

/// Most connections that are logged in. The places of the steps are in proportion to it.
const MOST_PLACES: usize = 64;
/// Fewest, however few files the process may open.
const FEWEST_PLACES: usize = 4;
/// One connection in so many open files that the process may have is logged in. With the places of the
/// steps, and two files for each connection, that is two thirds; the rest is left for scripts.
const FILES_TO_A_PLACE: usize = 16;
/// How long the exchange of keys may take, at least, before strangers can send a login away: two or three
/// times the way there and back, and some work.
const TIME_FOR_KEYS: Duration = Duration::from_millis(128);
/// So many may be sent away at once before the next connection is put off.
const SENT_AWAY_AT_ONCE: u32 = 16;

/// How far a connection has come that is not logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoginStep {
    /// It is connected, and has not said that it speaks SSH.
    Connected,
    /// It has; keys are being exchanged.
    Identified,
    /// Keys are exchanged, and it tries to log in.
    Encrypted,
}

/// How many steps there are.
const STEPS: usize = 3;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// At each step of the login.
    waiting: [usize; STEPS],
    /// That are logged in.
    logged_in: usize,
    /// That were sent away and are not gone yet.
    leaving: usize,
}

impl AdmissionLimits {
    /// What fits the open files of this process.
    pub fn of_this_process() -> Self {
        let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
        Self::for_files(usize::try_from(files).unwrap_or(usize::MAX))
    }

    fn for_files(files: usize) -> Self {
        let places = (files / FILES_TO_A_PLACE).clamp(FEWEST_PLACES, MOST_PLACES);
        // Most time passes at the second step.
        let waiting = [places, places * 2, places];
        Self { waiting, logged_in: places, leaving: places / 4 }
    }

    /// By how much each one who is sent away puts off the next connection.
    fn pause(&self) -> Duration {
        let places =
            u32::try_from(self.waiting[LoginStep::Identified as usize]).unwrap_or(u32::MAX);
        TIME_FOR_KEYS / places.max(1)
    }
}

/// All who are at the port.
pub struct LoginAdmission {
    limits: AdmissionLimits,
    present: Mutex<AdmissionState>,
}

struct AdmissionState {
    /// Per step, longest there first.
    waiting: [Vec<WaitingClient>; STEPS],
    logged_in: usize,
    next_number: u64,
    /// A pause for each one who was sent away has passed by then.
    calm_at: Instant,
}

struct WaitingClient {
    number: u64,
    from: SourceNetwork,
    /// Dropped with this, which is how the connection hears that it has to go.
    _stay: oneshot::Sender<()>,
}

/// Where a connection comes from: one machine or one network that a machine may have for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SourceNetwork(IpAddr);

impl SourceNetwork {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            address if address.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V4(address) => address.into(),
            // A machine picks its address within its network as it likes. Source: RFC 4291, 2.5.1.
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

impl AdmissionState {
    /// Puts a client behind all others at `step`, for whom one has to go if it is full.
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

/// Of the source with most places the client that has been there longest; of two such sources, the one
/// with the oldest client.
fn who_goes(waiting: &[WaitingClient]) -> usize {
    let mut places = BTreeMap::<SourceNetwork, usize>::new();
    for client in waiting {
        *places.entry(client.from).or_default() += 1;
    }
    let most = places.values().copied().max();
    waiting.iter().position(|client| places.get(&client.from).copied() == most).unwrap_or(0)
}

impl LoginAdmission {
    /// Nobody is there yet.
    pub fn new(limits: AdmissionLimits) -> Arc<Self> {
        let present = AdmissionState {
            waiting: Default::default(),
            logged_in: 0,
            next_number: 0,
            calm_at: Instant::now(),
        };
        Arc::new(Self { limits, present: Mutex::new(present) })
    }

    /// Lets a new connection wait for its login. Somebody else may have to go for it.
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

    /// Whether `connections`, with those among them that are about to go, leave room for one more.
    pub fn has_room(&self, connections: usize) -> bool {
        let present = self.present();
        let staying = present.waiting.iter().map(Vec::len).sum::<usize>() + present.logged_in;
        connections < staying + self.limits.leaving
    }

    /// When the next connection may be taken; it may be over.
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

/// Tells how far a login has come.
#[derive(Clone)]
pub struct LoginProgress {
    admission: Arc<LoginAdmission>,
    number: u64,
}

impl LoginProgress {
    /// The login has come to `step`. Somebody else may have to go for it. A step that it has behind it
    /// changes nothing.
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
    /// For whoever sees how far the login has come.
    pub fn progress(&self) -> LoginProgress {
        self.progress.clone()
    }

    /// Returns when this connection has to go for another one.
    pub async fn has_to_go(&mut self) {
        // Nothing is ever sent: the other end is dropped.
        let _ = (&mut self.leave).await;
    }

    /// The login has succeeded. `None` if too many are logged in.
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

/// The place of a connection that is logged in, for as long as this lives.
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
