//! From a TCP connection to an open SSH connection with a proven host: key exchange, host key,
//! client key.
//!
//! Each step has a deadline. Which program answers after the login is not known here.

use fargate_mask::SharedMasker;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fargate_config::JobTimeouts;
use fargate_events::{EventEmitter, JobEvent};
use fargate_model::id::TaskArn;
use russh::client::{self, ChannelOpenHandle, Handle, Msg};
use russh::keys::key::PrivateKeyWithHashAlg;
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Channel, Limits, Names, Preferred};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::algorithms;
use super::host_proof::{HostProofFailure, TaskRoleVerifier};
use super::keys::ClientKey;
use super::quick_ack::QuickAckStream;

/// Longest version of a server that is kept, in characters.
const MAX_VERSION: usize = 80;

/// Who logs in, and which host is expected.
#[derive(Clone)]
pub struct TaskLogin {
    /// The user that the task serves.
    pub user: String,
    /// Our key.
    pub key: ClientKey,
    /// How the host is proven.
    pub host: HostKeyPolicy,
    /// After so many probes without an answer the connection counts as lost.
    pub keepalive_tries: u32,
    /// After so many MiB the keys are exchanged anew.
    pub rekey_after_mib: u32,
    /// Masks what the server says.
    pub masker: SharedMasker,
}

impl TaskLogin {
    /// The same login at this task and no other, where its role proves the host key.
    #[must_use]
    pub fn for_task(&self, task: &TaskArn) -> Self {
        let host = match &self.host {
            HostKeyPolicy::TaskRole(verifier) => {
                HostKeyPolicy::TaskRole(Box::new(verifier.for_task(task)))
            }
            other => other.clone(),
        };
        Self { host, ..self.clone() }
    }
}

/// How the host is proven.
#[derive(Clone)]
pub enum HostKeyPolicy {
    /// By this key, and it must be our agent. The key is derived from the seed, or was pinned when
    /// the agent showed it.
    Agent(PublicKey),
    /// By this key, which a stock server showed at first use.
    Pinned(PublicKey),
    /// By the role of the task, once the agent has answered, and it must be our agent. Before that,
    /// whoever answers learns nothing but that we want to log in.
    TaskRole(Box<TaskRoleVerifier>),
    /// Not at all: whoever answers is accepted, and the caller pins the key.
    FirstUse,
}

impl HostKeyPolicy {
    fn expected(&self) -> Option<&PublicKey> {
        match self {
            Self::Agent(key) | Self::Pinned(key) => Some(key),
            Self::TaskRole(_) | Self::FirstUse => None,
        }
    }

    fn offer(&self) -> Preferred {
        match self {
            Self::Agent(_) | Self::TaskRole(_) => algorithms::AGENT,
            Self::Pinned(key) => algorithms::pinned(&algorithms::STOCK, key),
            Self::FirstUse => algorithms::STOCK,
        }
    }
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The peer closed or reset the connection, or stopped. It may still be starting.
    #[error("the task broke the connection off during {step}: {error}")]
    Broken {
        /// The step.
        step: &'static str,
        /// The SSH library's error.
        error: String,
    },
    /// A step did not end in time.
    #[error("{step} did not end within {}", fargate_model::text::duration(*within))]
    Stalled {
        /// The step.
        step: &'static str,
        /// Its deadline.
        within: Duration,
    },
    /// The host showed another key than the expected one.
    #[error("another host key, {fingerprint}")]
    WrongHost {
        /// SHA-256 of the key that it showed.
        fingerprint: String,
    },
    /// The role of the task did not prove the host key.
    #[error("the host key {fingerprint} is not proven: {failure}")]
    Unproven {
        /// SHA-256 of the key that it showed.
        fingerprint: String,
        /// Why.
        failure: Box<HostProofFailure>,
    },
    /// The agent does not accept our key.
    #[error("user {user} was refused")]
    Denied {
        /// The user.
        user: String,
    },
    /// A stock server does not accept our key. It does not say why.
    #[error("user {user} was refused")]
    KeyRefused {
        /// The user.
        user: String,
    },
    /// A stock server does not accept our ed25519 key, and has agreed on no algorithm of that kind.
    #[error(
        "user {user} was refused, and the server has neither an ed25519 host key nor curve25519, as in FIPS mode"
    )]
    KeyKindRefused {
        /// The user.
        user: String,
    },
    /// It is an SSH server, but not an agent with which we can talk.
    #[error("{what}")]
    NotOurAgent {
        /// What is missing.
        what: String,
    },
    /// A stock server let us in, but our program did not run.
    #[error("the login shell of user {user} did not run our command: {how}")]
    NoShell {
        /// The user.
        user: String,
        /// What came instead.
        how: String,
    },
    /// A stock server let us in, but the task has no such shell.
    #[error("there is no {shell} in the task")]
    NoSuchShell {
        /// The configured shell.
        shell: String,
    },
}

/// An open connection to a proven host.
pub struct SshConnection {
    pub(super) handle: Handle<HostKeyVerifier>,
    /// The user name of the login.
    pub user: String,
    /// The host key that was shown.
    pub host_key: PublicKey,
    /// The server's name for itself, for example `SSH-2.0-OpenSSH_9.2p1`.
    pub server: String,
    pub(super) masker: SharedMasker,
}

#[derive(Default)]
struct HandshakeFacts {
    key: Option<PublicKey>,
    server: String,
    /// Whether the server agreed on an algorithm of curve 25519, which we prefer.
    knows_curve25519: bool,
    refusal: Option<LoginError>,
}

/// Checks the host key, and notes what happens in the handshake.
pub struct HostKeyVerifier {
    host: HostKeyPolicy,
    shown: Arc<Mutex<HandshakeFacts>>,
    masker: SharedMasker,
    /// Those of the job. The SSH library runs this in a task of its own, outside of the job's scope.
    events: EventEmitter,
    /// How often keys were exchanged.
    exchanges: u32,
}

impl HostKeyVerifier {
    fn note(&self, change: impl FnOnce(&mut HandshakeFacts)) {
        change(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Refuses a channel that the peer wants to open.
    fn turned_away(&self, kind: &str) -> Result<(), russh::Error> {
        self.events.emit(&JobEvent::SessionChannelRefused { kind: kind.to_owned() });
        Ok(())
    }

    fn refuse(&self, error: LoginError) {
        self.note(|shown| shown.refusal = Some(error));
    }
}

impl client::Handler for HostKeyVerifier {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let key = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key,
            PublicKeyOrCertificate::Certificate(_) => {
                self.refuse(LoginError::WrongHost { fingerprint: "a certificate".to_owned() });
                return Ok(false);
            }
        };
        if self.host.expected().is_none_or(|expected| key.key_data() == expected.key_data()) {
            self.note(|shown| shown.key = Some(key.clone()));
            return Ok(true);
        }
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        self.refuse(LoginError::WrongHost { fingerprint });
        Ok(false)
    }

    async fn kex_done(
        &mut self,
        _secret: Option<&[u8]>,
        names: &Names,
        session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        if self.exchanges > 0 {
            self.events.emit(&JobEvent::SessionRekeyed { times: self.exchanges });
        }
        self.exchanges = self.exchanges.saturating_add(1);
        let server = String::from_utf8_lossy(session.remote_sshid());
        self.note(|shown| {
            shown.server = self.masker.within(&server, MAX_VERSION);
            shown.knows_curve25519 = algorithms::is_of_curve25519(names);
        });
        let strict = names.strict_kex();
        let refused = match &self.host {
            HostKeyPolicy::Agent(_) | HostKeyPolicy::TaskRole(_) => !strict,
            HostKeyPolicy::Pinned(_) | HostKeyPolicy::FirstUse => {
                algorithms::is_open_to_cut_off(names)
            }
        };
        if !refused {
            return Ok(());
        }
        let what = "the task's SSH server does not offer strict key exchange".to_owned();
        self.refuse(LoginError::NotOurAgent { what });
        Err(russh::Error::KexInit)
    }

    // A task may open no channel to this host. The library would accept all of them; if the answer
    // is dropped, it refuses.

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        _reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.turned_away("session")
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _connected_address: &str,
        _connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.turned_away("forwarded-tcpip")
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        _reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.turned_away("forwarded-streamlocal")
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<Msg>,
        _reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.turned_away("auth-agent")
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host_to_connect: &str,
        _port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.turned_away("direct-tcpip")
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        _reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.turned_away("direct-streamlocal")
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        _reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.turned_away("x11")
    }
}

/// When keys are exchanged again: after this much data in one direction, or after an hour.
///
/// Source of the hour, and of 1 GiB as the most: RFC 4253, section 9.
fn limits(rekey_after_mib: u32) -> Limits {
    let mib = usize::try_from(rekey_after_mib).unwrap_or(usize::MAX);
    let bytes = mib.saturating_mul(1 << 20).min(1 << 30);
    Limits::new(bytes, bytes, Duration::from_secs(3600))
}

fn configuration(login: &TaskLogin, timeouts: &JobTimeouts) -> Arc<client::Config> {
    Arc::new(client::Config {
        keepalive_interval: Some(timeouts.keepalive_interval),
        keepalive_max: usize::try_from(login.keepalive_tries).unwrap_or(usize::MAX),
        nodelay: true,
        limits: limits(login.rekey_after_mib),
        preferred: login.host.offer(),
        ..client::Config::default()
    })
}

impl SshConnection {
    /// Proves the host and logs in.
    ///
    /// # Errors
    ///
    /// Returns [`LoginError`] if a step fails or takes too long, if the host key is another one, or
    /// if our key is refused.
    pub async fn open(
        stream: TcpStream,
        login: &TaskLogin,
        timeouts: &JobTimeouts,
    ) -> Result<Self, LoginError> {
        // What is not acknowledged for as long as keepalives would take ends the connection, also
        // while the SSH library is busy sending.
        let patience = timeouts.keepalive_interval * login.keepalive_tries.saturating_add(1);
        let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(patience));
        let (mut handle, shown) = shake_hands(stream, login, timeouts).await?;
        let step = "authentication";
        let user = login.user.clone();
        let accepted = within(step, &login.masker, timeouts.ssh_authentication, async {
            let key = login.key.private();
            let hash = match key.algorithm() {
                Algorithm::Rsa { .. } => handle.best_supported_rsa_hash().await?.flatten(),
                _ => None,
            };
            let key = PrivateKeyWithHashAlg::new(key, hash);
            handle.authenticate_publickey(&user, key).await
        })
        .await?;
        if !accepted.success() && handle.is_closed() {
            let error = "the connection ended".to_owned();
            return Err(LoginError::Broken { step, error });
        }
        if !accepted.success() {
            return Err(refused(login, &shown));
        }
        let HandshakeFacts { key, server, .. } = shown;
        let host_key = key.ok_or_else(|| LoginError::Broken {
            step,
            error: "no host key was shown".to_owned(),
        })?;
        Ok(Self { handle, user, host_key, server, masker: login.masker.clone() })
    }
}

/// Why our key was refused, as far as the handshake tells.
///
/// The list of key types that a server sends (RFC 8308) does not help: OpenSSH 9.2 lists everything
/// that it was built with, and not what it is configured to accept.
fn refused(login: &TaskLogin, shown: &HandshakeFacts) -> LoginError {
    let user = login.user.clone();
    let is_ed25519 = login.key.private().algorithm() == Algorithm::Ed25519;
    match login.host {
        HostKeyPolicy::Agent(_) | HostKeyPolicy::TaskRole(_) => LoginError::Denied { user },
        _ if is_ed25519 && !shown.knows_curve25519 => LoginError::KeyKindRefused { user },
        HostKeyPolicy::Pinned(_) | HostKeyPolicy::FirstUse => LoginError::KeyRefused { user },
    }
}

async fn shake_hands(
    stream: TcpStream,
    login: &TaskLogin,
    timeouts: &JobTimeouts,
) -> Result<(Handle<HostKeyVerifier>, HandshakeFacts), LoginError> {
    let shown = Arc::new(Mutex::new(HandshakeFacts::default()));
    let verifier = HostKeyVerifier {
        events: EventEmitter::current(),
        host: login.host.clone(),
        shown: shown.clone(),
        masker: login.masker.clone(),
        exchanges: 0,
    };
    let configuration = configuration(login, timeouts);
    let connecting = client::connect_stream(configuration, QuickAckStream(stream), verifier);
    let connected =
        within("the handshake", &login.masker, timeouts.ssh_handshake, connecting).await;
    let mut shown = std::mem::take(&mut *shown.lock().unwrap_or_else(PoisonError::into_inner));
    match shown.refusal.take() {
        Some(refused) => Err(refused),
        None => Ok((connected?, shown)),
    }
}

pub(super) fn broken(
    step: &'static str,
    error: &dyn std::error::Error,
    masker: &SharedMasker,
) -> LoginError {
    LoginError::Broken { step, error: masker.within(&error.to_string(), 200) }
}

pub(super) async fn within<T>(
    step: &'static str,
    masker: &SharedMasker,
    limit: Duration,
    work: impl Future<Output = Result<T, russh::Error>>,
) -> Result<T, LoginError> {
    match timeout(limit, work).await {
        Err(_) => Err(LoginError::Stalled { step, within: limit }),
        Ok(Err(error)) => Err(broken(step, &error, masker)),
        Ok(Ok(value)) => Ok(value),
    }
}
