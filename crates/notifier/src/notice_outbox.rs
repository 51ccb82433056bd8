//! Messages that wait for one target. It holds a limited number; when it is full, the oldest one goes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::notice::OperatorNotice;

/// Most messages that wait for one target. Ours: hours of the usual limit.
pub const MOST_WAITING: usize = 64;

/// The messages of one target.
#[derive(Debug)]
pub struct NoticeOutbox {
    target: &'static str,
    waiting: Mutex<VecDeque<Arc<OperatorNotice>>>,
    came: Notify,
}

impl NoticeOutbox {
    /// An empty outbox for the target of this name.
    #[must_use]
    pub fn new(target: &'static str) -> Self {
        Self { target, waiting: Mutex::default(), came: Notify::new() }
    }

    /// The name of its target.
    #[must_use]
    pub fn target(&self) -> &'static str {
        self.target
    }

    /// Adds a message; never waits. What had to go for it is returned.
    pub fn put(&self, notice: Arc<OperatorNotice>) -> Option<Arc<OperatorNotice>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = (waiting.len() >= MOST_WAITING).then(|| waiting.pop_front()).flatten();
        waiting.push_back(notice);
        self.came.notify_one();
        gone
    }

    /// The oldest message, once there is one.
    pub async fn take(&self) -> Arc<OperatorNotice> {
        loop {
            let came = self.came.notified();
            let first = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if let Some(first) = first {
                return first;
            }
            came.await;
        }
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
