//! Whether tasks that get addresses of IPv6 beside those of IPv4 reach the internet over them. Programs that try
//! IPv6 first wait where nothing comes back.
//!
//! What a subnet of IPv6 alone lacks is said by the check of the way out.

use fargate_aws::VpcSubnet;

use super::way_out::{TaskExits, exits};
use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::ipv6_way::{Ipv6Way, ipv6_way};
use crate::network::route_map::RouteMap;
use crate::network::task_place::subnet_names;

/// Judges the subnets that have both kinds of addresses.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    match exits(input) {
        Ok(exits) => exits.iter().flat_map(|exits| judge_exits(input, exits)).collect(),
        Err(unknown) => vec![unknown],
    }
}

fn judge_exits(input: CheckInput<'_>, exits: &TaskExits<'_>) -> Vec<CheckFinding> {
    let (tasks, view) = (&exits.tasks, &input.view.network);
    let has_both = |subnet: &&&VpcSubnet| subnet.cidr.is_some() && subnet.ipv6_cidr.is_some();
    let subnets: Vec<&VpcSubnet> = tasks.subnets.iter().filter(has_both).copied().collect();
    let Some(tables) = view.route_tables.known().filter(|_| tasks.has_all_groups()) else {
        return Vec::new();
    };
    let mut ways: Vec<(Ipv6Way, Vec<&VpcSubnet>)> = Vec::new();
    for subnet in subnets {
        let way = match ipv6_way(view, RouteMap::of(view, tables), tasks, subnet) {
            Ok(way) => way,
            Err(unknown) => return vec![unknown],
        };
        match ways.iter_mut().find(|(known, _)| *known == way) {
            Some((_, places)) => places.push(subnet),
            None => ways.push((way, vec![subnet])),
        }
    }
    ways.iter().map(|(way, places)| finding(exits, way, &subnet_names(places))).collect()
}

fn finding(exits: &TaskExits<'_>, way: &Ipv6Way, places: &str) -> CheckFinding {
    let (groups, suffix) = (&exits.tasks.place.groups, &exits.tasks.suffix);
    match way {
        Ipv6Way::Out(gateways) => CheckFinding::pass(format!(
            "{places}: through {} over IPv6{suffix}",
            gateways.join(", ")
        )),
        Ipv6Way::Unseen(way) => way.finding(&format!("{places}, over IPv6")),
        Ipv6Way::Lost(fault) => {
            let (fix, command) = fault.fix(groups);
            CheckFinding::warn(format!(
                "{places}: tasks get addresses of IPv6 if the account setting dualStackIPv6 is on, and {}{suffix}: \
                 programs that try IPv6 first wait until they try IPv4",
                fault.found(groups)
            ))
            .fix(fix)
            .command_if(command)
        }
    }
}
