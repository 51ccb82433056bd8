//! From a TCP connection to a proven agent: key exchange, host key, client key, hello.
//!
//! Each step has its deadline. No byte of a script is sent before all of them are done.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fargate_config::Timeouts;
use fargate_protocol::{
    Decoder, FrameError, FromAgent, FromClient, Refusal, SUBSYSTEM, VERSIONS, encode,
};
use russh::client::{self, Handle, Msg};
use russh::keys::key::PrivateKeyWithHashAlg;
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{
    Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Names, Preferred, cipher, kex,
};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::keys::ClientKey;
use crate::random;

const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];
const CIPHERS: &[cipher::Name] = &[cipher::AES_256_GCM, cipher::CHACHA20_POLY1305];

/// Longest that a farewell takes; a peer that does not answer is not waited for.
const FAREWELL: Duration = Duration::from_secs(1);

/// Who logs in, and whom it expects.
#[derive(Clone)]
pub struct Login {
    /// The user that the agent serves.
    pub user: String,
    /// Our key.
    pub key: ClientKey,
    /// The only host key that is accepted.
    pub host_key: PublicKey,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The peer closed or reset the connection, or broke off; it may just be starting.
    #[error("the task broke the connection off during {step}: {error}")]
    Broken {
        /// What was going on.
        step: &'static str,
        /// The SSH library's words.
        error: String,
    },
    /// A step did not end in time.
    #[error("{step} did not end within {}", fargate_model::text::duration(*within))]
    Stalled {
        /// Which step.
        step: &'static str,
        /// Its deadline.
        within: Duration,
    },
    /// Another host key than the expected one.
    #[error("another host key, {fingerprint}")]
    WrongHost {
        /// SHA-256 of what was shown.
        fingerprint: String,
    },
    /// Our key is not accepted.
    #[error("user {user} was refused")]
    Denied {
        /// The user.
        user: String,
    },
    /// It is SSH, but no agent that we can talk to.
    #[error("{what}")]
    NotOurAgent {
        /// What is missing.
        what: String,
    },
}

/// A conversation with an agent that is proven.
pub struct Session {
    pub(super) handle: Handle<Verifier>,
    pub(super) read: ChannelReadHalf,
    pub(super) write: ChannelWriteHalf<Msg>,
    pub(super) decoder: Decoder,
    /// Name and version of the agent.
    pub agent: String,
}

/// Checks the host key, and remembers why it refused.
pub struct Verifier {
    expected: PublicKey,
    verdict: Arc<Mutex<Option<LoginError>>>,
}

impl Verifier {
    fn refuse(&self, error: LoginError) {
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

impl client::Handler for Verifier {
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
        if key.key_data() == self.expected.key_data() {
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
        _session: &mut client::Session,
    ) -> Result<(), Self::Error> {
        // Without it, someone on the way can drop the first packets (CVE-2023-48795).
        if names.strict_kex() {
            return Ok(());
        }
        let what = "the task's SSH server does not offer strict key exchange".to_owned();
        self.refuse(LoginError::NotOurAgent { what });
        Err(russh::Error::KexInit)
    }
}

fn configuration(timeouts: &Timeouts) -> Arc<client::Config> {
    Arc::new(client::Config {
        keepalive_interval: Some(timeouts.keepalive),
        keepalive_max: usize::try_from(timeouts.keepalive_tries).unwrap_or(usize::MAX),
        nodelay: true,
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            key: Cow::Borrowed(&[Algorithm::Ed25519]),
            cipher: Cow::Borrowed(CIPHERS),
            ..Preferred::DEFAULT
        },
        ..client::Config::default()
    })
}

impl Session {
    /// Proves the host, logs in and says hello.
    ///
    /// # Errors
    ///
    /// [`LoginError`].
    pub async fn open(
        stream: TcpStream,
        login: &Login,
        timeouts: &Timeouts,
    ) -> Result<Self, LoginError> {
        let mut handle = shake_hands(stream, login, timeouts).await?;
        let key = PrivateKeyWithHashAlg::new(login.key.private(), None);
        let step = "authentication";
        let accepted =
            within(step, timeouts.authenticate, handle.authenticate_publickey(&login.user, key))
                .await?;
        if !accepted.success() && handle.is_closed() {
            let error = "the connection ended".to_owned();
            return Err(LoginError::Broken { step, error });
        }
        if !accepted.success() {
            return Err(LoginError::Denied { user: login.user.clone() });
        }
        within("hello", timeouts.hello, async { Ok(hello(handle).await) }).await?
    }

    /// Tells the agent how long it may live without us.
    ///
    /// # Errors
    ///
    /// [`LoginError::Broken`].
    pub async fn lease(&self, lease: fargate_protocol::Lease) -> Result<(), LoginError> {
        send(&self.write, &FromClient::Lease(lease)).await.map_err(|error| broken("lease", &error))
    }

    /// Ends the conversation in good order, within a second.
    pub async fn close(self) {
        let Self { handle, read, write, .. } = self;
        // Nobody reads any more; a library that waits for that could not take the farewell.
        drop(read);
        let _ = timeout(FAREWELL, async {
            let _ = write.eof().await;
            let _ = handle.disconnect(russh::Disconnect::ByApplication, "", "").await;
            let _ = handle.await;
        })
        .await;
    }
}

async fn shake_hands(
    stream: TcpStream,
    login: &Login,
    timeouts: &Timeouts,
) -> Result<Handle<Verifier>, LoginError> {
    let verdict = Arc::new(Mutex::new(None));
    let verifier = Verifier { expected: login.host_key.clone(), verdict: verdict.clone() };
    let connecting = client::connect_stream(configuration(timeouts), stream, verifier);
    let connected = within("the handshake", timeouts.handshake, connecting).await;
    let refused = verdict.lock().unwrap_or_else(PoisonError::into_inner).take();
    match refused {
        Some(refused) => Err(refused),
        None => connected,
    }
}

async fn hello(handle: Handle<Verifier>) -> Result<Session, LoginError> {
    let step = "hello";
    let channel: Channel<Msg> =
        handle.channel_open_session().await.map_err(|error| broken(step, &error))?;
    channel.request_subsystem(true, SUBSYSTEM).await.map_err(|error| broken(step, &error))?;
    let (read, write) = channel.split();
    let challenge = random::bytes::<32>().map_err(|error| broken(step, &error))?;
    let hello = FromClient::Hello {
        versions: VERSIONS.to_vec(),
        challenge: challenge.to_vec(),
        client: concat!("fargate-runner ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    send(&write, &hello).await.map_err(|error| broken(step, &error))?;
    let mut session =
        Session { handle, read, write, decoder: Decoder::default(), agent: String::new() };
    match session.next().await.map_err(|error| broken(step, &error))? {
        Some(FromAgent::HelloOk { version, agent, .. }) if VERSIONS.contains(&version) => {
            session.agent = agent;
            Ok(session)
        }
        Some(FromAgent::Refused(Refusal::Version { speaks })) => Err(LoginError::NotOurAgent {
            what: format!("the agent speaks versions {speaks:?}, this driver {VERSIONS:?}"),
        }),
        Some(_) => {
            Err(LoginError::NotOurAgent { what: "the agent did not answer our hello".to_owned() })
        }
        None => Err(LoginError::NotOurAgent {
            what: "an SSH server answers, but not fargate-agent".to_owned(),
        }),
    }
}

impl Session {
    /// The agent's next message; `None` when it ended the conversation.
    pub(super) async fn next(&mut self) -> Result<Option<FromAgent>, FrameError> {
        next(&mut self.read, &mut self.decoder).await
    }
}

pub(super) async fn next(
    read: &mut ChannelReadHalf,
    decoder: &mut Decoder,
) -> Result<Option<FromAgent>, FrameError> {
    loop {
        if let Some(message) = decoder.take()? {
            return Ok(Some(message));
        }
        match read.wait().await {
            Some(ChannelMsg::Data { data }) => decoder.push(&data),
            None | Some(ChannelMsg::Eof | ChannelMsg::Close | ChannelMsg::Failure) => {
                return Ok(None);
            }
            Some(_) => {}
        }
    }
}

pub(super) async fn send(
    write: &ChannelWriteHalf<Msg>,
    message: &FromClient,
) -> Result<(), russh::Error> {
    let frame = encode(message).map_err(|error| russh::Error::IO(std::io::Error::other(error)))?;
    write.data_bytes(frame).await
}

fn broken(step: &'static str, error: &dyn std::error::Error) -> LoginError {
    LoginError::Broken { step, error: fargate_model::text::escape_within(&error.to_string(), 200) }
}

async fn within<T>(
    step: &'static str,
    limit: Duration,
    work: impl Future<Output = Result<T, russh::Error>>,
) -> Result<T, LoginError> {
    match timeout(limit, work).await {
        Err(_) => Err(LoginError::Stalled { step, within: limit }),
        Ok(Err(error)) => Err(broken(step, &error)),
        Ok(Ok(value)) => Ok(value),
    }
}
