//! Whether the subnets of the configuration exist, stand in one VPC, and spread over zones.

use std::collections::BTreeSet;

use fargate_aws::VpcSubnet;

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::job_needs::ProfileGroup;

/// Judges the subnets of each profile.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let found = match input.view.network.task_subnets.or_unknown("the subnets of tasks") {
        Ok(found) => found,
        Err(unknown) => return vec![unknown],
    };
    let groups = input.needs.merged_by(|profile| profile.subnets.clone());
    groups.iter().map(|group| judge_group(group, found)).collect()
}

fn judge_group(group: &ProfileGroup<Vec<String>>, found: &[VpcSubnet]) -> CheckFinding {
    let suffix = group.suffix();
    let there = |id: &String| found.iter().find(|subnet| subnet.id == *id);
    let missing: Vec<&str> =
        group.need.iter().filter(|id| there(id).is_none()).map(String::as_str).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return CheckFinding::fail(
            format!("no subnet {missing} in this account and Region{suffix}"),
            format!("no task can start in {missing}"),
        )
        .fix("correct `subnets`, or `region`")
        .command("aws ec2 describe-subnets --query 'Subnets[].[SubnetId,VpcId,AvailabilityZone]'");
    }
    let subnets: Vec<&VpcSubnet> = group.need.iter().filter_map(there).collect();
    let unready: Vec<String> = subnets
        .iter()
        .filter(|subnet| subnet.state != "available")
        .map(|subnet| format!("{} is {}", subnet.id, subnet.state))
        .collect();
    if !unready.is_empty() {
        return CheckFinding::fail(
            format!("{}{suffix}", unready.join(", ")),
            "no task can start there yet".to_owned(),
        )
        .fix("wait until the subnet is available");
    }
    let vpcs: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.vpc.as_str()).collect();
    if vpcs.len() > 1 {
        let vpcs = vpcs.into_iter().collect::<Vec<_>>().join(", ");
        return CheckFinding::fail(
            format!("the subnets are in several VPCs, {vpcs}{suffix}"),
            "ECS refuses the task".to_owned(),
        )
        .fix("name subnets of one VPC in `subnets`");
    }
    let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    let vpc = vpcs.into_iter().next().unwrap_or_default();
    match zones.len() {
        1 => CheckFinding::warn(format!(
            "{} in {vpc}, all in one zone, {}{suffix}: if it has no capacity, no job starts",
            counted(subnets.len()),
            subnets[0].zone
        ))
        .fix("add a subnet of another zone to `subnets`"),
        _ => CheckFinding::pass(format!(
            "{} in {vpc}, zones {}{suffix}",
            counted(subnets.len()),
            zones.into_iter().collect::<Vec<_>>().join(", ")
        )),
    }
}

fn counted(subnets: usize) -> String {
    match subnets {
        1 => "1 subnet".to_owned(),
        n => format!("{n} subnets"),
    }
}
