//! Whether the security groups of tasks let out what a job needs: HTTPS, NFS to its mount targets, endpoints,
//! the layers of images in S3, and DNS servers that are not Amazon's.
//!
//! Amazon's own DNS server, the metadata of tasks and the time server pass whatever the groups say. Source:
//! Amazon VPC User Guide, "Security groups".

use std::net::Ipv4Addr;

use fargate_aws::{TrafficProtocol, VpcSubnet};

use super::network_acls::NFS_PORT;
use super::vpc_dns::own_servers;
use super::way_out::{SubnetExit, TaskExits, exits};
use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::address_range::{AddressSpan, internet_cut_at};
use crate::network::group_verdict::{
    GroupVerdict, TrafficPeer, TrafficPort, egress_rules, group_verdict, prefixes_of,
};
use crate::network::internet_path::{HTTPS_PORT, internet_group_verdict};
use crate::network::layer_way::LayerWay;
use crate::network::needed_services::interface_of;
use crate::network::task_place::{PlacedTasks, not_over_ipv6};
use crate::views::NetworkView;

/// Judges the groups of each profile.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    match exits(input) {
        Ok(exits) => exits.iter().filter_map(|exits| judge_exits(input, exits)).collect(),
        Err(unknown) => vec![unknown],
    }
}

/// One line for all that the groups of some tasks let out: the worst.
fn judge_exits(input: CheckInput<'_>, exits: &TaskExits<'_>) -> Option<CheckFinding> {
    let tasks = &exits.tasks;
    if !tasks.has_all_groups() || tasks.subnets.is_empty() {
        return None;
    }
    // What leaves a subnet of IPv6 alone for the internet is judged with the way out.
    let mut followed = exits.exits.iter().filter(|(subnet, _)| subnet.cidr.is_some()).peekable();
    let has_ipv4 = followed.peek().is_some();
    let is_on_endpoints = followed.all(|(_, exit)| matches!(exit, SubnetExit::Endpoints));
    let https = || match is_on_endpoints {
        true => endpoints_finding(input, exits).or_else(|| layers_finding(input, exits)),
        false => internet_finding(tasks, &input.view.network),
    };
    let over_ipv4 = has_ipv4
        .then(|| [https(), mounts_finding(input, tasks), dns_findings(input, tasks)])
        .into_iter()
        .flatten()
        .flatten();
    let question = format!("what {} let out inside of the VPC", tasks.place.groups.join(", "));
    let over_ipv6 = not_over_ipv6(&tasks.ipv6_alone(), &question);
    let mut all: Vec<CheckFinding> = over_ipv4.chain(over_ipv6).collect();
    all.sort_by_key(|finding| !finding.is_fail());
    let words = if is_on_endpoints { "443 to endpoints" } else { "443 to everywhere" };
    let nfs = if tasks.place.file_systems.is_empty() { "" } else { ", 2049 to mount targets" };
    let passed = format!("{} let out {words}{nfs}{}", tasks.place.groups.join(", "), tasks.suffix);
    Some(all.into_iter().next().unwrap_or_else(|| CheckFinding::pass(passed)))
}

fn internet_finding(tasks: &PlacedTasks<'_>, view: &NetworkView) -> Option<CheckFinding> {
    let lists = &view.prefix_lists;
    let cuts = prefixes_of(egress_rules(&tasks.groups), lists);
    let (mut all, mut passing) = (0_u64, 0_u64);
    let mut unknown = None;
    for piece in internet_cut_at(&cuts) {
        all += piece.size();
        match internet_group_verdict(&tasks.groups, piece.first(), lists) {
            GroupVerdict::Passes => passing += piece.size(),
            GroupVerdict::UnknownList(list) => unknown = Some(list),
            GroupVerdict::Refused(_) => {}
        }
    }
    let groups = tasks.place.groups.join(", ");
    if passing * 2 >= all {
        return None;
    }
    if let Some(list) = unknown {
        return Some(unknown_list(&list));
    }
    if passing > 0 {
        let prefixes = cuts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Some(CheckFinding::warn(format!(
            "{groups} let out TCP 443 only to {prefixes}{}; registry, GitLab and AWS must be there",
            tasks.suffix
        )));
    }
    let command = allow_out(tasks, HTTPS_PORT, "IpRanges=[{CidrIp=0.0.0.0/0}]");
    Some(
        CheckFinding::fail(
            format!("no rule of {groups} lets out TCP 443{}", tasks.suffix),
            "tasks reach neither registry nor GitLab nor AWS",
        )
        .fix("let the group out on port 443")
        .command(command),
    )
}

fn endpoints_finding(input: CheckInput<'_>, exits: &TaskExits<'_>) -> Option<CheckFinding> {
    let view = &input.view.network;
    let endpoints = view.endpoints.known()?;
    let subnets = view.subnets.known()?;
    let tasks = &exits.tasks;
    let vpc = tasks.vpc()?;
    exits.needed.services.keys().find_map(|service| {
        let endpoint = interface_of(endpoints, vpc, service).filter(|it| it.has_private_dns)?;
        let standing = subnets.iter().filter(|it| endpoint.subnets.contains(&it.id));
        let refused = standing.filter_map(|it| it.cidr).all(|cidr| {
            let peer = TrafficPeer { addresses: cidr.into(), groups: &endpoint.groups };
            is_refused_everywhere(tasks, peer, HTTPS_PORT, view)
        });
        refused.then(|| {
            let to = format!("UserIdGroupPairs=[{{GroupId={}}}]", first_or(&endpoint.groups));
            CheckFinding::fail(
                format!(
                    "no rule of {} lets out TCP 443 to {} ({service}){}",
                    tasks.place.groups.join(", "),
                    endpoint.id,
                    tasks.suffix
                ),
                format!("tasks do not reach {service}"),
            )
            .fix("let the group out to the endpoint on port 443")
            .command(allow_out(tasks, HTTPS_PORT, &to))
        })
    })
}

/// The layers of images of ECR come from public addresses of S3, which no endpoint's group holds.
fn layers_finding(input: CheckInput<'_>, exits: &TaskExits<'_>) -> Option<CheckFinding> {
    let tasks = &exits.tasks;
    let view = &input.view.network;
    let mut ways = tasks.subnets.iter().filter_map(|it| LayerWay::of(view, &exits.needed, it));
    let way = ways.next()?;
    let refused = match way.group_refusal(tasks) {
        Ok(refused) => refused?,
        Err(unknown) => return Some(unknown),
    };
    let list = way.list.unwrap_or("PREFIX_LIST_ID");
    let to = format!("PrefixListIds=[{{PrefixListId={list}}}]");
    Some(
        CheckFinding::fail(
            format!(
                "no rule of {} lets out TCP 443 to S3 at {}, to which the gateway endpoint {} leads{}",
                tasks.place.groups.join(", "),
                refused.shown(),
                way.endpoint.id,
                tasks.suffix
            ),
            "tasks cannot pull the layers of images of ECR",
        )
        .fix("let the group out to the prefix list of S3 on port 443")
        .command(allow_out(tasks, HTTPS_PORT, &to)),
    )
}

/// Whether no address of the other side passes. Where only a part does, the address decides, which is not
/// known.
fn is_refused_everywhere(
    tasks: &PlacedTasks<'_>,
    peer: TrafficPeer<'_>,
    port: u16,
    view: &NetworkView,
) -> bool {
    let lists = &view.prefix_lists;
    let cuts = prefixes_of(egress_rules(&tasks.groups), lists);
    peer.addresses.cut_at(&cuts).into_iter().all(|addresses| {
        let peer = TrafficPeer { addresses, ..peer };
        let verdict =
            group_verdict(egress_rules(&tasks.groups), TrafficPort::tcp(port), peer, lists);
        matches!(verdict, GroupVerdict::Refused(_))
    })
}

fn mounts_finding(input: CheckInput<'_>, tasks: &PlacedTasks<'_>) -> Option<CheckFinding> {
    if tasks.place.file_systems.is_empty() {
        return None;
    }
    let view = &input.view.network;
    let subnets = view.subnets.known();
    // What EFS does not tell is unknown in the checks of storage.
    let targets = input.view.storage.mount_targets.known()?;
    let over_ipv4 = tasks.subnets.iter().filter(|subnet| subnet.cidr.is_some());
    let zones: Vec<&str> = over_ipv4.map(|subnet| subnet.zone.as_str()).collect();
    let mut mine = targets.iter().filter(|target| {
        zones.contains(&target.zone.as_str())
            && tasks.place.file_systems.contains(&target.file_system)
            // One in another VPC fails in the check of mount targets.
            && target.vpc.as_deref().is_none_or(|vpc| tasks.vpc() == Some(vpc))
    });
    let refused = mine.find(|target| {
        let subnet = subnets.into_iter().flatten().find(|it| it.id == target.subnet);
        let range = target.address.map(AddressSpan::one).or_else(|| range_of(subnet));
        range.is_some_and(|addresses| {
            let peer = TrafficPeer { addresses, groups: &target.groups };
            is_refused_everywhere(tasks, peer, NFS_PORT, view)
        })
    })?;
    let to = format!("UserIdGroupPairs=[{{GroupId={}}}]", first_or(&refused.groups));
    Some(
        CheckFinding::fail(
            format!(
                "no rule of {} lets out TCP 2049 to the mount target of {} in {}{}",
                tasks.place.groups.join(", "),
                refused.file_system,
                refused.zone,
                tasks.suffix
            ),
            "tasks cannot mount their file system",
        )
        .fix("let the group out to the mount target's group on port 2049")
        .command(allow_out(tasks, NFS_PORT, &to)),
    )
}

fn range_of(subnet: Option<&VpcSubnet>) -> Option<AddressSpan> {
    Some(subnet?.cidr?.into())
}

/// DNS servers that are not Amazon's are asked like anybody else.
fn dns_findings(input: CheckInput<'_>, tasks: &PlacedTasks<'_>) -> Option<CheckFinding> {
    let view = &input.view.network;
    // What is not known of them is said by the check of DNS.
    let servers = own_servers(view.dns.get(tasks.vpc()?)?).ok()?;
    let addresses = servers.iter().filter_map(|server| server.parse::<Ipv4Addr>().ok());
    let port = TrafficPort { protocol: TrafficProtocol::Udp, port: 53 };
    let verdicts = addresses.map(|address| {
        let peer = TrafficPeer { addresses: AddressSpan::one(address), groups: &[] };
        (address, group_verdict(egress_rules(&tasks.groups), port, peer, &view.prefix_lists))
    });
    let verdicts: Vec<(Ipv4Addr, GroupVerdict)> = verdicts.collect();
    let refused =
        |(_, verdict): &&(Ipv4Addr, GroupVerdict)| matches!(verdict, GroupVerdict::Refused(_));
    let (address, _) =
        verdicts.iter().find(refused).filter(|_| verdicts.iter().all(|it| refused(&it)))?;
    Some(
        CheckFinding::fail(
            format!(
                "no rule of {} lets out UDP 53 to the DNS server {address}{}",
                tasks.place.groups.join(", "),
                tasks.suffix
            ),
            "tasks cannot resolve any name",
        )
        .fix("let the group out to your DNS servers on port 53, UDP and TCP")
        .command(format!(
            "aws ec2 authorize-security-group-egress --group-id {} --protocol udp --port 53 --cidr {address}/32",
            first_or(&tasks.place.groups)
        )),
    )
}

fn allow_out(tasks: &PlacedTasks<'_>, port: u16, to: &str) -> String {
    format!(
        "aws ec2 authorize-security-group-egress --group-id {} --ip-permissions \
         'IpProtocol=tcp,FromPort={port},ToPort={port},{to}'",
        first_or(&tasks.place.groups)
    )
}

fn first_or(ids: &[String]) -> &str {
    ids.first().map_or("GROUP_ID", String::as_str)
}

/// What a check says of a prefix list that it does not know.
pub fn unknown_list(list: &str) -> CheckFinding {
    CheckFinding::unknown(format!(
        "a rule names the prefix list {list}, whose prefixes are not known"
    ))
    .fix("allow ec2:GetManagedPrefixListEntries to whoever runs the check")
}
