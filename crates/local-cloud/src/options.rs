//! What a cloud is started with, and why it may not start.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::limits::CloudRateLimits;
use crate::task_timing::TaskTiming;
use crate::wire::credentials::AccessKeyPair;

/// How to serve a cloud.
#[derive(Clone, Debug)]
pub struct CloudOptions {
    /// Where the endpoint listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The static `fargate-agent`, which runs in every container without a command of its own.
    /// It is looked for when a task needs it, not before.
    pub agent: PathBuf,
    /// Start without a cluster, subnets and a task definition, and take any well-formed subnet
    /// and security group.
    pub empty: bool,
    /// How long the states of a task last.
    pub pace: TaskTiming,
    /// How fast callers may be.
    pub limits: CloudRateLimits,
    /// Where file systems and container logs live. A temporary folder when `None`, which goes
    /// when the cloud goes.
    pub folder: Option<PathBuf>,
    /// Answer over TLS, with a certificate of the cloud's own authority for this machine's
    /// loopback names and for `cloud.example`.
    pub tls: bool,
    /// Whose signatures are accepted. `None` takes the pair of this process's environment, and draws
    /// a random one where it has none.
    pub access_keys: Option<AccessKeyPair>,
    /// Listen on an address that is not loopback: whoever reaches it and has the keys runs commands
    /// on this machine.
    pub allow_remote: bool,
}

impl CloudOptions {
    /// A furnished cloud on a free port of 127.0.0.1, without delays, limits or TLS, in a temporary
    /// folder.
    #[must_use]
    pub fn new(agent: impl Into<PathBuf>) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            agent: agent.into(),
            empty: false,
            pace: TaskTiming::Instant,
            limits: CloudRateLimits::none(),
            folder: None,
            tls: false,
            access_keys: None,
            allow_remote: false,
        }
    }
}

/// Why a cloud did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not of this machine.
    #[error("listening on {listen}; choose another address with --listen")]
    Bind {
        /// What was asked for.
        listen: SocketAddr,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The address stands for all addresses of the machine.
    #[error(
        "listening on {listen} would take the port from every task, which has an address of its \
         own; give one address, for example 127.0.0.1:{}", listen.port()
    )]
    AllAddresses {
        /// What was asked for.
        listen: SocketAddr,
    },
    /// Other machines reach the address, and nobody allowed that.
    #[error(
        "listening on {listen} would let other machines run commands on this one; give a loopback \
         address, for example 127.0.0.1:{}, or allow it with --allow-remote", listen.port()
    )]
    NotLoopback {
        /// What was asked for.
        listen: SocketAddr,
    },
    /// Other machines reach the address, and strangers know the keys.
    #[error(
        "listening on {listen} with access key {access_key_id}, whose secret is well known or easily \
         guessed, would let strangers run commands on this machine; unset AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY (then a random pair is drawn), or set a pair that nobody else knows"
    )]
    GuessableKeys {
        /// What was asked for.
        listen: SocketAddr,
        /// The name of the key.
        access_key_id: String,
    },
    /// The folder for file systems and logs cannot be used.
    #[error("using the folder {} for file systems and container logs", folder.display())]
    Folder {
        /// What was asked for, or the temporary folder that was tried.
        folder: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// TLS was asked for and no certificate could be made.
    #[error("preparing TLS for the endpoint")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The machinery that starts and watches processes could not be set up.
    #[error("preparing to start task processes")]
    Processes(#[source] std::io::Error),
    /// `AWS_ACCESS_KEY_ID` without `AWS_SECRET_ACCESS_KEY`, or the reverse.
    #[error(
        "{missing} is not set although {given} is; set both, or neither (then a random pair is drawn)"
    )]
    HalfCredentials {
        /// The variable that is there.
        given: &'static str,
        /// The variable that is not.
        missing: &'static str,
    },
}
