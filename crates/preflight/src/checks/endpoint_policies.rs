//! Whether the policies of endpoints let pass what ECS calls to start a task. An endpoint takes the traffic of its
//! service, way out or not.
//!
//! Which endpoints must be there, and whether their groups let tasks in, is judged elsewhere. What scripts call is
//! not known here.

use fargate_aws::{EndpointKind, VpcEndpoint};
use fargate_model::region::AwsPartition;

use super::way_out::{TaskExits, exits};
use crate::check_catalogue::CheckInput;
use crate::check_finding::CheckFinding;
use crate::needed_rights::NO_TASK;
use crate::network::needed_services::{S3_SERVICE, interface_of, is_endpoint_of};
use crate::network::route_map::RouteMap;
use crate::policy::{
    AccessStatement, PatternList, PolicyAnswer, PolicyDocument, PolicyPrincipal, PolicyQuestion,
    answer_of,
};
use crate::reading::AwsReading;
use crate::views::RoleView;

/// A call of ECS that goes through an endpoint.
struct EndpointCall {
    action: String,
    resource: String,
    /// The role that makes it. `None` for the layers of images: ECR signs for them.
    role: Option<String>,
}

/// Judges all endpoints that stand in the way of tasks.
pub fn judge(input: CheckInput<'_>) -> Vec<CheckFinding> {
    let exits = match exits(input) {
        Ok(exits) => exits,
        Err(unknown) => return vec![unknown],
    };
    let endpoints = match input.view.network.endpoints.or_unknown("the policies of endpoints") {
        Ok(endpoints) => endpoints,
        Err(unknown) => return vec![unknown],
    };
    let mut findings: Vec<CheckFinding> = Vec::new();
    for finding in exits.iter().flat_map(|exits| judge_exits(input, exits, endpoints)) {
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

fn judge_exits(
    input: CheckInput<'_>,
    exits: &TaskExits<'_>,
    endpoints: &[VpcEndpoint],
) -> Vec<CheckFinding> {
    let taking = taking_endpoints(input, exits, endpoints);
    let judged = taking.iter().filter_map(|(service, endpoint)| {
        let calls = calls_through(input, exits, service, endpoint);
        endpoint_finding(endpoint, service, &calls)
    });
    let mut findings: Vec<CheckFinding> = judged.collect();
    if findings.is_empty() && !taking.is_empty() {
        let ids: Vec<&str> = taking.iter().map(|(_, endpoint)| endpoint.id.as_str()).collect();
        findings.push(CheckFinding::pass(format!(
            "what ECS calls for a task passes the policies of {}{}",
            ids.join(", "),
            exits.tasks.suffix
        )));
    }
    findings
}

/// The endpoints that take what tasks call, each with its service.
fn taking_endpoints<'a>(
    input: CheckInput<'_>,
    exits: &TaskExits<'_>,
    endpoints: &'a [VpcEndpoint],
) -> Vec<(&'static str, &'a VpcEndpoint)> {
    let Some(vpc) = exits.tasks.vpc() else { return Vec::new() };
    let interfaces = exits.needed.services.keys().filter_map(|service| {
        let found = interface_of(endpoints, vpc, service)?;
        (found.has_private_dns && found.state == "available").then_some((*service, found))
    });
    let view = &input.view.network;
    let routes = view.route_tables.known().map(|tables| RouteMap::of(view, tables));
    let tables: Vec<&String> = exits
        .tasks
        .subnets
        .iter()
        .filter_map(|subnet| Some(&routes?.table_of(subnet)?.id))
        .collect();
    let is_gateway = |it: &&VpcEndpoint| {
        it.kind == EndpointKind::Gateway
            && it.state == "available"
            && is_endpoint_of(it, S3_SERVICE)
            && it.route_tables.iter().any(|table| tables.contains(&table))
    };
    let needs_s3 = exits.needed.services.contains_key(S3_SERVICE);
    let gateways = endpoints.iter().filter(is_gateway).filter(|_| needs_s3);
    interfaces.chain(gateways.map(|it| (S3_SERVICE, it))).collect()
}

/// What ECS calls through the endpoint of this service.
fn calls_through(
    input: CheckInput<'_>,
    exits: &TaskExits<'_>,
    service: &str,
    endpoint: &VpcEndpoint,
) -> Vec<EndpointCall> {
    if service == S3_SERVICE {
        return layer_call(endpoint).into_iter().collect();
    }
    let wanted = |action: &str| match service {
        "ecr.api" => {
            ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
                .contains(&action)
        }
        "ecr.dkr" => ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"].contains(&action),
        service => action.split_once(':').is_some_and(|(of, _)| of == service),
    };
    let roles = execution_roles(input, exits).filter_map(|role| Some((role, arn_of(role)?)));
    let calls = roles.flat_map(|(role, arn)| {
        let rights = role.rights.iter().map(|answer| &answer.right);
        rights
            .filter(|right| right.only_for.is_none() && wanted(&right.action))
            .map(|right| EndpointCall {
                action: right.action.clone(),
                resource: right.resource.clone(),
                role: Some(arn.to_owned()),
            })
            .collect::<Vec<_>>()
    });
    calls.collect()
}

/// The layers of images of ECR.
///
/// Source: Amazon ECR User Guide, "Amazon ECR interface VPC endpoints", "Minimum Amazon S3 bucket permissions".
fn layer_call(endpoint: &VpcEndpoint) -> Option<EndpointCall> {
    let region = endpoint.service.trim_start_matches("cn.").split('.').nth(2)?;
    let partition = AwsPartition::of(region).name();
    Some(EndpointCall {
        action: "s3:GetObject".to_owned(),
        resource: format!("arn:{partition}:s3:::prod-{region}-starport-layer-bucket/*"),
        role: None,
    })
}

/// The execution roles of the definitions of these tasks.
fn execution_roles<'a>(
    input: CheckInput<'a>,
    exits: &TaskExits<'_>,
) -> impl Iterator<Item = &'a RoleView> {
    let names = &exits.tasks.names;
    let profiles = input.needs.profiles.iter().zip(&input.view.cluster.definitions);
    let mine = profiles.filter(|(profile, _)| names.contains(&profile.name));
    let roles: Vec<&RoleView> = mine
        .filter_map(|(_, definition)| {
            let facts = definition.known()?.as_ref().ok()?;
            input.view.access.role(facts.execution_role.as_ref()?)
        })
        .collect();
    roles.into_iter()
}

fn arn_of(role: &RoleView) -> Option<&str> {
    match &role.role {
        AwsReading::Known(Some(found)) => Some(&found.arn),
        _ => Some(role.name.as_str()).filter(|name| name.starts_with("arn:")),
    }
}

/// What is wrong with the policy of an endpoint, or not known; `None` if all calls pass.
fn endpoint_finding(
    endpoint: &VpcEndpoint,
    service: &str,
    calls: &[EndpointCall],
) -> Option<CheckFinding> {
    let name = format!("the policy of the endpoint {} ({})", endpoint.id, endpoint.service);
    let document = match PolicyDocument::read(endpoint.policy.as_ref()?) {
        Ok(document) => document,
        Err(why) => return Some(CheckFinding::unknown(format!("{name} cannot be read: {why}"))),
    };
    if is_open(&document) {
        return None;
    }
    if calls.is_empty() {
        return Some(CheckFinding::unknown(format!(
            "{name} limits what passes, and what ECS calls there is not known"
        )));
    }
    let findings = calls.iter().filter_map(|call| {
        // The name of a stream ends with the id of a task.
        let (action, resource) = (&call.action, call.resource.replace(NO_TASK, "*"));
        match answer(endpoint, &document, call) {
            PolicyAnswer::Allowed => None,
            PolicyAnswer::Unclear(why) => Some(CheckFinding::unknown(format!(
                "{name}: whether {action} on {resource} passes is not known: {why}"
            ))),
            PolicyAnswer::Denied | PolicyAnswer::Silent => Some(
                CheckFinding::fail(
                    format!("{name} does not let {action} on {resource} pass"),
                    format!("tasks do not start: the endpoint keeps {service} from them"),
                )
                .fix("allow it in the policy of the endpoint")
                .command(format!(
                    r#"{{"Effect":"Allow","Principal":"*","Action":"{action}","Resource":"{resource}"}}"#
                )),
            ),
        }
    });
    let mut findings: Vec<CheckFinding> = findings.collect();
    findings.sort_by_key(|finding| !finding.is_fail());
    findings.into_iter().next()
}

/// Whether it lets everything pass, as the policy that AWS gives to an endpoint.
fn is_open(document: &PolicyDocument) -> bool {
    let has = |list: &PatternList, wanted: &str| matches!(list, PatternList::Only(items) if items.iter().any(|item| item == wanted));
    let allows_all = |it: &AccessStatement| {
        it.allows
            && it.conditions.is_empty()
            && has(&it.actions, "*")
            && has(&it.resources, "*")
            && has(&it.principals, "AWS:*")
    };
    document.statements.iter().all(|it| it.allows) && document.statements.iter().any(allows_all)
}

fn answer(endpoint: &VpcEndpoint, document: &PolicyDocument, call: &EndpointCall) -> PolicyAnswer {
    let mut context = vec![
        ("aws:SecureTransport", "true"),
        ("aws:SourceVpce", endpoint.id.as_str()),
        ("aws:SourceVpc", endpoint.vpc.as_str()),
    ];
    if let Some(role) = &call.role {
        context.push(("aws:PrincipalArn", role));
        context.extend(role.split(':').nth(4).map(|account| ("aws:PrincipalAccount", account)));
    }
    let of = |principal| {
        let question = PolicyQuestion {
            principal,
            action: &call.action,
            resource: Some(&call.resource),
            context: &context,
        };
        answer_of([document], question)
    };
    let principal = call.role.as_deref().map_or(PolicyPrincipal::Anonymous, PolicyPrincipal::Role);
    match (of(principal), of(PolicyPrincipal::OfIdentity)) {
        (PolicyAnswer::Silent, PolicyAnswer::Allowed | PolicyAnswer::Unclear(_)) => {
            PolicyAnswer::Unclear("it is allowed for certain principals only".to_owned())
        }
        (answer, _) => answer,
    }
}
