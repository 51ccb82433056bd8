//! What every request and every task of one cloud shares.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::task::JoinSet;

use crate::backend::Backend;
use crate::clock::Clock;
use crate::fault::Faults;
use crate::lifecycle::{self, Start};
use crate::limits::{Buckets, Limits};
use crate::pace::Timetable;
use crate::record::Requests;
use crate::rights::Rights;
use crate::state::State;
use crate::state::task::Ending;
use crate::wire::credentials::Keyring;

/// One cloud.
pub(crate) struct Cloud {
    pub clock: Arc<Clock>,
    pub keys: Keyring,
    pub faults: Faults,
    pub buckets: Buckets,
    pub rights: Rights,
    pub requests: Requests,
    pub timetable: Timetable,
    pub backend: Backend,
    state: Mutex<State>,
    lives: Mutex<JoinSet<()>>,
}

impl Cloud {
    /// A cloud without a server and without an agent.
    #[cfg(test)]
    pub fn for_tests(pace: crate::Pace, empty: bool) -> Arc<Self> {
        Self::without_server(pace, Limits::none(), empty)
    }

    /// As above, furnished and without delays.
    #[cfg(test)]
    pub fn with_limits(limits: Limits) -> Arc<Self> {
        Self::without_server(crate::Pace::Instant, limits, false)
    }

    #[cfg(test)]
    fn without_server(pace: crate::Pace, limits: Limits, empty: bool) -> Arc<Self> {
        let keys = Keyring::new(&crate::AccessKeyPair::new("test", "test"));
        let folder = std::env::temp_dir().join("fargate-local-without-server");
        let backend = Backend::new("no-agent".into(), folder, 4000).expect("a backend");
        Arc::new(Self::new(keys, Timetable::new(pace, 1), limits, backend, empty))
    }

    pub fn new(
        keys: Keyring,
        timetable: Timetable,
        limits: Limits,
        backend: Backend,
        empty: bool,
    ) -> Self {
        Self {
            clock: Arc::new(Clock::start()),
            keys,
            faults: Faults::none(),
            buckets: Buckets::new(limits),
            rights: Rights::default(),
            requests: Requests::default(),
            timetable,
            backend,
            state: Mutex::new(State::new(empty)),
            lives: Mutex::default(),
        }
    }

    /// The state. Never held across an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no one panics while holding the state")
    }

    /// Lets a task that RunTask made live its life.
    pub fn live(self: &Arc<Self>, start: Start) {
        let mut lives = self.lives.lock().expect("no one panics while holding the lives");
        while lives.try_join_next().is_some() {}
        lives.spawn(lifecycle::live(Arc::clone(self), start));
    }

    /// Tells every task to end at once.
    pub fn order_all_to_end(&self) {
        let ending = Ending {
            at_once: true,
            ..Ending::gentle("InfrastructureHealth", "The local cloud was shut down.")
        };
        self.state().order_all(&ending, self.clock.now());
    }

    /// Ends every task at once and waits for their lives to end.
    pub async fn end_all_tasks(&self) {
        self.order_all_to_end();
        self.backend.kill_all();
        let mut lives = {
            let mut lives = self.lives.lock().expect("no one panics while holding the lives");
            std::mem::take(&mut *lives)
        };
        while lives.join_next().await.is_some() {}
    }
}
