//! The life-cycle state of a resource of EFS, by the cloud's clock.

use std::time::{Duration, SystemTime};

/// When a resource became what it is.
#[derive(Clone, Copy, Debug)]
pub struct StorageLifeCycle {
    available: SystemTime,
    /// When it is gone, once its deletion was asked for.
    gone: Option<SystemTime>,
}

impl StorageLifeCycle {
    /// A resource that is `creating` for so long.
    pub fn created(now: SystemTime, takes: Duration) -> Self {
        Self { available: now + takes, gone: None }
    }

    /// From now on it is `deleting`, for so long. To delete it again changes nothing.
    pub fn delete(&mut self, now: SystemTime, takes: Duration) {
        self.gone.get_or_insert(now + takes);
    }

    pub fn is_gone(&self, now: SystemTime) -> bool {
        self.gone.is_some_and(|gone| gone <= now)
    }

    pub fn is_available(&self, now: SystemTime) -> bool {
        self.state(now) == "available"
    }

    /// How EFS writes the state.
    pub fn state(&self, now: SystemTime) -> &'static str {
        match self.gone {
            Some(gone) if gone <= now => "deleted",
            Some(_) => "deleting",
            None if now < self.available => "creating",
            None => "available",
        }
    }
}
