//! Whether the security groups of the manager let it out to the SSH port of tasks.
//!
//! What the groups of tasks let in is judged in a file of its own.

use fargate_aws::{GroupPeer, SecurityGroup};

use super::group_egress::unknown_list;
use crate::check_finding::CheckFinding;
use crate::network::group_verdict::{
    GroupVerdict, TrafficPeer, TrafficPort, egress_rules, group_verdict,
};
use crate::network::task_place::{PlacedTasks, not_over_ipv6};
use crate::views::NetworkView;

/// Why the manager, which has these groups, is not let out, or why that is not known; `None` if it is.
pub fn manager_egress_finding(
    tasks: &PlacedTasks<'_>,
    manager_groups: &[String],
    view: &NetworkView,
) -> Option<CheckFinding> {
    let (port, suffix) = (tasks.place.port, &tasks.suffix);
    if manager_groups.is_empty() {
        return Some(
            CheckFinding::unknown(format!(
                "whether the manager's own security groups let it out on port {port}{suffix} is not known: \
                 nobody says which they are"
            ))
            .fix("say it: `--manager-group sg-...`, beside `--manager-address`"),
        );
    }
    let all = match view.groups.or_unknown("what the manager's security groups let out") {
        Ok(all) => all,
        Err(unknown) => return Some(unknown),
    };
    let own: Vec<&SecurityGroup> =
        all.iter().filter(|group| manager_groups.contains(&group.id)).collect();
    let wanted = TrafficPort::tcp(port);
    if names_tasks(tasks, &own, wanted) {
        return None;
    }
    let mut refused: Vec<String> = Vec::new();
    let mut unknown = None;
    for cidr in tasks.subnets.iter().filter_map(|subnet| subnet.cidr) {
        let peer = TrafficPeer { addresses: cidr.into(), groups: &tasks.place.groups };
        match group_verdict(egress_rules(&own), wanted, peer, &view.prefix_lists) {
            GroupVerdict::Passes => {}
            GroupVerdict::UnknownList(list) => unknown = Some(unknown_list(&list)),
            GroupVerdict::Refused(part) => refused.push(part.shown()),
        }
    }
    if refused.is_empty() {
        let question = "whether the manager's security groups let it out to them";
        return unknown.or_else(|| not_over_ipv6(&tasks.ipv6_alone(), question));
    }
    let is_known = |id: &&String| all.iter().any(|group| group.id == **id);
    if let Some(missing) = manager_groups.iter().find(|id| !is_known(id)) {
        return Some(CheckFinding::unknown(format!(
            "{missing} of the manager is not in the VPC of the tasks{suffix}, so whether it lets the manager \
             out on port {port} is not known"
        )));
    }
    Some(
        CheckFinding::fail(
            format!(
                "no rule of {}, the manager's own, lets it out to {} on port {port}{suffix}",
                manager_groups.join(", "),
                tasks.place.groups.join(", "),
            ),
            format!("the manager cannot connect to tasks at {}", refused.join(", ")),
        )
        .fix(format!("let the manager's group out to the group of tasks on port {port}"))
        .command(format!(
            "aws ec2 authorize-security-group-egress --group-id {} --ip-permissions \
             'IpProtocol=tcp,FromPort={port},ToPort={port},UserIdGroupPairs=[{{GroupId={}}}]'",
            manager_groups.first().map_or("MANAGER_GROUP_ID", String::as_str),
            tasks.place.groups.first().map_or("GROUP_ID", String::as_str),
        )),
    )
}

/// Whether a rule names a group of the tasks: such a rule is for both families of addresses.
fn names_tasks(tasks: &PlacedTasks<'_>, own: &[&SecurityGroup], wanted: TrafficPort) -> bool {
    let rules = egress_rules(own).filter(|rule| wanted.is_of(rule));
    let mut peers = rules.flat_map(|rule| &rule.peers);
    peers.any(|peer| matches!(peer, GroupPeer::Group(id) if tasks.place.groups.contains(id)))
}
