//! One conversation with the agent of a task: dialled, the host proven, one script run.
//!
//! It knows SSH and the protocol's frames. It knows no forge, no ECS and no exit codes.

mod console;
mod dial;
mod keys;
mod login;
mod stops;
mod talk;

pub use console::{Console, ConsoleError, Progress};
pub use dial::{DialError, dial};
pub use fargate_protocol::Signal;
pub use keys::{ClientKey, Seed, parse_host_key};
pub use login::{Login, LoginError, Session};
pub use stops::{Stop, Stops};
pub use talk::{Job, Outcome};
