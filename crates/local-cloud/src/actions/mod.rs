//! The operations, one file each. Every one reads its request, changes or reads the state under
//! one short lock, and gives the body of the answer. Time and processes are not theirs.

mod assume_role;
mod create_cluster;
mod definition_checks;
mod delete_cluster;
mod delete_task_definitions;
mod deregister_task_definition;
mod describe_clusters;
mod describe_network_interfaces;
mod describe_subnets;
mod describe_task_definition;
mod describe_tasks;
mod fargate_checks;
mod get_log_events;
mod launch;
mod launch_checks;
mod list_clusters;
mod list_tags_for_resource;
mod list_task_definition_families;
mod list_task_definitions;
mod list_tasks;
mod put_cluster_capacity_providers;
pub mod query;
mod register_task_definition;
mod request_tasks;
mod run_task;
mod stop_task;
mod tag_resource;
mod untag_resource;

pub use definition_checks::start_order;
pub use request_tasks::concerned;

use std::sync::Arc;
use std::time::SystemTime;

use fargate_model::region::AwsPartition;
use serde_json::Value;

use crate::cloud::CloudInstance;
use crate::fault::{CloudFault, ReaderLag};
use crate::wire::credentials::CallerPrincipal;
use crate::wire::exception::ServiceException;
use crate::wire::member::ShapeMember;
use crate::wire::shape::definition::RegisterTaskDefinition;

/// Every operation that this cloud plays.
pub const CALLABLE: [&str; 22] = [
    "AssumeRole",
    "CreateCluster",
    "DeleteCluster",
    "DeleteTaskDefinitions",
    "DeregisterTaskDefinition",
    "DescribeClusters",
    "DescribeNetworkInterfaces",
    "DescribeSubnets",
    "DescribeTaskDefinition",
    "DescribeTasks",
    "GetLogEvents",
    "ListClusters",
    "ListTagsForResource",
    "ListTaskDefinitionFamilies",
    "ListTaskDefinitions",
    "ListTasks",
    "PutClusterCapacityProviders",
    "RegisterTaskDefinition",
    "RunTask",
    "StopTask",
    "TagResource",
    "UntagResource",
];
/// Those of services that answer in XML.
pub const QUERY_OPERATIONS: [&str; 3] =
    ["AssumeRole", "DescribeNetworkInterfaces", "DescribeSubnets"];
/// Those whose requests name tasks.
pub const NAMES_TASKS: [&str; 5] =
    ["DescribeTasks", "ListTagsForResource", "StopTask", "TagResource", "UntagResource"];

/// The body of an answer, or an error.
pub type ActionResult = Result<Value, ServiceException>;

/// A request for one operation, read but not yet checked.
pub enum EcsAction {
    CreateCluster(create_cluster::CreateCluster),
    DeleteCluster(delete_cluster::DeleteCluster),
    DeleteTaskDefinitions(delete_task_definitions::DeleteTaskDefinitions),
    DeregisterTaskDefinition(deregister_task_definition::DeregisterTaskDefinition),
    DescribeClusters(describe_clusters::DescribeClusters),
    DescribeTaskDefinition(describe_task_definition::DescribeTaskDefinition),
    DescribeTasks(describe_tasks::DescribeTasks),
    ListClusters(list_clusters::ListClusters),
    ListTagsForResource(list_tags_for_resource::ListTagsForResource),
    ListTaskDefinitionFamilies(list_task_definition_families::ListTaskDefinitionFamilies),
    ListTaskDefinitions(list_task_definitions::ListTaskDefinitions),
    ListTasks(list_tasks::ListTasks),
    PutClusterCapacityProviders(put_cluster_capacity_providers::PutClusterCapacityProviders),
    RegisterTaskDefinition(Box<RegisterTaskDefinition>),
    RunTask(Box<run_task::RunTask>),
    StopTask(stop_task::StopTask),
    TagResource(tag_resource::TagResource),
    UntagResource(untag_resource::UntagResource),
    /// An operation that this cloud does not play.
    Unsupported(String),
}

/// Where an operation takes place.
pub struct RequestContext<'a> {
    pub cloud: &'a Arc<CloudInstance>,
    pub region: &'a str,
    pub now: SystemTime,
    pub fault: Option<&'a CloudFault>,
    pub view: ReaderLag,
    pub principal: &'a CallerPrincipal,
}

impl RequestContext<'_> {
    /// The partition of the Region, as ARNs name it.
    pub fn partition(&self) -> &'static str {
        AwsPartition::of(self.region).name()
    }

    /// Refuses what a test took away, in the words of IAM. EC2 names no resource, and says first
    /// that the operation is not allowed.
    ///
    /// Source: messages of the services, as public issue trackers quote them.
    pub fn allowed(&self, right: &str, resource: Option<&str>) -> Result<(), ServiceException> {
        if self.cloud.rights.allows(right) {
            return Ok(());
        }
        let because = format!(" because no identity-based policy allows the {right} action");
        Err(self.refused(right, resource, &because))
    }

    /// Whether so many tasks may be launched now; then they are counted.
    pub fn may_launch(&self, on_spot: bool, tasks: usize) -> bool {
        let tasks = u32::try_from(tasks).expect("checked to be at most 10");
        self.cloud.buckets.launch(self.region, on_spot, tasks, self.now)
    }

    /// That the caller has no right to do this.
    pub fn refused(&self, right: &str, resource: Option<&str>, because: &str) -> ServiceException {
        let user = self.principal.arn(self.partition());
        let on = resource.map(|resource| format!(" on resource: {resource}")).unwrap_or_default();
        let words = format!("User: {user} is not authorized to perform: {right}{on}{because}");
        let first = "You are not authorized to perform this operation. ";
        let first = if right.starts_with("ec2:") { first } else { "" };
        ServiceException::new("AccessDeniedException", format!("{first}{words}"))
    }
}

impl EcsAction {
    /// Reads a request.
    pub fn decode(operation: &str, body: Value) -> Result<Self, ServiceException> {
        Ok(match operation {
            "CreateCluster" => Self::CreateCluster(ShapeMember::read(body)?),
            "DeleteCluster" => Self::DeleteCluster(ShapeMember::read(body)?),
            "DeleteTaskDefinitions" => Self::DeleteTaskDefinitions(ShapeMember::read(body)?),
            "DeregisterTaskDefinition" => Self::DeregisterTaskDefinition(ShapeMember::read(body)?),
            "DescribeClusters" => Self::DescribeClusters(ShapeMember::read(body)?),
            "DescribeTaskDefinition" => Self::DescribeTaskDefinition(ShapeMember::read(body)?),
            "DescribeTasks" => Self::DescribeTasks(ShapeMember::read(body)?),
            "ListClusters" => Self::ListClusters(ShapeMember::read(body)?),
            "ListTagsForResource" => Self::ListTagsForResource(ShapeMember::read(body)?),
            "ListTaskDefinitionFamilies" => {
                Self::ListTaskDefinitionFamilies(ShapeMember::read(body)?)
            }
            "ListTaskDefinitions" => Self::ListTaskDefinitions(ShapeMember::read(body)?),
            "ListTasks" => Self::ListTasks(ShapeMember::read(body)?),
            "PutClusterCapacityProviders" => {
                Self::PutClusterCapacityProviders(ShapeMember::read(body)?)
            }
            "RegisterTaskDefinition" => {
                Self::RegisterTaskDefinition(Box::new(ShapeMember::read(body)?))
            }
            "RunTask" => Self::RunTask(Box::new(ShapeMember::read(body)?)),
            "StopTask" => Self::StopTask(ShapeMember::read(body)?),
            "TagResource" => Self::TagResource(ShapeMember::read(body)?),
            "UntagResource" => Self::UntagResource(ShapeMember::read(body)?),
            other => Self::Unsupported(other.to_owned()),
        })
    }

    /// Does what the request asks.
    pub fn perform(self, scene: &RequestContext<'_>) -> ActionResult {
        match self {
            Self::CreateCluster(request) => request.perform(scene),
            Self::DeleteCluster(request) => request.perform(scene),
            Self::DeleteTaskDefinitions(request) => request.perform(scene),
            Self::DeregisterTaskDefinition(request) => request.perform(scene),
            Self::DescribeClusters(request) => request.perform(scene),
            Self::DescribeTaskDefinition(request) => request.perform(scene),
            Self::DescribeTasks(request) => request.perform(scene),
            Self::ListClusters(request) => request.perform(scene),
            Self::ListTagsForResource(request) => request.perform(scene),
            Self::ListTaskDefinitionFamilies(request) => request.perform(scene),
            Self::ListTaskDefinitions(request) => request.perform(scene),
            Self::ListTasks(request) => request.perform(scene),
            Self::PutClusterCapacityProviders(request) => request.perform(scene),
            Self::RegisterTaskDefinition(request) => request.perform(scene),
            Self::RunTask(request) => request.perform(scene),
            Self::StopTask(request) => request.perform(scene),
            Self::TagResource(request) => request.perform(scene),
            Self::UntagResource(request) => request.perform(scene),
            Self::Unsupported(operation) => Err(ServiceException::new(
                "UnknownOperationException",
                format!("This local cloud does not play {operation}."),
            )),
        }
    }
}

/// Does what a request for CloudWatch Logs asks.
pub fn perform_of_logs(operation: &str, body: Value, scene: &RequestContext<'_>) -> ActionResult {
    match operation {
        "GetLogEvents" => get_log_events::GetLogEvents::read(body)?.perform(scene),
        operation => Err(ServiceException::new(
            "UnknownOperationException",
            format!("This local cloud does not play {operation} of CloudWatch Logs."),
        )),
    }
}

/// A member that must be there and not empty.
fn required<'a>(value: Option<&'a String>, name: &str) -> Result<&'a str, ServiceException> {
    match value {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(ServiceException::parameter(format!("{name} can not be blank."))),
    }
}

/// Whether a request's `include` names `word`; a word that is not in `known` is refused.
fn includes(
    include: Option<&[String]>,
    known: &[&str],
    word: &str,
) -> Result<bool, ServiceException> {
    let include = include.unwrap_or_default();
    if let Some(wrong) = include.iter().find(|given| !known.contains(&given.as_str())) {
        return Err(ServiceException::parameter(format!(
            "'{wrong}' is not a valid value for include; valid: {}",
            known.join(", ")
        )));
    }
    Ok(include.iter().any(|given| given == word))
}

#[cfg(test)]
mod tests;
