//! The rules of one cloud: which of them strikes a call or a task, how often each did, and the
//! record of all that was injected.

mod active_rule;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::rule_errors::FaultRulesError;
use super::rules::{FaultRules, MAX_RULES};
use super::{CloudFault, CloudTaskPhase, FaultRule, ReaderLag, TaskStopEffect};
use active_rule::{ActiveRule, RuleOrigin};

/// Strikes that are kept; older ones are forgotten.
const KEPT_STRIKES: usize = 20_000;

/// A call, as rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObservedCall<'a> {
    pub operation: &'a str,
    /// The number of the request in the record.
    pub request: u64,
    /// The tasks that it is about, as far as rules ask for them.
    pub tasks: &'a [CloudTaskIdentity],
}

/// A task, as rules name it. RunTask has no number and no ARN yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CloudTaskIdentity {
    pub number: Option<u64>,
    pub arn: Option<String>,
    pub job: Option<String>,
    pub family: String,
}

/// What meets a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CallEffect {
    pub fault: Option<CloudFault>,
    pub view: ReaderLag,
    /// When the time of the rule is over.
    pub until: Option<SystemTime>,
}

/// What becomes of a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TaskEffect {
    /// Its processes are killed.
    Stop(TaskStopEffect),
    /// Spot's interruption: from SIGTERM to SIGKILL.
    Interrupt(Option<Duration>),
    /// It goes on no further.
    Hold,
    /// The API does not know it any more.
    Forget,
}

/// A deed of a rule that is due for a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DueTaskEffect {
    pub at: SystemTime,
    pub deed: TaskEffect,
    rule: u64,
}

/// One strike of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRecord {
    /// The rule's text.
    pub rule: String,
    /// The operation of the call that it struck; `None` where it struck a task.
    pub operation: Option<String>,
    /// The number of the request, as [`crate::RequestRecord::number`] has it.
    pub request: Option<u64>,
    /// The ARN of the task that it struck.
    pub task: Option<String>,
    /// When, by the cloud's clock.
    pub time: SystemTime,
}

/// One rule, and how often it struck.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultCount {
    /// The rule.
    pub rule: FaultRule,
    /// Calls and tasks that it struck.
    pub struck: u64,
}

/// The rules of one cloud.
pub(crate) struct FaultEngine {
    inner: Mutex<FaultEngineState>,
    changed: watch::Sender<u64>,
    cleared: watch::Sender<u64>,
}

#[derive(Default)]
struct FaultEngineState {
    /// Those of a test's calls first, then those of a text.
    armed: Vec<ActiveRule>,
    given: u64,
    struck: VecDeque<FaultRecord>,
}

impl FaultEngine {
    pub fn none() -> Self {
        let (changed, cleared) = (watch::Sender::new(0), watch::Sender::new(0));
        Self { inner: Mutex::default(), changed, cleared }
    }

    fn change<T>(&self, change: impl FnOnce(&mut FaultEngineState) -> T) -> T {
        let changed = change(&mut self.inner.lock().expect("no one panics with the faults"));
        self.changed.send_modify(|generation| *generation += 1);
        changed
    }

    /// Meets one call: the next one that no earlier fault meets.
    pub fn push(&self, operation: &str, fault: CloudFault, now: SystemTime) {
        let rule = FaultRule::next(operation, fault);
        self.change(|inner| inner.arm(RuleOrigin::Queued, rule, now));
    }

    /// Meets every call that no queued fault meets, until the faults are cleared.
    pub fn stand(&self, operation: &str, fault: CloudFault, now: SystemTime) {
        self.change(|inner| {
            let origin = RuleOrigin::Standing(operation.to_owned());
            inner.armed.retain(|armed| armed.origin != origin);
            inner.arm(origin, FaultRule::always(&[operation], fault), now);
        });
    }

    /// From now on readers of tasks do not see those younger than `lag`.
    pub fn set_lag(&self, lag: Duration, now: SystemTime) {
        self.change(|inner| {
            inner.armed.retain(|armed| armed.origin != RuleOrigin::Lag);
            if !lag.is_zero() {
                let rule = FaultRule::always(&["DescribeTasks", "ListTasks"], CloudFault::Lag(lag));
                inner.arm(RuleOrigin::Lag, rule, now);
            }
        });
    }

    /// Adds rules after those that are there.
    pub fn add(&self, rules: FaultRules, now: SystemTime) -> Result<(), FaultRulesError> {
        self.change(|inner| {
            let there = inner.armed.iter().filter(|armed| armed.origin == RuleOrigin::Text).count();
            let given = there + rules.len();
            if given > MAX_RULES {
                return Err(FaultRulesError::TooMany { given });
            }
            rules.0.into_iter().for_each(|rule| inner.arm(RuleOrigin::Text, rule, now));
            Ok(())
        })
    }

    /// Forgets all rules and lets hanging calls go on; then takes these.
    pub fn replace(&self, rules: FaultRules, now: SystemTime) {
        self.change(|inner| {
            inner.armed.clear();
            rules.0.into_iter().for_each(|rule| inner.arm(RuleOrigin::Text, rule, now));
        });
        self.cleared.send_modify(|generation| *generation += 1);
    }

    /// Forgets them all and lets hanging calls go on.
    pub fn clear(&self) {
        self.replace(FaultRules::default(), SystemTime::UNIX_EPOCH);
    }

    /// Told each time the faults are cleared. Take it before [`FaultEngine::meet`].
    pub fn clearing(&self) -> watch::Receiver<u64> {
        self.cleared.subscribe()
    }

    /// Told each time the rules change. Take it before [`FaultEngine::due`].
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The rules in the order in which they are asked, with their counts.
    pub fn counts(&self) -> Vec<FaultCount> {
        let inner = self.inner.lock().expect("no one panics with the faults");
        let count =
            |armed: &ActiveRule| FaultCount { rule: armed.rule.clone(), struck: armed.struck };
        inner.armed.iter().map(count).collect()
    }

    /// The last strikes, oldest first.
    pub fn struck(&self) -> Vec<FaultRecord> {
        let inner = self.inner.lock().expect("no one panics with the faults");
        inner.struck.iter().cloned().collect()
    }

    /// Some rule has to know which tasks a call of `operation` is about.
    pub fn ask_for_tasks(&self, operation: &str) -> bool {
        let inner = self.inner.lock().expect("no one panics with the faults");
        inner.armed.iter().any(|armed| armed.rule.asks_for_tasks(operation))
    }

    /// What meets this call: the first rule that strikes it, and the first that changes its view.
    pub fn meet(&self, call: &ObservedCall<'_>, now: SystemTime) -> CallEffect {
        let mut inner = self.inner.lock().expect("no one panics with the faults");
        let FaultEngineState { armed, struck, .. } = &mut *inner;
        let mut meeting = CallEffect::default();
        let mut view_is_taken = false;
        for armed in armed.iter_mut().filter(|armed| armed.rule.meets_call(call)) {
            let of_view = armed.rule.fault.is_of_view();
            let free = if of_view { !view_is_taken } else { meeting.fault.is_none() };
            if !armed.strikes(free, now) {
                continue;
            }
            note(struck, armed, Some(call), None, now);
            match &armed.rule.fault {
                CloudFault::Lag(lag) => meeting.view.lag = *lag,
                CloudFault::Stale(stale) => meeting.view.stale = *stale,
                CloudFault::StatusBehind(behind) => meeting.view.behind = *behind,
                // The rule is about the bucket, the call only learns that it was too fast.
                CloudFault::Limit(_) => meeting.fault = Some(CloudFault::throttled()),
                other => {
                    meeting.fault = Some(other.clone());
                    meeting.until = armed.ends();
                }
            }
            view_is_taken |= of_view;
        }
        // A queue that was worked off is no rule any more.
        armed.retain(|armed| armed.origin != RuleOrigin::Queued || !armed.is_spent());
        meeting
    }

    /// The deed that ends this task first, if it stays in `phase`, where it is since `entered`.
    pub fn due(
        &self,
        task: &CloudTaskIdentity,
        phase: CloudTaskPhase,
        entered: SystemTime,
    ) -> Option<DueTaskEffect> {
        self.deeds(task, phase, entered, false)
    }

    /// The rule that holds this task in `phase`.
    pub fn holds(
        &self,
        task: &CloudTaskIdentity,
        phase: CloudTaskPhase,
        entered: SystemTime,
    ) -> Option<DueTaskEffect> {
        self.deeds(task, phase, entered, true)
    }

    fn deeds(
        &self,
        task: &CloudTaskIdentity,
        phase: CloudTaskPhase,
        entered: SystemTime,
        holds: bool,
    ) -> Option<DueTaskEffect> {
        let inner = self.inner.lock().expect("no one panics with the faults");
        let due = inner.armed.iter().filter_map(|armed| {
            let fault = armed.rule.fault.of_task().filter(|fault| fault.phase == phase)?;
            let at = armed.due(task, entered, fault.after)?;
            ((fault.deed == TaskEffect::Hold) == holds).then_some(DueTaskEffect {
                at,
                deed: fault.deed,
                rule: armed.number,
            })
        });
        // The first of the earliest.
        due.min_by_key(|due| due.at)
    }

    /// Notes that a deed was done; false if its rule is gone.
    pub fn done(&self, due: &DueTaskEffect, task: &CloudTaskIdentity, now: SystemTime) -> bool {
        let mut inner = self.inner.lock().expect("no one panics with the faults");
        let FaultEngineState { armed, struck, .. } = &mut *inner;
        let Some(armed) = armed.iter_mut().find(|armed| armed.number == due.rule) else {
            return false;
        };
        armed.struck += 1;
        note(struck, armed, None, task.arn.clone(), now);
        true
    }
}

impl FaultEngineState {
    fn arm(&mut self, origin: RuleOrigin, rule: FaultRule, now: SystemTime) {
        self.given += 1;
        let armed = ActiveRule::new(self.given, origin, rule, now);
        let rank = armed.origin.rank();
        let at = self.armed.partition_point(|other| other.origin.rank() <= rank);
        self.armed.insert(at, armed);
    }
}

fn note(
    struck: &mut VecDeque<FaultRecord>,
    armed: &ActiveRule,
    call: Option<&ObservedCall<'_>>,
    task: Option<String>,
    time: SystemTime,
) {
    if struck.len() == KEPT_STRIKES {
        struck.pop_front();
    }
    struck.push_back(FaultRecord {
        rule: armed.rule.to_string(),
        operation: call.map(|call| call.operation.to_owned()),
        request: call.map(|call| call.request),
        task,
        time,
    });
}

#[cfg(test)]
mod tests;
