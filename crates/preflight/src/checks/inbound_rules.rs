//! Who may connect to tasks: nobody in the internet to their SSH port, the manager does, and no more is open
//! than that.

use std::net::IpAddr;

use fargate_aws::{GroupPeer, GroupRule, SecurityGroup, TrafficProtocol};
use fargate_config::PublicIp;
use ipnet::IpNet;

use super::group_egress::unknown_list;
use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::address_range::AddressSpan;
use crate::network::group_verdict::{
    GroupVerdict, PrefixLists, TrafficPeer, TrafficPort, group_verdict, ingress_rules,
};
use crate::network::manager_side::{ManagerSide, SAY_WHERE, manager_side};
use crate::network::task_place::{PlacedTasks, not_over_ipv6, placed_tasks};
use crate::reading::AwsReading;

/// Prefixes of this length and shorter are taken for the internet: 0.0.0.0/0, and what is written to look like
/// less. Ours: no organisation has a /7.
const INTERNET_V4: u8 = 7;
/// As above, for IPv6. Ours: the shortest prefix that a registry gives is a /12 or longer.
const INTERNET_V6: u8 = 11;

fn with_groups<'a>(
    input: CheckInput<'a>,
    judge: impl Fn(&PlacedTasks<'a>) -> Vec<CheckFinding>,
) -> Vec<CheckFinding> {
    match placed_tasks(input.needs, &input.view.network) {
        // A group that is missing or elsewhere fails in another check.
        Ok(placed) => placed.iter().filter(|it| it.has_all_groups()).flat_map(judge).collect(),
        Err(unknown) => vec![unknown],
    }
}

/// The SSH port is closed to the internet.
pub fn judge_exposure(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let lists = &input.view.network.prefix_lists;
    with_groups(input, |tasks| {
        let port = TrafficPort::tcp(tasks.place.port);
        let mut open = Vec::new();
        for group in &tasks.groups {
            for rule in group.ingress.iter().filter(|rule| port.is_of(rule)) {
                open.extend(
                    open_prefixes(rule, lists).into_iter().map(|it| (group.id.as_str(), it)),
                );
            }
        }
        if open.is_empty() {
            let list = unknown_list_in(tasks, port, lists);
            return vec![list.unwrap_or_else(|| {
                CheckFinding::pass(format!(
                    "port {} is closed to the internet{}",
                    port.port, tasks.suffix
                ))
            })];
        }
        open.iter().map(|(group, prefix)| exposed(tasks, group, prefix)).collect()
    })
}

fn exposed(tasks: &PlacedTasks<'_>, group: &str, prefix: &IpNet) -> CheckFinding {
    let port = tasks.place.port;
    let ranges = match prefix {
        IpNet::V4(_) => format!("IpRanges=[{{CidrIp={prefix}}}]"),
        IpNet::V6(_) => format!("Ipv6Ranges=[{{CidrIpv6={prefix}}}]"),
    };
    CheckFinding::fail(
        format!("{group} lets {prefix} in on port {port}{}", tasks.suffix),
        "the SSH port of every task is open to the internet",
    )
    .fix("let in the security group of the manager instead")
    .command(format!(
        "aws ec2 revoke-security-group-ingress --group-id {group} --ip-permissions \
         'IpProtocol=tcp,FromPort={port},ToPort={port},{ranges}'"
    ))
}

/// The prefixes of a rule that stand for the internet.
fn open_prefixes(rule: &GroupRule, lists: &PrefixLists) -> Vec<IpNet> {
    let is_open = |prefix: &IpNet| match prefix {
        IpNet::V4(prefix) => prefix.prefix_len() <= INTERNET_V4,
        IpNet::V6(prefix) => prefix.prefix_len() <= INTERNET_V6,
    };
    let prefixes = rule.peers.iter().flat_map(|peer| match peer {
        GroupPeer::Cidr(prefix) => vec![*prefix],
        GroupPeer::PrefixList(list) => {
            lists.get(list).and_then(AwsReading::known).cloned().unwrap_or_default()
        }
        GroupPeer::Group(_) => Vec::new(),
    });
    prefixes.filter(is_open).collect()
}

fn unknown_list_in(
    tasks: &PlacedTasks<'_>,
    port: TrafficPort,
    lists: &PrefixLists,
) -> Option<CheckFinding> {
    let rules = ingress_rules(&tasks.groups).filter(|rule| port.is_of(rule));
    rules.flat_map(|rule| &rule.peers).find_map(|peer| match peer {
        GroupPeer::PrefixList(list) if lists.get(list).and_then(AwsReading::known).is_none() => {
            Some(unknown_list(list))
        }
        GroupPeer::PrefixList(_) | GroupPeer::Cidr(_) | GroupPeer::Group(_) => None,
    })
}

/// The manager may connect to the SSH port.
pub fn judge_manager(input: CheckInput<'_>) -> Vec<CheckFinding> {
    with_groups(input, |tasks| {
        let Some(vpc) = tasks.vpc() else { return Vec::new() };
        let side = manager_side(input.needs, &input.view.network, vpc);
        vec![manager_finding(tasks, &side, &input.view.network.prefix_lists)]
    })
}

fn manager_finding(
    tasks: &PlacedTasks<'_>,
    side: &ManagerSide<'_>,
    lists: &PrefixLists,
) -> CheckFinding {
    let (port, suffix) = (tasks.place.port, &tasks.suffix);
    if tasks.place.public_ip == PublicIp::Dialled
        && !matches!(side, ManagerSide::Elsewhere { is_given: true, .. })
    {
        return CheckFinding::unknown(format!(
            "the manager connects to public addresses of tasks{suffix}, and from which address is not known"
        ))
        .fix("say it: `--manager-address ADDRESS`, as tasks see it");
    }
    match side {
        ManagerSide::NotKnown(unknown) => unknown.clone().fix(SAY_WHERE),
        ManagerSide::Inside { groups, address, .. } => {
            let address = address.map(AddressSpan::one);
            let question = format!("whether port {port} lets the manager in by its address");
            if let Some(unknown) = not_over_ipv6(&tasks.ipv6_alone(), &question)
                && !names_manager(tasks, groups)
            {
                return unknown;
            }
            match inside_verdict(tasks, groups, address, lists) {
                GroupVerdict::Passes => CheckFinding::pass(format!(
                    "{} let the manager{} in on port {port}{suffix}",
                    tasks.place.groups.join(", "),
                    named(groups)
                )),
                GroupVerdict::UnknownList(list) => unknown_list(&list),
                GroupVerdict::Refused(_) => refused(tasks, groups, address),
            }
        }
        ManagerSide::Elsewhere { address, is_given } => {
            elsewhere_finding(tasks, *address, *is_given, lists)
        }
    }
}

/// Whether a rule names a group of the manager: such a rule is for both families of addresses.
fn names_manager(tasks: &PlacedTasks<'_>, groups: &[String]) -> bool {
    let port = TrafficPort::tcp(tasks.place.port);
    let rules = ingress_rules(&tasks.groups).filter(|rule| port.is_of(rule));
    let mut peers = rules.flat_map(|rule| &rule.peers);
    peers.any(|peer| matches!(peer, GroupPeer::Group(id) if groups.contains(id)))
}

fn named(groups: &[String]) -> String {
    match groups.is_empty() {
        true => String::new(),
        false => format!(" ({})", groups.join(", ")),
    }
}

/// Without an address, only rules that name a group can let the manager in.
fn inside_verdict(
    tasks: &PlacedTasks<'_>,
    groups: &[String],
    address: Option<AddressSpan>,
    lists: &PrefixLists,
) -> GroupVerdict {
    let port = TrafficPort::tcp(tasks.place.port);
    let nowhere = AddressSpan::one(std::net::Ipv4Addr::UNSPECIFIED);
    let peer = TrafficPeer { addresses: address.unwrap_or(nowhere), groups };
    // 0.0.0.0/0 holds even that address: whomever it lets in, the manager is one of them.
    group_verdict(ingress_rules(&tasks.groups), port, peer, lists)
}

fn refused(
    tasks: &PlacedTasks<'_>,
    groups: &[String],
    address: Option<AddressSpan>,
) -> CheckFinding {
    let (port, suffix) = (tasks.place.port, &tasks.suffix);
    let by_address = |peer: &GroupPeer| !matches!(peer, GroupPeer::Group(_));
    let wanted = TrafficPort::tcp(port);
    let mut rules = ingress_rules(&tasks.groups).filter(|rule| wanted.is_of(rule));
    if address.is_none() && rules.any(|rule| rule.peers.iter().any(by_address)) {
        return CheckFinding::unknown(format!(
            "{} let addresses in on port {port}{suffix}, and that of the manager is not known",
            tasks.place.groups.join(", ")
        ))
        .fix("say it: `--manager-address ADDRESS`");
    }
    let (task_group, manager) =
        (tasks.place.groups.first().map_or("GROUP_ID", String::as_str), groups.first());
    let source = match (manager, address) {
        (Some(group), _) => format!("--source-group {group}"),
        (None, Some(address)) => format!("--cidr {}/32", address.first()),
        (None, None) => "--source-group MANAGER_GROUP_ID".to_owned(),
    };
    CheckFinding::fail(
        format!(
            "no rule of {} lets the manager{} in on port {port}{suffix}",
            tasks.place.groups.join(", "),
            named(groups)
        ),
        "the manager cannot connect to any task",
    )
    .fix(format!("let the manager in on port {port}"))
    .command(format!(
        "aws ec2 authorize-security-group-ingress --group-id {task_group} --protocol tcp --port {port} {source}"
    ))
}

/// A manager in another network: its address may pass, and the way between the networks cannot be seen.
fn elsewhere_finding(
    tasks: &PlacedTasks<'_>,
    address: IpAddr,
    is_given: bool,
    lists: &PrefixLists,
) -> CheckFinding {
    let (port, suffix) = (tasks.place.port, &tasks.suffix);
    if !is_given {
        return CheckFinding::unknown(format!(
            "this host ({address}) is not in the VPC of the tasks{suffix}, so whether port {port} lets the \
             manager in is not known"
        ))
        .fix(SAY_WHERE);
    }
    let passes = match address {
        IpAddr::V4(v4) => {
            let peer = TrafficPeer { addresses: AddressSpan::one(v4), groups: &[] };
            let rules = ingress_rules(&tasks.groups);
            group_verdict(rules, TrafficPort::tcp(port), peer, lists)
        }
        IpAddr::V6(_) => {
            return CheckFinding::unknown(format!(
                "the manager has an address of IPv6, {address}, and only IPv4 is followed"
            ));
        }
    };
    match passes {
        GroupVerdict::Passes => CheckFinding::unknown(format!(
            "{} let {address} in on port {port}{suffix}; the way from there cannot be seen",
            tasks.place.groups.join(", ")
        ))
        .fix("run `fargate-runner check --probe` on the manager: it connects to a task"),
        GroupVerdict::UnknownList(list) => unknown_list(&list),
        GroupVerdict::Refused(range) => refused(tasks, &[], Some(range)),
    }
}

/// No more is open than a job needs.
pub fn judge_open_rules(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let lists = &input.view.network.prefix_lists;
    with_groups(input, |tasks| {
        let port = tasks.place.port;
        let mut open: Vec<String> = Vec::new();
        for group in &tasks.groups {
            open.extend(
                group.ingress.iter().filter_map(|rule| wide_rule(group, rule, port, lists)),
            );
        }
        open.extend(open_mount_targets(input, tasks));
        vec![match open.is_empty() {
            true => {
                CheckFinding::pass(format!("tasks are open on port {port} alone{}", tasks.suffix))
            }
            false => CheckFinding::warn(format!("{}{}", open.join("; "), tasks.suffix)).fix(
                format!("remove the rules: a job needs port {port} from the manager, and no other"),
            ),
        }]
    })
}

/// A rule that lets more in than the SSH port. That the internet reaches this port fails elsewhere.
fn wide_rule(
    group: &SecurityGroup,
    rule: &GroupRule,
    port: u16,
    lists: &PrefixLists,
) -> Option<String> {
    let ssh = TrafficPort::tcp(port);
    let is_ssh_alone = rule.protocol == TrafficProtocol::Tcp
        && rule.ports.first == port
        && rule.ports.last == port;
    let is_icmp = matches!(rule.protocol, TrafficProtocol::Other(1 | 58));
    let is_exposed = !open_prefixes(rule, lists).is_empty();
    if is_ssh_alone || is_icmp || rule.peers.is_empty() || (is_exposed && ssh.is_of(rule)) {
        return None;
    }
    let what = match rule.protocol {
        TrafficProtocol::All => "all traffic".to_owned(),
        TrafficProtocol::Tcp => format!("TCP {}", rule.ports),
        TrafficProtocol::Udp => format!("UDP {}", rule.ports),
        TrafficProtocol::Other(number) => format!("protocol {number}"),
    };
    let who: Vec<String> = rule.peers.iter().map(peer_name).collect();
    Some(format!("{} lets in {what} from {}", group.id, who.join(", ")))
}

fn peer_name(peer: &GroupPeer) -> String {
    match peer {
        GroupPeer::Cidr(prefix) => prefix.to_string(),
        GroupPeer::Group(id) | GroupPeer::PrefixList(id) => id.clone(),
    }
}

fn open_mount_targets(input: CheckInput<'_>, tasks: &PlacedTasks<'_>) -> Vec<String> {
    let view = &input.view.network;
    let targets = input.view.storage.mount_targets.known().into_iter().flatten();
    let mine = targets.filter(|it| tasks.place.file_systems.contains(&it.file_system));
    let ids: std::collections::BTreeSet<&String> = mine.flat_map(|target| &target.groups).collect();
    let groups = view.groups.known().into_iter().flatten().filter(|group| ids.contains(&group.id));
    let nfs = TrafficPort::tcp(super::network_acls::NFS_PORT);
    let open = groups.filter(|group| {
        let mut rules = group.ingress.iter().filter(|rule| nfs.is_of(rule));
        rules.any(|rule| !open_prefixes(rule, &view.prefix_lists).is_empty())
    });
    open.map(|group| format!("{} lets everybody in on port 2049 of the file system", group.id))
        .collect()
}
