//! The words that every part shares: ids, job identity, task states, Fargate sizes, the partition
//! of a region, limits of a task's life, how figures are written for people, and the catalogue of causes.
//!
//! A leaf: serde and plain values, no I/O, no clock, no async runtime.

pub mod cause;
pub mod id;
pub mod job;
pub mod lifetime;
pub mod region;
pub mod size;
pub mod task;
pub mod text;
