//! Whether the subnets have an address for each task that may run at one time.

use fargate_aws::VpcSubnet;

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::task_place::{PlacedTasks, placed_tasks, subnet_names};

/// Addresses of each subnet that AWS keeps for itself. Source: Amazon VPC User Guide, "Subnet sizing".
const KEPT_BY_AWS: u64 = 5;

/// Judges the addresses of each profile.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    match placed_tasks(input.needs, input.view) {
        Ok(placed) => {
            let judged = |tasks: &PlacedTasks<'_>| judge_addresses(tasks, input.needs.concurrency);
            placed.iter().filter(|tasks| !tasks.subnets.is_empty()).map(judged).collect()
        }
        Err(unknown) => vec![unknown],
    }
}

fn judge_addresses(tasks: &PlacedTasks<'_>, concurrency: Option<u32>) -> CheckFinding {
    let suffix = &tasks.suffix;
    let places = subnet_names(&tasks.subnets);
    let free: u64 = tasks.subnets.iter().map(|subnet| u64::from(subnet.free_addresses)).sum();
    let size: u64 = tasks.subnets.iter().map(|subnet| usable(subnet)).sum();
    let larger = "name larger subnets, or more of them, in `subnets`; each task takes one address";
    if free == 0 {
        return CheckFinding::fail(
            format!("{places}: no free address{suffix}"),
            "no further task can start",
        )
        .fix(larger);
    }
    let full: Vec<&VpcSubnet> =
        tasks.subnets.iter().copied().filter(|subnet| subnet.free_addresses == 0).collect();
    match concurrency.map(u64::from) {
        Some(jobs) if size < jobs => CheckFinding::fail(
            format!("{places}: {size} addresses in all, for {jobs} jobs at one time{suffix}"),
            format!("of {jobs} jobs at one time, {} get no task", jobs - size),
        )
        .fix(larger),
        Some(jobs) if free < jobs => CheckFinding::warn(format!(
            "{places}: {free} of {size} addresses are free, for {jobs} jobs at one time{suffix}; it is enough \
             only if running jobs have the others"
        ))
        .fix(larger),
        _ if !full.is_empty() => CheckFinding::warn(format!(
            "{}: no free address{suffix}; tasks go to the other subnets",
            subnet_names(&full)
        ))
        .fix(larger),
        Some(jobs) => CheckFinding::pass(format!("{free} free, for {jobs} jobs at one time{suffix}")),
        None => CheckFinding::pass(format!(
            "{free} free{suffix}; `serve.job_slots` does not say how many jobs run at one time"
        )),
    }
}

fn usable(subnet: &VpcSubnet) -> u64 {
    let all = subnet.cidr.map_or(0, |cidr| 1_u64 << (32 - u32::from(cidr.prefix_len())));
    all.saturating_sub(KEPT_BY_AWS).max(u64::from(subnet.free_addresses))
}
