//! Whether tasks reach the internet by the routes of their subnets, or need no way out because of endpoints.

use fargate_aws::{NatGateway, VpcSubnet};

use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::ipv6_way::{Ipv6Way, ipv6_way};
use crate::network::needed_services::{NeededServices, has_some_interface, needed_services};
use crate::network::route_fault::{RouteFault, UnseenWay};
use crate::network::route_map::RouteMap;
use crate::network::task_place::{PlacedTasks, placed_tasks, subnet_names, zone_names};
use crate::network::way_out::{SubnetWay, WayKind, subnet_way};
use crate::reading::AwsReading;

/// Judges the way out of each subnet.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    exits(input).map_or_else(
        |unknown| vec![unknown],
        |exits| exits.iter().flat_map(|exits| findings(input, exits)).collect(),
    )
}

/// How the tasks of some profiles get out, by subnet.
#[derive(Debug)]
pub struct TaskExits<'a> {
    /// The tasks.
    pub tasks: PlacedTasks<'a>,
    /// What they call.
    pub needed: NeededServices,
    /// Each subnet with how its tasks get out.
    pub exits: Vec<(&'a VpcSubnet, SubnetExit<'a>)>,
}

/// How tasks of a subnet get out.
#[derive(Debug)]
pub enum SubnetExit<'a> {
    /// By a route.
    Route(SubnetWay<'a>),
    /// Not at all: there is no route out, and endpoints of services are there instead.
    Endpoints,
    /// Neither by a route of IPv4 nor through endpoints, or nobody knows: all that there is to say of it is
    /// said here, and other checks have no way to follow.
    Reported(CheckFinding),
}

/// How tasks get out, as far as it was read. Other checks follow it: rules on a way that nobody takes are not
/// judged.
///
/// # Errors
///
/// What a check says if subnets, groups or route tables were not read.
pub fn exits<'a>(input: CheckInput<'a>) -> Result<Vec<TaskExits<'a>>, CheckFinding> {
    let view = &input.view.network;
    let placed = placed_tasks(input.needs, input.view)?;
    let tables = view.route_tables.or_unknown("the route tables")?;
    let routes = RouteMap::of(view, tables);
    let of_tasks = |tasks: PlacedTasks<'a>| {
        let needed = needed_services(input.needs, input.view, &tasks.names);
        let mut exits = Vec::new();
        for subnet in &tasks.subnets {
            let way = subnet_way(routes, subnet, tasks.place.has_public_ip());
            exits.push((*subnet, exit(input, &tasks, subnet, way, &needed)));
        }
        TaskExits { tasks, needed, exits }
    };
    // Without a subnet, or with subnets of several VPCs, another check fails, and no way is judged.
    Ok(placed.into_iter().filter(|tasks| tasks.vpc().is_some()).map(of_tasks).collect())
}

fn exit<'a>(
    input: CheckInput<'_>,
    tasks: &PlacedTasks<'_>,
    subnet: &VpcSubnet,
    way: SubnetWay<'a>,
    needed: &NeededServices,
) -> SubnetExit<'a> {
    if subnet.cidr.is_none() {
        return SubnetExit::Reported(ipv6_alone(input, tasks, subnet));
    }
    let WayKind::Lost(fault) = &way.kind else { return SubnetExit::Route(way) };
    if let RouteFault::NoRoute { .. } = fault {
        match input.view.network.endpoints.or_unknown("the endpoints of the VPC") {
            Err(unknown) => return SubnetExit::Reported(unknown),
            Ok(endpoints) if has_some_interface(endpoints, &subnet.vpc, needed) => {
                return SubnetExit::Endpoints;
            }
            Ok(_) => {}
        }
    }
    match over_ipv6(input, tasks, subnet) {
        Some(Ok(Ipv6Way::Out(gateways))) => {
            let found = format!(
                "{} ({}): {}; over IPv6 {}",
                subnet.id,
                subnet.zone,
                fault.found(),
                only_out(&gateways)
            );
            let (fix, command) = fault.fix(working_nat(input, &[subnet]), None);
            SubnetExit::Reported(CheckFinding::unknown(found).fix(fix).command(command))
        }
        _ => SubnetExit::Route(way),
    }
}

fn over_ipv6(
    input: CheckInput<'_>,
    tasks: &PlacedTasks<'_>,
    subnet: &VpcSubnet,
) -> Option<Result<Ipv6Way, CheckFinding>> {
    let view = &input.view.network;
    let tables = view.route_tables.known().filter(|_| subnet.ipv6_cidr.is_some())?;
    tasks.has_all_groups().then(|| ipv6_way(view, RouteMap::of(view, tables), tasks, subnet))
}

/// Whom tasks reach over IPv6 cannot be seen: not every registry, service of AWS and GitLab has such addresses.
fn only_out(gateways: &[String]) -> String {
    format!(
        "tasks leave through {} alone, and whether registry, AWS and GitLab are reached cannot be seen from here",
        gateways.join(", ")
    )
}

/// What is said of a subnet without addresses of IPv4.
fn ipv6_alone(input: CheckInput<'_>, tasks: &PlacedTasks<'_>, subnet: &VpcSubnet) -> CheckFinding {
    let place = format!("{} ({}) has no addresses of IPv4", subnet.id, subnet.zone);
    match over_ipv6(input, tasks, subnet) {
        None => CheckFinding::unknown(place),
        Some(Err(unknown)) => unknown,
        Some(Ok(Ipv6Way::Unseen(way))) => way.finding(&place),
        Some(Ok(Ipv6Way::Out(gateways))) => {
            CheckFinding::unknown(format!("{place}; over IPv6 {}", only_out(&gateways)))
                .fix("run `fargate-runner check --probe`: a small task tries it")
        }
        Some(Ok(Ipv6Way::Lost(fault))) => {
            let groups = &tasks.place.groups;
            let (fix, command) = fault.fix(groups);
            CheckFinding::fail(
                format!("{place}, and {}", fault.found(groups)),
                format!("tasks in {} have no way out", subnet.zone),
            )
            .fix(fix)
            .command_if(command)
        }
    }
}

/// What the exits of several subnets say: equal ones in one line.
fn findings(input: CheckInput<'_>, exits: &TaskExits<'_>) -> Vec<CheckFinding> {
    let suffix = &exits.tasks.suffix;
    let mut out: Vec<&VpcSubnet> = Vec::new();
    let mut on_endpoints: Vec<&VpcSubnet> = Vec::new();
    let mut faults: Vec<(&WayKind, Vec<&VpcSubnet>)> = Vec::new();
    let mut found = Vec::new();
    for (subnet, exit) in &exits.exits {
        match exit {
            SubnetExit::Reported(unknown) if found.contains(unknown) => {}
            SubnetExit::Reported(unknown) => found.push(unknown.clone()),
            SubnetExit::Endpoints => on_endpoints.push(subnet),
            SubnetExit::Route(way) if way.kind == WayKind::Out => out.push(subnet),
            SubnetExit::Route(way) => {
                match faults.iter_mut().find(|(kind, _)| *kind == &way.kind) {
                    Some((_, subnets)) => subnets.push(subnet),
                    None => faults.push((&way.kind, vec![subnet])),
                }
            }
        }
    }
    found.extend(faults.iter().map(|(kind, subnets)| fault_finding(input, kind, subnets, suffix)));
    if !on_endpoints.is_empty() {
        found.push(endpoints_finding(&exits.needed, &on_endpoints, suffix));
    }
    if !out.is_empty() && found.is_empty() {
        found.push(CheckFinding::pass(format!("{}{suffix}", out_words(exits))));
    }
    found
}

fn out_words(exits: &TaskExits<'_>) -> String {
    let ways = exits.exits.iter().filter_map(|(_, exit)| match exit {
        SubnetExit::Route(way) => Some(way),
        SubnetExit::Endpoints | SubnetExit::Reported(_) => None,
    });
    let mut through: Vec<String> = Vec::new();
    for way in ways {
        let nats = way.nats.iter().map(|nat| format!("the NAT gateway {}", nat.id));
        let direct = way.is_direct.then(|| "an internet gateway, by public addresses".to_owned());
        for words in nats.chain(direct) {
            if !through.contains(&words) {
                through.push(words);
            }
        }
    }
    match through.is_empty() {
        true => "no subnet to judge".to_owned(),
        false => format!("through {}", through.join(", ")),
    }
}

fn fault_finding(
    input: CheckInput<'_>,
    kind: &WayKind,
    subnets: &[&VpcSubnet],
    suffix: &str,
) -> CheckFinding {
    let places = subnet_names(subnets);
    let fault = match kind {
        WayKind::Out => return CheckFinding::pass(places),
        WayKind::Unseen(UnseenWay::NotRead(finding)) => return finding.clone(),
        WayKind::Unseen(way) => return way.finding(&places),
        WayKind::Part(fault) | WayKind::Lost(fault) => fault,
    };
    let (fix, command) = fault.fix(working_nat(input, subnets), attached_gateway(input, subnets));
    let found = format!("{places}: {}{suffix}", fault.found());
    let finding = match kind {
        WayKind::Part(_) => {
            CheckFinding::warn(format!("{found}; only a smaller part of the internet is reached"))
        }
        WayKind::Lost(_) | WayKind::Out | WayKind::Unseen(_) => {
            CheckFinding::fail(found, format!("tasks in {} have no way out", zone_names(subnets)))
        }
    };
    finding.fix(fix).command(command)
}

fn working_nat<'a>(input: CheckInput<'a>, subnets: &[&VpcSubnet]) -> Option<&'a str> {
    let vpc = &subnets.first()?.vpc;
    let works = |nat: &&NatGateway| nat.vpc == *vpc && nat.state == "available" && nat.is_public;
    let nats = input.view.network.nat_gateways.known()?;
    nats.iter().find(works).map(|nat| nat.id.as_str())
}

fn attached_gateway<'a>(input: CheckInput<'a>, subnets: &[&VpcSubnet]) -> Option<&'a str> {
    let vpc = &subnets.first()?.vpc;
    let gateways = input.view.network.internet_gateways.known()?;
    let attached = gateways.iter().find(|it| it.attached_to.contains(vpc));
    attached.map(|gateway| gateway.id.as_str())
}

/// Without a way out, only ECR of the Regions of endpoints is reached.
fn endpoints_finding(
    needed: &NeededServices,
    subnets: &[&VpcSubnet],
    suffix: &str,
) -> CheckFinding {
    let places = subnet_names(subnets);
    if let Some(image) = needed.outside_images.first() {
        return CheckFinding::fail(
            format!("{places}: no route out, and the image {image} is not in ECR{suffix}"),
            format!("tasks in {} cannot pull their image", zone_names(subnets)),
        )
        .fix("give the subnets a route to a NAT gateway, or copy the image to ECR");
    }
    if let Some((image, region)) = needed.foreign_images.first() {
        return CheckFinding::fail(
            format!(
                "{places}: no route out, and the image {image} is in ECR of {region}, to which no endpoint of \
                 ecr.dkr leads{suffix}"
            ),
            format!("tasks in {} cannot pull their image", zone_names(subnets)),
        )
        .fix("copy the image to ECR of the Region of the tasks, or give the subnets a route to a NAT gateway");
    }
    if let Some(unknown) = needed.unknown.first() {
        return unknown.clone();
    }
    CheckFinding::warn(format!(
        "{places}: no route out, tasks call AWS through endpoints{suffix}; they reach GitLab, package \
         registries and other servers only inside this network"
    ))
}

/// The addresses from which jobs leave, to allow-list elsewhere.
pub fn judge_addresses(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let exits = match exits(input) {
        Ok(exits) => exits,
        Err(unknown) => return vec![unknown],
    };
    exits.iter().filter_map(|exits| addresses_finding(input, exits)).collect()
}

fn addresses_finding(input: CheckInput<'_>, exits: &TaskExits<'_>) -> Option<CheckFinding> {
    let suffix = &exits.tasks.suffix;
    let ways: Vec<&SubnetWay<'_>> = exits
        .exits
        .iter()
        .filter_map(|(_, exit)| match exit {
            SubnetExit::Route(way) => Some(way),
            SubnetExit::Endpoints | SubnetExit::Reported(_) => None,
        })
        .collect();
    if ways.iter().any(|way| way.is_direct) {
        return Some(CheckFinding::warn(format!(
            "each task leaves from a public address of its own{suffix}, so none can be allow-listed"
        )));
    }
    let addresses: Vec<String> = ways.iter().flat_map(|way| way.addresses()).collect();
    let mut once: Vec<String> = Vec::new();
    addresses.into_iter().for_each(|it| {
        if !once.contains(&it) {
            once.push(it)
        }
    });
    if once.is_empty() {
        // Without a way out, another check says so; what was not read is not known here either.
        let AwsReading::Known(_) = input.view.network.nat_gateways else {
            return input
                .view
                .network
                .nat_gateways
                .or_unknown("the addresses of NAT gateways")
                .err();
        };
        return None;
    }
    Some(CheckFinding::pass(format!(
        "jobs leave from {}{suffix}; allow-list these",
        once.join(", ")
    )))
}
