//! The calls that a place needs, with their resources and conditions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::call_list::catalogued_calls;
use crate::catalogued_call::{CallCircumstance, CataloguedCall, PolicyHolder};
use crate::policy_place::PolicyPlace;

/// The service that tasks belong to.
const TASKS_SERVICE: &str = "ecs-tasks.amazonaws.com";
/// The tag with which a task says until when it may run.
const DEADLINE_TAG: &str = "fargate-runner:deadline";

/// One call, as a policy allows it.
#[derive(Clone, Debug, PartialEq)]
pub struct NeededCall {
    /// The action.
    pub action: &'static str,
    /// ARNs with wildcards, or `*`.
    pub resources: BTreeSet<String>,
    /// The condition as a policy has it; null for none.
    pub condition: Value,
    /// What it is for, in a few words.
    pub purpose: &'static str,
    /// The key of the configuration that brings the need; `None` for every configuration.
    pub setting: Option<&'static str>,
}

/// The calls that `holder` makes in these places, in the order of the catalogue.
#[must_use]
pub fn needed_calls(places: &[PolicyPlace], holder: PolicyHolder) -> Vec<NeededCall> {
    let rows = catalogued_calls().filter(|row| row.holder == holder);
    let mut calls: Vec<NeededCall> = Vec::new();
    for row in rows {
        for call in places.iter().filter_map(|place| needed(row, place)) {
            let same = |one: &&mut NeededCall| {
                (one.action, &one.condition, one.purpose)
                    == (call.action, &call.condition, call.purpose)
            };
            match calls.iter_mut().find(same) {
                Some(known) => known.resources.extend(call.resources),
                None => calls.push(call),
            }
        }
    }
    calls
}

fn needed(row: &CataloguedCall, place: &PolicyPlace) -> Option<NeededCall> {
    let resources = place.resources(row.target);
    if resources.is_empty() || !place.needs(row.need) {
        return None;
    }
    Some(NeededCall {
        action: row.action,
        resources,
        condition: condition(row.circumstance, place),
        purpose: row.purpose,
        setting: row.setting,
    })
}

fn condition(circumstance: CallCircumstance, place: &PolicyPlace) -> Value {
    match circumstance {
        CallCircumstance::Always => Value::Null,
        CallCircumstance::InCluster => {
            json!({ "ArnEquals": { "ecs:cluster": place.cluster_arn() } })
        }
        CallCircumstance::OnCreation(operation) => {
            json!({ "StringEquals": { "ecs:CreateAction": operation } })
        }
        CallCircumstance::MovesDeadline => json!({
            "StringLike": { (format!("aws:ResourceTag/{DEADLINE_TAG}")): "*" },
            "ForAllValues:StringEquals": { "aws:TagKeys": DEADLINE_TAG },
        }),
        CallCircumstance::PassedToTasks => {
            json!({ "StringEquals": { "iam:PassedToService": TASKS_SERVICE } })
        }
        CallCircumstance::OnStorageCreation(operation) => {
            json!({ "StringEquals": { "elasticfilesystem:CreateAction": operation } })
        }
    }
}
