//! Whether the security groups of a target in the VPC let tasks in: of a mount target of EFS, of an endpoint.
//!
//! What the groups of tasks let out is judged in a check of its own.

use fargate_aws::{SecurityGroup, VpcSubnet};

use super::group_egress::unknown_list;
use crate::check_finding::CheckFinding;
use crate::network::group_verdict::{
    GroupVerdict, PrefixLists, TrafficPeer, TrafficPort, group_verdict, ingress_rules,
};
use crate::network::task_place::{PlacedTasks, not_over_ipv6};

/// What tasks connect to.
#[derive(Debug)]
pub struct GuardedTarget<'a> {
    /// What it is, in words: "the endpoint vpce-0a1".
    pub name: String,
    /// Its security groups.
    pub groups: &'a [String],
    /// The port of TCP.
    pub port: u16,
    /// What it means for jobs if they are not let in.
    pub consequence: String,
}

/// Why tasks of this subnet are not let in, or why that is not known; `None` if they are. `all` are the groups
/// of the VPC.
pub fn admission_finding(
    tasks: &PlacedTasks<'_>,
    subnet: &VpcSubnet,
    target: GuardedTarget<'_>,
    all: &[SecurityGroup],
    lists: &PrefixLists,
) -> Option<CheckFinding> {
    let GuardedTarget { name, groups, port, consequence } = target;
    let guards: Vec<&SecurityGroup> =
        all.iter().filter(|group| groups.contains(&group.id)).collect();
    if guards.len() < groups.len() || guards.is_empty() {
        return Some(CheckFinding::unknown(format!(
            "the security groups of {name} are not in the VPC of the tasks"
        )));
    }
    let Some(cidr) = subnet.cidr else {
        return not_over_ipv6(&[subnet], &format!("whether {name} lets tasks in"));
    };
    let peer = TrafficPeer { addresses: cidr.into(), groups: &tasks.place.groups };
    match group_verdict(ingress_rules(&guards), TrafficPort::tcp(port), peer, lists) {
        GroupVerdict::Passes => None,
        GroupVerdict::UnknownList(list) => Some(unknown_list(&list)),
        GroupVerdict::Refused(_) => Some(
            CheckFinding::fail(
                format!(
                    "no rule of {} lets {} in on port {port} of {name}{}",
                    groups.join(", "),
                    tasks.place.groups.join(", "),
                    tasks.suffix
                ),
                consequence,
            )
            .fix(format!("let the group of tasks in on port {port}"))
            .command(format!(
                "aws ec2 authorize-security-group-ingress --group-id {} --protocol tcp --port {port} \
                 --source-group {}",
                groups.first().map_or("GROUP_ID", String::as_str),
                tasks.place.groups.first().map_or("GROUP_ID", String::as_str),
            )),
        ),
    }
}
