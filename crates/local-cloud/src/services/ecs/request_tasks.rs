//! Which tasks a request names, for fault rules about certain tasks. It refuses nothing: a request that
//! cannot be understood names no task.

use serde_json::Value;

use crate::cloud::CloudInstance;
use crate::fault::CloudTaskIdentity;
use crate::services::ec2::network::RegionNetwork;
use crate::services::ecs::launch::capacity_provider;
use crate::services::ecs::shape::run_task::RunTask;
use crate::services::ecs::state::arns::RegionArns;
use crate::services::ecs::state::task::JOB_VARIABLE;
use crate::wire::member::ShapeMember;

/// The tasks that a request of ECS names; for RunTask, the task that it asks for.
pub fn tasks_named(
    cloud: &CloudInstance,
    region: &str,
    operation: &str,
    body: &Value,
) -> Vec<CloudTaskIdentity> {
    if operation == "RunTask" {
        return vec![task_to_start(cloud, region, body)];
    }
    let mut resources = cloud.ecs();
    let one = ["task", "resourceArn"].into_iter().filter_map(|member| body[member].as_str());
    let many = body["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str);
    one.chain(many)
        .filter_map(|reference| {
            let id = reference.rsplit('/').next().unwrap_or(reference);
            resources.task(region, id).map(|task| task.named())
        })
        .collect()
}

/// The task that a RunTask asks for.
fn task_to_start(cloud: &CloudInstance, region: &str, body: &Value) -> CloudTaskIdentity {
    let names = RegionArns { region: region.to_owned() };
    let definition = body["taskDefinition"].as_str().unwrap_or_default();
    let family = names.family_and_revision(definition).map(|(family, _)| family.to_owned());
    let containers = body["overrides"]["containerOverrides"].as_array().into_iter().flatten();
    let mut pairs = containers.flat_map(|one| one["environment"].as_array().into_iter().flatten());
    let job = pairs.find(|pair| pair["name"] == JOB_VARIABLE);
    let job = job.and_then(|pair| pair["value"].as_str()).map(str::to_owned);
    CloudTaskIdentity {
        job,
        family: family.unwrap_or_default(),
        provider: provider(cloud, region, body),
        places: places(cloud, region, body),
        ..CloudTaskIdentity::default()
    }
}

/// The capacity provider that a RunTask leads to; none for a request that ECS refuses.
fn provider(cloud: &CloudInstance, region: &str, body: &Value) -> String {
    let Ok(request) = RunTask::read(body.clone()) else { return String::new() };
    let mut resources = cloud.ecs();
    let region = resources.region(region, cloud.clock.now());
    let cluster = region.cluster(request.cluster.as_deref());
    match cluster.and_then(|cluster| capacity_provider(&request, cluster)) {
        Ok(provider) => provider.unwrap_or_else(|| "FARGATE".to_owned()),
        Err(_) => String::new(),
    }
}

/// The subnets that a RunTask allows, with their zones.
fn places(cloud: &CloudInstance, region: &str, body: &Value) -> Vec<[String; 2]> {
    let network = cloud.states.of::<RegionNetwork>();
    let subnets = body["networkConfiguration"]["awsvpcConfiguration"]["subnets"].as_array();
    let subnets = subnets.into_iter().flatten().filter_map(Value::as_str);
    subnets.filter_map(|id| network.subnet(id)).map(|subnet| subnet.named(region)).collect()
}
