//! Writes rules as text. The text can be read as the same rule.

use std::fmt;
use std::time::Duration;

use super::cloud_fault::{CloudFault, CloudTaskPhase};
use super::edit::AnswerEdit;
use super::rule::{
    CallSelector, FaultRule, OperationSelector, RuleConditions, RuleTarget, TaskSelector,
};
use super::text::{in_quotes, written};

impl fmt::Display for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.whom {
            RuleTarget::Calls { operations, concerning } => {
                write!(f, "{operations}")?;
                if let Some(tasks) = concerning {
                    write!(f, " for {tasks}")?;
                }
                write!(f, "{}: ", self.when)?;
                match self.fault.turn() {
                    Some(turn) => write!(f, "{} {}", at(turn), self.fault),
                    None => write!(f, "{}", self.fault),
                }
            }
            RuleTarget::Tasks(tasks) => {
                let turn = self.fault.turn().map(|turn| format!(" {}", at(turn)));
                let turn = turn.unwrap_or_default();
                write!(f, "{tasks}{}{turn}: {}", self.when, self.fault)
            }
        }
    }
}

impl CloudFault {
    fn turn(&self) -> Option<(CloudTaskPhase, Duration)> {
        self.of_task().map(|fault| (fault.phase, fault.after))
    }
}

/// `at RUNNING + 2s`
fn at((phase, after): (CloudTaskPhase, Duration)) -> String {
    match after.is_zero() {
        true => format!("at {}", phase.word()),
        false => format!("at {} + {}", phase.word(), written(after)),
    }
}

impl fmt::Display for OperationSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::These(names) => f.write_str(&names.join(", ")),
        }
    }
}

impl fmt::Display for TaskSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("every task"),
            Self::Numbers { from, to: Some(to) } if from == to => write!(f, "task {from}"),
            Self::Numbers { from, to: Some(to) } => write!(f, "tasks {from}-{to}"),
            Self::Numbers { from, to: None } => write!(f, "tasks {from}-"),
            Self::Arn(arn) => write!(f, "task {arn}"),
            Self::Job(key) => write!(f, "task of job {key}"),
            Self::Family(family) => write!(f, "task of family {family}"),
            Self::Placed { provider, place } => {
                f.write_str("task")?;
                provider.iter().try_for_each(|provider| write!(f, " on {provider}"))?;
                place.iter().try_for_each(|place| write!(f, " in {place}"))
            }
        }
    }
}

impl fmt::Display for RuleConditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            CallSelector::Every => {}
            CallSelector::Next(1) => f.write_str(" next call")?,
            CallSelector::Next(count) => write!(f, " next {count} calls")?,
            CallSelector::Calls { from, to: Some(to) } if from == to => write!(f, " call {from}")?,
            CallSelector::Calls { from, to: Some(to) } => write!(f, " calls {from}-{to}")?,
            CallSelector::Calls { from, to: None } => write!(f, " calls {from}-")?,
        }
        if let Some(chance) = self.chance {
            write!(f, " {}%", chance.percent)?;
            if let Some(seed) = chance.seed {
                write!(f, " seed {seed}")?;
            }
        }
        if let Some(after) = self.after {
            write!(f, " after {}", written(after))?;
        }
        if let Some(until) = self.until {
            write!(f, " until {}", written(until))?;
        }
        Ok(())
    }
}

/// What happens, without the state and time of a task.
impl fmt::Display for CloudFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            fault if *fault == Self::throttled() => f.write_str("throttle"),
            fault if *fault == Self::server_error() => f.write_str("server error"),
            Self::Exception { status, code, message } => {
                write!(f, "error {status} {code} {}", in_quotes(message))
            }
            Self::Failure { reason, detail } => {
                write!(f, "failure {}", in_quotes(reason))?;
                optional(f, "detail", detail.as_deref().map(in_quotes))
            }
            Self::Limit(rate) => write!(f, "limit {}/s burst {}", rate.per_second, rate.burst),
            Self::KeyExpires => f.write_str("expire"),
            Self::LostRequest => f.write_str("reset before commit"),
            Self::LostAnswer => f.write_str("reset after commit"),
            Self::Hang => f.write_str("hang"),
            Self::Slow(delay) => write!(f, "slow {}", written(*delay)),
            Self::Trickle(each) => write!(f, "trickle {}", written(*each)),
            Self::Answer { status, body } => write!(f, "answer {status} {}", in_quotes(body)),
            Self::Altered(AnswerEdit::Set { pointer, value }) => {
                write!(f, "set {pointer} = {value}")
            }
            Self::Altered(AnswerEdit::Remove { pointer }) => write!(f, "remove {pointer}"),
            Self::Lag(lag) => write!(f, "lag {}", written(*lag)),
            Self::Stale(age) => write!(f, "stale {}", written(*age)),
            Self::StatusBehind(age) => write!(f, "behind {}", written(*age)),
            Self::TaskStops { stop_code, stopped_reason, container_reason, exit_code, .. } => {
                write!(f, "stop {stop_code} {}", in_quotes(stopped_reason))?;
                optional(f, "container", container_reason.as_deref().map(in_quotes))?;
                optional(f, "exit", exit_code.map(|code| code.to_string()))
            }
            Self::TaskHeld { .. } => f.write_str("hold"),
            Self::TaskInterrupted { grace, .. } => {
                f.write_str("interrupt")?;
                grace.map_or(Ok(()), |grace| write!(f, " {}", written(grace)))
            }
            Self::TaskForgotten { .. } => f.write_str("forget"),
        }
    }
}

fn optional(f: &mut fmt::Formatter<'_>, word: &str, value: Option<String>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {word} {value}"))
}
