//! From one line of the fault language to a rule.

use std::time::Duration;

use super::line_error::RuleLineError;
use super::operations::{callable, names_tasks, starts_tasks};
use super::timing::turn;
use super::words::{RuleWords, parted};
use super::{answer, value};
use crate::fault::rule::{
    CallSelector, FaultProbability, FaultRule, OperationSelector, RuleConditions, RuleTarget,
    TaskSelector,
};
use crate::fault::text::written;

/// What may stand before the colon of a rule for calls.
const FOR_CALLS: &str = "for TASKS, call N, calls N-M, next call, next N calls, P%, seed N, after \
                         DURATION, until DURATION";
/// What may stand before the colon of a rule for tasks.
const FOR_TASKS: &str = "at PHASE + DURATION, P%, seed N, after DURATION, until DURATION";

/// Reads one rule, without a comment.
pub(super) fn rule(line: &str) -> Result<FaultRule, RuleLineError> {
    let (before, behind) = parted(line).ok_or(RuleLineError::NoColon)?;
    let (mut before, mut behind) = (RuleWords::of(before), RuleWords::of(behind));
    let rule = match before.peek() {
        "task" | "tasks" | "every" => task_rule(&mut before, &mut behind)?,
        _ => call_rule(&mut before, &mut behind)?,
    };
    match behind.is_done() {
        true => Ok(rule),
        false => Err(RuleLineError::Junk { after: "the rule", given: behind.rest().to_owned() }),
    }
}

fn task_rule(
    before: &mut RuleWords<'_>,
    behind: &mut RuleWords<'_>,
) -> Result<FaultRule, RuleLineError> {
    let tasks = tasks(before)?;
    let (mut when, mut at) = (PartialConditions::default(), None);
    while !before.is_done() {
        if before.take_if("at") {
            once("`at`", &mut at, turn(before)?)?;
        } else if !when.take(before)? {
            let given = before.peek().to_owned();
            return Err(RuleLineError::Condition { given, about: "a task", allowed: FOR_TASKS });
        }
    }
    let fault = answer::of_task(behind, at.ok_or(RuleLineError::NoPhase)?)?;
    Ok(FaultRule { whom: RuleTarget::Tasks(tasks), when: when.checked()?, fault })
}

fn call_rule(
    before: &mut RuleWords<'_>,
    behind: &mut RuleWords<'_>,
) -> Result<FaultRule, RuleLineError> {
    let operations = operations(before)?;
    let (mut when, mut concerning) = (PartialConditions::default(), None);
    while !before.is_done() {
        if before.take_if("for") {
            let tasks = tasks(before)?;
            fits_tasks(&operations, &tasks)?;
            once("`for`", &mut concerning, tasks)?;
        } else if !when.take(before)? && !when.take_count(before)? {
            let given = before.peek().to_owned();
            return Err(RuleLineError::Condition { given, about: "a call", allowed: FOR_CALLS });
        }
    }
    let fault = answer::of_call(behind, &operations)?;
    Ok(FaultRule {
        whom: RuleTarget::Calls { operations, concerning },
        when: when.checked()?,
        fault,
    })
}

/// `any`, or names with commas between.
fn operations(words: &mut RuleWords<'_>) -> Result<OperationSelector, RuleLineError> {
    if words.take_if("any") {
        return Ok(OperationSelector::Any);
    }
    let mut names: Vec<String> = Vec::new();
    loop {
        let word = words.take();
        let (list, goes_on) = match word.strip_suffix(',') {
            Some(list) => (list, true),
            None => (word, words.take_if(",")),
        };
        for name in list.split(',') {
            if !callable().contains(&name) {
                return Err(unknown_operation(name));
            }
            if names.iter().any(|other| other == name) {
                return Err(RuleLineError::Twice { what: "an operation" });
            }
            names.push(name.to_owned());
        }
        if !goes_on {
            return Ok(OperationSelector::These(names));
        }
    }
}

fn unknown_operation(given: &str) -> RuleLineError {
    let near = |name: &&str| strsim::damerau_levenshtein(name, given);
    let known = callable();
    let like = known.iter().copied().min_by_key(near).filter(|name| near(name) <= 3);
    RuleLineError::Operation { given: given.to_owned(), like, allowed: known.join(", ") }
}

/// `every task`, `task N`, `tasks N-M`, `task ARN`, `task of job KEY`, `task of family NAME`, `task on
/// PROVIDER in PLACE` with one of the two or both.
fn tasks(words: &mut RuleWords<'_>) -> Result<TaskSelector, RuleLineError> {
    let expected = |after, given: &str| RuleLineError::Expected {
        after,
        expected: "a number from 1 on, a range as in `3-5`, an ARN, `of job KEY`, `of family NAME`, `on \
                   PROVIDER` or `in PLACE`",
        given: given.to_owned(),
    };
    if words.take_if("every") {
        return match words.take() {
            "task" => Ok(TaskSelector::Every),
            given => Err(value::expected("every", "`task`", given)),
        };
    }
    if !words.take_if("task") && !words.take_if("tasks") {
        return Err(value::expected("for", "`task ...` or `every task`", words.peek()));
    }
    if words.take_if("of") {
        return match words.take() {
            "job" => Ok(TaskSelector::Job(value::job(words.take())?)),
            "family" => Ok(TaskSelector::Family(value::family(words.take())?)),
            given => Err(value::expected("of", "`job KEY` or `family NAME`", given)),
        };
    }
    let provider = words.take_if("on").then(|| value::provider(words.take())).transpose()?;
    let place = words.take_if("in").then(|| value::place(words.take())).transpose()?;
    if provider.is_some() || place.is_some() {
        return Ok(TaskSelector::Placed { provider, place });
    }
    let given = words.take();
    if given.starts_with("arn:") {
        return Ok(TaskSelector::Arn(value::task_arn(given)?));
    }
    let (from, to) = value::range(given).ok_or_else(|| expected("task", given))??;
    Ok(TaskSelector::Numbers { from, to })
}

/// Whether these operations name tasks in such a way.
fn fits_tasks(operations: &OperationSelector, tasks: &TaskSelector) -> Result<(), RuleLineError> {
    let names: &[String] = match operations {
        OperationSelector::Any => return Ok(()),
        OperationSelector::These(names) => names,
    };
    let by_parameters = match tasks {
        TaskSelector::Every | TaskSelector::Job(_) | TaskSelector::Family(_) => true,
        TaskSelector::Placed { .. } => true,
        TaskSelector::Numbers { .. } | TaskSelector::Arn(_) => false,
    };
    let fits = |name: &str| names_tasks(name) || (starts_tasks(name) && by_parameters);
    match names.iter().find(|name| !fits(name)) {
        None => Ok(()),
        Some(name) => Err(RuleLineError::Unfit {
            what: "for",
            operation: name.clone(),
            fits: "StopTask, DescribeTasks, TagResource, UntagResource and ListTagsForResource, and \
                   with `of job`, `of family`, `on` and `in` RunTask; `call N` chooses one RunTask",
        }),
    }
}

fn once<T>(what: &'static str, place: &mut Option<T>, value: T) -> Result<(), RuleLineError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(RuleLineError::Twice { what }),
    }
}

/// The conditions of a rule while it is read.
#[derive(Default)]
struct PartialConditions {
    count: Option<CallSelector>,
    percent: Option<f64>,
    seed: Option<u64>,
    after: Option<Duration>,
    until: Option<Duration>,
}

impl PartialConditions {
    /// Reads a condition that any rule may have; false if no such condition comes next.
    fn take(&mut self, words: &mut RuleWords<'_>) -> Result<bool, RuleLineError> {
        if words.take_if("seed") {
            once("`seed`", &mut self.seed, value::number("seed", words.take())?)?;
        } else if words.take_if("after") {
            once("`after`", &mut self.after, value::duration("after", words.take())?)?;
        } else if words.take_if("until") {
            once("`until`", &mut self.until, value::duration("until", words.take())?)?;
        } else if let Some(percent) = words.peek().strip_suffix('%') {
            once("the probability", &mut self.percent, value::percent(percent)?)?;
            words.take();
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Reads a condition on the number of a call; false if no such condition comes next.
    fn take_count(&mut self, words: &mut RuleWords<'_>) -> Result<bool, RuleLineError> {
        let count = match words.peek() {
            after @ ("call" | "calls") => {
                words.take();
                let given = words.take();
                let after = if after == "call" { "call" } else { "calls" };
                let expected = "a number from 1 on, as in `call 2`, or a range, as in `calls 2-5`";
                let range = value::range(given);
                let (from, to) = range.ok_or_else(|| value::expected(after, expected, given))??;
                CallSelector::Calls { from, to }
            }
            "next" => {
                words.take();
                CallSelector::Next(next_calls(words)?)
            }
            _ => return Ok(false),
        };
        once("which calls", &mut self.count, count)?;
        Ok(true)
    }

    fn checked(self) -> Result<RuleConditions, RuleLineError> {
        let chance = match (self.percent, self.seed) {
            (None, Some(_)) => return Err(RuleLineError::SeedAlone),
            (None, None) => None,
            (Some(percent), seed) => Some(FaultProbability { percent, seed }),
        };
        let begin = self.after.unwrap_or_default();
        if let Some(until) = self.until.filter(|until| *until <= begin) {
            let (after, until) = (written(begin), written(until));
            return Err(RuleLineError::EmptyWindow { after, until });
        }
        let count = self.count.unwrap_or_default();
        Ok(RuleConditions { count, chance, after: self.after, until: self.until })
    }
}

/// `call`, or `N calls`, after the word `next`.
fn next_calls(words: &mut RuleWords<'_>) -> Result<u64, RuleLineError> {
    if words.take_if("call") {
        return Ok(1);
    }
    let expected = "`call`, or a number from 1 on and `calls`";
    let given = words.take();
    let number = given.parse().ok().filter(|number| *number > 0);
    match number {
        Some(number) if words.take_if("calls") || words.take_if("call") => Ok(number),
        _ => Err(value::expected("next", expected, given)),
    }
}
