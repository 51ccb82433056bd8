//! Structures of the ECS protocol, one file per subject.

pub mod cluster;
pub mod common;
pub mod definition;
pub mod run_task;
