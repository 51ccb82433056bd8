//! One rule: whom it meets, when, and with what. Plain values; counting is the engine's.

use std::time::Duration;

use super::CloudFault;
use super::engine::{CloudTaskIdentity, ObservedCall};

/// One rule of the fault language. It is made by parsing its text, and its `Display` is text that
/// parses to the same rule.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultRule {
    pub(super) whom: RuleTarget,
    pub(super) when: RuleConditions,
    pub(super) fault: CloudFault,
}

/// Whom a rule meets.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RuleTarget {
    /// Calls of these operations; with `concerning`, those that are about these tasks.
    Calls { operations: OperationSelector, concerning: Option<TaskSelector> },
    /// Tasks, whoever calls.
    Tasks(TaskSelector),
}

/// Operations by name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum OperationSelector {
    Any,
    These(Vec<String>),
}

/// Which tasks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum TaskSelector {
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
}

/// When a rule strikes those that it meets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RuleConditions {
    pub count: CallSelector,
    pub chance: Option<FaultProbability>,
    /// Since the rule was given.
    pub after: Option<Duration>,
    /// As above; not included.
    pub until: Option<Duration>,
}

/// Which of the calls that a rule meets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum CallSelector {
    #[default]
    Every,
    /// So many of those that no rule before this one strikes; then the rule is spent.
    Next(u64),
    /// From this one to that one, the first is 1. Both ends are included.
    Calls { from: u64, to: Option<u64> },
}

/// By chance, the same for the same seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FaultProbability {
    /// Above 0, at most 100.
    pub percent: f64,
    pub seed: Option<u64>,
}

impl FaultRule {
    /// The next call of `operation` that no rule before this one strikes.
    pub(super) fn next(operation: &str, fault: CloudFault) -> Self {
        let when = RuleConditions { count: CallSelector::Next(1), ..RuleConditions::default() };
        Self { when, ..Self::always(&[operation], fault) }
    }

    /// Every call of these operations.
    pub(super) fn always(operations: &[&str], fault: CloudFault) -> Self {
        let operations = operations.iter().map(|operation| (*operation).to_owned()).collect();
        let whom = RuleTarget::Calls {
            operations: OperationSelector::These(operations),
            concerning: None,
        };
        Self { whom, when: RuleConditions::default(), fault }
    }

    /// It has to know which tasks a call of `operation` is about.
    pub(super) fn asks_for_tasks(&self, operation: &str) -> bool {
        match &self.whom {
            RuleTarget::Calls { operations, concerning: Some(_) } => operations.include(operation),
            RuleTarget::Calls { .. } | RuleTarget::Tasks(_) => false,
        }
    }

    pub(super) fn meets_call(&self, call: &ObservedCall<'_>) -> bool {
        match &self.whom {
            RuleTarget::Calls { operations, concerning } => {
                let about =
                    |tasks: &TaskSelector| call.tasks.iter().any(|task| tasks.include(task));
                operations.include(call.operation) && concerning.as_ref().is_none_or(about)
            }
            RuleTarget::Tasks(_) => false,
        }
    }

    pub(super) fn meets_task(&self, task: &CloudTaskIdentity) -> bool {
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
        }
    }
}

impl CallSelector {
    /// The `n`th call that is met, the first is 1, of which `struck` were struck before.
    pub(super) fn includes(self, n: u64, struck: u64) -> bool {
        match self {
            Self::Every => true,
            Self::Next(count) => struck < count,
            Self::Calls { from, to } => n >= from && to.is_none_or(|to| n <= to),
        }
    }
}
