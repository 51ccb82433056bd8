//! Takes the connections at the agent's port, and sees them off.

use std::sync::Arc;
use std::time::Duration;

use russh::server::Config;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use crate::admission::{AdmissionLimits, LoginAdmission};
use crate::connection::{self, AuthorizedClient};
use crate::settings::AgentSettings;
use crate::task::AgentTask;

/// Before another connection is taken, after one could not be.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// All connections, and the port by which they come.
pub struct ConnectionAcceptor {
    listener: TcpListener,
    admission: Arc<LoginAdmission>,
    task: Arc<AgentTask>,
    gate: Arc<AuthorizedClient>,
    config: Arc<Config>,
    /// Those that are served.
    connections: JoinSet<()>,
}

impl ConnectionAcceptor {
    /// Serves `task` to whoever `settings` let in.
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

    /// Takes one connection, or sees one off that has ended. Nothing is lost if this is dropped.
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
                    // A connection that broke before it was taken is no reason to stop; too many
                    // open files would make this loop spin.
                    Err(_) => sleep(ACCEPT_AGAIN).await,
                }
            }
            _ = self.connections.join_next(), if !self.connections.is_empty() => {}
        }
    }

    /// Closes the port; those who came by it are still served.
    pub fn close(self) -> JoinSet<()> {
        self.connections
    }
}
