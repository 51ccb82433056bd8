//! The first connection to a task: dials until its agent answers, and proves the host. A task that is only
//! just starting refuses or swallows dials for a while, which is no failure.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use fargate_config::JobTimeouts;
use fargate_events::{JobEvent, emit};
use fargate_model::cause::{CauseReport, FailureCause};
use tokio::time::{Instant, sleep};

use super::classify::CauseFacts;
use crate::session::{
    DialError, HostProofFailure, LoginError, OpenedSession, TaskLogin, TaskSession, dial,
};

/// How long to wait before a handshake that broke off is tried again.
const HANDSHAKE_AGAIN: Duration = Duration::from_millis(200);
/// How many handshakes may stall before the network is blamed.
const STALLS: u32 = 3;

/// An agent that answered.
pub struct FirstConnection {
    /// Where it answered.
    pub address: SocketAddr,
    /// The session.
    pub opened: OpenedSession,
    /// How long login and proof took.
    pub login: Duration,
    /// When the host key was proven.
    pub proven: SystemTime,
}

/// How the last try to connect failed.
pub enum FirstConnectError {
    /// Nobody let us connect.
    Dial(DialError),
    /// Somebody answered, and the login failed.
    Login(LoginError),
}

/// Dials until the right agent answers. `last_refusal` holds why it has not answered yet.
///
/// # Errors
///
/// Returns the cause if another try would end in the same way.
pub async fn connect_first(
    address: SocketAddr,
    login: &TaskLogin,
    timeouts: &JobTimeouts,
    facts: CauseFacts,
    last_refusal: &RefCell<Option<FirstConnectError>>,
) -> Result<FirstConnection, Box<CauseReport>> {
    let mut stalls = 0;
    loop {
        let refused = |error| drop(last_refusal.replace(Some(FirstConnectError::Dial(error))));
        let stream = dial(address, timeouts, refused).await;
        let connected = Instant::now();
        let error = match TaskSession::open(stream, login, timeouts).await {
            Ok(opened) => {
                let login = connected.elapsed();
                return Ok(FirstConnection { address, opened, login, proven: SystemTime::now() });
            }
            Err(error) => error,
        };
        emit(JobEvent::LoginFailed { address, message: error.to_string() });
        if let LoginError::Unproven { failure, .. } = &error
            && failure.is_suspicious()
        {
            emit(JobEvent::SecurityHostUnproven { address, message: error.to_string() });
        }
        stalls += u32::from(matches!(error, LoginError::Stalled { .. }));
        if !matches!(error, LoginError::Broken { .. } | LoginError::Stalled { .. })
            || stalls >= STALLS
        {
            return Err(Box::new(login_failed(&error, address, &facts)));
        }
        last_refusal.replace(Some(FirstConnectError::Login(error)));
        sleep(HANDSHAKE_AGAIN).await;
    }
}

/// Why a stock server may refuse a key. It does not say which of these it is.
const USUAL_REFUSALS: &str = "The usual reasons: the image lets another user in; its entry script \
did not write SSH_PUBLIC_KEY into that user's authorized_keys; the account is locked (`!` in \
/etc/shadow, with `UsePAM no`); the server's PubkeyAcceptedAlgorithms lack our key's kind.";

/// The cause of a host key that the task's role did not prove.
fn unproven(failure: &HostProofFailure) -> FailureCause {
    match failure {
        HostProofFailure::Missing { .. } => FailureCause::HostProofMissing,
        HostProofFailure::Unchecked { .. } => FailureCause::HostProofUnchecked,
        HostProofFailure::Odd { .. } | HostProofFailure::Refused { .. } => {
            FailureCause::HostProofRefused
        }
        HostProofFailure::OtherRole { .. } => FailureCause::HostProofRole,
        HostProofFailure::OtherTask { .. } => FailureCause::HostProofTask,
    }
}

/// The cause of a login that failed.
pub(crate) fn login_failed(
    error: &LoginError,
    address: SocketAddr,
    facts: &CauseFacts,
) -> CauseReport {
    let cause = match error {
        LoginError::Broken { .. } => FailureCause::ConnectionLost,
        LoginError::Stalled { .. } => FailureCause::Handshake,
        LoginError::WrongHost { .. } => FailureCause::WrongHost,
        LoginError::Denied { .. } => FailureCause::LoginRefused,
        LoginError::KeyRefused { .. } => FailureCause::KeyRefused,
        LoginError::KeyKindRefused { .. } => FailureCause::KeyKindRefused,
        LoginError::Unproven { failure, .. } => unproven(failure),
        LoginError::NotOurAgent { .. } => FailureCause::AgentVersion,
        LoginError::NoShell { .. } => FailureCause::LoginShell,
        LoginError::NoSuchShell { .. } => FailureCause::ShellMissing,
    };
    let mut facts = facts.clone();
    if let LoginError::NoSuchShell { shell } = error {
        facts.set("program", shell.clone());
    }
    if let LoginError::Unproven { failure, .. } = error {
        match &**failure {
            HostProofFailure::Unchecked { endpoint, .. } => facts.set("endpoint", endpoint.clone()),
            HostProofFailure::OtherRole { role, .. } => facts.set("role", role.clone()),
            _ => {}
        }
    }
    facts.set("ip", address.ip().to_string());
    // The words of AWS may end in a full stop.
    let said = error.to_string();
    let said = said.trim_end_matches('.');
    let why = facts.why(cause).because(format!("At {address}: {said}."));
    match error {
        LoginError::WrongHost { .. } | LoginError::Unproven { .. } => {
            why.because("Nothing was sent: 0 bytes of the script.".to_owned())
        }
        LoginError::KeyRefused { .. } => why.because(USUAL_REFUSALS.to_owned()),
        _ => why,
    }
}
