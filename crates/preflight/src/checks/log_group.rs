//! Whether the log groups are there that containers write to.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::reading::AwsReading;
use crate::views::{LogGroupUse, RightState};

/// The right by which the log driver makes a group.
pub(crate) const CREATE: &str = "logs:CreateLogGroup";

/// Judges it.
pub(crate) fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let groups = input.view.registry.log_groups.iter();
    groups.map(|(group, is_there)| one(input, group, is_there)).collect()
}

fn one(input: CheckInput<'_>, group: &LogGroupUse, is_there: &AwsReading<bool>) -> CheckFinding {
    let name = &group.name;
    match is_there.or_unknown(&format!("whether the log group {name} is there")) {
        Err(unknown) => unknown,
        Ok(true) => CheckFinding::pass(format!("{name} is there")),
        Ok(false) if group.is_made => made(input, name),
        Ok(false) => missing(group, "nobody makes it"),
    }
}

/// The log driver makes it, if the execution role may.
fn made(input: CheckInput<'_>, name: &str) -> CheckFinding {
    let roles = input.view.access.roles.iter().flat_map(|role| &role.rights);
    let mut answers = roles.filter(|answer| {
        answer.right.action == CREATE
            && answer.right.resource.ends_with(&format!(":log-group:{name}"))
    });
    let Some(answer) = answers.next() else {
        return CheckFinding::unknown(format!("whether {name} can be made by the log driver"));
    };
    match answer.state.or_unknown(&format!("whether the log driver may make {name}")) {
        Err(unknown) => unknown,
        Ok(RightState::Allowed) => CheckFinding::pass(format!("the first task makes {name}")),
        Ok(RightState::Unclear { why }) => {
            CheckFinding::unknown(format!("whether the log driver may make {name}: {why}"))
        }
        Ok(RightState::Denied { .. }) => {
            let group = LogGroupUse { name: name.to_owned(), region: None, is_made: true };
            missing(&group, &format!("the execution role may not call {CREATE}"))
        }
    }
}

fn missing(group: &LogGroupUse, why: &str) -> CheckFinding {
    let name = &group.name;
    let region =
        group.region.as_ref().map(|region| format!(" --region {region}")).unwrap_or_default();
    CheckFinding::fail(
        format!("there is no log group {name}, and {why}"),
        format!("tasks stop before they start, because there is no log group {name}"),
    )
    .fix("make it")
    .command(format!("aws logs create-log-group --log-group-name {name}{region}"))
}
