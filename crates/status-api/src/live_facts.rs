//! What the controller finds out about this host beside the history: how ECS answers, what it stopped.
//!
//! Whoever watches tasks replaces the value; answers read it. Nothing here asks anybody.

/// Facts of this moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveFacts {
    /// Since when ECS has not answered; `None` if it does, or if nobody asks it.
    pub ecs_silent_since_ms: Option<u64>,
    /// What ECS or the network said last, if it does not answer.
    pub ecs_error: Option<String>,
    /// Tasks of this host that ECS says are alive; `None`: nobody asked.
    pub live_tasks: Option<u64>,
    /// Orphans whose task was stopped since [`LiveFacts::orphans_day_ms`].
    pub orphans_stopped: u64,
    /// The beginning of the day that they are counted for.
    pub orphans_day_ms: u64,
}
