//! One conversation with a task's server, our agent or a stock SSH server: it dials, proves the
//! host, and runs one script.
//!
//! It knows SSH and the frames of the protocol, and asks STS who proved a host key. It knows no forge,
//! no ECS and no exit codes of stages.

mod agent;
mod algorithms;
mod cancel;
mod connect;
mod console;
mod dial;
mod host_proof;
mod keep_task;
mod keys;
mod login;
#[cfg(test)]
mod login_tests;
mod marker;
mod peer;
mod quick_ack;
mod resume;
mod run_script;
mod script_outcome;
mod script_progress;
mod shell;
mod side_session;
mod stock;
#[cfg(test)]
mod stock_program_tests;
mod stock_run;
mod version_skew;

pub use cancel::{CancelHandle, CancelRequest, CancelSender, CancelSignals};
pub use connect::{TaskConnectError, TaskConnector};
pub use console::{ConsoleError, ConsoleProgress, ConsoleWriter, OutputFailure};
pub use dial::{DialError, dial};
pub use fargate_protocol::ScriptSignal;
pub use host_proof::{HostProofFailure, TaskRoleVerifier};
pub use keep_task::TaskKeepError;
pub use keys::{ClientKey, HostKeySeed, host_key_fingerprint, parse_host_key};
pub use login::{HostKeyPolicy, LoginError, TaskLogin};
pub use peer::{OpenedSession, TaskSession};
pub use resume::{TaskWatch, run};
pub use script_outcome::{ScriptOutcome, TaskCommand, TaskCondition};
pub use shell::{UnsupportedShell, shell_for};
pub use side_session::{
    PersonInput, PersonOrder, PersonTerminal, PersonTerminalSize, SideSession, SideSessionEnd,
    SideSessionError, SideSessionRequest,
};
pub use stock::{StockServerFeatures, StockTaskSettings};
pub use version_skew::{AgentInfo, SUPPORTED_MONTHS};
