//! Structures of the protocol, one file per subject.

pub mod cluster;
pub mod common;
pub mod definition;
