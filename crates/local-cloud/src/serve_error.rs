//! Why a cloud does not start, and what to do about it.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a cloud did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is in use, or it does not belong to this machine.
    #[error("listening on {listen}; choose another address with --listen")]
    Bind {
        /// What was asked for.
        listen: SocketAddr,
        /// What the operating system says.
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
    /// Other machines can reach the address, and the options do not allow that.
    #[error(
        "listening on {listen} would let other machines run commands on this one; give a loopback \
         address, for example 127.0.0.1:{}, or allow it with --allow-remote", listen.port()
    )]
    NotLoopback {
        /// What was asked for.
        listen: SocketAddr,
    },
    /// Other machines can reach the address, and strangers may know the keys.
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
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The policy of the account's user cannot be used.
    #[error("reading the policy of the account's user: {0}")]
    UserPolicy(String),
    /// The options ask for TLS, and no certificate could be made.
    #[error("preparing TLS for the endpoint")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The cloud could not prepare to start and watch processes.
    #[error("preparing to start task processes")]
    Processes(#[source] std::io::Error),
    /// The Docker Engine that should run the containers cannot be used.
    #[error(transparent)]
    Engine(#[from] crate::backend::docker::engine_error::EngineUnusable),
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
