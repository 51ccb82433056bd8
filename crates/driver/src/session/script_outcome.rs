//! What is run in a task, and how the run ended. How it is run, and what is reported of the end, is
//! decided elsewhere.

use std::net::SocketAddr;

use fargate_protocol::{AgentRefusal, ScriptExit};

use super::console::OutputFailure;
use super::login::LoginError;

/// What to run.
#[derive(Clone, Debug)]
pub enum TaskCommand {
    /// A script for a shell.
    Script {
        /// The shell.
        shell: String,
        /// The script.
        bytes: Vec<u8>,
    },
    /// A program and its arguments.
    Argv(Vec<String>),
}

/// What was known of the task when its script had ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskCondition {
    /// Nothing said that it would end.
    Alive,
    /// The agent had said that the task would end. So this may not be the script's own end.
    Ending,
    /// The agent had said so, but it knows that the script did not notice anything of it.
    EndingUnfelt,
    /// The stock server was gone, so the task may be ending.
    Gone,
}

/// How the run ended.
#[derive(Debug)]
pub enum ScriptOutcome {
    /// The script ended, and all its output was written.
    Ended {
        /// How it ended.
        ending: ScriptExit,
        /// What was known of the task then.
        sign: TaskCondition,
        /// Whether we had asked for its end.
        stopped: bool,
        /// Whether a process that the script left behind still holds its output.
        output_left: bool,
    },
    /// We asked for its end and do not wait for it. The agent ends it, with or without us.
    Left,
    /// The agent refused. Nothing was started.
    Refused(AgentRefusal),
    /// The login shell of a stock server did not run our program. Nothing was started.
    NoShell {
        /// What came instead.
        how: String,
    },
    /// Another `run` has replaced this one.
    Superseded {
        /// Bytes of output that arrived.
        received: u64,
        /// Whether the script may have started.
        started: bool,
    },
    /// The connection is gone, and nobody said how the script ended.
    Lost {
        /// The reason in words.
        how: String,
        /// Bytes of output that arrived.
        received: u64,
        /// Whether the script may have started.
        started: bool,
        /// Whether the agent had said that the task would end.
        warned: bool,
    },
    /// The reader of our output is gone.
    OutputClosed(OutputFailure),
    /// Nobody answered, so nothing was sent.
    Unreached {
        /// The reason in words.
        how: String,
    },
    /// The connection is gone, and whoever answers now does not let us in: another machine, or one
    /// that no longer accepts our key.
    Shut {
        /// The error of the login.
        error: LoginError,
        /// The address.
        address: SocketAddr,
        /// The reason in words.
        how: String,
        /// Bytes of output that arrived.
        received: u64,
        /// Whether the script may have started.
        started: bool,
    },
}

impl ScriptOutcome {
    /// Makes one for a server at `address` that does not let us in. Nothing was sent.
    #[must_use]
    pub fn shut(error: LoginError, address: SocketAddr) -> Self {
        Self::Shut { how: error.to_string(), error, address, received: 0, started: false }
    }

    /// Whether the script may have started.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::Ended { .. } | Self::Left | Self::OutputClosed(_) => true,
            Self::Superseded { started, .. }
            | Self::Lost { started, .. }
            | Self::Shut { started, .. } => *started,
            Self::Refused(_) | Self::NoShell { .. } | Self::Unreached { .. } => false,
        }
    }
}
