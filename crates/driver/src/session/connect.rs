//! Opens a session with a task that has answered before, through a network that may be gone for a
//! while.
//!
//! It dials again after anything that stalls or breaks. A proven refusal is final, and so is
//! another host key: it is never tried again. How long it tries is the caller's decision.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use fargate_config::JobTimeouts;
use fargate_events::{JobEvent, emit};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::dial::{DialError, dial, once};
use super::login::{LoginError, TaskLogin};
use super::peer::TaskSession;

/// Most logins at a time. A login that hangs must not delay the next one.
const LOGINS: usize = 3;
/// How long one login runs alone, before another one is tried beside it.
const ALONE: Duration = Duration::from_secs(4);
/// How long to wait before a login that broke off is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// The address of a task, and who it must be.
#[derive(Clone)]
pub struct TaskConnector {
    /// The address.
    pub address: SocketAddr,
    /// Who logs in, and which host is expected.
    pub login: TaskLogin,
    /// The deadlines of each step.
    pub timeouts: JobTimeouts,
}

/// Why the last try failed.
#[derive(Debug, thiserror::Error)]
pub enum TaskConnectError {
    /// There was no connection.
    #[error("{}", match .0 {
        DialError::Refused => "the connection was refused".to_owned(),
        DialError::Silent => "nobody answered".to_owned(),
        DialError::Unreachable(kind) => kind.to_string(),
    })]
    Dial(DialError),
    /// There was a connection, but no session.
    #[error(transparent)]
    Login(LoginError),
}

impl TaskConnector {
    /// Tries until a session is open. The caller ends it by dropping the future. `missed` gets the
    /// error of each failed try.
    ///
    /// # Errors
    ///
    /// Returns [`LoginError`] if another try would end in the same way: another host key, our key
    /// refused, or no agent of ours.
    pub async fn open(
        &self,
        mut missed: impl FnMut(TaskConnectError),
    ) -> Result<TaskSession, LoginError> {
        let ours = Arc::new(self.clone());
        let mut first = true;
        let mut missed = |why: TaskConnectError| {
            if std::mem::take(&mut first) {
                let message = format!("{why}; trying again");
                emit(JobEvent::TaskUnreachable { address: self.address, message });
            }
            missed(why);
        };
        // Dropping this future drops this set, and all logins in it.
        let mut logins = JoinSet::new();
        let mut dial_at = Instant::now();
        loop {
            let dialled = async {
                sleep_until(dial_at).await;
                dial(self.address, &self.timeouts, |error| missed(TaskConnectError::Dial(error)))
                    .await
            };
            let ended = tokio::select! {
                stream = dialled, if logins.len() < LOGINS => {
                    let ours = ours.clone();
                    logins.spawn(async move {
                        TaskSession::open(stream, &ours.login, &ours.timeouts).await
                    });
                    dial_at = Instant::now() + ALONE;
                    continue;
                }
                Some(ended) = logins.join_next() => ended,
            };
            match ended {
                Ok(Ok(opened)) => return Ok(opened.session),
                Ok(Err(error @ (LoginError::Broken { .. } | LoginError::Stalled { .. }))) => {
                    missed(TaskConnectError::Login(error));
                }
                Ok(Err(error)) => return Err(error),
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
            dial_at = dial_at.min(Instant::now() + AGAIN);
        }
    }

    /// Whether somebody accepts a connection there, within the time for one dial.
    pub(super) async fn is_answered(&self) -> bool {
        once(self.address, &self.timeouts).await.is_ok()
    }

    /// The same for a connection that was lost a moment ago. A dial without an answer is given up
    /// in half the time, because the network may be back at any moment.
    #[must_use]
    pub fn again(&self) -> Self {
        let mut again = self.clone();
        again.timeouts.connect_attempt /= 2;
        again
    }
}
