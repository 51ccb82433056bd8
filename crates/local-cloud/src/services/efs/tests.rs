//! File systems, access points and mount targets through their life, and what EFS refuses, in which words.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::SERVICE;
use crate::TaskTiming;
use crate::cloud::CloudInstance;
use crate::services::context::RequestContext;
use crate::test_cloud::for_tests;

const REGION: &str = "eu-west-1";
const SUBNET_A: &str = "subnet-0a1b2c3d4e5f60718";
const SUBNET_B: &str = "subnet-0b2c3d4e5f607182a";

/// A furnished cloud at the pace of AWS, whose clock moves when the test moves it.
fn cloud() -> Arc<CloudInstance> {
    for_tests(TaskTiming::Measured { factor: 1.0 }, false)
}

/// Calls an operation; an error comes back as `Code: message`.
fn call(cloud: &Arc<CloudInstance>, operation: &str, body: Value) -> Result<Value, String> {
    let context = RequestContext::of_owner(cloud, REGION);
    SERVICE
        .perform_json(operation, body, &context)
        .map_err(|refusal| format!("{} {}: {}", refusal.status, refusal.code, refusal.message))
}

fn code(answer: Result<Value, String>) -> String {
    let refusal = answer.expect_err("refused");
    refusal.split(':').next().unwrap_or_default().to_owned()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("{member} in {value}"))
}

/// The id of a new file system that is available.
fn file_system(cloud: &Arc<CloudInstance>) -> String {
    let made = call(cloud, "CreateFileSystem", json!({"CreationToken": "one"})).expect("made");
    cloud.clock.advance(Duration::from_secs(10));
    text(&made, "FileSystemId").to_owned()
}

fn state(cloud: &Arc<CloudInstance>, id: &str) -> String {
    let shown = call(cloud, "DescribeFileSystems", json!({"FileSystemId": id})).expect("shown");
    text(&shown["FileSystems"][0], "LifeCycleState").to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_file_system_is_created_used_and_deleted_by_the_clocks_time() {
    let cloud = cloud();
    let body = json!({
        "CreationToken": "one", "Encrypted": true, "ThroughputMode": "elastic",
        "Tags": [{"Key": "Name", "Value": "cache"}],
    });
    let made = call(&cloud, "CreateFileSystem", body).expect("made");
    let id = text(&made, "FileSystemId");
    assert_eq!((text(&made, "LifeCycleState"), text(&made, "Name")), ("creating", "cache"));
    let mount = json!({"FileSystemId": id, "SubnetId": SUBNET_A});
    assert_eq!(
        code(call(&cloud, "CreateMountTarget", mount.clone())),
        "409 IncorrectFileSystemLifeCycleState"
    );
    assert_eq!(state(&cloud, id), "creating");
    cloud.clock.advance(Duration::from_secs(10));
    assert_eq!(state(&cloud, text(&made, "FileSystemArn")), "available", "by its ARN");
    let target = call(&cloud, "CreateMountTarget", mount).expect("made");
    assert_eq!(
        code(call(&cloud, "DeleteFileSystem", json!({"FileSystemId": id}))),
        "409 FileSystemInUse"
    );
    let target = json!({"MountTargetId": text(&target, "MountTargetId")});
    assert_eq!(
        code(call(&cloud, "DescribeMountTargetSecurityGroups", target.clone())),
        "409 IncorrectMountTargetState"
    );
    cloud.clock.advance(Duration::from_secs(90));
    call(&cloud, "DescribeMountTargetSecurityGroups", target.clone()).expect("available");
    call(&cloud, "DeleteMountTarget", target.clone()).expect("deleting");
    let shown = call(&cloud, "DescribeMountTargets", target.clone()).expect("shown");
    assert_eq!(text(&shown["MountTargets"][0], "LifeCycleState"), "deleting");
    cloud.clock.advance(Duration::from_secs(10));
    assert_eq!(code(call(&cloud, "DescribeMountTargets", target)), "404 MountTargetNotFound");
    call(&cloud, "DeleteFileSystem", json!({"FileSystemId": id})).expect("deleting");
    assert_eq!(state(&cloud, id), "deleting");
    cloud.clock.advance(Duration::from_secs(10));
    let gone = call(&cloud, "DescribeFileSystems", json!({"FileSystemId": id}));
    assert_eq!(gone, Err(format!("404 FileSystemNotFound: File system '{id}' does not exist.")));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_token_is_told_with_what_it_made() {
    let cloud = cloud();
    let id = file_system(&cloud);
    let context = RequestContext::of_owner(&cloud, REGION);
    let repeated = |operation: &str, body: Value| {
        let refusal = SERVICE.perform_json(operation, body, &context).expect_err("refused");
        let answer = SERVICE.refusal(&refusal);
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        (answer.status, answer.error_type.expect("a header"), body)
    };
    let (status, name, body) = repeated("CreateFileSystem", json!({"CreationToken": "one"}));
    assert_eq!((status, name.as_str()), (409, "FileSystemAlreadyExists"));
    assert_eq!(
        (text(&body, "FileSystemId"), text(&body, "ErrorCode")),
        (id.as_str(), name.as_str())
    );
    let point = json!({"ClientToken": "p", "FileSystemId": id});
    let made = call(&cloud, "CreateAccessPoint", point.clone()).expect("made");
    let (status, name, body) = repeated("CreateAccessPoint", point);
    assert_eq!((status, name.as_str()), (409, "AccessPointAlreadyExists"));
    assert_eq!(text(&body, "AccessPointId"), text(&made, "AccessPointId"));
}

#[tokio::test(start_paused = true)]
async fn a_zone_has_one_mount_target_and_a_mount_target_five_groups() {
    let cloud = cloud();
    let id = file_system(&cloud);
    let made = call(&cloud, "CreateMountTarget", json!({"FileSystemId": id, "SubnetId": SUBNET_A}));
    let made = made.expect("made");
    assert_eq!(text(&made, "AvailabilityZoneName"), "eu-west-1a");
    let again =
        call(&cloud, "CreateMountTarget", json!({"FileSystemId": id, "SubnetId": SUBNET_A}));
    let conflict = "409 MountTargetConflict: mount target already exists in this AZ";
    assert_eq!(again, Err(conflict.to_owned()));
    let create = |more: Value| {
        let mut body = json!({"FileSystemId": id, "SubnetId": SUBNET_B});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&cloud, "CreateMountTarget", body)
    };
    let group = "sg-0c3d4e5f60718293b";
    let unknown = "sg-00000000000000000";
    assert_eq!(
        code(create(json!({"SecurityGroups": vec![group; 6]}))),
        "400 SecurityGroupLimitExceeded"
    );
    assert_eq!(code(create(json!({"SecurityGroups": [unknown]}))), "400 SecurityGroupNotFound");
    assert_eq!(code(create(json!({"SubnetId": "subnet-00000000"}))), "400 SubnetNotFound");
    assert_eq!(code(create(json!({"IpAddress": made["IpAddress"]}))), "409 IpAddressInUse");
    assert_eq!(code(create(json!({"IpAddress": "10.0.0"}))), "400 BadRequest");
    create(json!({"IpAddress": "10.9.9.9", "SecurityGroups": [group]})).expect("in another zone");
    let all = call(&cloud, "DescribeMountTargets", json!({"FileSystemId": id})).expect("shown");
    assert_eq!(all["MountTargets"].as_array().map(Vec::len), Some(2));
    let shown = call(&cloud, "DescribeFileSystems", json!({"FileSystemId": id})).expect("shown");
    assert_eq!(shown["FileSystems"][0]["NumberOfMountTargets"], 2);
}

#[tokio::test(start_paused = true)]
async fn an_access_point_is_shown_as_it_was_asked_for_and_wrong_ones_are_refused() {
    let cloud = cloud();
    let id = file_system(&cloud);
    let create = |more: Value| {
        let mut body = json!({"ClientToken": "p", "FileSystemId": id});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call(&cloud, "CreateAccessPoint", body)
    };
    for wrong in [
        json!({"ClientToken": ""}),
        json!({"RootDirectory": {"Path": "/a/b/c/d/e"}}),
        json!({"RootDirectory": {"Path": "/a", "CreationInfo": {"OwnerUid": 1, "OwnerGid": 1}}}),
        json!({"RootDirectory": {"CreationInfo":
            {"OwnerUid": 1, "OwnerGid": 1, "Permissions": "999"}}}),
        json!({"PosixUser": {"Uid": -1, "Gid": 1}}),
        json!({"PosixUser": {"Uid": 1}}),
        json!({"PosixUser": {"Uid": 1, "Gid": 4_294_967_296_i64}}),
        json!({"PosixUser": {"Uid": 1, "Gid": 1, "SecondaryGids": vec![1; 17]}}),
        json!({"Tags": [{"Key": "aws:x", "Value": ""}]}),
        json!({"FileSystemId": "fs-xyz"}),
    ] {
        assert_eq!(code(create(wrong.clone())), "400 BadRequest", "{wrong}");
    }
    assert_eq!(
        code(create(json!({"FileSystemId": "fs-0123456789abcdef0"}))),
        "404 FileSystemNotFound"
    );
    let user = json!({"Uid": 1000, "Gid": 1001, "SecondaryGids": [7]});
    let root = json!({"Path": "/ci/one", "CreationInfo":
        {"OwnerUid": 1000, "OwnerGid": 1001, "Permissions": "0750"}});
    let made = create(json!({"PosixUser": user, "RootDirectory": root})).expect("made");
    assert_eq!((&made["PosixUser"], &made["RootDirectory"]), (&user, &root));
    let point = json!({"AccessPointId": text(&made, "AccessPointArn")});
    call(&cloud, "DeleteAccessPoint", point.clone()).expect("deleting");
    cloud.clock.advance(Duration::from_secs(10));
    assert_eq!(code(call(&cloud, "DescribeAccessPoints", point)), "404 AccessPointNotFound");
}

#[tokio::test(start_paused = true)]
async fn listings_come_in_pages() {
    let cloud = cloud();
    let id = file_system(&cloud);
    for n in 0..3 {
        let point = json!({"ClientToken": n.to_string(), "FileSystemId": id});
        call(&cloud, "CreateAccessPoint", point).expect("made");
        let system = json!({"CreationToken": format!("more-{n}")});
        call(&cloud, "CreateFileSystem", system).expect("made");
    }
    let first = call(&cloud, "DescribeAccessPoints", json!({"FileSystemId": id, "MaxResults": 2}));
    let first = first.expect("a page");
    assert_eq!(first["AccessPoints"].as_array().map(Vec::len), Some(2));
    let next = json!({"FileSystemId": id, "NextToken": first["NextToken"]});
    let second = call(&cloud, "DescribeAccessPoints", next).expect("a page");
    assert_eq!(second["AccessPoints"][0]["ClientToken"], "2");
    assert_eq!(second.get("NextToken"), None);
    let first = call(&cloud, "DescribeFileSystems", json!({"MaxItems": 3})).expect("a page");
    let next = json!({"Marker": first["NextMarker"]});
    let second = call(&cloud, "DescribeFileSystems", next).expect("a page");
    assert_eq!(second["FileSystems"][0]["CreationToken"], "more-2");
    assert_eq!(code(call(&cloud, "DescribeFileSystems", json!({"MaxItems": 0}))), "400 BadRequest");
    assert_eq!(code(call(&cloud, "DescribeFileSystems", json!({"Marker": "x"}))), "400 BadRequest");
    let by_token = call(&cloud, "DescribeFileSystems", json!({"CreationToken": "one"}));
    assert_eq!(by_token.expect("shown")["FileSystems"][0]["FileSystemId"], id);
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_kept_as_it_was_written() {
    let cloud = cloud();
    let id = file_system(&cloud);
    let of_it = json!({"FileSystemId": id});
    assert_eq!(code(call(&cloud, "DescribeFileSystemPolicy", of_it.clone())), "404 PolicyNotFound");
    let statement =
        json!({"Effect": "Allow", "Principal": "*", "Action": "elasticfilesystem:ClientMount"});
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let put = |policy: &str, bypass: bool| {
        let body = json!({
            "FileSystemId": id, "Policy": policy, "BypassPolicyLockoutSafetyCheck": bypass,
        });
        call(&cloud, "PutFileSystemPolicy", body)
    };
    put(&policy, false).expect("put");
    let shown = call(&cloud, "DescribeFileSystemPolicy", of_it.clone()).expect("shown");
    assert_eq!(text(&shown, "Policy"), policy);
    assert_eq!(code(put("{}", false)), "400 InvalidPolicyException");
    let lock =
        json!({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*"}}).to_string();
    assert_eq!(code(put(&lock, false)), "400 InvalidPolicyException");
    put(&lock, true).expect("put all the same");
    call(&cloud, "DeleteFileSystemPolicy", of_it.clone()).expect("deleted");
    assert_eq!(code(call(&cloud, "DescribeFileSystemPolicy", of_it)), "404 PolicyNotFound");
}

#[tokio::test(start_paused = true)]
async fn tags_are_of_file_systems_and_access_points_and_rights_are_for_one_resource() {
    let cloud = cloud();
    let id = file_system(&cloud);
    let tags = |value: &str| json!([{"Key": "team", "Value": value}]);
    call(&cloud, "TagResource", json!({"ResourceId": id, "Tags": tags("ci")})).expect("tagged");
    let list = || call(&cloud, "ListTagsForResource", json!({"ResourceId": id}));
    assert_eq!(list().expect("shown")["Tags"], tags("ci"));
    let keys = json!({"ResourceId": id, "TagKeys": ["team", "none"]});
    call(&cloud, "UntagResource", keys).expect("untagged");
    assert_eq!(list().expect("shown")["Tags"], json!([]));
    let target = json!({"ResourceId": "fsmt-0123456789abcdef0", "Tags": tags("")});
    assert_eq!(code(call(&cloud, "TagResource", target)), "400 BadRequest");
    cloud.rights.deny("elasticfilesystem:DeleteFileSystem");
    let refused =
        call(&cloud, "DeleteFileSystem", json!({"FileSystemId": id})).expect_err("refused");
    let resource = format!("arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/{id}");
    assert!(refused.contains(&format!("on resource: {resource} because")), "{refused}");
}
