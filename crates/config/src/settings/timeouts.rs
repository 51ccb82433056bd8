//! `[timeouts]`: every wait, deadline and pause of the product. How often something may be done is
//! in `limits`.

use std::time::Duration;

use fargate_model::lifetime::MAX_LIFETIME_MARGIN;

use crate::row::{seconds, time};
use crate::table::{settings_table, table_with_defaults};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const fn s(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn m(n: u64) -> Duration {
    s(n * 60)
}

const fn h(n: u64) -> Duration {
    m(n * 60)
}

settings_table! {
    /// How long each wait may last, and how long each pause is.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct JobTimeouts {
        /// The whole `prepare` stage.
        pub prepare: Duration = time(ms(10), h(6)).or_time(m(15)),
        /// From the accepted RunTask until the task answers. A task that cannot reach its image or
        /// secrets ends by itself after 4m 49s, with the reason.
        pub task_start: Duration = time(ms(10), h(6)).or_time(m(10)).at_most("prepare"),
        /// From RUNNING until the agent answers.
        pub agent_start: Duration = time(ms(10), h(6)).or_time(m(2)),
        /// Failures of a capacity provider count together within this time; see
        /// `limits.capacity_failures`.
        pub capacity_window: Duration = time(s(1), h(24)).or_time(m(10)),
        /// How long jobs then leave that provider alone.
        // Ours: a shortage lasts longer than some minutes, and a quarter of an hour on demand costs
        // less than the jobs that would be lost.
        pub capacity_pause: Duration = time(s(1), h(24)).or_time(m(15)),
        /// How long one attempt to connect to a task waits for an answer. Then a fresh attempt is
        /// made.
        pub connect_attempt: Duration = time(ms(1), m(1)).or_time(s(1)).at_most("ssh_handshake"),
        /// Pause after a refused attempt to connect.
        pub connect_retry_pause: Duration = time(ms(1), m(1)).or_time(ms(50)),
        /// From the open connection until the host key is proven.
        pub ssh_handshake: Duration = time(ms(10), m(5)).or_time(s(15)),
        /// How long the task may take to accept the client key.
        pub ssh_authentication: Duration = time(ms(10), m(5)).or_time(s(15)),
        /// How long the agent may take to answer in the session that was just opened.
        pub session_open: Duration = time(ms(10), m(5)).or_time(s(10)),
        /// How long the task may take nothing of what it is sent, a script above all. Then the
        /// connection counts as lost, even if its probes are answered.
        pub send_stall: Duration = time(ms(10), m(5)).or_time(m(1)),
        /// After so long without a word from the task, the connection is probed. See
        /// `keepalive_tries`.
        pub keepalive_interval: Duration = time(ms(10), m(5)).or_time(s(15)),
        /// Connecting to an AWS endpoint.
        pub aws_connect: Duration = time(ms(10), m(1)).or_time(s(3)).at_most("aws_attempt"),
        /// One attempt of an AWS call.
        pub aws_attempt: Duration = time(ms(10), m(5)).or_time(s(10)).at_most("aws_call"),
        /// An AWS call with all its attempts, and each source of credentials, such as a
        /// `credential_process`.
        pub aws_call: Duration = time(ms(10), m(15)).or_time(m(1)),
        /// Shortest pause between two questions to ECS about a task.
        pub ecs_poll_min: Duration = time(ms(1), m(1)).or_time(ms(200)).at_most("ecs_poll_max"),
        /// Longest pause between two questions to ECS about a task.
        pub ecs_poll_max: Duration = time(ms(1), m(5)).or_time(s(5)),
        /// Stopping the task when `prepare` is told to end.
        pub task_stop: Duration = time(ms(10), m(5)).or_time(s(10)),
        /// The `cleanup` stage with all its attempts to stop the task.
        pub cleanup: Duration = time(ms(10), h(1)).or_time(m(1)),
        /// How long a cancelled script has between TERM and KILL.
        pub cancel_grace: Duration = time(ms(1), m(10)).or_time(s(10)),
        /// How soon a cancelled `run` stage returns.
        pub cancel_return: Duration = time(ms(1), m(1)).or_time(s(2)),
        /// If an earlier script still runs when the next one begins, it gets TERM, and KILL after this
        /// time.
        pub next_stage_grace: Duration = time(ms(1), m(10)).or_time(s(2)),
        /// How long the agent lets a script run whose client is gone.
        pub client_gone: Duration = seconds(s(1), h(1)).or_time(m(2)),
        /// How long a `run` whose connection was cut tries to come back to its script, and one that
        /// has sent nothing yet tries to reach its task. If `client_gone` is less, that counts.
        pub reconnect: Duration = time(ms(1), h(1)).or_time(m(2)),
        /// How long a task waits for its next client before it stops itself. gitlab-runner may pause
        /// for 5 minutes between two tries.
        pub task_idle: Duration = seconds(s(1), h(24)).or_time(m(10)),
        /// The same for a task of `fargate-runner exec`.
        pub exec_task_idle: Duration = seconds(s(1), h(24)).or_time(m(2)),
        /// How long a task may live beyond the time-out of its job.
        pub lifetime_margin: Duration = seconds(s(1), MAX_LIFETIME_MARGIN).or_time(m(15)),
        /// The time-out of a job that names none.
        pub default_job_timeout: Duration = seconds(s(1), h(720)).or_time(h(1)),
        /// After how long `prepare` says that the task is still PENDING.
        pub pending_notice: Duration = time(ms(10), h(6)).or_time(s(90)),
        /// How often `prepare` reports while it waits.
        pub progress_interval: Duration = time(ms(10), h(1)).or_time(s(15)),
        /// Asking ECS why a task stopped, once the connection to it was lost.
        pub stop_reason: Duration = time(ms(10), h(1)).or_time(m(2)),
        /// How long ECS may answer that it does not know a new task.
        pub task_visibility: Duration = time(ms(10), h(1)).or_time(m(1)),
        /// Waiting for another stage of the same job to leave the state file.
        pub state_lock: Duration = time(ms(10), m(10)).or_time(s(10)),
        /// How long the result of a job is remembered after `cleanup`.
        pub tombstone_retention: Duration = time(s(1), h(720)).or_time(h(24)),
        /// `fargate-runner task-definition prune` removes a revision that no task was started from for
        /// so long.
        pub definition_retention: Duration = time(h(1), h(24 * 365)).or_time(h(24 * 30)),
        /// How long `prepare` waits on a host that is paused or drained, before its own time begins.
        pub paused_host: Duration = time(ms(10), h(24)).or_time(m(15)),
        /// `fargate-runner tasks reap` stops a task only if it finds the task orphaned twice. This is
        /// the time between the two.
        pub orphan_recheck: Duration = time(ms(10), h(1)).or_time(s(10)),
        /// Pause before the first new task after a registry limited pulls. The pause doubles each
        /// time, up to 5 minutes.
        pub registry_retry_pause: Duration = time(ms(10), m(5)).or_time(s(30)),
    }
}

table_with_defaults!(JobTimeouts);

impl JobTimeouts {
    /// How long a `run` tries to come back: [`Self::reconnect`], and no longer than the agent keeps
    /// its script.
    #[must_use]
    pub fn reconnect_window(&self) -> Duration {
        self.reconnect.min(self.client_gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_comes_back_for_longer_than_the_agent_waits() {
        let mut timeouts = JobTimeouts::default();
        assert_eq!(timeouts.reconnect_window(), m(2));
        timeouts.reconnect = m(5);
        assert_eq!(timeouts.reconnect_window(), timeouts.client_gone);
        timeouts.reconnect = s(3);
        assert_eq!(timeouts.reconnect_window(), s(3));
    }
}
