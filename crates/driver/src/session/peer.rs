//! Who answers in the task: our agent, or a stock SSH server with less.

use fargate_config::Timeouts;
use russh::keys::PublicKey;
use tokio::net::TcpStream;

use super::agent::{AgentSession, Greeted, greet, not_an_agent};
use super::login::{Connection, HostProof, Login, LoginError};
use super::stock::StockSession;
use crate::point::Point;

/// An open conversation with a proven task.
pub enum Session {
    /// Our agent.
    Agent(Box<AgentSession>),
    /// A stock SSH server.
    Stock(Box<StockSession>),
}

impl Session {
    /// Proves the host, logs in and finds out who answers; also the host key that was shown.
    ///
    /// # Errors
    ///
    /// [`LoginError`].
    pub async fn open(
        stream: TcpStream,
        login: &Login,
        timeouts: &Timeouts,
    ) -> Result<(Self, PublicKey), LoginError> {
        let connection = Connection::open(stream, login, timeouts).await?;
        let host_key = connection.host_key.clone();
        let stock = |connection| Self::Stock(Box::new(StockSession::new(connection, timeouts)));
        let session = match &login.host {
            HostProof::Pinned(_) => stock(connection),
            HostProof::Agent(_) | HostProof::FirstUse => {
                match (greet(connection, timeouts).await?, &login.host) {
                    (Greeted::Agent(agent), _) => Self::Agent(agent),
                    (Greeted::Other(connection), HostProof::FirstUse) => stock(*connection),
                    // A peer that was an agent never falls back.
                    (Greeted::Other(_), _) => return Err(not_an_agent()),
                }
            }
        };
        Point::LoggedIn.reached();
        Ok((session, host_key))
    }

    /// Who answers, for logs: name and version.
    #[must_use]
    pub fn peer(&self) -> &str {
        match self {
            Self::Agent(agent) => &agent.agent.name,
            Self::Stock(stock) => &stock.server,
        }
    }

    /// Ends the conversation in good order, within a second.
    pub async fn close(self) {
        match self {
            Self::Agent(agent) => agent.close().await,
            Self::Stock(stock) => stock.close().await,
        }
    }
}
