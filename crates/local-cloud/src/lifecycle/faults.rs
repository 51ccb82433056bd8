//! Faults of a task that lives: when the next one is due, and what it makes of the task.

use std::future::pending;
use std::time::{Duration, SystemTime};

use super::{Life, ordered};
use crate::cloud::Cloud;
use crate::fault::{Deed, Due, Phase};
use crate::state::task::Ending;

/// A fault that is due: of the call that started the task, or of a rule for tasks.
pub(super) enum Coming {
    OfCall(SystemTime, Deed),
    OfRule(Due),
}

impl Coming {
    fn at(&self) -> SystemTime {
        match self {
            Self::OfCall(at, _) => *at,
            Self::OfRule(due) => due.at,
        }
    }
}

/// Waits for what is coming; for ever if nothing is.
pub(super) async fn until(cloud: &Cloud, coming: Option<&Coming>) {
    match coming {
        Some(coming) => cloud.clock.sleep_until(coming.at()).await,
        None => pending().await,
    }
}

impl Life {
    /// Plays the faults of a state in which nothing runs, if there are any.
    pub(super) async fn play_faults(&mut self, phase: Phase) -> Result<(), Ending> {
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
    pub(super) fn due(&self, phase: Phase) -> Option<Coming> {
        let of_call = self.of_call(phase).filter(|(_, deed)| *deed != Deed::Hold);
        let of_call = of_call.and_then(|(after, deed)| {
            // What lies beyond all time never comes.
            Some(Coming::OfCall(self.entered.checked_add(after)?, deed))
        });
        let of_rule = self.cloud.faults.due(&self.named, phase, self.entered);
        of_call.into_iter().chain(of_rule.map(Coming::OfRule)).min_by_key(Coming::at)
    }

    /// Whether the task is held in this state.
    pub(super) fn holds(&self, phase: Phase) -> bool {
        if self.of_call(phase).is_some_and(|(_, deed)| deed == Deed::Hold) {
            return true;
        }
        let due = self.cloud.faults.holds(&self.named, phase, self.entered);
        due.is_some_and(|due| self.note_strike(&due))
    }

    fn of_call(&self, phase: Phase) -> Option<(Duration, Deed)> {
        let fault = self.start.fault.as_ref().filter(|fault| fault.phase == phase)?;
        Some((fault.after, fault.deed.clone()))
    }

    /// Notes that a rule struck; false if it was taken away meanwhile.
    fn note_strike(&self, due: &Due) -> bool {
        self.cloud.faults.done(due, &self.named, self.cloud.clock.now())
    }

    /// Does what was due.
    pub(super) fn strike(&mut self, coming: Option<Coming>) -> Result<(), Ending> {
        let deed = match coming {
            Some(Coming::OfCall(_, deed)) => deed,
            Some(Coming::OfRule(due)) if self.note_strike(&due) => due.deed,
            _ => return Ok(()),
        };
        Err(match deed {
            // What holds a task ends nothing.
            Deed::Hold => return Ok(()),
            Deed::Stop(stop) => Ending {
                container_reason: stop.container_reason,
                exit_code: stop.exit_code,
                at_once: true,
                ..Ending::gentle(&stop.stop_code, &stop.stopped_reason)
            },
            Deed::Interrupt(grace) => Ending::spot(grace),
            Deed::Forget => {
                self.note(|task, _| task.forgotten = true);
                let ending = Ending::gentle("InfrastructureHealth", "The task was forgotten.");
                Ending { at_once: true, ..ending }
            }
        })
    }
}
