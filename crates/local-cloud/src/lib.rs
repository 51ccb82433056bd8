//! An ECS that lives in one process: the wire protocol, the states, the errors and the checks of
//! the real service for the operations that Fargate Runner uses, with tasks that really run.

mod fault;
mod options;
mod pace;
mod record;
mod server;

pub use fault::{Fault, Phase};
pub use options::{Options, ServeError};
pub use pace::Pace;
pub use record::{ContainerRecord, Request, TaskRecord};
pub use server::{Credentials, LocalCloud};
