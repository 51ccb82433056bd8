//! Looks after a whole host, where the driver looks after one job.
//!
//! [`HostReaper`] finds tasks of this host that nobody needs, and stops them. [`ClusterReaper`]
//! does the same for tasks of any host whose deadline passed long ago. [`idle`] tells when no job
//! is left, and [`host_jobs`] which jobs there are.
//!
//! Nothing here runs by itself: a person, a timer or a service calls it. What a task or a record
//! is, and how it ends, is the matter of `fargate_driver`.

mod account_cluster;
mod cluster_reaper;
mod finding;
pub mod host_jobs;
mod host_reaper;
pub mod idle;
mod job_access;
mod judge;
mod reap_twice;
mod report;
mod sightings;
mod stop_orphans;

pub use cluster_reaper::{ClusterReaper, MARGIN};
pub use host_reaper::{HostReaper, ReapError, ReaperSettings, STOPS_PER_SECOND};
pub use job_access::{JobAccessError, ReachableJob};
pub use judge::{OrphanReason, UnjudgedReason};
pub use reap_twice::ReapProgress;
pub use report::{
    KeptTaskReport, OrphanOutcome, OrphanReport, ReapedCluster, SweepReport, UnjudgedTask,
};
pub use stop_orphans::ReapMode;
