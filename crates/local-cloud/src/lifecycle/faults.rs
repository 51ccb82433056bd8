//! Faults of a task that lives: when the next one is due, and what it makes of the task.

use std::future::pending;
use std::time::{Duration, SystemTime};

use super::{TaskLifecycle, ordered};
use crate::cloud::CloudInstance;
use crate::fault::{CloudTaskPhase, DueTaskEffect, TaskEffect};
use crate::state::task::CloudTaskEnding;

/// A fault that is due: of the call that started the task, or of a rule for tasks.
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

/// Waits for what is coming; for ever if nothing is.
pub(super) async fn until(cloud: &CloudInstance, coming: Option<&UpcomingFault>) {
    match coming {
        Some(coming) => cloud.clock.sleep_until(coming.at()).await,
        None => pending().await,
    }
}

impl TaskLifecycle {
    /// Plays the faults of a state in which nothing runs, if there are any.
    pub(super) async fn play_faults(
        &mut self,
        phase: CloudTaskPhase,
    ) -> Result<(), CloudTaskEnding> {
        let (mut held, mut waited) = (false, false);
        loop {
            let mut changes = self.cloud.faults.changes();
            let coming = self.due(phase);
            held = held || (coming.is_none() && self.holds(phase));
            if coming.is_none() && !held {
                if waited {
                    self.entered = self.cloud.clock.now();
                }
                return Ok(());
            }
            waited = true;
            tokio::select! {
                ending = ordered(&mut self.start.orders) => return Err(ending),
                () = until(&self.cloud, coming.as_ref()) => {}
                // The sender is the cloud's, so it is there.
                _ = changes.changed() => continue,
            }
            self.strike(coming)?;
        }
    }

    /// What ends the task first, if it stays in this state.
    pub(super) fn due(&self, phase: CloudTaskPhase) -> Option<UpcomingFault> {
        let of_call = self.of_call(phase).filter(|(_, deed)| *deed != TaskEffect::Hold);
        let of_call = of_call.and_then(|(after, deed)| {
            // What lies beyond all time never comes.
            Some(UpcomingFault::OfCall(self.entered.checked_add(after)?, deed))
        });
        let of_rule = self.cloud.faults.due(&self.named, phase, self.entered);
        of_call.into_iter().chain(of_rule.map(UpcomingFault::OfRule)).min_by_key(UpcomingFault::at)
    }

    /// Whether the task is held in this state.
    pub(super) fn holds(&self, phase: CloudTaskPhase) -> bool {
        if self.of_call(phase).is_some_and(|(_, deed)| deed == TaskEffect::Hold) {
            return true;
        }
        let due = self.cloud.faults.holds(&self.named, phase, self.entered);
        due.is_some_and(|due| self.note_strike(&due))
    }

    fn of_call(&self, phase: CloudTaskPhase) -> Option<(Duration, TaskEffect)> {
        let fault = self.start.fault.as_ref().filter(|fault| fault.phase == phase)?;
        Some((fault.after, fault.deed.clone()))
    }

    /// Notes that a rule struck; false if it was taken away meanwhile.
    fn note_strike(&self, due: &DueTaskEffect) -> bool {
        self.cloud.faults.done(due, &self.named, self.cloud.clock.now())
    }

    /// Does what was due.
    pub(super) fn strike(&mut self, coming: Option<UpcomingFault>) -> Result<(), CloudTaskEnding> {
        let deed = match coming {
            Some(UpcomingFault::OfCall(_, deed)) => deed,
            Some(UpcomingFault::OfRule(due)) if self.note_strike(&due) => due.deed,
            _ => return Ok(()),
        };
        Err(match deed {
            // What holds a task ends nothing.
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
