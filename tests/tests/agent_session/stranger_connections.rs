//! Hundreds of clients at a task's port that hold their connections at one step of the login and
//! come again when they are sent away. It holds no test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::key::PrivateKeyWithHashAlg;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{HashAlg, PrivateKey, PublicKey, PublicKeyOrCertificate};
use russh::{SendError, Signer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Strangers who are there at the same time: more than the agent has places for and than a queue of the
/// usual length, 128, takes.
const STRANGERS: usize = 400;
/// Between two bytes of a slow one.
const SLOWLY: Duration = Duration::from_millis(200);

/// What a stranger does once it is connected. It then waits until it is sent away.
#[derive(Clone, Debug)]
pub enum StrangerBehaviour {
    /// Sends these bytes.
    Says(Vec<u8>),
    /// Sends its version a byte at a time.
    Trickles,
    /// Exchanges keys.
    ExchangesKeys,
    /// Exchanges keys, and proves a key that is not the job's.
    ProvesAnotherKey,
    /// Exchanges keys, and names the job's key without a proof.
    NamesTheKey(Box<PublicKey>),
    /// Leaves at once.
    Leaves,
}

/// The strangers, on a thread of their own. They go when this is dropped.
pub struct StrangerClients {
    visits: Arc<AtomicUsize>,
    leave: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StrangerClients {
    /// They come to `address`.
    pub fn at(address: SocketAddr, behaviour: StrangerBehaviour) -> Self {
        let visits = Arc::new(AtomicUsize::new(0));
        let (leave, left) = oneshot::channel();
        let counted = visits.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut strangers = JoinSet::new();
                for _ in 0..STRANGERS {
                    strangers.spawn(come_again(address, behaviour.clone(), counted.clone()));
                }
                // An error means that the owner is gone, which is the same.
                let _ = left.await;
            });
        });
        Self { visits, leave: Some(leave), thread: Some(thread) }
    }

    /// How often one of them was connected so far.
    pub fn visits(&self) -> usize {
        self.visits.load(Ordering::Relaxed)
    }
}

impl Drop for StrangerClients {
    fn drop(&mut self) {
        drop(self.leave.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(ended.is_none_or(|ended| ended.is_ok()), "no stranger panics");
    }
}

async fn come_again(address: SocketAddr, behaviour: StrangerBehaviour, visits: Arc<AtomicUsize>) {
    loop {
        let Ok(stream) = TcpStream::connect(address).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        visits.fetch_add(1, Ordering::Relaxed);
        // However it is sent away: it comes again.
        let _ = visit(stream, &behaviour).await;
    }
}

async fn visit(mut stream: TcpStream, behaviour: &StrangerBehaviour) -> Result<(), russh::Error> {
    match behaviour {
        StrangerBehaviour::Says(bytes) => {
            stream.write_all(bytes).await?;
            until_sent_away(stream).await;
        }
        StrangerBehaviour::Trickles => {
            for byte in b"SSH-2.0-a_stranger_with_a_long_name".iter().cycle() {
                stream.write_all(&[*byte]).await?;
                sleep(SLOWLY).await;
            }
        }
        StrangerBehaviour::ExchangesKeys => until_closed(exchange_keys(stream).await?).await,
        StrangerBehaviour::ProvesAnotherKey => {
            let mut handle = exchange_keys(stream).await?;
            let key = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
            handle.authenticate_publickey("root", key).await?;
            until_closed(handle).await;
        }
        StrangerBehaviour::NamesTheKey(key) => {
            let mut handle = exchange_keys(stream).await?;
            let (key, mut signer) = (key.as_ref().clone(), RefusingSigner);
            let named = handle.authenticate_publickey_with("root", key, None, &mut signer);
            // It fails once this one is sent away.
            let _ = named.await;
        }
        StrangerBehaviour::Leaves => {}
    }
    Ok(())
}

async fn until_sent_away(mut stream: TcpStream) {
    let mut heard = [0; 1024];
    while stream.read(&mut heard).await.is_ok_and(|read| read > 0) {}
}

async fn exchange_keys(stream: TcpStream) -> Result<Handle<TrustAnyHost>, russh::Error> {
    client::connect_stream(Arc::new(client::Config::default()), stream, TrustAnyHost).await
}

async fn until_closed(handle: Handle<TrustAnyHost>) {
    let _ = handle.await;
}

/// Takes any host key.
struct TrustAnyHost;

impl client::Handler for TrustAnyHost {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// Never signs.
struct RefusingSigner;

/// The connection is gone.
struct SendFailed;

impl From<SendError> for SendFailed {
    fn from(_: SendError) -> Self {
        Self
    }
}

impl Signer for RefusingSigner {
    type Error = SendFailed;

    async fn auth_sign(
        &mut self,
        _key: &AgentIdentity,
        _hash_alg: Option<HashAlg>,
        _to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        std::future::pending().await
    }
}
