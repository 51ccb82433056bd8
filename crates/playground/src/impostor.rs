//! Another machine in a task's place: an SSH server with a key of its own, which accepts every login and
//! every request, and records what it hears. A driver that checks the host key tells it nothing.
//!
//! It runs nothing of what it hears, and passes nothing on to the task.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
    run_stream,
};
use russh::{Channel, ChannelId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::accept::next_connection;
use crate::first_bytes::{OF_A_CONVERSATION, keep};

/// Longest time for one client.
const PATIENCE: Duration = Duration::from_secs(60);

/// What clients told the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImpostorRecord {
    /// How many clients connected.
    pub connections: usize,
    /// Requests after the key exchange: logins, channels, commands.
    pub requests: Vec<String>,
    /// The first bytes, at most 64 KiB, that were sent through a channel.
    pub bytes: Vec<u8>,
}

type SharedImpostorRecord = Arc<watch::Sender<ImpostorRecord>>;

/// An SSH server that records what clients tell it. It listens until it is dropped.
pub struct ImpostorServer {
    /// Where it listens.
    pub address: SocketAddr,
    heard: SharedImpostorRecord,
    listening: JoinHandle<()>,
}

impl ImpostorServer {
    /// Listens on a free port of loopback.
    ///
    /// # Errors
    ///
    /// If the system gives no port.
    pub async fn listen() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let mut seed = [0; 32];
        fastrand::fill(&mut seed);
        let config = Arc::new(Config {
            keys: vec![PrivateKey::from(Ed25519Keypair::from_seed(&seed))],
            nodelay: true,
            inactivity_timeout: Some(PATIENCE),
            ..Config::default()
        });
        let heard = SharedImpostorRecord::default();
        let listening = tokio::spawn(listen(listener, config, heard.clone()));
        Ok(Self { address, heard, listening })
    }

    /// What it heard so far.
    #[must_use]
    pub fn heard(&self) -> ImpostorRecord {
        self.heard.borrow().clone()
    }
}

impl Drop for ImpostorServer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, config: Arc<Config>, heard: SharedImpostorRecord) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            stream = next_connection(&listener) => {
                heard.send_modify(|heard| heard.connections += 1);
                let ear = ImpostorHandler { heard: heard.clone() };
                connections.spawn(timeout(PATIENCE, converse(config.clone(), stream, ear)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Records what one client says, until the connection ends in any way.
async fn converse(config: Arc<Config>, stream: TcpStream, ear: ImpostorHandler) {
    if let Ok(running) = run_stream(config, stream, ear).await {
        let _ = running.await;
    }
}

struct ImpostorHandler {
    heard: SharedImpostorRecord,
}

impl ImpostorHandler {
    fn note(&self, request: impl Into<String>) {
        self.heard.send_modify(|heard| heard.requests.push(request.into()));
    }

    fn keep(&self, bytes: &[u8]) {
        self.heard.send_modify(|heard| keep(&mut heard.bytes, bytes, OF_A_CONVERSATION));
    }

    fn yes(
        &self,
        request: String,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.note(request);
        session.channel_success(channel)
    }
}

impl Handler for ImpostorHandler {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        self.note(format!("a login of {user} without a key"));
        Ok(Auth::Accept)
    }

    async fn auth_password(&mut self, user: &str, _password: &str) -> Result<Auth, Self::Error> {
        self.note(format!("a password of {user}"));
        Ok(Auth::Accept)
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        _offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        self.note(format!("a key of {user}"));
        Ok(Auth::Accept)
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        _key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        self.note(format!("a login of {user}"));
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.note("a channel");
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.keep(command);
        self.yes("a command".to_owned(), channel, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.yes(format!("the subsystem {name}"), channel, session)
    }

    async fn data(
        &mut self,
        _channel: ChannelId,
        data: &[u8],
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.keep(data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use russh::client;
    use russh::keys::{PrivateKeyWithHashAlg, ssh_key};

    use super::*;

    /// A client that trusts every host, or none.
    struct ImpostorTestClient {
        trusts: bool,
    }

    impl client::Handler for ImpostorTestClient {
        type Error = russh::Error;

        async fn check_server_key(
            &mut self,
            _key: &russh::keys::PublicKeyOrCertificate,
        ) -> Result<bool, Self::Error> {
            Ok(self.trusts)
        }
    }

    async fn connect(
        impostor: &ImpostorServer,
        trusts: bool,
    ) -> Result<client::Handle<ImpostorTestClient>, russh::Error> {
        client::connect(Arc::default(), impostor.address, ImpostorTestClient { trusts }).await
    }

    #[tokio::test]
    async fn who_trusts_it_is_written_down_with_every_byte() {
        let impostor = ImpostorServer::listen().await.unwrap();
        let mut client = connect(&impostor, true).await.unwrap();
        let key = PrivateKey::from(ssh_key::private::Ed25519Keypair::from_seed(&[7; 32]));
        let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
        assert!(client.authenticate_publickey("root", key).await.unwrap().success());
        let channel = client.channel_open_session().await.unwrap();
        channel.exec(true, "sh").await.unwrap();
        channel.data(&b"echo secret"[..]).await.unwrap();
        let mut notes = impostor.heard.subscribe();
        let all = notes.wait_for(|heard| heard.bytes.len() >= 13);
        let heard = timeout(PATIENCE, all).await.unwrap().unwrap().clone();
        let expected = ["a key of root", "a login of root", "a channel", "a command"];
        assert!(expected.iter().all(|what| heard.requests.iter().any(|r| r == what)), "{heard:?}");
        assert_eq!((heard.connections, heard.bytes), (1, b"shecho secret".to_vec()));
    }

    #[tokio::test]
    async fn who_does_not_tells_it_nothing() {
        let impostor = ImpostorServer::listen().await.unwrap();
        assert!(connect(&impostor, false).await.is_err());
        assert_eq!(
            impostor.heard(),
            ImpostorRecord { connections: 1, ..ImpostorRecord::default() }
        );
    }
}
