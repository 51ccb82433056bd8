//! What looks after a whole host rather than one job.
//!
//! [`Reaper`] finds tasks of this host that nobody needs any more, and ends them; [`ClusterReaper`] those
//! of any host whose deadline is long over; [`idle`] tells when no job is left. None is a daemon: each is
//! called, by hand, from a timer, or later by one that stays.
//! What a task or a record is, and how it ends, is `fargate_driver`'s.

mod act;
mod cluster;
mod finding;
pub mod idle;
mod judge;
mod place;
mod report;
mod sightings;
mod sweep;

pub use act::Intent;
pub use cluster::{ClusterReaper, MARGIN};
pub use judge::{Doubt, Reason};
pub use report::{Cluster, Done, LeftAlone, Orphan, Sweep};
pub use sweep::{Host, ReapError, Reaper, STOPS_PER_SECOND};
