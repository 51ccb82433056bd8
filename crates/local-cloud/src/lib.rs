//! An ECS that lives in one process: the wire protocol, the states, the errors and the checks of
//! the real service for the operations that Fargate Runner uses, with tasks that really run.
//!
//! It is reached by its endpoint only; no product crate links it. It does not run images (a task
//! is the agent, or the container's own command), plays no other service, schedules nothing, and
//! keeps nothing after its end but the folders it was given.

mod actions;
mod backend;
mod clock;
mod cloud;
mod configuration;
mod fault;
mod lifecycle;
mod options;
mod pace;
mod record;
mod seed;
mod server;
mod state;
mod wire;

pub use fault::{Fault, Phase};
pub use options::{Options, ServeError};
pub use pace::Pace;
pub use record::{ContainerRecord, Request, TaskRecord};
pub use server::LocalCloud;
pub use wire::credentials::Credentials;
