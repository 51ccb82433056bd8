//! A network that a test can break: a TCP relay in this process, between a driver and its task or its
//! cloud. It cuts, stalls, swallows, changes or slows down what passes, at any byte.
//!
//! It knows bytes and no protocol. A driver dials the relay because ECS or the job's state file names its
//! address; a client of the cloud dials it because the endpoint names it.

mod connection;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::accept::next_connection;

/// Bytes read at once.
const READ: usize = 16 * 1024;
/// Connections that may wait until the relay accepts them.
const BACKLOG: u32 = 64;
/// Longest wait of [`FaultyRelay::until_passed`]: generous, because other tests use the machine, too.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where new connections lead.
#[derive(Clone, Debug)]
pub enum RelayTarget {
    /// To this machine.
    To(SocketAddr),
    /// To the machine that is found when a connection comes. If none is found, the connection is reset.
    Found(TargetLookup),
    /// Nowhere: the client gets these bytes and then nothing more, and what it sends is dropped.
    Says(Vec<u8>),
    /// Nowhere: the client gets these bytes, and the connection is closed.
    SaysAndCloses(Vec<u8>),
}

/// Finds out where a connection leads, when it comes.
#[derive(Clone)]
pub struct TargetLookup(Arc<dyn Fn() -> Option<SocketAddr> + Send + Sync>);

impl TargetLookup {
    /// It must return at once.
    pub fn by(find: impl Fn() -> Option<SocketAddr> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }
}

impl fmt::Debug for TargetLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TargetLookup")
    }
}

/// What the network does to every connection, old and new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayBehaviour {
    /// It passes bytes on.
    Up,
    /// It passes nothing on and closes nothing. What waits is passed on when it is up again.
    Silent,
    /// Nobody listens: new connections are refused. Open connections go on.
    Refusing,
    /// Every connection is cut; a new one is cut as soon as it is open.
    Cutting(ConnectionCut),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionCut {
    /// By a FIN, as a program ends its side.
    Fin,
    /// By a reset.
    Rst,
}

impl fmt::Display for RelayBehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up => f.write_str("up"),
            Self::Silent => f.write_str("silent"),
            Self::Refusing => f.write_str("refusing"),
            Self::Cutting(how) => write!(f, "cutting by {how}"),
        }
    }
}

impl fmt::Display for ConnectionCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fin => "FIN",
            Self::Rst => "RST",
        })
    }
}

/// The side that sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelaySide {
    /// The side that dialled.
    Client,
    /// The side behind the relay.
    Task,
}

/// What happens once in one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayFault {
    /// Whose bytes it happens to.
    pub from: RelaySide,
    /// After how many bytes of that side.
    pub after: u64,
    /// What happens.
    pub what: RelayFaultKind,
}

/// What a [`RelayFault`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayFaultKind {
    /// The connection ends.
    Cut(ConnectionCut),
    /// Nothing of this side passes until [`FaultyRelay::go_on`].
    Stall,
    /// Nothing of this side passes for this long.
    Pause(Duration),
    /// The next byte arrives with its lowest bit flipped.
    Flip,
}

#[derive(Clone)]
struct RelayControl {
    way: RelayTarget,
    line: RelayBehaviour,
    /// Largest piece that is passed on at once.
    piece: usize,
    /// Connections up to this number are cut in this way.
    cut: Option<(usize, ConnectionCut)>,
    /// Connections up to this number stay silent for ever.
    forgotten: usize,
    /// Stalls up to this number are over.
    released: usize,
    /// Happens to every new connection.
    always: Option<RelayFault>,
}

#[derive(Clone, Copy, Debug, Default)]
struct RelayCounts {
    accepted: usize,
    segment: u32,
    stalls: usize,
    struck: usize,
    from_client: u64,
    from_task: u64,
}

impl RelayCounts {
    fn of(&self, side: RelaySide) -> u64 {
        match side {
            RelaySide::Client => self.from_client,
            RelaySide::Task => self.from_task,
        }
    }
}

/// The first bytes that passed in each direction.
#[derive(Default)]
struct RelayTranscript {
    by_task: Vec<u8>,
    swallowed: Vec<u8>,
}

struct SharedRelayState {
    /// Largest TCP segment of either side, where it is not the system's to choose.
    segment: Option<u32>,
    control: watch::Sender<RelayControl>,
    counts: watch::Sender<RelayCounts>,
    /// For the next connections, in their order.
    faults: Mutex<VecDeque<Option<RelayFault>>>,
    said: Mutex<RelayTranscript>,
}

impl SharedRelayState {
    fn faults(&self) -> MutexGuard<'_, VecDeque<Option<RelayFault>>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn said(&self) -> MutexGuard<'_, RelayTranscript> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A relay. It listens until this is dropped.
pub struct FaultyRelay {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<SharedRelayState>,
    accepting: JoinHandle<()>,
}

impl FaultyRelay {
    /// Passes everything on to `target`.
    ///
    /// # Panics
    ///
    /// As [`FaultyRelay::new`].
    pub async fn to(target: SocketAddr) -> Self {
        Self::new(RelayTarget::To(target)).await
    }

    /// Passes everything on to `target`, in TCP segments of at most this many bytes, in both directions and
    /// on both sides, as a network does that carries no larger packets.
    ///
    /// # Panics
    ///
    /// As [`FaultyRelay::new`].
    pub async fn with_segments_of(bytes: u32, target: SocketAddr) -> Self {
        let started = Self::start(RelayTarget::To(target), 0, Some(bytes)).await;
        started.expect("an address of this relay alone")
    }

    /// Listens at an address of its own.
    ///
    /// # Panics
    ///
    /// If the system gives none.
    pub async fn new(way: RelayTarget) -> Self {
        Self::start(way, 0, None).await.expect("an address of this relay alone")
    }

    /// Listens at an address of its own, at this port; 0 is any.
    ///
    /// # Errors
    ///
    /// If the system refuses to listen there.
    pub async fn listen(way: RelayTarget, port: u16) -> io::Result<Self> {
        Self::start(way, port, None).await
    }

    async fn start(way: RelayTarget, port: u16, segment: Option<u32>) -> io::Result<Self> {
        let listener = listen_on_a_free_one(port, segment)?;
        let address = listener.local_addr()?;
        let control = RelayControl {
            way,
            line: RelayBehaviour::Up,
            piece: READ,
            cut: None,
            forgotten: 0,
            released: 0,
            always: None,
        };
        let shared = Arc::new(SharedRelayState {
            segment,
            control: watch::Sender::new(control),
            counts: watch::Sender::default(),
            faults: Mutex::default(),
            said: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, address, shared.clone()));
        Ok(Self { address, shared, accepting })
    }

    fn change(&self, change: impl FnOnce(&mut RelayControl)) {
        self.shared.control.send_modify(change);
    }

    /// Where new connections lead.
    pub fn lead(&self, way: RelayTarget) {
        self.change(|control| control.way = way);
    }

    /// What the network does from now on.
    pub fn set(&self, line: RelayBehaviour) {
        self.change(|control| control.line = line);
    }

    /// Cuts every open connection. New ones pass.
    pub fn cut(&self, how: ConnectionCut) {
        let last = self.accepted();
        self.change(|control| control.cut = Some((last, how)));
    }

    /// Passes no byte more in any open connection, and does not close it. New ones pass.
    pub fn forget(&self) {
        let last = self.accepted();
        self.change(|control| control.forgotten = last);
    }

    /// Plans this for the next connection that has no plan yet.
    pub fn plan(&self, fault: RelayFault) {
        self.shared.faults().push_back(Some(fault));
    }

    /// Plans this for the `nth` new connection, counted from 0, in place of what was planned for it.
    pub fn plan_for(&self, nth: usize, fault: RelayFault) {
        let mut faults = self.shared.faults();
        if faults.len() <= nth {
            faults.resize(nth + 1, None);
        }
        faults[nth] = Some(fault);
    }

    /// Plans this for every new connection that has no plan of its own.
    pub fn always(&self, fault: Option<RelayFault>) {
        self.change(|control| control.always = fault);
    }

    /// Passes on pieces of at most this many bytes.
    pub fn in_pieces_of(&self, bytes: usize) {
        self.change(|control| control.piece = bytes);
    }

    /// Ends every stall that was reached.
    pub fn go_on(&self) {
        let stalls = self.shared.counts.borrow().stalls;
        self.change(|control| control.released = stalls);
    }

    /// How many connections came.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.counts.borrow().accepted
    }

    /// Largest TCP segment that the client of the last connection takes, in bytes.
    #[must_use]
    pub fn segment(&self) -> u32 {
        self.shared.counts.borrow().segment
    }

    /// How many stalls were reached.
    #[must_use]
    pub fn stalls(&self) -> usize {
        self.shared.counts.borrow().stalls
    }

    /// How many planned faults happened.
    #[must_use]
    pub fn struck(&self) -> usize {
        self.shared.counts.borrow().struck
    }

    /// The first bytes, at most 64 KiB, that the task sent in the first connection.
    #[must_use]
    pub fn said_by_task(&self) -> Vec<u8> {
        self.shared.said().by_task.clone()
    }

    /// The first bytes, at most 64 KiB, that clients sent and that were passed to nobody.
    #[must_use]
    pub fn swallowed(&self) -> Vec<u8> {
        self.shared.said().swallowed.clone()
    }

    /// How many bytes of this side were passed on, in all connections together.
    #[must_use]
    pub fn passed(&self, from: RelaySide) -> u64 {
        self.shared.counts.borrow().of(from)
    }

    /// Returns when this many bytes of this side were passed on.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub async fn until_passed(&self, from: RelaySide, bytes: u64) {
        let mut counts = self.shared.counts.subscribe();
        let passed = counts.wait_for(|counts| counts.of(from) >= bytes);
        let passed = timeout(PATIENCE, passed).await.is_ok();
        assert!(passed, "{} of {bytes} bytes passed", self.passed(from));
    }
}

impl Drop for FaultyRelay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Listens at a loopback address that only this process uses; each call takes the next last byte.
fn listen_on_a_free_one(port: u16, segment: Option<u32>) -> io::Result<TcpListener> {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let process = u8::try_from(std::process::id() % 256).expect("less than 256");
    let mut tries = 0..=u8::MAX;
    loop {
        let ip = Ipv4Addr::new(127, 83, process, NEXT.fetch_add(1, Ordering::Relaxed));
        tries.next();
        match listen(SocketAddr::new(IpAddr::V4(ip), port), segment) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && !tries.is_empty() => {}
            listening => return listening,
        }
    }
}

/// A socket for this kind of address that takes and sends no segments larger than `segment`.
fn socket(address: SocketAddr, segment: Option<u32>) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(bytes) = segment {
        SockRef::from(&socket).set_tcp_mss(bytes)?;
    }
    Ok(socket)
}

fn listen(address: SocketAddr, segment: Option<u32>) -> io::Result<TcpListener> {
    let socket = socket(address, segment)?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, address: SocketAddr, shared: Arc<SharedRelayState>) {
    let mut control = shared.control.subscribe();
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let refuses = control.borrow_and_update().line == RelayBehaviour::Refusing;
        if refuses {
            listener = None;
        } else if listener.is_none() {
            let again = listen(address, shared.segment);
            listener = Some(again.expect("an address of this relay alone"));
        }
        let accepted = async {
            match &listener {
                Some(listener) => next_connection(listener).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            client = accepted => {
                let segment = SockRef::from(&client).tcp_mss().unwrap_or_default();
                shared.counts.send_modify(|counts| {
                    counts.accepted += 1;
                    counts.segment = segment;
                });
                let id = shared.counts.borrow().accepted;
                let fault = shared.faults().pop_front().flatten();
                connections.spawn(connection::serve(client, id, fault, shared.clone()));
            },
            changed = control.changed() => if changed.is_err() { return },
            Some(_) = connections.join_next() => {}
        }
    }
}
