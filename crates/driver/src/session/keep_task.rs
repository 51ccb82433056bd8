//! Asks the agent to wipe its task and to keep it for a person.
//!
//! Which tasks are kept, and what is secret in them, is decided in `job`.

use std::time::Duration;

use fargate_fail_point::FailPoint;
use fargate_model::text::{duration, escape_within};
use fargate_protocol::{
    AgentMessage, AgentRefusal, ClientMessage, KEEP, TaskKeepReport, TaskKeepRequest,
};
use tokio::time::timeout;

use super::agent::{AgentSession, next, send_within};
use super::peer::TaskSession;

/// Longest reason of an agent that is repeated, in characters.
const LONGEST_REASON: usize = 300;

/// Why a task is not kept. What was wiped stays wiped, and the old lease holds.
#[derive(Debug, thiserror::Error)]
pub enum TaskKeepError {
    /// It is no agent that can do it.
    #[error(
        "{peer} cannot wipe a task: only a fargate-agent of this version that is process 1 of its container can"
    )]
    Unable {
        /// The name of the server.
        peer: String,
    },
    /// The agent could not wipe everything.
    #[error("the task could not be wiped: {}", escape_within(&.0.to_string(), LONGEST_REASON))]
    Refused(AgentRefusal),
    /// The connection was lost, or the agent broke the protocol.
    #[error("the task did not say that it is wiped: {0}")]
    Lost(String),
}

impl TaskSession {
    /// Whether the server in the task can wipe and keep it.
    #[must_use]
    pub fn can_keep(&self) -> bool {
        match self {
            Self::Agent(agent) => agent.agent.has(KEEP),
            Self::Stock(_) => false,
        }
    }

    /// Has the task wiped and kept. The request's time is for the agent, and `within` for its answer.
    ///
    /// # Errors
    ///
    /// Returns [`TaskKeepError`] if the task is not kept for sure.
    pub async fn keep(
        &mut self,
        request: TaskKeepRequest,
        within: Duration,
    ) -> Result<TaskKeepReport, TaskKeepError> {
        if !self.can_keep() {
            return Err(TaskKeepError::Unable { peer: self.peer().to_owned() });
        }
        let Self::Agent(agent) = self else {
            return Err(TaskKeepError::Unable { peer: self.peer().to_owned() });
        };
        let report = match timeout(within, agent.ask_to_keep(request)).await {
            Ok(answer) => answer?,
            Err(_) => {
                let words = format!("no answer within {}", duration(within));
                return Err(TaskKeepError::Lost(words));
            }
        };
        FailPoint::TaskWiped.reached();
        Ok(report)
    }
}

impl AgentSession {
    async fn ask_to_keep(
        &mut self,
        request: TaskKeepRequest,
    ) -> Result<TaskKeepReport, TaskKeepError> {
        let sent =
            send_within(self.patience.send, &self.write, &ClientMessage::Keep(request)).await;
        sent.map_err(TaskKeepError::Lost)?;
        match next(&mut self.read, &mut self.decoder).await {
            Ok(Some(AgentMessage::Kept(report))) => Ok(report),
            Ok(Some(AgentMessage::Refused(refusal))) => Err(TaskKeepError::Refused(refusal)),
            Ok(Some(other)) => {
                Err(TaskKeepError::Lost(format!("it answered {} instead", other.name())))
            }
            Ok(None) => Err(TaskKeepError::Lost("the connection ended".to_owned())),
            Err(error) => Err(TaskKeepError::Lost(error.to_string())),
        }
    }
}
