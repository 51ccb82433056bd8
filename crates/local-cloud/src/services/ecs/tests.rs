//! What ECS refuses, and in which words, operation by operation.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::SERVICE;
use crate::TaskTiming;
use crate::cloud::CloudInstance;
use crate::fault::{CloudFault, CloudTaskPhase};
use crate::services::context::RequestContext;
use crate::test_cloud::for_tests;

const REGION: &str = "eu-west-1";
const SUBNET: &str = "subnet-0a1b2c3d4e5f60718";
const HELD: CloudFault = CloudFault::TaskHeld { phase: CloudTaskPhase::Provisioning };

/// Calls an operation; an error comes back as `Code: message`.
fn call(cloud: &Arc<CloudInstance>, operation: &str, body: Value) -> Result<Value, String> {
    call_in(cloud, REGION, operation, body)
}

fn call_in(
    cloud: &Arc<CloudInstance>,
    region: &str,
    operation: &str,
    body: Value,
) -> Result<Value, String> {
    let context = RequestContext { fault: Some(&HELD), ..RequestContext::of_owner(cloud, region) };
    SERVICE
        .perform_json(operation, body, &context)
        .map_err(|refusal| format!("{}: {}", refusal.code, refusal.message))
}

/// `base` with the members of `patch` in place of its own. A null removes a member.
fn patched(mut base: Value, patch: Value) -> Value {
    match patch {
        Value::Object(patch) if base.is_object() => {
            for (name, value) in patch {
                let old = base[&name].take();
                base[&name] = patched(old, value);
            }
            base
        }
        other => other,
    }
}

fn run_task() -> Value {
    json!({
        "cluster": "ci",
        "taskDefinition": "ci-job",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": [SUBNET]}},
    })
}

fn definition() -> Value {
    json!({
        "family": "fam",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "main", "image": "image"}],
    })
}

/// Each row is a change to a request that is accepted, and what ECS then answers.
fn assert_refused(
    cloud: &Arc<CloudInstance>,
    operation: &str,
    base: &Value,
    rows: &[(Value, &str)],
) {
    assert!(call(cloud, operation, base.clone()).is_ok(), "{operation} accepts its base");
    for (patch, expected) in rows {
        let said = call(cloud, operation, patched(base.clone(), patch.clone()));
        let said = said.expect_err(&format!("{operation} with {patch}"));
        assert_eq!(said, *expected, "{operation} with {patch}");
    }
}

#[tokio::test]
async fn run_task_refuses_what_ecs_refuses_in_the_same_words() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let ec2 = json!({
        "family": "ec2",
        "containerDefinitions": [{"name": "main", "image": "image", "memory": 64}],
    });
    call(&cloud, "RegisterTaskDefinition", ec2).expect("registered");
    let long = |n: usize| "x".repeat(n);
    let overrides = |one: Value| json!({"overrides": {"containerOverrides": [one]}});
    let strategy = |items: Value| json!({"launchType": null, "capacityProviderStrategy": items});
    let rows = [
        (json!({"cluster": "nope"}), "ClusterNotFoundException: Cluster not found."),
        (json!({"cluster": null}), "ClusterNotFoundException: Cluster not found."),
        (json!({"taskDefinition": "nope"}), "ClientException: TaskDefinition not found."),
        (json!({"taskDefinition": "ci-job:2"}), "ClientException: TaskDefinition not found."),
        (
            json!({"taskDefinition": null}),
            "InvalidParameterException: taskDefinition can not be blank.",
        ),
        (
            json!({"taskDefinition": "ec2"}),
            "InvalidParameterException: Task definition does not support launch_type FARGATE.",
        ),
        (json!({"count": 0}), "InvalidParameterException: count must be between 1 and 10."),
        (json!({"count": 11}), "InvalidParameterException: count must be between 1 and 10."),
        (
            json!({"count": "1"}),
            "SerializationException: STRING_VALUE can not be converted to an Integer",
        ),
        (
            json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}),
            "InvalidParameterException: Specifying both a launch type and capacity provider \
             strategy is not supported. Remove one and try again.",
        ),
        (
            strategy(json!([{"capacityProvider": "nope", "weight": 1}])),
            "InvalidParameterException: The specified capacity provider 'nope' was not found. \
             Specify a valid name or ARN and try again.",
        ),
        (
            json!({"launchType": null}),
            "InvalidParameterException: No Container Instances were found in your cluster.",
        ),
        (
            json!({"networkConfiguration": null}),
            "InvalidParameterException: Network Configuration must be provided when networkMode \
             'awsvpc' is specified.",
        ),
        (
            json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": vec![SUBNET; 17]}}}),
            "InvalidParameterException: subnets can have at most 16 items.",
        ),
        (
            overrides(json!({"name": "other"})),
            "InvalidParameterException: Override for container named other is not a container in \
             the TaskDefinition.",
        ),
        (
            overrides(json!({"name": "job", "environment": [{"name": "A", "value": long(8192)}]})),
            "InvalidParameterException: Container Overrides length must be at most 8192",
        ),
        (
            json!({"overrides": {"cpu": "1024", "memory": "1024"}}),
            "ClientException: No Fargate configuration exists for given values.",
        ),
        (
            json!({"overrides": {"cpu": "lots"}}),
            "ClientException: Invalid 'cpu' setting for task. For more information, see the \
             Troubleshooting section of the Amazon ECS Developer Guide.",
        ),
        (
            json!({"overrides": {"ephemeralStorage": {"sizeInGiB": 20}}}),
            "ClientException: EphemeralStorage size should be at least 21",
        ),
        (
            json!({"startedBy": long(129)}),
            "InvalidParameterException: startedBy can have at most 128 letters, numbers, hyphens, \
             underscores and slashes.",
        ),
        (
            json!({"startedBy": "a b"}),
            "InvalidParameterException: startedBy can have at most 128 letters, numbers, hyphens, \
             underscores and slashes.",
        ),
        (
            json!({"clientToken": long(65)}),
            "InvalidParameterException: clientToken must have 1 to 64 printable ASCII characters.",
        ),
        (
            json!({"clientToken": "a b"}),
            "InvalidParameterException: clientToken must have 1 to 64 printable ASCII characters.",
        ),
        (
            json!({"tags": (0..51).map(|i| json!({"key": i.to_string()})).collect::<Vec<_>>()}),
            "InvalidParameterException: The maximum number of tags per resource is 50.",
        ),
        (
            json!({"propagateTags": "SERVICE"}),
            "InvalidParameterException: Tasks that are not part of a service cannot propagate tags \
             from a service.",
        ),
        (
            json!({"platformVersion": "9.9.9"}),
            "PlatformUnknownException: The specified platform version does not exist.",
        ),
        (
            json!({"placementStrategy": [{"type": "random"}]}),
            "ClientException: Placement constraints and placement strategies are not supported \
             with FARGATE launch type.",
        ),
    ];
    assert_refused(&cloud, "RunTask", &run_task(), &rows);
}

#[tokio::test]
async fn registration_refuses_what_fargate_cannot_run() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let containers = |containers: Value| json!({"containerDefinitions": containers});
    let one = |patch: Value| {
        containers(json!([patched(json!({"name": "main", "image": "image"}), patch)]))
    };
    let efs = |patch: Value| {
        let base = json!({"fileSystemId": "fs-0123456789abcdef0"});
        json!({"volumes": [{"name": "v", "efsVolumeConfiguration": patched(base, patch)}]})
    };
    let rows = [
        (json!({"family": ""}), "ClientException: Family should not be null or empty."),
        (json!({"family": "a b"}), "ClientException: Family contains invalid characters."),
        (containers(json!([])), "ClientException: Container list cannot be empty."),
        (
            containers(json!([{"image": "i"}])),
            "ClientException: Container.name should not be null or empty.",
        ),
        (
            containers(json!([{"name": "n"}])),
            "ClientException: Container.image should not be null or empty.",
        ),
        (
            one(json!({"essential": false})),
            "ClientException: All task definitions must have at least one essential container.",
        ),
        (
            json!({"networkMode": null}),
            "ClientException: Fargate only supports network mode \u{2018}awsvpc\u{2019}.",
        ),
        (
            json!({"cpu": null}),
            "ClientException: Fargate requires that 'cpu' be defined at the task level.",
        ),
        (
            json!({"memory": null}),
            "ClientException: Fargate requires that 'memory' be defined at the task level.",
        ),
        (
            json!({"memory": "4096"}),
            "ClientException: No Fargate configuration exists for given values.",
        ),
        (
            json!({"ephemeralStorage": {"sizeInGiB": 20}}),
            "ClientException: EphemeralStorage size should be at least 21",
        ),
        (
            json!({"ephemeralStorage": {"sizeInGiB": 201}}),
            "ClientException: EphemeralStorage size should be at most 200",
        ),
        (
            one(json!({"privileged": true})),
            "ClientException: Fargate compatible task definitions do not support privileged",
        ),
        (
            one(json!({"linuxParameters": {"sharedMemorySize": 64}})),
            "ClientException: Fargate compatible task definitions do not support sharedMemorySize",
        ),
        (
            one(json!({"linuxParameters": {"devices": [{"hostPath": "/dev/x"}]}})),
            "ClientException: Fargate compatible task definitions do not support devices",
        ),
        (
            one(json!({"stopTimeout": 121})),
            "ClientException: Invalid 'stopTimeout' setting for container 'main'. Fargate allows 2 \
             to 120 seconds.",
        ),
        (
            one(json!({"logConfiguration": {"logDriver": "awslogs"}})),
            "ClientException: Fargate requires task definition to have execution role ARN to \
             support log driver awslogs.",
        ),
        (
            one(json!({"dependsOn": [{"containerName": "gone", "condition": "START"}]})),
            "ClientException: Container 'main' depends on container 'gone' which does not exist.",
        ),
        (
            containers(json!([
                {"name": "a", "image": "i", "dependsOn": [{"containerName": "b", "condition": "START"}]},
                {"name": "b", "image": "i", "dependsOn": [{"containerName": "a", "condition": "START"}]},
            ])),
            "ClientException: There is a cycle in the container dependencies.",
        ),
        (
            one(json!({"mountPoints": [{"sourceVolume": "gone", "containerPath": "/x"}]})),
            "ClientException: Unknown volume 'gone'.",
        ),
        (
            efs(json!({"authorizationConfig": {"accessPointId": "fsap-0123456789abcdef0"}})),
            "ClientException: EFS transit encryption must be enabled when an access point is \
             specified.",
        ),
        (
            efs(json!({
                "transitEncryption": "ENABLED",
                "rootDirectory": "/a",
                "authorizationConfig": {"accessPointId": "fsap-0123456789abcdef0"},
            })),
            "ClientException: The root directory must be omitted or set to / when an access point \
             is specified.",
        ),
        (
            efs(json!({"fileSystemId": "fs-../../etc"})),
            "ClientException: Invalid EFS file system ID: 'fs-../../etc'.",
        ),
        (
            efs(json!({"rootDirectory": "/a/../../b"})),
            "ClientException: EFS root directory must be an absolute path.",
        ),
        (
            json!({"tags": [{"key": "aws:x", "value": "y"}]}),
            "InvalidParameterException: Tag keys and values may not start with aws:",
        ),
    ];
    assert_refused(&cloud, "RegisterTaskDefinition", &definition(), &rows);
}

#[tokio::test]
async fn tasks_are_asked_for_as_ecs_wants_it() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let id = "0".repeat(32);
    let describe = json!({"cluster": "ci", "tasks": [id]});
    let rows = [
        (json!({"tasks": []}), "InvalidParameterException: Tasks cannot be empty."),
        (
            json!({"tasks": vec![&id; 101]}),
            "InvalidParameterException: Tasks cannot be more than 100.",
        ),
        (
            json!({"tasks": ["None"]}),
            "InvalidParameterException: taskId length should be one of [32,36]",
        ),
        (json!({"cluster": "x"}), "ClusterNotFoundException: Cluster not found."),
        (
            json!({"include": ["EVERYTHING"]}),
            "InvalidParameterException: 'EVERYTHING' is not a valid value for include; valid: TAGS",
        ),
    ];
    assert_refused(&cloud, "DescribeTasks", &describe, &rows);
    let rows = [
        (
            json!({"startedBy": "me", "family": "ci-job"}),
            "InvalidParameterException: startedBy must be the only filter when it is specified.",
        ),
        (
            json!({"maxResults": 101}),
            "InvalidParameterException: Invalid maxResults: it must be between 1 and 100",
        ),
        (
            json!({"desiredStatus": "DONE"}),
            "InvalidParameterException: desiredStatus must be one of PENDING, RUNNING and STOPPED.",
        ),
    ];
    assert_refused(&cloud, "ListTasks", &json!({"cluster": "ci"}), &rows);
    let error = call(&cloud, "StopTask", json!({"cluster": "ci", "task": id})).unwrap_err();
    assert_eq!(error, "InvalidParameterException: The referenced task was not found.");
    let error = call(&cloud, "ExecuteCommand", json!({})).unwrap_err();
    assert!(error.starts_with("UnknownOperationException"), "{error}");
}

#[tokio::test]
async fn the_same_token_starts_its_tasks_once_and_other_parameters_are_a_conflict() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let request = patched(run_task(), json!({"clientToken": "t", "count": 2}));
    let first = call(&cloud, "RunTask", request.clone()).expect("started");
    let again = call(&cloud, "RunTask", request.clone()).expect("answered");
    let arns = |body: &Value| -> Vec<String> {
        let tasks = body["tasks"].as_array().expect("tasks").iter();
        tasks.map(|task| task["taskArn"].as_str().expect("an ARN").to_owned()).collect()
    };
    assert_eq!(arns(&first), arns(&again));
    assert_eq!(cloud.ecs().tasks().len(), 2);

    let other = patched(request.clone(), json!({"count": 1}));
    let refusal = SERVICE
        .perform_json("RunTask", other, &RequestContext::of_owner(&cloud, REGION))
        .expect_err("a conflict");
    assert_eq!(refusal.code, "ConflictException");
    assert_eq!(refusal.resource_ids, Some(arns(&first)));

    call(&cloud, "CreateCluster", json!({"clusterName": "b"})).expect("a cluster");
    let elsewhere = patched(request.clone(), json!({"cluster": "b"}));
    let elsewhere = call(&cloud, "RunTask", elsewhere).expect("tokens belong to a cluster");
    assert_ne!(arns(&first), arns(&elsewhere));
    let abroad = call_in(&cloud, "us-east-1", "RunTask", request).expect("and to a Region");
    assert_ne!(arns(&first), arns(&abroad));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_new_again_after_24_hours() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let request = patched(run_task(), json!({"clientToken": "t"}));
    call(&cloud, "RunTask", request.clone()).expect("started");
    tokio::time::advance(Duration::from_secs(24 * 3600)).await;
    call(&cloud, "RunTask", request).expect("started");
    assert_eq!(cloud.ecs().tasks().len(), 2);
}

#[tokio::test]
async fn an_inactive_definition_takes_no_tasks_and_can_be_deleted() {
    let cloud = for_tests(TaskTiming::Instant, false);
    call(&cloud, "RegisterTaskDefinition", definition()).expect("registered");
    let reference = json!({"taskDefinition": "fam:1"});
    let not_yet = call(&cloud, "DeleteTaskDefinitions", json!({"taskDefinitions": ["fam:1"]}));
    assert_eq!(
        not_yet.expect("answered")["failures"][0]["reason"],
        "The specified task definition is still in ACTIVE status. Please deregister the target and \
         try again."
    );
    call(&cloud, "DeregisterTaskDefinition", reference.clone()).expect("deregistered");
    let run = |reference| call(&cloud, "RunTask", patched(run_task(), reference)).unwrap_err();
    assert_eq!(run(reference.clone()), "ClientException: TaskDefinition is inactive");
    assert_eq!(run(json!({"taskDefinition": "fam"})), "ClientException: TaskDefinition not found.");
    let deleted = call(&cloud, "DeleteTaskDefinitions", json!({"taskDefinitions": ["fam:1"]}));
    assert_eq!(deleted.expect("deleted")["taskDefinitions"][0]["status"], "DELETE_IN_PROGRESS");
    assert_eq!(run(reference), "ClientException: TaskDefinition not found.");
}

#[tokio::test]
async fn a_cluster_with_live_tasks_is_kept_and_a_deleted_one_is_inactive() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let delete = || call(&cloud, "DeleteCluster", json!({"cluster": "ci"}));
    call(&cloud, "CreateCluster", json!({"clusterName": "b"})).expect("a cluster");
    call(&cloud, "RunTask", run_task()).expect("started");
    assert_eq!(
        delete().unwrap_err(),
        "ClusterContainsTasksException: The Cluster cannot be deleted while Tasks are active."
    );
    let deleted = call(&cloud, "DeleteCluster", json!({"cluster": "b"})).expect("deleted");
    assert_eq!(deleted["cluster"]["status"], "INACTIVE");
    let run = call(&cloud, "RunTask", patched(run_task(), json!({"cluster": "b"})));
    assert_eq!(run.unwrap_err(), "ClusterNotFoundException: The referenced cluster was inactive.");
    let shown = call(&cloud, "DescribeClusters", json!({"clusters": ["b", "none"]}));
    let shown = shown.expect("described");
    assert_eq!(shown["clusters"][0]["status"], "INACTIVE");
    assert_eq!(shown["failures"][0]["reason"], "MISSING");
}

#[tokio::test]
async fn regions_have_their_own_resources_and_an_empty_cloud_has_none() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let listed = call_in(&cloud, "cn-north-1", "ListClusters", json!({})).expect("listed");
    assert_eq!(listed["clusterArns"], json!(["arn:aws-cn:ecs:cn-north-1:123456789012:cluster/ci"]));

    let empty = for_tests(TaskTiming::Instant, true);
    let listed = call(&empty, "ListClusters", json!({})).expect("listed");
    assert_eq!(listed, json!({"clusterArns": []}));
    call(&empty, "CreateCluster", json!({})).expect("a cluster");
    call(&empty, "RegisterTaskDefinition", definition()).expect("registered");
    let network = json!({"awsvpcConfiguration": {
        "subnets": ["subnet-00000000"], "securityGroups": ["sg-00000000"],
    }});
    let request = json!({
        "taskDefinition": "fam", "launchType": "FARGATE", "networkConfiguration": network,
    });
    call(&empty, "RunTask", request).expect("any well-formed subnet is accepted");
}

#[tokio::test]
async fn spot_comes_by_strategy_and_shows_its_provider() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let items = json!([{"capacityProvider": "FARGATE_SPOT", "weight": 1}]);
    let request = json!({"launchType": null, "capacityProviderStrategy": items});
    let body = call(&cloud, "RunTask", patched(run_task(), request)).expect("started");
    assert_eq!(body["tasks"][0]["capacityProviderName"], "FARGATE_SPOT");
    assert_eq!(body["tasks"][0]["launchType"], "FARGATE");
}

#[tokio::test]
async fn tags_come_and_go_and_are_shown_on_request() {
    let cloud = for_tests(TaskTiming::Instant, false);
    let request = json!({
        "tags": [{"key": "a", "value": "1"}], "enableECSManagedTags": true,
    });
    let body = call(&cloud, "RunTask", patched(run_task(), request)).expect("started");
    let arn = body["tasks"][0]["taskArn"].as_str().expect("an ARN").to_owned();
    let add = json!({"resourceArn": arn, "tags": [{"key": "b", "value": "2"}]});
    call(&cloud, "TagResource", add).expect("tagged");
    let remove = json!({"resourceArn": arn, "tagKeys": ["a"]});
    call(&cloud, "UntagResource", remove).expect("untagged");
    let shown = |include: Value| {
        let body = json!({"cluster": "ci", "tasks": [arn], "include": include});
        call(&cloud, "DescribeTasks", body).expect("described")["tasks"][0]["tags"].clone()
    };
    assert_eq!(shown(json!([])), json!([]));
    let expected = json!([
        {"key": "aws:ecs:clusterName", "value": "ci"},
        {"key": "b", "value": "2"},
    ]);
    assert_eq!(shown(json!(["TAGS"])), expected);
    let listed = call(&cloud, "ListTagsForResource", json!({"resourceArn": arn}));
    assert_eq!(listed.expect("listed")["tags"], expected);
    let gone = format!("{}{}", &arn[..arn.len() - 32], "0".repeat(32));
    let error = call(&cloud, "TagResource", json!({"resourceArn": gone, "tags": []})).unwrap_err();
    assert!(error.starts_with("ResourceNotFoundException"), "{error}");
}
