//! How readers who are behind see a task: as it was at an earlier moment.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fargate_model::task::TaskStatus;

use super::task::CloudTask;
use super::task_history::{TaskHistory, TaskSnapshot};
use crate::fault::ReaderLag;

/// For how long the history of a task is kept.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How many moments of one task are kept. A task has about ten in its life.
const MOMENTS: usize = 64;

impl CloudTask {
    /// Adds the task as it is now to its history. Call it before each change.
    pub fn remember(&mut self, now: SystemTime) {
        let moment = TaskSnapshot {
            until: now,
            containers: self.containers.clone(),
            interface: self.interface.clone(),
            last_status: self.last_status.clone(),
            version: self.version,
            times: self.times,
            ending: self.ending.clone(),
        };
        let TaskHistory(moments) = &mut self.past;
        let over = |moment: &Arc<TaskSnapshot>| moment.until + REMEMBERED < now;
        while moments.len() >= MOMENTS || moments.front().is_some_and(over) {
            moments.pop_front();
        }
        moments.push_back(Arc::new(moment));
    }

    /// The task as a reader sees it; `None` if it does not.
    pub fn seen(&self, now: SystemTime, view: ReaderLag) -> Option<Cow<'_, Self>> {
        let seen = match view.stale.is_zero() {
            true => Cow::Borrowed(self),
            false => self.at(now - view.stale)?,
        };
        if !seen.is_visible(now, view.lag) {
            return None;
        }
        Some(match view.behind.is_zero() {
            true => seen,
            false => Cow::Owned(Self {
                last_status: self.status_at(now - view.behind),
                ..seen.into_owned()
            }),
        })
    }

    /// The status that the task had then, or its first status.
    fn status_at(&self, then: SystemTime) -> TaskStatus {
        let TaskHistory(moments) = &self.past;
        let moment = moments.iter().find(|moment| moment.until > then);
        moment.map_or(&self.last_status, |moment| &moment.last_status).clone()
    }

    fn at(&self, then: SystemTime) -> Option<Cow<'_, Self>> {
        if self.times.created > then {
            return None;
        }
        let TaskHistory(moments) = &self.past;
        let Some(moment) = moments.iter().find(|moment| moment.until > then) else {
            return Some(Cow::Borrowed(self));
        };
        Some(Cow::Owned(Self {
            containers: moment.containers.clone(),
            interface: moment.interface.clone(),
            last_status: moment.last_status.clone(),
            version: moment.version,
            times: moment.times,
            ending: moment.ending.clone(),
            ..self.clone()
        }))
    }

    /// Drops the history that no reader can see any more.
    pub fn forget_past(&mut self, now: SystemTime) {
        let old = |stopped: SystemTime| stopped + REMEMBERED < now;
        if self.times.stopped.is_some_and(old) {
            self.past = TaskHistory::default();
        }
    }
}
