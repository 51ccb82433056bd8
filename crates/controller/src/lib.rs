//! Looks after a whole host, where the driver looks after one job.
//!
//! [`HostReaper`] finds tasks of this host that nobody needs, and stops them. [`ClusterReaper`]
//! does the same for tasks of any host whose deadline passed long ago. [`idle`] tells when no job
//! is left, [`host_jobs`] which jobs there are, and [`host_journals`] what happened to them. [`HostControl`] lets new jobs wait.
//!
//! [`HostDaemon`] runs for as long as a host has a daemon: it watches all tasks of the host with few calls
//! ([`HostWatch`]), answers the processes of the host at a socket, reaps, and stops what people want stopped
//! ([`StopQueue`]).
//!
//! Nothing here runs by itself: a person, a timer or a service calls it. What a task or a record
//! is, and how it ends, is the matter of `fargate_driver`.

mod account_cluster;
mod cluster_reaper;
mod daemon_socket;
mod finding;
mod folder_guard;
mod host_control;
mod host_daemon;
pub mod host_jobs;
pub mod host_journals;
mod host_reaper;
mod host_tasks;
mod host_watch;
pub mod idle;
mod job_access;
mod judge;
mod judge_clock;
mod orphan_reason;
mod orphan_search;
mod read_budget;
mod reap_error;
mod reap_loop;
mod reap_twice;
mod report;
mod sightings;
mod stop_orphans;
mod stop_queue;
mod watch_loop;

pub use account_cluster::STOPS_PER_SECOND;
pub use cluster_reaper::{ClusterReaper, MARGIN};
pub use daemon_socket::{DaemonSocket, DaemonSocketError};
pub use host_control::HostControl;
pub use host_daemon::HostDaemon;
pub use host_reaper::HostReaper;
pub use host_tasks::{HostTasks, TaskListSource, TaskListing, TaskStopError};
pub use host_watch::{EcsSilence, HostWatch, TaskSubscription, WatchedTask};
pub use job_access::{JobAccessError, ReachableJob};
pub use orphan_reason::{OrphanReason, UnjudgedReason};
pub use reap_error::{ReapError, ReaperSettings};
pub use reap_loop::{LastSweep, ReapCondition};
pub use reap_twice::ReapProgress;
pub use report::{
    KeptTaskReport, OrphanOutcome, OrphanReport, ReapedCluster, SweepReport, UnjudgedTask,
};
pub use stop_orphans::ReapMode;
pub use stop_queue::{NamedTask, StopOrderError, StopQueue};
