//! One SSH connection: one client key, one user, sessions only. Nothing is forwarded.
//!
//! A connection with a wrong key is closed. It never ends the task.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fargate_model::text::{error_chain, escape_within};
use fargate_protocol::{MAX_SIDE_SESSIONS, SUBSYSTEM};
use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handle, Handler, Msg, PublicKeyOffer, Session,
    VerifiedPublicKey, run_stream,
};
use russh::{
    Channel, ChannelId, ChannelMsg, ChannelOpenFailure, Limits, MethodKind, MethodSet, Preferred,
    Pty, cipher, kex,
};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::login_places::{LoginProgress, LoginSlot, LoginStep};
use crate::pseudo_terminal::WindowSize;
use crate::settings::AgentSettings;
use crate::task::AgentTask;
use crate::terminal_session::TerminalRequest;
use crate::{plain_exec, session, terminal_session};

/// Longest time from the connection to the proof of the client's key.
const LOGIN: Duration = Duration::from_secs(15);
/// Most sessions at a time in one connection.
const CHANNELS: usize = 8;
/// Longest time from opening a session to the request that says what it is for.
const REQUEST: Duration = Duration::from_secs(15);
/// After this much silence, TCP asks whether the client is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_TRIES: u32 = 3;
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest use of one pair of keys.
///
/// Source: RFC 4253, section 9.
const REKEY_AFTER: Duration = Duration::from_secs(3600);

const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];
const CIPHERS: &[cipher::Name] = &[cipher::AES_256_GCM, cipher::CHACHA20_POLY1305];

/// The configuration of the SSH library, the same for all connections.
pub fn configuration(settings: &AgentSettings) -> Arc<Config> {
    Arc::new(Config {
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        // A pause would not protect a key, which nobody can guess, and a connection that must leave
        // would stay longer.
        auth_rejection_time: Duration::ZERO,
        keys: vec![settings.host_key.clone()],
        max_auth_attempts: 3,
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            cipher: Cow::Borrowed(CIPHERS),
            ..Preferred::DEFAULT
        },
        nodelay: true,
        limits: Limits::new(settings.rekey_bytes, settings.rekey_bytes, REKEY_AFTER),
        // TCP finds out whether the client is gone. A client that says nothing may be a person who
        // reads.
        inactivity_timeout: None,
        ..Config::default()
    })
}

/// The client that may log in.
pub struct AuthorizedClient {
    pub user: String,
    pub key: PublicKey,
}

impl AuthorizedClient {
    fn admits(&self, user: &str, key: &PublicKey) -> bool {
        user == self.user && key.key_data() == self.key.key_data()
    }
}

struct SshHandler {
    gate: Arc<AuthorizedClient>,
    progress: LoginProgress,
    logged_in: watch::Sender<bool>,
    channels: mpsc::Sender<Channel<Msg>>,
}

impl Handler for SshHandler {
    type Error = russh::Error;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, Self::Error> {
        self.progress.reached(LoginStep::Encrypted);
        Ok(Auth::reject())
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        self.progress.reached(LoginStep::Encrypted);
        let admitted = self.gate.admits(user, offer.public_key);
        Ok(if admitted { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let admitted = self.gate.admits(user, key.public_key);
        Ok(if admitted { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), Self::Error> {
        self.logged_in.send_replace(true);
        Ok(())
    }

    // These functions answer each request at once. Clients send the next request without waiting,
    // so a late answer would be taken for the answer to the next one.
    async fn exec_request(
        &mut self,
        id: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(id)
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(id)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name == SUBSYSTEM { session.channel_success(id) } else { session.channel_failure(id) }
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(id)
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        match self.channels.try_send(channel) {
            Ok(()) => reply.accept().await,
            Err(_) => reply.reject(ChannelOpenFailure::ResourceShortage).await,
        }
        Ok(())
    }
}

/// Serves one connection until its client leaves or the task ends. A connection that is not logged
/// in is also closed when its time is over, or when it must leave for another one.
pub async fn serve(
    task: Arc<AgentTask>,
    gate: Arc<AuthorizedClient>,
    config: Arc<Config>,
    stream: TcpStream,
    mut place: LoginSlot,
) {
    let Ok(socket) = watch_for_dead_client(&stream) else { return };
    let (logged_in, mut login) = watch::channel(false);
    let (channels, mut opened) = mpsc::channel(CHANNELS);
    let progress = place.progress();
    let handler = SshHandler { gate, progress: progress.clone(), logged_in, channels };
    let entered = {
        let mut given_up = pin!(timeout(LOGIN, place.has_to_go()));
        let mut running = tokio::select! {
            running = run_stream(config, stream, handler) => match running {
                Ok(running) => running,
                Err(_) => return,
            },
            _ = &mut given_up => return,
        };
        // From here on the library exchanges keys. A stranger who stops in the middle holds one
        // place of this step, until its time is over or another connection needs the place.
        progress.reached(LoginStep::Identified);
        tokio::select! {
            // If the key is proven and the place is taken away in the same moment, the key counts.
            biased;
            _ = &mut running => return,
            entered = proven(&mut login) => (running, entered),
            _ = &mut given_up => (running, false),
        }
    };
    let (mut running, entered) = entered;
    let Some(_place) = entered.then(|| place.log_in()).flatten() else {
        // The SSH library never gives up a key exchange that has stalled, so the socket must be
        // closed here.
        let _ = socket.shutdown(std::net::Shutdown::Both);
        let _ = running.await;
        return;
    };
    let handle = running.handle();
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut running => break,
            Some(channel) = opened.recv(), if sessions.len() < CHANNELS => {
                sessions.spawn(serve_channel(task.clone(), handle.clone(), channel));
            }
            _ = sessions.join_next(), if !sessions.is_empty() => {}
        }
    }
    // Without the connection, the sessions would wait for nothing.
    sessions.shutdown().await;
}

async fn proven(login: &mut watch::Receiver<bool>) -> bool {
    login.wait_for(|logged_in| *logged_in).await.is_ok()
}

/// Lets TCP find out that a client is gone. Returns a second handle, with which the connection can
/// be closed.
fn watch_for_dead_client(stream: &TcpStream) -> std::io::Result<socket2::Socket> {
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE)
        .with_retries(KEEPALIVE_TRIES);
    let socket = socket2::SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.try_clone()
}

async fn serve_channel(task: Arc<AgentTask>, handle: Handle, mut channel: Channel<Msg>) {
    let id = channel.id();
    let mut terminal = None;
    loop {
        let Ok(Some(message)) = timeout(REQUEST, channel.wait()).await else { break };
        match message {
            ChannelMsg::RequestSubsystem { name, .. } if name == SUBSYSTEM => {
                if let Err(error) = session::serve(&task, channel).await {
                    eprintln!("session ended: {}", escape_within(&error_chain(&error), 300));
                }
                break;
            }
            ChannelMsg::RequestPty { term, col_width, row_height, .. } => {
                let size = WindowSize { columns: col_width, rows: row_height };
                terminal = Some(TerminalRequest { kind: term, size });
            }
            ChannelMsg::Exec { command, .. } => {
                let _ = serve_person(&task, channel, Some(command), terminal).await;
                break;
            }
            ChannelMsg::RequestShell { .. } => {
                let _ = serve_person(&task, channel, None, terminal).await;
                break;
            }
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    let _ = handle.close(id).await;
}

/// Runs a command or a shell for a person, if there is a place for one more.
async fn serve_person(
    task: &AgentTask,
    channel: Channel<Msg>,
    command: Option<Vec<u8>>,
    terminal: Option<TerminalRequest>,
) -> Result<(), russh::Error> {
    let Ok(_place) = task.side_sessions.try_acquire() else {
        let (_, write) = channel.split();
        let why = format!(
            "{MAX_SIDE_SESSIONS} shells and commands are open in this task, and there may be no more; end one of them"
        );
        return plain_exec::refuse(&write, &why).await;
    };
    match terminal {
        Some(terminal) => terminal_session::serve(task, channel, command, terminal).await,
        None => plain_exec::serve(task, channel, command).await,
    }
}
