//! Who may connect to tasks: nobody in the internet to their SSH port, the manager does, and no more is open
//! than that.

use std::net::IpAddr;

use fargate_aws::{GroupPeer, GroupRule, SecurityGroup, TrafficProtocol};
use fargate_config::PublicIp;
use ipnet::IpNet;

use super::group_egress::unknown_list;
use super::manager_egress::manager_egress_finding;
use super::rule_command::revoke_ingress;
use super::ssh_sources::ssh_source_findings;
use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::address_range::AddressSpan;
use crate::network::group_verdict::{
    GroupVerdict, PrefixLists, TrafficPeer, TrafficPort, group_verdict, ingress_rules,
};
use crate::network::ipv6_range::is_unique_local;
use crate::network::manager_side::{ManagerSide, SAY_WHERE, manager_side};
use crate::network::task_place::{PlacedTasks, not_over_ipv6, placed_tasks};
use crate::reading::AwsReading;
use crate::views::NetworkView;

/// Prefixes of this length and shorter are taken for the internet: 0.0.0.0/0, and what is written to look like
/// less. Ours: no organisation has a /7.
const INTERNET_V4: u8 = 7;
/// As above, for IPv6. Ours: the shortest prefix that a registry gives is a /12 or longer.
const INTERNET_V6: u8 = 11;

fn with_groups<'a>(
    input: CheckInput<'a>,
    judge: impl Fn(&PlacedTasks<'a>) -> Vec<CheckFinding>,
) -> Vec<CheckFinding> {
    match placed_tasks(input.needs, input.view) {
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
        let mut open: Vec<CheckFinding> = Vec::new();
        for group in &tasks.groups {
            for rule in group.ingress.iter().filter(|rule| port.is_of(rule)) {
                let peers = rule.peers.iter();
                open.extend(peers.filter_map(|peer| exposed(tasks, &group.id, rule, peer, lists)));
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
        open
    })
}

/// What is told of a source of a rule that stands for the internet; `None` if it does not.
fn exposed(
    tasks: &PlacedTasks<'_>,
    group: &str,
    rule: &GroupRule,
    source: &GroupPeer,
    lists: &PrefixLists,
) -> Option<CheckFinding> {
    let port = tasks.place.port;
    let open: Vec<String> = open_prefixes(source, lists).iter().map(IpNet::to_string).collect();
    let list = match source {
        GroupPeer::PrefixList(list) => format!(" (of the prefix list {list})"),
        GroupPeer::Cidr(_) | GroupPeer::Group(_) => String::new(),
    };
    (!open.is_empty()).then(|| {
        CheckFinding::fail(
            format!("{group} lets {}{list} in on port {port}{}", open.join(", "), tasks.suffix),
            "the SSH port of every task is open to the internet",
        )
        .fix("let in the security group of the manager instead")
        .command(revoke_ingress(group, rule, source))
    })
}

/// The prefixes of a source that stand for the internet.
fn open_prefixes(source: &GroupPeer, lists: &PrefixLists) -> Vec<IpNet> {
    let is_open = |prefix: &IpNet| match prefix {
        IpNet::V4(prefix) => prefix.prefix_len() <= INTERNET_V4,
        IpNet::V6(prefix) => prefix.prefix_len() <= INTERNET_V6 && !is_unique_local(*prefix),
    };
    let prefixes = match source {
        GroupPeer::Cidr(prefix) => vec![*prefix],
        GroupPeer::PrefixList(list) => {
            lists.get(list).and_then(AwsReading::known).cloned().unwrap_or_default()
        }
        GroupPeer::Group(_) => Vec::new(),
    };
    prefixes.into_iter().filter(is_open).collect()
}

/// Whether a source of this rule stands for the internet.
fn is_open_to_all(rule: &GroupRule, lists: &PrefixLists) -> bool {
    rule.peers.iter().any(|source| !open_prefixes(source, lists).is_empty())
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

/// The manager may connect to the SSH port: tasks let it in, and its own groups let it out.
pub fn judge_manager(input: CheckInput<'_>) -> Vec<CheckFinding> {
    with_groups(input, |tasks| {
        let Some(vpc) = tasks.vpc() else { return Vec::new() };
        let side = manager_side(input.needs, &input.view.network, vpc);
        vec![manager_finding(tasks, &side, &input.view.network)]
    })
}

fn manager_finding(
    tasks: &PlacedTasks<'_>,
    side: &ManagerSide<'_>,
    view: &NetworkView,
) -> CheckFinding {
    let (port, suffix, lists) = (tasks.place.port, &tasks.suffix, &view.prefix_lists);
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
                GroupVerdict::Passes => {
                    let passed = format!(
                        "{} let the manager{} in on port {port}{suffix}",
                        tasks.place.groups.join(", "),
                        named(groups)
                    );
                    manager_egress_finding(tasks, groups, view)
                        .unwrap_or_else(|| CheckFinding::pass(passed))
                }
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

/// Whether a rule for the SSH port names addresses.
fn names_addresses(tasks: &PlacedTasks<'_>) -> bool {
    let port = TrafficPort::tcp(tasks.place.port);
    let rules = ingress_rules(&tasks.groups).filter(|rule| port.is_of(rule));
    let mut peers = rules.flat_map(|rule| &rule.peers);
    peers.any(|peer| !matches!(peer, GroupPeer::Group(_)))
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
    if address.is_none() && names_addresses(tasks) {
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
    let view = &input.view.network;
    let lists = &view.prefix_lists;
    with_groups(input, |tasks| {
        let port = tasks.place.port;
        let mut open: Vec<String> = Vec::new();
        for group in &tasks.groups {
            open.extend(
                group.ingress.iter().filter_map(|rule| wide_rule(group, rule, port, lists)),
            );
        }
        open.extend(open_mount_targets(input, tasks));
        let mut findings = further_sources(input, tasks);
        if !open.is_empty() {
            let found = format!("{}{}", open.join("; "), tasks.suffix);
            findings.push(CheckFinding::warn(found).fix(format!(
                "remove the rules: a job needs port {port} from the manager, and no other"
            )));
        }
        if findings.is_empty() {
            let passed = format!("tasks are open on port {port} alone{}", tasks.suffix);
            findings.push(CheckFinding::pass(passed));
        }
        findings
    })
}

/// Whom else than the manager rules for the SSH port alone let in. Where the manager itself is not let in, the
/// check of its access says what the rules must be.
fn further_sources(input: CheckInput<'_>, tasks: &PlacedTasks<'_>) -> Vec<CheckFinding> {
    let view = &input.view.network;
    let Some(vpc) = tasks.vpc() else { return Vec::new() };
    let side = manager_side(input.needs, view, vpc);
    if is_kept_out(tasks, &side, &view.prefix_lists) {
        return Vec::new();
    }
    let is_judged = |source: &GroupPeer| open_prefixes(source, &view.prefix_lists).is_empty();
    ssh_source_findings(tasks, &side, view, is_judged)
}

/// Whether no rule lets the manager in, as far as it is known who that is.
fn is_kept_out(tasks: &PlacedTasks<'_>, side: &ManagerSide<'_>, lists: &PrefixLists) -> bool {
    let verdict = match side {
        // Tasks see a public address of it, which is not known.
        ManagerSide::Inside { .. } if tasks.place.public_ip == PublicIp::Dialled => return false,
        // A range may hold its address.
        ManagerSide::Inside { address: None, .. } if names_addresses(tasks) => return false,
        ManagerSide::Inside { groups, address, .. } => {
            inside_verdict(tasks, groups, address.map(AddressSpan::one), lists)
        }
        ManagerSide::Elsewhere { address: IpAddr::V4(address), is_given: true } => {
            inside_verdict(tasks, &[], Some(AddressSpan::one(*address)), lists)
        }
        ManagerSide::Elsewhere { .. } | ManagerSide::NotKnown(_) => return false,
    };
    matches!(verdict, GroupVerdict::Refused(_))
}

/// Whether a rule is for the SSH port and for nothing else.
pub fn is_ssh_alone(rule: &GroupRule, port: u16) -> bool {
    rule.protocol == TrafficProtocol::Tcp && rule.ports.first == port && rule.ports.last == port
}

/// A rule that lets more in than the SSH port. That the internet reaches this port fails elsewhere.
fn wide_rule(
    group: &SecurityGroup,
    rule: &GroupRule,
    port: u16,
    lists: &PrefixLists,
) -> Option<String> {
    let is_icmp = matches!(rule.protocol, TrafficProtocol::Other(1 | 58));
    let is_exposed = is_open_to_all(rule, lists) && TrafficPort::tcp(port).is_of(rule);
    if is_ssh_alone(rule, port) || is_icmp || rule.peers.is_empty() || is_exposed {
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

/// The name of the other side of a rule.
pub fn peer_name(peer: &GroupPeer) -> String {
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
        rules.any(|rule| is_open_to_all(rule, &view.prefix_lists))
    });
    open.map(|group| format!("{} lets everybody in on port 2049 of the file system", group.id))
        .collect()
}
