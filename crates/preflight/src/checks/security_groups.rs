//! Whether the security groups of the configuration exist and are in the VPC of the subnets.

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::task_place::{PlacedTasks, placed_tasks};

/// Judges the groups of each profile.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    match placed_tasks(input.needs, input.view) {
        Ok(placed) => placed.iter().map(judge_groups).collect(),
        Err(unknown) => vec![unknown],
    }
}

fn judge_groups(tasks: &PlacedTasks<'_>) -> CheckFinding {
    let suffix = &tasks.suffix;
    let list =
        "aws ec2 describe-security-groups --query 'SecurityGroups[].[GroupId,GroupName,VpcId]'";
    let is_there = |id: &&String| tasks.groups.iter().any(|group| group.id == **id);
    let missing: Vec<&str> =
        tasks.place.groups.iter().filter(|id| !is_there(id)).map(String::as_str).collect();
    if !missing.is_empty() {
        return CheckFinding::fail(
            format!("no security group {} in this account and Region{suffix}", missing.join(", ")),
            "ECS refuses the task",
        )
        .fix("correct `security_groups`")
        .command(list);
    }
    let Some(vpc) = tasks.vpc() else {
        return CheckFinding::pass(format!("{} exist{suffix}", tasks.place.groups.join(", ")));
    };
    let elsewhere: Vec<String> = tasks
        .groups
        .iter()
        .filter(|group| group.vpc != vpc)
        .map(|group| format!("{} is in {}", group.id, group.vpc))
        .collect();
    if !elsewhere.is_empty() {
        return CheckFinding::fail(
            format!("{}, and the subnets are in {vpc}{suffix}", elsewhere.join(", ")),
            "ECS refuses the task",
        )
        .fix("name groups of the VPC of the subnets in `security_groups`")
        .command(list);
    }
    CheckFinding::pass(format!("{} in {vpc}{suffix}", tasks.place.groups.join(", ")))
}
