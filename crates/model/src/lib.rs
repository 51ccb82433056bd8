//! The types and words that all crates share: ids, the identity of a job, states of a task, Fargate
//! sizes, the partition of a Region, the limits of a task's life, how figures are written for
//! people, and the catalogue of causes.
//!
//! It also has the small helpers that every part would else write again: random numbers, growing
//! pauses, waits that may be absent.
//!
//! It does no I/O, reads no clock, uses no async runtime, and depends on no other crate of this
//! workspace.

pub mod backoff;
pub mod cause;
pub mod content_hash;
pub mod ecr_host;
pub mod half_hours;
pub mod id;
pub mod job;
pub mod lifetime;
pub mod moment;
pub mod optional;
pub mod price;
pub mod random;
pub mod region;
pub mod size;
pub mod task;
pub mod text;
