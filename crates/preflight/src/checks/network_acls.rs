//! Whether network ACLs let pass what tasks ask, and the answers: to the internet, to mount targets, to
//! endpoints, to S3 for the layers of images, and from the manager. Each ACL that does not gives one line,
//! whatever it stops.

use fargate_aws::{NetworkAcl, PortRange, VpcSubnet};

use super::way_out::{SubnetExit, TaskExits, exits};
use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::acl_verdict::{AclDenial, TASK_PORTS};
use crate::network::address_range::{AddressSpan, internet_cut_at};
use crate::network::inner_path::{InnerSide, inner_acl_denial};
use crate::network::internet_path::{HTTPS_PORT, internet_acl_denial};
use crate::network::layer_way::LayerWay;
use crate::network::manager_side::{ManagerSide, manager_side};
use crate::network::needed_services::{NeededServices, interface_of};
use crate::network::route_map::{RouteMap, RouteVerdict};
use crate::network::task_place::not_over_ipv6;
use crate::network::way_out::WayKind;
use crate::views::NetworkView;

/// The port of NFS.
pub const NFS_PORT: u16 = 2049;

/// Something that is stopped, and what it is for.
struct StoppedWay {
    denial: AclDenial,
    /// "tasks in ZONE cannot ...".
    consequence: String,
}

/// Judges all ways of all tasks.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let view = &input.view.network;
    let acls = match view.acls.or_unknown("the network ACLs") {
        Ok(acls) => acls,
        Err(unknown) => return vec![unknown],
    };
    let exits = match exits(input) {
        Ok(exits) => exits,
        Err(unknown) => return vec![unknown],
    };
    let subnets = match view.subnets.or_unknown("the subnets of the VPC") {
        Ok(subnets) => subnets,
        Err(unknown) => return vec![unknown],
    };
    let mut stopped: Vec<StoppedWay> = Vec::new();
    for exits in &exits {
        stopped.extend(stopped_ways(input, acls, subnets, exits));
    }
    let mut findings: Vec<CheckFinding> = Vec::new();
    let mut seen: Vec<(String, bool)> = Vec::new();
    for way in stopped {
        let place = (way.denial.acl.clone(), way.denial.is_egress);
        if !seen.contains(&place) {
            seen.push(place);
            findings.push(denial_finding(acls, &way));
        }
    }
    findings.extend(layers_unknown(input, acls, &exits));
    findings.extend(unguarded_finding(acls, &exits));
    findings.extend(ipv6_finding(&exits));
    let count = acls.iter().filter(|acl| guards_tasks(acl, &exits)).count();
    if findings.is_empty() && count > 0 {
        findings.push(CheckFinding::pass(format!(
            "what tasks ask and the answers (ports {TASK_PORTS}) pass the ACLs of their subnets ({count})"
        )));
    }
    findings
}

/// The layers of images of ECR come from public addresses of S3, where tasks have no way out but endpoints.
fn layer_denial(
    input: CheckInput<'_>,
    acls: &[NetworkAcl],
    exits: &TaskExits<'_>,
    (subnet, exit): &(&VpcSubnet, SubnetExit<'_>),
) -> Result<Option<AclDenial>, CheckFinding> {
    let way = match exit {
        SubnetExit::Endpoints => LayerWay::of(&input.view.network, &exits.needed, subnet),
        SubnetExit::Route(_) | SubnetExit::Reported(_) => None,
    };
    way.map_or(Ok(None), |way| way.acl_denial(acls, subnet))
}

/// Why it is not known whether layers pass.
fn layers_unknown(
    input: CheckInput<'_>,
    acls: &[NetworkAcl],
    exits: &[TaskExits<'_>],
) -> Option<CheckFinding> {
    let mut places = exits.iter().flat_map(|exits| exits.exits.iter().map(move |it| (exits, it)));
    places.find_map(|(exits, place)| layer_denial(input, acls, exits, place).err())
}

/// Subnets whose ACL EC2 does not show: then nothing is known of what it stops.
fn unguarded_finding(acls: &[NetworkAcl], exits: &[TaskExits<'_>]) -> Option<CheckFinding> {
    let is_guarded = |id: &String| acls.iter().any(|acl| acl.subnets.contains(id));
    let all = exits.iter().flat_map(|exits| &exits.tasks.subnets).map(|subnet| &subnet.id);
    let mut missing: Vec<&str> = all.filter(|id| !is_guarded(id)).map(String::as_str).collect();
    missing.sort_unstable();
    missing.dedup();
    (!missing.is_empty()).then(|| {
        CheckFinding::unknown(format!(
            "EC2 shows no network ACL of {}, and every subnet has one",
            missing.join(", ")
        ))
    })
}

/// Subnets of IPv6 alone: their way to the internet is judged with the way out, and nothing else is.
fn ipv6_finding(exits: &[TaskExits<'_>]) -> Option<CheckFinding> {
    let mut subnets: Vec<&VpcSubnet> =
        exits.iter().flat_map(|exits| exits.tasks.ipv6_alone()).collect();
    subnets.sort_unstable_by_key(|subnet| &subnet.id);
    subnets.dedup();
    not_over_ipv6(&subnets, "whether network ACLs let pass what tasks ask inside of the VPC")
}

fn guards_tasks(acl: &NetworkAcl, exits: &[TaskExits<'_>]) -> bool {
    let mut subnets = exits.iter().flat_map(|exits| &exits.tasks.subnets);
    subnets.any(|subnet| acl.subnets.contains(&subnet.id))
}

fn stopped_ways(
    input: CheckInput<'_>,
    acls: &[NetworkAcl],
    subnets: &[VpcSubnet],
    exits: &TaskExits<'_>,
) -> Vec<StoppedWay> {
    let mut stopped = Vec::new();
    for place in &exits.exits {
        let (subnet, exit) = place;
        let add = |denial: Option<AclDenial>, what: &str| {
            denial.map(|denial| StoppedWay {
                denial,
                consequence: format!("tasks in {} {what}", subnet.zone),
            })
        };
        let outward = match exit {
            SubnetExit::Route(way) if !matches!(way.kind, WayKind::Lost(_)) => {
                add(internet_denial(input, acls, exits, subnet), "cannot reach the internet")
            }
            SubnetExit::Endpoints => add(
                endpoint_denial(input, acls, subnets, &exits.needed, subnet),
                "cannot reach the endpoints of AWS",
            ),
            SubnetExit::Route(_) | SubnetExit::Reported(_) => None,
        };
        // What is not known of it is said once, for all subnets.
        let layers = layer_denial(input, acls, exits, place).ok().flatten();
        let mounts = mount_denial(input, acls, subnets, exits, subnet);
        let manager = manager_denial(input, acls, exits, subnet);
        stopped.extend(outward);
        stopped.extend(add(layers, "cannot pull the layers of images of ECR"));
        stopped.extend(add(mounts, "cannot mount their file system"));
        stopped.extend(add(manager, "cannot be reached by the manager"));
    }
    stopped
}

/// What keeps most of the internet away. A rule against a few addresses is meant.
fn internet_denial(
    input: CheckInput<'_>,
    acls: &[NetworkAcl],
    exits: &TaskExits<'_>,
    subnet: &VpcSubnet,
) -> Option<AclDenial> {
    let view: &NetworkView = &input.view.network;
    let routes = RouteMap::of(view, view.route_tables.known()?);
    let mut cuts = routes.prefixes_for(subnet);
    let entries = acls.iter().flat_map(|acl| &acl.entries);
    cuts.extend(entries.filter_map(|entry| crate::network::acl_verdict::v4(entry.cidr)));
    let (mut all, mut passing) = (0_u64, 0_u64);
    let mut worst: Option<(u64, AclDenial)> = None;
    for piece in internet_cut_at(&cuts) {
        let way = routes.verdict(subnet, exits.tasks.place.has_public_ip(), piece.first());
        if matches!(way, RouteVerdict::Inside | RouteVerdict::ToService(_) | RouteVerdict::Lost(_))
        {
            continue;
        }
        all += piece.size();
        let subnets = view.subnets.known();
        match internet_acl_denial(acls, subnet, &way, piece.first(), subnets) {
            None => passing += piece.size(),
            Some(denial) if worst.as_ref().is_none_or(|(size, _)| piece.size() > *size) => {
                worst = Some((piece.size(), denial));
            }
            Some(_) => {}
        }
    }
    worst.filter(|_| passing * 2 < all).map(|(_, denial)| denial)
}

fn endpoint_denial(
    input: CheckInput<'_>,
    acls: &[NetworkAcl],
    subnets: &[VpcSubnet],
    needed: &NeededServices,
    subnet: &VpcSubnet,
) -> Option<AclDenial> {
    let endpoints = input.view.network.endpoints.known()?;
    let client = InnerSide::anywhere_in(subnet)?;
    needed.services.keys().find_map(|service| {
        let endpoint =
            interface_of(endpoints, &subnet.vpc, service).filter(|it| it.has_private_dns)?;
        let standing = subnets.iter().filter(|it| endpoint.subnets.contains(&it.id));
        // One address that can be reached is enough: clients try the next.
        let denials: Vec<Option<AclDenial>> = standing
            .filter_map(InnerSide::anywhere_in)
            .map(|server| inner_acl_denial(acls, client, server, HTTPS_PORT))
            .collect();
        denials.iter().all(Option::is_some).then(|| denials.into_iter().flatten().next()).flatten()
    })
}

fn mount_denial(
    input: CheckInput<'_>,
    acls: &[NetworkAcl],
    subnets: &[VpcSubnet],
    exits: &TaskExits<'_>,
    subnet: &VpcSubnet,
) -> Option<AclDenial> {
    let targets = input.view.storage.mount_targets.known()?;
    let client = InnerSide::anywhere_in(subnet)?;
    let mine = targets.iter().filter(|target| {
        target.zone == subnet.zone && exits.tasks.place.file_systems.contains(&target.file_system)
    });
    mine.filter_map(|target| {
        let there = subnets.iter().find(|it| it.id == target.subnet)?;
        let anywhere = InnerSide::anywhere_in(there)?;
        let addresses = target.address.map_or(anywhere.addresses, AddressSpan::one);
        inner_acl_denial(acls, client, InnerSide { addresses, ..anywhere }, NFS_PORT)
    })
    .next()
}

fn manager_denial(
    input: CheckInput<'_>,
    acls: &[NetworkAcl],
    exits: &TaskExits<'_>,
    subnet: &VpcSubnet,
) -> Option<AclDenial> {
    let side = manager_side(input.needs, &input.view.network, &subnet.vpc);
    let ManagerSide::Inside { address, subnet: Some(standing), .. } = side else { return None };
    let anywhere = InnerSide::anywhere_in(standing)?;
    let addresses = address.map_or(anywhere.addresses, AddressSpan::one);
    let task = InnerSide::anywhere_in(subnet)?;
    inner_acl_denial(acls, InnerSide { addresses, ..anywhere }, task, exits.tasks.place.port)
}

fn denial_finding(acls: &[NetworkAcl], way: &StoppedWay) -> CheckFinding {
    let AclDenial { acl, subnet, is_egress, rule, peer, ports } = &way.denial;
    let (direction, preposition) = if *is_egress { ("out", "to") } else { ("in", "from") };
    let why = match rule {
        Some(number) => format!("rule {number} denies"),
        None => "no rule allows".to_owned(),
    };
    let answers = if ports.first >= 1024 && *ports != PortRange::one(NFS_PORT) {
        " (answers: network ACLs are stateless)"
    } else {
        ""
    };
    let found = format!(
        "{acl} of {subnet}: {why} TCP {direction} {preposition} {} at {}{answers}",
        peer.shown(),
        port_words(*ports),
    );
    let number = free_number(acls, acl, *is_egress, *rule);
    let range = if ports.first >= 1024 && *ports != PortRange::one(NFS_PORT) {
        PortRange { first: 1024, last: u16::MAX }
    } else {
        *ports
    };
    CheckFinding::fail(found, way.consequence.clone())
        .fix("add a rule before the one that denies; narrow its addresses if you can")
        .command(format!(
            "aws ec2 create-network-acl-entry --network-acl-id {acl} --{} --rule-number {number} --protocol tcp \
             --port-range From={},To={} --cidr-block 0.0.0.0/0 --rule-action allow",
            if *is_egress { "egress" } else { "ingress" },
            range.first,
            range.last,
        ))
}

fn port_words(ports: PortRange) -> String {
    match ports.first == ports.last {
        true => format!("port {ports}"),
        false => format!("ports {ports}"),
    }
}

/// A number before the rule that denies that no rule has yet.
fn free_number(acls: &[NetworkAcl], id: &str, is_egress: bool, denying: Option<u32>) -> u32 {
    let entries = acls.iter().find(|acl| acl.id == id).into_iter().flat_map(|acl| &acl.entries);
    let taken: Vec<u32> =
        entries.filter(|entry| entry.is_egress == is_egress).map(|entry| entry.number).collect();
    let below = denying.unwrap_or(1000).min(1000);
    (1..below).rev().find(|number| !taken.contains(number)).unwrap_or(1)
}
