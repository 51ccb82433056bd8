//! What looks after a whole host rather than one job.
//!
//! [`HostReaper`] finds tasks of this host that nobody needs any more, and ends them; [`ClusterReaper`] those
//! of any host whose deadline is long over; [`idle`] tells when no job is left. None is a daemon: each is
//! called, by hand, from a timer, or later by one that stays.
//! What a task or a record is, and how it ends, is `fargate_driver`'s.

mod account_cluster;
mod cluster_reaper;
mod finding;
mod host_reaper;
pub mod idle;
mod judge;
mod reap_twice;
mod report;
mod sightings;
mod stop_orphans;

pub use cluster_reaper::{ClusterReaper, MARGIN};
pub use host_reaper::{HostReaper, ReapError, ReaperSettings, STOPS_PER_SECOND};
pub use judge::{OrphanReason, UnjudgedReason};
pub use reap_twice::ReapProgress;
pub use report::{OrphanOutcome, OrphanReport, ReapedCluster, SweepReport, UnjudgedTask};
pub use stop_orphans::ReapMode;
