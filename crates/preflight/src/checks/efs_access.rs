//! Whether the mount targets of the zones of tasks let them in on port 2049.
//!
//! Whether there is a mount target in each zone is judged with the storage; what the groups of tasks let out,
//! and network ACLs, in checks of their own.

use fargate_aws::{SecurityGroup, VpcSubnet};

use super::network_acls::NFS_PORT;
use super::target_groups::{GuardedTarget, admission_finding};
use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::task_place::{PlacedTasks, placed_tasks};
use crate::views::MountTargetPlace;

/// Judges the file systems of each profile.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let placed = match placed_tasks(input.needs, input.view) {
        Ok(placed) => placed,
        Err(unknown) => return vec![unknown],
    };
    let mounting = placed.iter().filter(|it| !it.place.file_systems.is_empty());
    let judged = mounting.filter(|it| it.has_all_groups() && it.vpc().is_some());
    judged.flat_map(|tasks| judge_mounts(input, tasks).unwrap_or_else(|it| vec![it])).collect()
}

fn judge_mounts(
    input: CheckInput<'_>,
    tasks: &PlacedTasks<'_>,
) -> Result<Vec<CheckFinding>, CheckFinding> {
    let targets = input.view.storage.mount_targets.or_unknown("the mount targets")?;
    let groups = input.view.network.groups.or_unknown("the security groups of mount targets")?;
    let mut findings: Vec<CheckFinding> = Vec::new();
    let mut judged = 0;
    for subnet in &tasks.subnets {
        let mine = targets.iter().filter(|target| {
            target.zone == subnet.zone
                && tasks.place.file_systems.contains(&target.file_system)
                // One in another VPC fails in the check of mount targets.
                && target.vpc.as_deref().is_none_or(|vpc| vpc == subnet.vpc)
        });
        for target in mine {
            judged += 1;
            let finding = judge_target(input, tasks, subnet, target, groups);
            findings.extend(finding.filter(|finding| !findings.contains(finding)));
        }
    }
    if findings.is_empty() && judged > 0 {
        findings.push(CheckFinding::pass(format!(
            "mount targets let {} in on port 2049{}",
            tasks.place.groups.join(", "),
            tasks.suffix
        )));
    }
    Ok(findings)
}

fn judge_target(
    input: CheckInput<'_>,
    tasks: &PlacedTasks<'_>,
    subnet: &VpcSubnet,
    target: &MountTargetPlace,
    groups: &[SecurityGroup],
) -> Option<CheckFinding> {
    let MountTargetPlace { file_system, zone, .. } = target;
    let guarded = GuardedTarget {
        name: format!("the mount target of {file_system} in {zone}"),
        groups: &target.groups,
        port: NFS_PORT,
        consequence: format!("tasks in {zone} hang while they mount their file system"),
    };
    admission_finding(tasks, subnet, guarded, groups, &input.view.network.prefix_lists)
}
