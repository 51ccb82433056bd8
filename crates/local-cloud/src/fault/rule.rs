//! One rule: which calls or tasks it fits, when, and what it does. Plain values; the engine counts.

use std::time::Duration;

use super::cloud_fault::CloudFault;
use super::observed::{CloudTaskIdentity, ObservedCall};

/// One rule of the fault language. It is made by parsing its text, and its `Display` is text that
/// parses to the same rule.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRule {
    pub(crate) whom: RuleTarget,
    pub(crate) when: RuleConditions,
    pub(crate) fault: CloudFault,
}

/// Which calls or tasks a rule fits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RuleTarget {
    /// Calls of these operations; with `concerning`, only those that name these tasks.
    Calls { operations: OperationSelector, concerning: Option<TaskSelector> },
    /// Tasks, whatever is called.
    Tasks(TaskSelector),
}

/// Operations by name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OperationSelector {
    Any,
    These(Vec<String>),
}

/// The capacity providers of Fargate, by which rules name tasks.
pub(crate) const PROVIDERS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

/// Which tasks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TaskSelector {
    Every,
    /// In the order in which the cloud started them, the first is 1. Both ends are included.
    Numbers {
        from: u64,
        to: Option<u64>,
    },
    Arn(String),
    /// The key of a job, or its beginning.
    Job(String),
    /// The family of the task definition.
    Family(String),
    /// The capacity provider, and the subnet or availability zone. A RunTask fits only if each subnet
    /// that it allows is there: with another one, the task would start.
    Placed {
        provider: Option<String>,
        place: Option<String>,
    },
}

/// When a rule changes the calls or tasks that it fits.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RuleConditions {
    pub count: CallSelector,
    pub chance: Option<FaultProbability>,
    /// Since the rule was given.
    pub after: Option<Duration>,
    /// Since the rule was given; the end itself is not included.
    pub until: Option<Duration>,
}

/// Which of the calls that a rule fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CallSelector {
    #[default]
    Every,
    /// So many calls that no earlier rule changes; then the rule is used up.
    Next(u64),
    /// From this one to that one, the first is 1. Both ends are included.
    Calls { from: u64, to: Option<u64> },
}

/// A probability; the same seed chooses the same calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FaultProbability {
    /// Above 0, at most 100.
    pub percent: f64,
    pub seed: Option<u64>,
}

impl FaultRule {
    /// For the next call of `operation` that no earlier rule changes.
    pub(crate) fn next(operation: &str, fault: CloudFault) -> Self {
        let when = RuleConditions { count: CallSelector::Next(1), ..RuleConditions::default() };
        Self { when, ..Self::always(&[operation], fault) }
    }

    /// For every call of these operations.
    pub(crate) fn always(operations: &[&str], fault: CloudFault) -> Self {
        let operations = operations.iter().map(|operation| (*operation).to_owned()).collect();
        let whom = RuleTarget::Calls {
            operations: OperationSelector::These(operations),
            concerning: None,
        };
        Self { whom, when: RuleConditions::default(), fault }
    }

    /// Whether it has to know which tasks a call of `operation` names.
    pub(crate) fn asks_for_tasks(&self, operation: &str) -> bool {
        match &self.whom {
            RuleTarget::Calls { operations, concerning: Some(_) } => operations.include(operation),
            RuleTarget::Calls { .. } | RuleTarget::Tasks(_) => false,
        }
    }

    pub(crate) fn meets_call(&self, call: &ObservedCall<'_>) -> bool {
        match &self.whom {
            RuleTarget::Calls { operations, concerning } => {
                let about =
                    |tasks: &TaskSelector| call.tasks.iter().any(|task| tasks.include(task));
                operations.include(call.operation) && concerning.as_ref().is_none_or(about)
            }
            RuleTarget::Tasks(_) => false,
        }
    }

    pub(crate) fn meets_task(&self, task: &CloudTaskIdentity) -> bool {
        matches!(&self.whom, RuleTarget::Tasks(tasks) if tasks.include(task))
    }
}

impl OperationSelector {
    fn include(&self, operation: &str) -> bool {
        match self {
            Self::Any => true,
            Self::These(names) => names.iter().any(|name| name == operation),
        }
    }
}

impl TaskSelector {
    fn include(&self, task: &CloudTaskIdentity) -> bool {
        match self {
            Self::Every => true,
            Self::Numbers { from, to } => task
                .number
                .is_some_and(|number| number >= *from && to.is_none_or(|to| number <= to)),
            Self::Arn(arn) => task.arn.as_ref() == Some(arn),
            Self::Job(key) => task.job.as_ref().is_some_and(|job| job.starts_with(key.as_str())),
            Self::Family(family) => task.family == *family,
            Self::Placed { provider, place } => {
                let is_there = |place: &String| {
                    !task.places.is_empty() && task.places.iter().all(|one| one.contains(place))
                };
                provider.as_ref().is_none_or(|provider| task.provider == *provider)
                    && place.as_ref().is_none_or(is_there)
            }
        }
    }
}

impl CallSelector {
    /// Whether it includes the `n`th call that fits, counted from 1, after `struck` were changed.
    pub(crate) fn includes(self, n: u64, struck: u64) -> bool {
        match self {
            Self::Every => true,
            Self::Next(count) => struck < count,
            Self::Calls { from, to } => n >= from && to.is_none_or(|to| n <= to),
        }
    }
}
