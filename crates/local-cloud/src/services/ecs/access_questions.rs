//! What a request to ECS asks of IAM: for which resource a caller needs the right, and the values of condition
//! keys.
//!
//! Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon Elastic Container
//! Service"; Amazon ECS Developer Guide, "Grant permission to tag resources on creation".

use serde_json::Value;

use super::state::arns::{RegionArns, TaggedResource};
use crate::access::access_question::AccessQuestion;
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;

/// The service that ECS passes the roles of tasks to.
const TASKS: &str = "ecs-tasks.amazonaws.com";

/// The questions of a request; none for an operation without resources of its own. A request that makes no sense
/// asks as well as it can: ECS refuses it later.
pub fn access_questions(
    context: &RequestContext<'_>,
    operation: &str,
    body: &Value,
) -> Vec<AccessQuestion> {
    let names = RegionArns { region: context.region.to_owned() };
    let right = format!("ecs:{operation}");
    let cluster_name = names.cluster_name(body["cluster"].as_str()).unwrap_or_default();
    let cluster = names.cluster(cluster_name);
    let text = |member: &str| body[member].as_str().unwrap_or_default();
    let question = |resource: String| AccessQuestion::new(&right, resource);
    match operation {
        "RunTask" => {
            let definition = definition(context, &names, text("taskDefinition"));
            vec![with_request_tags(question(definition).with("ecs:cluster", cluster), body)]
        }
        "DescribeTasks" | "StopTask" => {
            let tasks = body["tasks"].as_array().into_iter().flatten().chain(body.get("task"));
            let tasks = tasks.filter_map(Value::as_str).map(|reference| {
                let id = names.task_id(reference, cluster_name).unwrap_or(reference);
                let asked = question(names.task(cluster_name, id)).with("ecs:cluster", &cluster);
                with_task_tags(context, id, asked)
            });
            tasks.collect()
        }
        "ListTasks" => vec![question("*".to_owned()).with("ecs:cluster", cluster)],
        "TagResource" | "UntagResource" | "ListTagsForResource" => {
            let arn = text("resourceArn");
            let asked = question(arn.to_owned());
            let asked = match names.tagged(arn) {
                Some(TaggedResource::Task(id)) => with_task_tags(context, id, asked),
                _ => asked,
            };
            vec![with_request_tags(asked, body)]
        }
        "DescribeClusters" => {
            let clusters = body["clusters"].as_array().into_iter().flatten();
            let clusters = clusters.filter_map(|one| names.cluster_name(one.as_str()).ok());
            clusters.map(|name| question(names.cluster(name))).collect()
        }
        "DeleteCluster" | "PutClusterCapacityProviders" => vec![question(cluster)],
        "DeleteTaskDefinitions" => {
            let definitions = body["taskDefinitions"].as_array().into_iter().flatten();
            let definitions = definitions.filter_map(Value::as_str);
            definitions.map(|one| question(definition(context, &names, one))).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether the caller may give tags to what `operation` makes at `resource`.
pub fn may_tag_on_creation(
    context: &RequestContext<'_>,
    operation: &str,
    resource: &str,
    body: &Value,
) -> Result<(), ServiceException> {
    let asked =
        AccessQuestion::new("ecs:TagResource", resource).with("ecs:CreateAction", operation);
    context.may(&with_request_tags(asked, body), Some(resource))
}

/// Whether the caller may have ECS assume these roles for a task.
///
/// Source: IAM User Guide, "Grant a user permissions to pass a role to an AWS service".
pub fn may_pass<'a>(
    context: &RequestContext<'_>,
    roles: impl IntoIterator<Item = &'a String>,
) -> Result<(), ServiceException> {
    roles.into_iter().try_for_each(|role| {
        let arn = match role.starts_with("arn:") {
            true => role.clone(),
            false => {
                let (partition, account) = (context.partition(), crate::account::ACCOUNT);
                format!("arn:{partition}:iam::{account}:role/{role}")
            }
        };
        let asked = AccessQuestion::new("iam:PassRole", &arn).with("iam:PassedToService", TASKS);
        context.may(&asked, Some(&arn))
    })
}

/// The ARN of a task definition. A family stands for its newest active revision.
fn definition(context: &RequestContext<'_>, names: &RegionArns, reference: &str) -> String {
    let Some((family, revision)) = names.family_and_revision(reference) else {
        return reference.to_owned();
    };
    let revision = revision.or_else(|| {
        let mut resources = context.cloud.ecs();
        let region = resources.region(context.region, context.now);
        region.definition(family).map(|definition| definition.revision)
    });
    names.definition(family, revision.unwrap_or_default())
}

fn with_request_tags(question: AccessQuestion, body: &Value) -> AccessQuestion {
    let tags = body["tags"].as_array().into_iter().flatten();
    let pairs = tags.filter_map(|tag| Some((tag["key"].as_str()?, tag["value"].as_str()?)));
    pairs.fold(question, |question, (key, value)| {
        question.with(&format!("aws:RequestTag/{key}"), value).with("aws:TagKeys", key)
    })
}

fn with_task_tags(
    context: &RequestContext<'_>,
    id: &str,
    question: AccessQuestion,
) -> AccessQuestion {
    let mut resources = context.cloud.ecs();
    let Some(task) = resources.task(context.region, id) else { return question };
    task.tags.pairs().fold(question, |question, (key, value)| {
        question.with(&format!("aws:ResourceTag/{key}"), value)
    })
}
