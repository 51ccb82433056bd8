//! `[limits]`: how often something may be done. Times are in `timeouts`.

use crate::row::number;
use crate::table::{settings_table, table_with_defaults};

settings_table! {
    /// How often something may be done.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct JobLimits {
        /// Requests to ECS about tasks that all jobs of this host together may send each second, and
        /// five times as many at once after a quiet time. AWS answers 20 a second, and 100 at once,
        /// for a whole account in a Region: with several hosts, give each its share.
        // Source: Amazon ECS API Reference, "Request throttling for the Amazon ECS API".
        pub ecs_reads_per_second: u32 = number(1, 1000).or_number(20),
        /// How many more tasks one `prepare` may start if a task does not come up. It counts all reasons
        /// together. A reason that stays ends `prepare` at once. When ECS refuses before there is a
        /// task, for example for lack of capacity, `prepare` waits instead.
        pub task_relaunches: u32 = number(0, 20).or_number(3),
        /// So many failures of a capacity provider within `timeouts.capacity_window` make all jobs of
        /// this host leave it alone for `timeouts.capacity_pause`, if `capacity_fallback` names another
        /// one. A failure is a Spot interruption, or a refusal for lack of capacity in every subnet. 0:
        /// never.
        // Ours: one interruption is chance, and two may have one reason. With three, the provider is
        // short of capacity, and each further try costs a job.
        pub capacity_failures: u32 = number(0, 100).or_number(3),
    }
}

table_with_defaults!(JobLimits);
