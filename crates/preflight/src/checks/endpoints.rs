//! Endpoints of services: that those are there that tasks without a way out need, and that those that are
//! there let tasks in. With private DNS an endpoint takes the traffic of its service, way out or not.

use fargate_aws::{EndpointKind, SecurityGroup, VpcEndpoint, VpcSubnet};

use super::target_groups::{GuardedTarget, admission_finding};
use super::way_out::{SubnetExit, TaskExits, exits};
use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::network::internet_path::HTTPS_PORT;
use crate::network::needed_services::{S3_SERVICE, interface_of, is_endpoint_of};
use crate::network::route_map::RouteMap;
use crate::network::task_place::{subnet_names, zone_names};

/// The endpoints that tasks need are there.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let exits = match exits(input) {
        Ok(exits) => exits,
        Err(unknown) => return vec![unknown],
    };
    exits.iter().flat_map(|exits| judge_exits(input, exits)).collect()
}

fn judge_exits(input: CheckInput<'_>, exits: &TaskExits<'_>) -> Vec<CheckFinding> {
    let on_endpoints = exits.exits.iter().filter(|(_, exit)| matches!(exit, SubnetExit::Endpoints));
    let subnets: Vec<&VpcSubnet> = on_endpoints.map(|(subnet, _)| *subnet).collect();
    let view = &input.view.network;
    let (Some(first), Some(endpoints)) = (subnets.first(), view.endpoints.known()) else {
        // With a way out none is needed; without one, and without a look at endpoints, the check of the
        // way out says so.
        return Vec::new();
    };
    let mut findings = Vec::new();
    for (service, purpose) in &exits.needed.services {
        let found = match *service {
            S3_SERVICE => s3_finding(input, endpoints, &subnets),
            service => interface_finding(endpoints, &first.vpc, service, purpose, &subnets),
        };
        findings.extend(found);
    }
    if findings.is_empty() && exits.needed.unknown.is_empty() {
        let names: Vec<&str> = exits.needed.services.keys().copied().collect();
        findings.push(CheckFinding::pass(format!(
            "{} have endpoints of {}{}",
            subnet_names(&subnets),
            names.join(", "),
            exits.tasks.suffix
        )));
    }
    findings
}

fn interface_finding(
    endpoints: &[VpcEndpoint],
    vpc: &str,
    service: &str,
    purpose: &str,
    subnets: &[&VpcSubnet],
) -> Option<CheckFinding> {
    let consequence = format!("tasks in {} do not reach {service}", zone_names(subnets));
    let Some(endpoint) = interface_of(endpoints, vpc, service) else {
        let ids: Vec<&str> = subnets.iter().map(|subnet| subnet.id.as_str()).collect();
        return Some(
            CheckFinding::fail(
                format!("{vpc} has neither a way out nor an endpoint of {service} ({purpose})"),
                consequence,
            )
            .fix("make the endpoint, with a security group that lets tasks in on port 443")
            .command(format!(
                "aws ec2 create-vpc-endpoint --vpc-endpoint-type Interface --vpc-id {vpc} --service-name \
                 {}.{service} --subnet-ids {} --security-group-ids GROUP_ID --private-dns-enabled",
                service_prefix(endpoints),
                ids.join(" "),
            )),
        );
    };
    if endpoint.state != "available" {
        let found = format!("the endpoint {} of {service} is {}", endpoint.id, endpoint.state);
        return Some(
            CheckFinding::fail(found, consequence)
                .fix("wait until it is available, or make it anew"),
        );
    }
    if !endpoint.has_private_dns {
        return Some(
            CheckFinding::fail(
                format!("the endpoint {} of {service} has no private DNS name", endpoint.id),
                consequence,
            )
            .fix("turn private DNS on, so that the usual name leads to it")
            .command(format!(
                "aws ec2 modify-vpc-endpoint --vpc-endpoint-id {} --private-dns-enabled",
                endpoint.id
            )),
        );
    }
    None
}

/// The layers of images of ECR come from S3, by a route or by an interface.
fn s3_finding(
    input: CheckInput<'_>,
    endpoints: &[VpcEndpoint],
    subnets: &[&VpcSubnet],
) -> Option<CheckFinding> {
    let view = &input.view.network;
    let routes = RouteMap::of(view, view.route_tables.known()?);
    let of_s3 = |kind: EndpointKind| {
        endpoints.iter().find(move |it| {
            it.kind == kind
                && it.state == "available"
                && is_endpoint_of(it, S3_SERVICE)
                && subnets.first().is_some_and(|subnet| it.vpc == subnet.vpc)
        })
    };
    if of_s3(EndpointKind::Interface).is_some_and(|it| it.has_private_dns) {
        return None;
    }
    let gateway = of_s3(EndpointKind::Gateway);
    let missing = |subnet: &&&VpcSubnet| {
        let table = routes.table_of(subnet).map(|table| &table.id);
        !gateway.is_some_and(|it| table.is_some_and(|table| it.route_tables.contains(table)))
    };
    let without: Vec<&VpcSubnet> = subnets.iter().filter(missing).copied().collect();
    let first = without.first()?;
    let table = routes.table_of(first).map_or("ROUTE_TABLE_ID", |table| &table.id);
    let (found, fix, command) = match gateway {
        Some(gateway) => (
            format!("the route table {table} has no route to the S3 endpoint {}", gateway.id),
            "add the route table to the endpoint",
            format!(
                "aws ec2 modify-vpc-endpoint --vpc-endpoint-id {} --add-route-table-ids {table}",
                gateway.id
            ),
        ),
        None => (
            format!("{} has neither a way out nor an endpoint of S3", first.vpc),
            "make the endpoint; it costs nothing",
            format!(
                "aws ec2 create-vpc-endpoint --vpc-endpoint-type Gateway --vpc-id {} --service-name {}.s3 \
                 --route-table-ids {table}",
                first.vpc,
                service_prefix(endpoints),
            ),
        ),
    };
    let consequence = format!("tasks in {} cannot pull images of ECR", zone_names(&without));
    Some(
        CheckFinding::fail(format!("{}: {found}", subnet_names(&without)), consequence)
            .fix(fix)
            .command(command),
    )
}

/// `com.amazonaws.REGION`, as another endpoint of the VPC has it.
fn service_prefix(endpoints: &[VpcEndpoint]) -> String {
    let known = endpoints.iter().find_map(|endpoint| {
        let parts: Vec<&str> = endpoint.service.split('.').collect();
        let of_aws = parts.iter().position(|part| *part == "amazonaws")?;
        Some(parts.get(..=of_aws + 1)?.join("."))
    });
    known.unwrap_or_else(|| "com.amazonaws.REGION".to_owned())
}

/// The endpoints that are there let tasks in.
pub fn judge_access(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let exits = match exits(input) {
        Ok(exits) => exits,
        Err(unknown) => return vec![unknown],
    };
    let view = &input.view.network;
    let endpoints = match view.endpoints.or_unknown("the endpoints of the VPC") {
        Ok(endpoints) => endpoints,
        Err(unknown) => return vec![unknown],
    };
    let groups = match view.groups.or_unknown("the security groups of endpoints") {
        Ok(groups) => groups,
        Err(unknown) => return vec![unknown],
    };
    exits.iter().flat_map(|exits| access_findings(input, exits, endpoints, groups)).collect()
}

fn access_findings(
    input: CheckInput<'_>,
    exits: &TaskExits<'_>,
    endpoints: &[VpcEndpoint],
    groups: &[SecurityGroup],
) -> Vec<CheckFinding> {
    let tasks = &exits.tasks;
    let Some(vpc) = tasks.vpc().filter(|_| tasks.has_all_groups()) else { return Vec::new() };
    let taking =
        exits.needed.services.keys().filter_map(|service| interface_of(endpoints, vpc, service));
    let taking: Vec<&VpcEndpoint> =
        taking.filter(|it| it.has_private_dns && it.state == "available").collect();
    if taking.is_empty() {
        let found = format!("no endpoint stands in the way of what tasks call{}", tasks.suffix);
        return vec![CheckFinding::pass(found)];
    }
    let mut findings: Vec<CheckFinding> = Vec::new();
    for endpoint in &taking {
        let judged = tasks
            .subnets
            .iter()
            .filter_map(|subnet| endpoint_access(input, exits, subnet, endpoint, groups))
            .min_by_key(|finding| !finding.is_fail());
        findings.extend(judged.filter(|finding| !findings.contains(finding)));
    }
    if findings.is_empty() {
        let ids: Vec<&str> = taking.iter().map(|it| it.id.as_str()).collect();
        findings.push(CheckFinding::pass(format!(
            "{} let tasks in on port 443{}",
            ids.join(", "),
            tasks.suffix
        )));
    }
    findings
}

fn endpoint_access(
    input: CheckInput<'_>,
    exits: &TaskExits<'_>,
    subnet: &VpcSubnet,
    endpoint: &VpcEndpoint,
    groups: &[SecurityGroup],
) -> Option<CheckFinding> {
    let guarded = GuardedTarget {
        name: format!("the endpoint {} ({})", endpoint.id, endpoint.service),
        groups: &endpoint.groups,
        port: HTTPS_PORT,
        consequence: format!("tasks do not reach {}", endpoint.service),
    };
    admission_finding(&exits.tasks, subnet, guarded, groups, &input.view.network.prefix_lists)
}
