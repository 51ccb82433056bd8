//! How long a task may live.

use serde::{Deserialize, Serialize};

/// How long the task may live: the body of [`crate::ClientMessage::Lease`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskLease {
    /// The task ends if no client is connected for this long, in ms.
    pub idle_ms: u64,
    /// The task ends this long from now in any case, in ms.
    pub deadline_ms: u64,
    /// The script is ended if its client is gone for this long, in ms.
    pub client_gone_ms: u64,
    /// When another run comes, the script that still runs has this long between TERM and KILL, in
    /// ms. `None` lets the agent choose.
    #[serde(default)]
    pub next_stage_grace_ms: Option<u64>,
    /// Names by which the job's containers reach each other. This version does not use them.
    #[serde(default)]
    pub hosts: Vec<(String, String)>,
}
