//! Who answers in the task: our agent, or a stock SSH server with less.

use fargate_config::Timeouts;
use fargate_model::id::Token;
use russh::keys::PublicKey;
use tokio::net::TcpStream;

use super::agent::{AgentSession, Greeted, greet, not_an_agent};
use super::console::Console;
use super::login::{Connection, Login, LoginError};
use super::stock::StockSession;
use super::stops::Stops;
use super::talk::{Job, Outcome};

/// Who is expected to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Our agent, nobody less: a peer that was an agent never falls back.
    Agent,
    /// A stock server that was one before.
    Stock,
    /// Whoever it is.
    Either,
}

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
        expected: Expected,
        timeouts: &Timeouts,
    ) -> Result<(Self, PublicKey), LoginError> {
        let connection = Connection::open(stream, login, timeouts).await?;
        let host_key = connection.host_key.clone();
        if expected == Expected::Stock {
            let stock = StockSession::new(connection, timeouts);
            return Ok((Self::Stock(Box::new(stock)), host_key));
        }
        let session = match greet(connection, timeouts).await? {
            Greeted::Agent(agent) => Self::Agent(agent),
            Greeted::Other(connection) if expected == Expected::Either => {
                Self::Stock(Box::new(StockSession::new(*connection, timeouts)))
            }
            Greeted::Other(_) => return Err(not_an_agent()),
        };
        Ok((session, host_key))
    }

    /// Who answers, for logs: name and version.
    #[must_use]
    pub fn peer(&self) -> &str {
        match self {
            Self::Agent(agent) => &agent.agent,
            Self::Stock(stock) => &stock.server,
        }
    }

    /// Runs `job`; `stops` brings wishes to end it. See [`Outcome`].
    pub async fn run(
        self,
        run_id: Token,
        job: &Job,
        console: &mut Console,
        stops: &mut Stops,
    ) -> Outcome {
        match self {
            Self::Agent(agent) => agent.run(run_id, job, console, stops).await,
            Self::Stock(stock) => stock.run(run_id, job, console, stops).await,
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
