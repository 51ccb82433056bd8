//! One conversation with a task, its agent or a stock SSH server: dialled, the host proven, one
//! script run.
//!
//! It knows SSH and the protocol's frames. It knows no forge, no ECS and no exit codes.

mod agent;
mod algorithms;
mod console;
mod course;
mod dial;
mod keys;
mod login;
#[cfg(test)]
mod login_tests;
mod marker;
mod peer;
mod prompt;
mod reach;
mod resume;
mod shell;
mod skew;
mod stock;
#[cfg(test)]
mod stock_program_tests;
mod stock_talk;
mod stops;
mod talk;

pub use console::{Console, ConsoleError, Progress};
pub use dial::{DialError, dial};
pub use fargate_protocol::Signal;
pub use keys::{ClientKey, Seed, parse_host_key};
pub use login::{HostProof, Login, LoginError};
pub use peer::Session;
pub use reach::{Missed, Reach};
pub use resume::run;
pub use shell::{OtherShell, shell_for};
pub use skew::{Introduction, SUPPORTED_MONTHS};
pub use stock::{Found, Terms as StockTerms};
pub use stops::{Stop, Stops};
pub use talk::{Job, Outcome, TaskSign};
