//! What whole-product tests share: a local cloud with a configuration file, jobs whose stages are
//! real processes, and the invariants that hold after every fault.
//!
//! It asserts, so it panics; it is no place for product code and knows no internals of it. A test
//! opens a [`Site`], plays jobs on it, and ends with [`Site::close`], which checks what must always
//! hold.

mod containers;
mod ecs;
mod files;
mod installation;
mod invariants;
mod job;
mod microburst;
mod neighbour;
mod place;
mod process;
mod python;
mod redact;
pub mod scenes;
mod site;
mod size;
mod sshd;
mod wait;

pub use containers::Containers;
pub use ecs::client as ecs_client;
pub use fargate_playground::invariants::{contains, files_below};
pub use fargate_playground::relay::{Cut, Fault, Line, Relay, Side, Way, What};
pub use files::replace_in;
pub use installation::Installation;
pub use invariants::END_AT;
pub use job::{BUILD_FAILURE, Job, SYSTEM_FAILURE};
pub use microburst::Microburst;
pub use neighbour::{have, skip};
pub use place::free_place;
pub use process::{
    Ended, Reading, Running, alive, alive_in_task, is_ignored, mark, memory_kib, pass, process,
    wait_at,
};
pub use python::python;
pub use redact::redacted;
pub use site::{Site, agent, runner};
pub use size::megabytes;
pub use sshd::Sshd;
pub use wait::{PATIENCE, until, until_found};
