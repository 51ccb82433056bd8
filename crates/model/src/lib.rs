//! The words that every part shares: ids, job identity, task states, Fargate sizes, the partition
//! of a region, limits of a task's life, how figures are written for people, and the catalogue of causes.
//!
//! It also has the small helpers that every part would else write again: random numbers, growing
//! pauses, waits that may be absent.
//!
//! A leaf: serde and plain values, no I/O, no clock, no async runtime.

pub mod backoff;
pub mod cause;
pub mod id;
pub mod job;
pub mod lifetime;
pub mod optional;
pub mod random;
pub mod region;
pub mod size;
pub mod task;
pub mod text;
