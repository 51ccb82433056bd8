//! Tasks as they were: what readers who are behind still see.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fargate_model::task::TaskStatus;

use super::task::{
    CloudContainer, CloudTask, CloudTaskEnding, CloudTaskTimes, TaskNetworkInterface,
};
use crate::fault::ReaderLag;

/// How long ago tasks are remembered as they were.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Moments of one task that are remembered; a task has about ten in its life.
const MOMENTS: usize = 64;

/// The moments of a task, oldest first.
#[derive(Clone, Default)]
pub struct TaskHistory(VecDeque<Arc<TaskSnapshot>>);

/// What changes about a task, as it was until some time.
struct TaskSnapshot {
    until: SystemTime,
    containers: Vec<CloudContainer>,
    interface: TaskNetworkInterface,
    last_status: TaskStatus,
    version: u64,
    times: CloudTaskTimes,
    ending: Option<CloudTaskEnding>,
}

impl CloudTask {
    /// Remembers the task as it is, before it is changed.
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

    /// Where the task stood then, or where it began.
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

    /// Forgets what nobody can see any more.
    pub fn forget_past(&mut self, now: SystemTime) {
        let old = |stopped: SystemTime| stopped + REMEMBERED < now;
        if self.times.stopped.is_some_and(old) {
            self.past = TaskHistory::default();
        }
    }
}
