//! What the daemon of this host finds out, as pages, metrics and the history learn it.
//!
//! It asks the daemon only. Counters count everything once, however often it is looked at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fargate_aws::CallCounter;
use fargate_controller::{HostWatch, LastSweep, OrphanReport, ReapCondition};
use fargate_history::KnownTask;
use fargate_model::moment::unix_ms;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::clock::day_begin;
use crate::{LiveFacts, StatusService};

/// How often the page learns what changes without an event, such as the time since an answer.
const LEARN_EACH: Duration = Duration::from_secs(5);

/// The shortest time between two looks. Ours: thousands of tasks change together, and drivers wait for this thread.
const LEARN_AT_MOST: Duration = Duration::from_millis(250);
/// How often the history is told the tasks that ECS shows. Ours: it needs them only after it was lost.
const TELL_TASKS_EACH: Duration = Duration::from_mins(1);

/// What the daemon tells.
#[derive(Debug)]
pub struct DaemonFacts {
    /// What ECS says of the tasks of this host.
    pub watch: HostWatch,
    /// How the reaper does.
    pub reaps: watch::Receiver<ReapCondition>,
    /// How often each operation of ECS was called.
    pub calls: CallCounter,
    /// Where the history learns of tasks that no journal tells of.
    pub known_tasks: watch::Sender<Option<Vec<KnownTask>>>,
}

/// What was passed on.
#[derive(Default)]
struct PassedFacts {
    calls: BTreeMap<(&'static str, String), u64>,
    stopped: u64,
    day_ms: u64,
    stopped_before_day: u64,
    told: Option<SystemTime>,
    tasks_told: Option<Instant>,
}

impl DaemonFacts {
    /// Passes on what the daemon finds out. `tell` gets the orphans of each sweep, on a thread that may wait for
    /// a disk. Never ends.
    pub async fn pass_on(
        mut self,
        service: &StatusService,
        tell: impl Fn(&[OrphanReport]) + Send + Sync + 'static,
    ) {
        let tell = Arc::new(tell);
        let (mut passed, mut changes) = (PassedFacts::default(), self.watch.changes());
        loop {
            let reaped = self.reaps.borrow_and_update().clone();
            passed.count_calls(service, &self.calls);
            passed.count(service, &reaped);
            passed.show(service, &self.watch, &reaped);
            self.tell_tasks(&mut passed);
            if let Some(last) = passed.untold(reaped.last) {
                let tell = Arc::clone(&tell);
                let told = tokio::task::spawn_blocking(move || tell(&last.report.orphans)).await;
                if let Err(ended) = told
                    && let Ok(panic) = ended.try_into_panic()
                {
                    std::panic::resume_unwind(panic);
                }
            }
            tokio::select! {
                Ok(()) = self.reaps.changed() => {}
                Ok(()) = changes.changed() => {}
                () = sleep(LEARN_EACH) => {}
            }
            sleep(LEARN_AT_MOST).await;
        }
    }

    /// Until ECS was asked, nothing is known.
    fn tell_tasks(&self, passed: &mut PassedFacts) {
        let is_told = passed.tasks_told.is_some_and(|told| told.elapsed() < TELL_TASKS_EACH);
        if is_told || self.watch.listed().is_none() || self.known_tasks.is_closed() {
            return;
        }
        passed.tasks_told = Some(Instant::now());
        let known = |seen: fargate_controller::WatchedTask| {
            let key = seen.seen.job.clone()?;
            Some(KnownTask { key, id: None, task: seen.seen.fact() })
        };
        let tasks: Vec<KnownTask> = self.watch.tasks().into_iter().filter_map(known).collect();
        self.known_tasks.send_if_modified(|told| {
            let is_new = told.as_ref() != Some(&tasks);
            *told = Some(tasks);
            is_new
        });
    }
}

impl PassedFacts {
    /// The last sweep, if its orphans were not told yet.
    fn untold(&mut self, last: Option<LastSweep>) -> Option<LastSweep> {
        let last = last.filter(|last| self.told != Some(last.at))?;
        self.told = Some(last.at);
        Some(last)
    }

    /// Counts the calls of ECS since the last time.
    fn count_calls(&mut self, service: &StatusService, calls: &CallCounter) {
        for (operation, code, all) in calls.all() {
            let counted = self.calls.entry((operation, code.clone())).or_default();
            service.metrics().ecs_requests(operation, &code, all.saturating_sub(*counted));
            *counted = all;
        }
    }

    fn count(&mut self, service: &StatusService, reaps: &ReapCondition) {
        let metrics = service.metrics();
        let today = day_begin(unix_ms(SystemTime::now()));
        if self.day_ms != today {
            (self.day_ms, self.stopped_before_day) = (today, self.stopped);
        }
        for _ in self.stopped..reaps.stopped_total {
            metrics.orphan_stopped();
        }
        self.stopped = reaps.stopped_total;
        if let Some(last) = &reaps.last {
            metrics.reconciled(unix_ms(last.at));
        }
    }

    fn show(&self, service: &StatusService, watch: &HostWatch, reaps: &ReapCondition) {
        let (silent, error) = match watch.silence() {
            Some(silence) => (Some(unix_ms(silence.since)), Some(silence.line())),
            None => (None, reaps.trouble.clone()),
        };
        let stopped_today = self.stopped - self.stopped_before_day;
        service.facts().send_if_modified(|facts| {
            let live = watch.listed().map(|_| watch.live_count() as u64);
            let new = LiveFacts {
                ecs_silent_since_ms: silent,
                ecs_error: error.clone(),
                live_tasks: live,
                orphans_stopped: stopped_today,
                orphans_day_ms: self.day_ms,
            };
            let is_new = *facts != new;
            *facts = new;
            is_new
        });
    }
}
