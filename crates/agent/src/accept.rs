//! Accepts connections at the agent's port, and collects those that have ended.
//!
//! It does not decide who may stay: `login_places` does. What a connection does is the matter of
//! `connection`.

use std::sync::Arc;
use std::time::Duration;

use russh::server::Config;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use crate::connection::{self, AuthorizedClient};
use crate::login_places::{AdmissionLimits, LoginAdmission};
use crate::settings::AgentSettings;
use crate::task::AgentTask;

/// How long to wait after a connection could not be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// The listening port and all connections that came through it.
pub struct ConnectionAcceptor {
    listener: TcpListener,
    admission: Arc<LoginAdmission>,
    task: Arc<AgentTask>,
    gate: Arc<AuthorizedClient>,
    config: Arc<Config>,
    /// The connections that are being served.
    connections: JoinSet<()>,
}

impl ConnectionAcceptor {
    /// Makes an acceptor that serves `task` to the client that `settings` name.
    pub fn new(listener: TcpListener, settings: &AgentSettings, task: Arc<AgentTask>) -> Self {
        let gate =
            AuthorizedClient { user: settings.user.clone(), key: settings.client_key.clone() };
        Self {
            listener,
            admission: LoginAdmission::new(AdmissionLimits::of_this_process()),
            task,
            gate: Arc::new(gate),
            config: connection::configuration(settings),
            connections: JoinSet::new(),
        }
    }

    /// Accepts one connection, or collects one that has ended. It may be dropped at any time: no
    /// connection is lost.
    pub async fn next(&mut self) {
        let opens_at = self.admission.opens_at();
        let next = async {
            sleep_until(opens_at).await;
            self.listener.accept().await
        };
        tokio::select! {
            accepted = next, if self.admission.has_room(self.connections.len()) => {
                match accepted {
                    Ok((stream, from)) => {
                        let place = self.admission.enter(from.ip());
                        let (task, gate) = (self.task.clone(), self.gate.clone());
                        let served =
                            connection::serve(task, gate, self.config.clone(), stream, place);
                        self.connections.spawn(served);
                    }
                    // One broken connection is no reason to stop. Without the pause, this loop
                    // would spin while too many files are open.
                    Err(_) => sleep(ACCEPT_AGAIN).await,
                }
            }
            _ = self.connections.join_next(), if !self.connections.is_empty() => {}
        }
    }

    /// Closes the port. The connections that are open stay open, and the caller gets them.
    pub fn close(self) -> JoinSet<()> {
        self.connections
    }
}
