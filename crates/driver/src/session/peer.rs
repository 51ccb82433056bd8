//! Who answers in the task: our agent, or a stock SSH server, which can do less.
//!
//! It only finds out; the two kinds of session are in `agent` and `stock`.

use std::time::SystemTime;

use fargate_config::JobTimeouts;
use fargate_fail_point::FailPoint;
use russh::keys::{HashAlg, PublicKey};
use tokio::net::TcpStream;

use super::agent::{AgentProbeResult, AgentSession, greet, not_an_agent};
use super::host_proof::{HostProofFailure, TaskRoleVerifier};
use super::login::{HostKeyPolicy, LoginError, SshConnection, TaskLogin};
use super::stock::StockSession;

/// Asks the agent for a proof of its host key, and STS for who signed it. Before STS has answered,
/// nothing but this question is sent.
async fn proven_agent(
    connection: SshConnection,
    verifier: &TaskRoleVerifier,
    timeouts: &JobTimeouts,
) -> Result<Box<AgentSession>, LoginError> {
    let host_key = connection.host_key.clone();
    let unproven = |failure| LoginError::Unproven {
        fingerprint: host_key.fingerprint(HashAlg::Sha256).to_string(),
        failure: Box::new(failure),
    };
    let question = verifier.question().map_err(unproven)?;
    match greet(connection, Some(question), timeouts).await? {
        AgentProbeResult::Agent(agent, answer) => {
            let verified = verifier.verify(&host_key, &agent.agent, answer, timeouts).await;
            verified.map_err(unproven)?;
            Ok(agent)
        }
        AgentProbeResult::Other(_) => {
            let why = "an SSH server answers, but not fargate-agent".to_owned();
            Err(unproven(HostProofFailure::Missing { why }))
        }
    }
}

/// An open conversation with a proven task.
pub enum TaskSession {
    /// Our agent.
    Agent(Box<AgentSession>),
    /// A stock SSH server.
    Stock(Box<StockSession>),
}

/// A session that was opened just now.
pub struct OpenedSession {
    /// The session.
    pub session: TaskSession,
    /// The host key that was shown.
    pub host_key: PublicKey,
    /// When the server had accepted the login. A proof by the task's role comes after it.
    pub logged_in: SystemTime,
}

impl TaskSession {
    /// Proves the host, logs in, and finds out who answers.
    ///
    /// # Errors
    ///
    /// Returns [`LoginError`] if the login fails, or if the server cannot run scripts for us.
    pub async fn open(
        stream: TcpStream,
        login: &TaskLogin,
        timeouts: &JobTimeouts,
    ) -> Result<OpenedSession, LoginError> {
        let connection = SshConnection::open(stream, login, timeouts).await?;
        let logged_in = SystemTime::now();
        let host_key = connection.host_key.clone();
        let stock = |connection| Self::Stock(Box::new(StockSession::new(connection, timeouts)));
        let session = match &login.host {
            HostKeyPolicy::Pinned(_) => stock(connection),
            HostKeyPolicy::TaskRole(verifier) => {
                Self::Agent(proven_agent(connection, verifier, timeouts).await?)
            }
            HostKeyPolicy::Agent(_) | HostKeyPolicy::FirstUse => {
                match (greet(connection, None, timeouts).await?, &login.host) {
                    (AgentProbeResult::Agent(agent, _), _) => Self::Agent(agent),
                    (AgentProbeResult::Other(connection), HostKeyPolicy::FirstUse) => {
                        stock(*connection)
                    }
                    // If it was an agent before, a stock server is not accepted.
                    (AgentProbeResult::Other(_), _) => return Err(not_an_agent()),
                }
            }
        };
        FailPoint::LoggedIn.reached();
        Ok(OpenedSession { session, host_key, logged_in })
    }

    /// The name and version of who answers, for logs.
    #[must_use]
    pub fn peer(&self) -> &str {
        match self {
            Self::Agent(agent) => &agent.agent.name,
            Self::Stock(stock) => &stock.server,
        }
    }

    /// Ends the conversation properly, within a second.
    pub async fn close(self) {
        match self {
            Self::Agent(agent) => agent.close().await,
            Self::Stock(stock) => stock.close().await,
        }
    }
}
