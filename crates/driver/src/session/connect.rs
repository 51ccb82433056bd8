//! From the address of a task that has answered before to an open session with it, through a
//! network that may be away for a while.
//!
//! It dials anew whatever stalls or breaks. A proven refusal is final, and so is another host key:
//! that is never tried again.

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

/// Logins that may be under way at once: one that fell silent must not hold up the next.
const LOGINS: usize = 3;
/// How long a login has for itself before another one is tried beside it.
const ALONE: Duration = Duration::from_secs(4);
/// Before a login that broke off is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// Where a task answers, and who it must be.
#[derive(Clone)]
pub struct TaskConnector {
    /// Where it answers.
    pub address: SocketAddr,
    /// Who logs in, and whom it expects.
    pub login: TaskLogin,
    /// Deadlines of each step.
    pub timeouts: JobTimeouts,
}

/// Why the last try came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum TaskConnectError {
    /// No connection.
    #[error("{}", match .0 {
        DialError::Refused => "the connection was refused".to_owned(),
        DialError::Silent => "nobody answered".to_owned(),
        DialError::Unreachable(kind) => kind.to_string(),
    })]
    Dial(DialError),
    /// A connection, but no session.
    #[error(transparent)]
    Login(LoginError),
}

impl TaskConnector {
    /// Tries until a session is open; the caller gives the deadline by dropping the future. `missed`
    /// tells how the last try failed.
    ///
    /// # Errors
    ///
    /// [`LoginError`], if another try would not change it: another host key, our key refused, no
    /// agent of ours.
    pub async fn open(
        &self,
        mut missed: impl FnMut(TaskConnectError),
    ) -> Result<TaskSession, LoginError> {
        let ours = Arc::new(self.clone());
        let mut first = true;
        let mut missed = |why: TaskConnectError| {
            if std::mem::take(&mut first) {
                let message = format!("{why}; trying on");
                emit(JobEvent::TaskUnreachable { address: self.address, message });
            }
            missed(why);
        };
        // Dropped with this future, and every login in it.
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
                Ok(Ok((session, _))) => return Ok(session),
                Ok(Err(error @ (LoginError::Broken { .. } | LoginError::Stalled { .. }))) => {
                    missed(TaskConnectError::Login(error));
                }
                Ok(Err(error)) => return Err(error),
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            }
            dial_at = dial_at.min(Instant::now() + AGAIN);
        }
    }

    /// True if somebody takes a connection there, within the time for one dial.
    pub(super) async fn is_answered(&self) -> bool {
        once(self.address, &self.timeouts).await.is_ok()
    }

    /// The same for a connection that was lost a moment ago: a dial without an answer is given up
    /// twice as soon, because the network may come back at any time.
    #[must_use]
    pub fn again(&self) -> Self {
        let mut again = self.clone();
        again.timeouts.connect_attempt /= 2;
        again
    }
}
