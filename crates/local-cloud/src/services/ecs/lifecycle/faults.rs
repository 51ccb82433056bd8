//! The faults of one task: when the next one is due, and what it does to the task.

use std::future::pending;
use std::time::{Duration, SystemTime};

use super::task_lifecycle::{TaskLifecycle, ordered};
use crate::cloud::CloudInstance;
use crate::fault::{CloudTaskPhase, DueTaskEffect, TaskEffect};
use crate::services::ecs::state::task_ending::CloudTaskEnding;

/// A fault that is to come: of the call that started the task, or of a rule for tasks.
pub(super) enum UpcomingFault {
    OfCall(SystemTime, TaskEffect),
    OfRule(DueTaskEffect),
}

impl UpcomingFault {
    fn at(&self) -> SystemTime {
        match self {
            Self::OfCall(at, _) => *at,
            Self::OfRule(due) => due.at,
        }
    }
}

/// Waits until the fault is due; for ever without one.
pub(super) async fn until(cloud: &CloudInstance, coming: Option<&UpcomingFault>) {
    match coming {
        Some(coming) => cloud.clock.sleep_until(coming.at()).await,
        None => pending().await,
    }
}

impl TaskLifecycle {
    /// Plays the faults of a state in which nothing runs. Returns when the task may leave the state.
    pub(super) async fn play_faults(
        &mut self,
        phase: CloudTaskPhase,
    ) -> Result<(), CloudTaskEnding> {
        let (mut held, mut waited) = (false, false);
        loop {
            // Subscribed before the rules are asked, so that a change in between is not missed.
            let mut changes = self.cloud.faults.changes();
            let coming = self.due(phase);
            held = held || (coming.is_none() && self.holds(phase));
            if coming.is_none() && !held {
                // A task that was held leaves its state now, not when its delays ended.
                if waited {
                    self.entered = self.cloud.clock.now();
                }
                return Ok(());
            }
            waited = true;
            tokio::select! {
                ending = ordered(&mut self.start.orders) => return Err(ending),
                () = until(&self.cloud, coming.as_ref()) => {}
                // The cloud holds the sender, so there is no error.
                _ = changes.changed() => continue,
            }
            self.apply_fault(coming)?;
        }
    }

    /// What ends the task first, if it stays in this state.
    pub(super) fn due(&self, phase: CloudTaskPhase) -> Option<UpcomingFault> {
        let of_call = self.of_call(phase).filter(|(_, effect)| *effect != TaskEffect::Hold);
        let of_call = of_call.and_then(|(after, effect)| {
            // A time that the clock cannot express never comes.
            Some(UpcomingFault::OfCall(self.entered.checked_add(after)?, effect))
        });
        let of_rule = self.cloud.faults.due(&self.named, phase, self.entered);
        of_call.into_iter().chain(of_rule.map(UpcomingFault::OfRule)).min_by_key(UpcomingFault::at)
    }

    /// Whether the task is held in this state.
    pub(super) fn holds(&self, phase: CloudTaskPhase) -> bool {
        if self.of_call(phase).is_some_and(|(_, effect)| effect == TaskEffect::Hold) {
            return true;
        }
        let due = self.cloud.faults.holds(&self.named, phase, self.entered);
        due.is_some_and(|due| self.note_use(&due))
    }

    fn of_call(&self, phase: CloudTaskPhase) -> Option<(Duration, TaskEffect)> {
        let fault = self.start.fault.as_ref().filter(|fault| fault.phase == phase)?;
        Some((fault.after, fault.effect.clone()))
    }

    /// Notes that a rule was used; false if it was removed meanwhile.
    fn note_use(&self, due: &DueTaskEffect) -> bool {
        self.cloud.faults.done(due, &self.named, self.cloud.clock.now())
    }

    /// Does what was due. An error is how the task ends by it.
    pub(super) fn apply_fault(
        &mut self,
        coming: Option<UpcomingFault>,
    ) -> Result<(), CloudTaskEnding> {
        let effect = match coming {
            Some(UpcomingFault::OfCall(_, effect)) => effect,
            Some(UpcomingFault::OfRule(due)) if self.note_use(&due) => due.effect,
            _ => return Ok(()),
        };
        Err(match effect {
            // To hold a task does not end it.
            TaskEffect::Hold => return Ok(()),
            TaskEffect::Stop(stop) => CloudTaskEnding {
                container_reason: stop.container_reason,
                exit_code: stop.exit_code,
                at_once: true,
                ..CloudTaskEnding::gentle(&stop.stop_code, &stop.stopped_reason)
            },
            TaskEffect::Interrupt(grace) => CloudTaskEnding::spot(grace),
            TaskEffect::Forget => {
                self.note(|task, _| task.forgotten = true);
                let ending =
                    CloudTaskEnding::gentle("InfrastructureHealth", "The task was forgotten.");
                CloudTaskEnding { at_once: true, ..ending }
            }
        })
    }
}
