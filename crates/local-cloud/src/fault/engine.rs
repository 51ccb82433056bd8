//! The rules of one cloud: which rule changes a call or a task, how often each did so, and the record
//! of all that was injected.

mod active_rule;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::cloud_fault::{CloudFault, CloudTaskPhase, ReaderLag, TaskEffect};
use super::observed::{CloudTaskIdentity, ObservedCall};
use super::rule::FaultRule;
use super::rules::FaultRules;
use super::rules_error::{FaultRulesError, MAX_RULES};
use active_rule::{ActiveRule, RuleOrigin};

/// Uses of rules that are kept in the record; older ones are dropped.
const KEPT_STRIKES: usize = 20_000;

/// What happens to a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CallEffect {
    pub fault: Option<CloudFault>,
    pub view: ReaderLag,
    /// When the rule ends.
    pub until: Option<SystemTime>,
}

/// What a rule does to a task, and when.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DueTaskEffect {
    pub at: SystemTime,
    pub effect: TaskEffect,
    rule: u64,
}

/// One use of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRecord {
    /// The rule's text.
    pub rule: String,
    /// The operation of the call that the rule changed; `None` if it changed a task.
    pub operation: Option<String>,
    /// The number of the request, as [`crate::RequestRecord::number`] has it; 0 for a call that ECS made
    /// itself for a task.
    pub request: Option<u64>,
    /// The ARN of the task that the rule changed.
    pub task: Option<String>,
    /// When, by the cloud's clock.
    pub time: SystemTime,
}

/// One rule, and how often it was used.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultCount {
    /// The rule.
    pub rule: FaultRule,
    /// Calls and tasks that it changed.
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
    /// First those that a test gave for single operations, then those of a text.
    active: Vec<ActiveRule>,
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

    /// Adds a fault for one call: the next call that no earlier fault meets.
    pub fn push(&self, operation: &str, fault: CloudFault, now: SystemTime) {
        let rule = FaultRule::next(operation, fault);
        self.change(|inner| inner.add_rule(RuleOrigin::Queued, rule, now));
    }

    /// Adds a fault for every call that no queued fault meets, until the faults are cleared.
    pub fn stand(&self, operation: &str, fault: CloudFault, now: SystemTime) {
        self.change(|inner| {
            let origin = RuleOrigin::Standing(operation.to_owned());
            inner.active.retain(|active| active.origin != origin);
            inner.add_rule(origin, FaultRule::always(&[operation], fault), now);
        });
    }

    /// From now on readers of tasks do not see those younger than `lag`.
    pub fn set_lag(&self, lag: Duration, now: SystemTime) {
        self.change(|inner| {
            inner.active.retain(|active| active.origin != RuleOrigin::Lag);
            if !lag.is_zero() {
                let rule = FaultRule::always(&["DescribeTasks", "ListTasks"], CloudFault::Lag(lag));
                inner.add_rule(RuleOrigin::Lag, rule, now);
            }
        });
    }

    /// Adds rules after those that are there.
    pub fn add(&self, rules: FaultRules, now: SystemTime) -> Result<(), FaultRulesError> {
        self.change(|inner| {
            let there =
                inner.active.iter().filter(|active| active.origin == RuleOrigin::Text).count();
            let given = there + rules.len();
            if given > MAX_RULES {
                return Err(FaultRulesError::TooMany { given });
            }
            rules.0.into_iter().for_each(|rule| inner.add_rule(RuleOrigin::Text, rule, now));
            Ok(())
        })
    }

    /// Replaces all rules by these and lets hanging calls continue.
    pub fn replace(&self, rules: FaultRules, now: SystemTime) {
        self.change(|inner| {
            inner.active.clear();
            rules.0.into_iter().for_each(|rule| inner.add_rule(RuleOrigin::Text, rule, now));
        });
        self.cleared.send_modify(|generation| *generation += 1);
    }

    /// Removes all rules and lets hanging calls continue.
    pub fn clear(&self) {
        self.replace(FaultRules::default(), SystemTime::UNIX_EPOCH);
    }

    /// Hears each time the faults are cleared. Take it before [`FaultEngine::meet`], so that no
    /// change is missed.
    pub fn clearing(&self) -> watch::Receiver<u64> {
        self.cleared.subscribe()
    }

    /// Hears each time the rules change. Take it before [`FaultEngine::due`], so that no change is
    /// missed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The rules in the order in which they are asked, with their counts.
    pub fn counts(&self) -> Vec<FaultCount> {
        let inner = self.inner.lock().expect("no one panics with the faults");
        let count =
            |active: &ActiveRule| FaultCount { rule: active.rule.clone(), struck: active.struck };
        inner.active.iter().map(count).collect()
    }

    /// The record of what was injected, oldest first.
    pub fn struck(&self) -> Vec<FaultRecord> {
        let inner = self.inner.lock().expect("no one panics with the faults");
        inner.struck.iter().cloned().collect()
    }

    /// Whether some rule has to know which tasks a call of `operation` names.
    pub fn ask_for_tasks(&self, operation: &str) -> bool {
        let inner = self.inner.lock().expect("no one panics with the faults");
        inner.active.iter().any(|active| active.rule.asks_for_tasks(operation))
    }

    /// What happens to this call: by the first rule that applies, and by the first that changes what
    /// the call sees.
    pub fn meet(&self, call: &ObservedCall<'_>, now: SystemTime) -> CallEffect {
        let mut inner = self.inner.lock().expect("no one panics with the faults");
        let FaultEngineState { active, struck, .. } = &mut *inner;
        let mut meeting = CallEffect::default();
        let mut view_is_taken = false;
        for active in active.iter_mut().filter(|active| active.rule.meets_call(call)) {
            let of_view = active.rule.fault.is_of_view();
            let free = if of_view { !view_is_taken } else { meeting.fault.is_none() };
            if !active.strikes(free, now) {
                continue;
            }
            note(struck, active, Some(call), None, now);
            match &active.rule.fault {
                CloudFault::Lag(lag) => meeting.view.lag = *lag,
                CloudFault::Stale(stale) => meeting.view.stale = *stale,
                CloudFault::StatusBehind(behind) => meeting.view.behind = *behind,
                // The limit belongs to the rule. The call learns only that it was too fast.
                CloudFault::Limit(_) => meeting.fault = Some(CloudFault::throttled()),
                other => {
                    meeting.fault = Some(other.clone());
                    meeting.until = active.ends();
                }
            }
            view_is_taken |= of_view;
        }
        // A queued fault that was used up is removed.
        active.retain(|active| active.origin != RuleOrigin::Queued || !active.is_spent());
        meeting
    }

    /// What ends this task first, if it stays in `phase`, which it entered at `entered`.
    pub fn due(
        &self,
        task: &CloudTaskIdentity,
        phase: CloudTaskPhase,
        entered: SystemTime,
    ) -> Option<DueTaskEffect> {
        self.due_effect(task, phase, entered, false)
    }

    /// The rule that holds this task in `phase`.
    pub fn holds(
        &self,
        task: &CloudTaskIdentity,
        phase: CloudTaskPhase,
        entered: SystemTime,
    ) -> Option<DueTaskEffect> {
        self.due_effect(task, phase, entered, true)
    }

    fn due_effect(
        &self,
        task: &CloudTaskIdentity,
        phase: CloudTaskPhase,
        entered: SystemTime,
        holds: bool,
    ) -> Option<DueTaskEffect> {
        let inner = self.inner.lock().expect("no one panics with the faults");
        let due = inner.active.iter().filter_map(|active| {
            let fault = active.rule.fault.of_task().filter(|fault| fault.phase == phase)?;
            let at = active.due(task, entered, fault.after)?;
            ((fault.effect == TaskEffect::Hold) == holds).then_some(DueTaskEffect {
                at,
                effect: fault.effect,
                rule: active.number,
            })
        });
        // `min_by_key` gives the first of several at the same time, which is the order of the rules.
        due.min_by_key(|due| due.at)
    }

    /// Notes that a rule did this to a task; false if the rule was removed meanwhile.
    pub fn done(&self, due: &DueTaskEffect, task: &CloudTaskIdentity, now: SystemTime) -> bool {
        let mut inner = self.inner.lock().expect("no one panics with the faults");
        let FaultEngineState { active, struck, .. } = &mut *inner;
        let Some(active) = active.iter_mut().find(|active| active.number == due.rule) else {
            return false;
        };
        active.struck += 1;
        note(struck, active, None, task.arn.clone(), now);
        true
    }
}

impl FaultEngineState {
    fn add_rule(&mut self, origin: RuleOrigin, rule: FaultRule, now: SystemTime) {
        self.given += 1;
        let active = ActiveRule::new(self.given, origin, rule, now);
        let rank = active.origin.rank();
        let at = self.active.partition_point(|other| other.origin.rank() <= rank);
        self.active.insert(at, active);
    }
}

fn note(
    struck: &mut VecDeque<FaultRecord>,
    active: &ActiveRule,
    call: Option<&ObservedCall<'_>>,
    task: Option<String>,
    time: SystemTime,
) {
    if struck.len() == KEPT_STRIKES {
        struck.pop_front();
    }
    struck.push_back(FaultRecord {
        rule: active.rule.to_string(),
        operation: call.map(|call| call.operation.to_owned()),
        request: call.map(|call| call.request),
        task,
        time,
    });
}

#[cfg(test)]
mod tests;
