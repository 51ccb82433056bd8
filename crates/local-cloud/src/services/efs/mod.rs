//! Amazon EFS: file systems with their access points, mount targets and policies, and what a task may mount of
//! them. It has no replication, backups, life-cycle policies or throughput.
//!
//! Each operation is one file. The states of resources follow the cloud's clock: nothing runs here. The files
//! themselves are in a folder of this machine, which the backend mounts.

mod access_point;
mod create_access_point;
mod create_file_system;
mod create_mount_target;
mod delete_access_point;
mod delete_file_system;
mod delete_file_system_policy;
mod delete_mount_target;
mod describe_access_points;
mod describe_file_system_policy;
mod describe_file_systems;
mod describe_mount_target_security_groups;
mod describe_mount_targets;
mod errors;
mod file_system;
mod file_system_policy;
mod furnish;
mod list_storage_tags;
mod modify_mount_target_security_groups;
pub mod mount_access;
mod mount_client;
pub mod mount_refusal;
mod mount_target;
mod policy_condition;
mod policy_text;
mod put_file_system_policy;
mod storage_checks;
mod storage_id;
mod storage_life_cycle;
mod storage_page;
mod storage_tags;
mod storage_timing;
mod store;
mod tag_storage;
mod untag_storage;

use create_access_point::CreateAccessPoint;
use create_file_system::CreateFileSystem;
use create_mount_target::CreateMountTarget;
use delete_access_point::DeleteAccessPoint;
use delete_file_system::DeleteFileSystem;
use delete_file_system_policy::DeleteFileSystemPolicy;
use delete_mount_target::DeleteMountTarget;
use describe_access_points::DescribeAccessPoints;
use describe_file_system_policy::DescribeFileSystemPolicy;
use describe_file_systems::DescribeFileSystems;
use describe_mount_target_security_groups::DescribeMountTargetSecurityGroups;
use describe_mount_targets::DescribeMountTargets;
use list_storage_tags::ListStorageTags;
use modify_mount_target_security_groups::ModifyMountTargetSecurityGroups;
use put_file_system_policy::PutFileSystemPolicy;
use store::StorageStore;
use tag_storage::TagStorage;
use untag_storage::UntagStorage;

pub(crate) use furnish::add_file_system;

use super::definition::OperationRight::{AllResources, NamedResource};
use super::definition::{CloudService, ServiceOperation};
use super::protocol::{ErrorName, ServiceProtocol};
use super::rest_route::QueryMemberType::{Integer, List, Text};
use super::rest_route::RestRoute;

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    errors: ERRORS,
    prepare: |states, options| states.add(StorageStore::new(options.pace)),
    ..CloudService::new(
        "elasticfilesystem",
        ServiceProtocol::RestJson { version: "2015-02-01" },
        OPERATIONS,
    )
};

const FILE_SYSTEMS: &str = "/file-systems";
const FILE_SYSTEM: &str = "/file-systems/{FileSystemId}";
const POLICY: &str = "/file-systems/{FileSystemId}/policy";
const ACCESS_POINTS: &str = "/access-points";
const ACCESS_POINT: &str = "/access-points/{AccessPointId}";
const MOUNT_TARGETS: &str = "/mount-targets";
const MOUNT_TARGET: &str = "/mount-targets/{MountTargetId}";
const SECURITY_GROUPS: &str = "/mount-targets/{MountTargetId}/security-groups";
const TAGS: &str = "/resource-tags/{ResourceId}";

const OPERATIONS: &[ServiceOperation] = &[
    ServiceOperation::json::<CreateAccessPoint>("CreateAccessPoint", NamedResource)
        .at(RestRoute::new("POST", ACCESS_POINTS)),
    ServiceOperation::json::<CreateFileSystem>("CreateFileSystem", AllResources)
        .at(RestRoute::new("POST", FILE_SYSTEMS).with_status(201)),
    ServiceOperation::json::<CreateMountTarget>("CreateMountTarget", NamedResource)
        .at(RestRoute::new("POST", MOUNT_TARGETS)),
    ServiceOperation::json::<DeleteAccessPoint>("DeleteAccessPoint", NamedResource)
        .at(RestRoute::new("DELETE", ACCESS_POINT).with_status(204)),
    ServiceOperation::json::<DeleteFileSystem>("DeleteFileSystem", NamedResource)
        .at(RestRoute::new("DELETE", FILE_SYSTEM).with_status(204)),
    ServiceOperation::json::<DeleteFileSystemPolicy>("DeleteFileSystemPolicy", NamedResource)
        .at(RestRoute::new("DELETE", POLICY)),
    ServiceOperation::json::<DeleteMountTarget>("DeleteMountTarget", NamedResource)
        .at(RestRoute::new("DELETE", MOUNT_TARGET).with_status(204)),
    ServiceOperation::json::<DescribeAccessPoints>("DescribeAccessPoints", NamedResource).at(
        RestRoute::new("GET", ACCESS_POINTS).with_query(&[
            ("MaxResults", "MaxResults", Integer),
            ("NextToken", "NextToken", Text),
            ("AccessPointId", "AccessPointId", Text),
            ("FileSystemId", "FileSystemId", Text),
        ]),
    ),
    ServiceOperation::json::<DescribeFileSystemPolicy>("DescribeFileSystemPolicy", NamedResource)
        .at(RestRoute::new("GET", POLICY)),
    ServiceOperation::json::<DescribeFileSystems>("DescribeFileSystems", NamedResource).at(
        RestRoute::new("GET", FILE_SYSTEMS).with_query(&[
            ("MaxItems", "MaxItems", Integer),
            ("Marker", "Marker", Text),
            ("CreationToken", "CreationToken", Text),
            ("FileSystemId", "FileSystemId", Text),
        ]),
    ),
    ServiceOperation::json::<DescribeMountTargetSecurityGroups>(
        "DescribeMountTargetSecurityGroups",
        NamedResource,
    )
    .at(RestRoute::new("GET", SECURITY_GROUPS)),
    ServiceOperation::json::<DescribeMountTargets>("DescribeMountTargets", NamedResource).at(
        RestRoute::new("GET", MOUNT_TARGETS).with_query(&[
            ("MaxItems", "MaxItems", Integer),
            ("Marker", "Marker", Text),
            ("FileSystemId", "FileSystemId", Text),
            ("MountTargetId", "MountTargetId", Text),
            ("AccessPointId", "AccessPointId", Text),
        ]),
    ),
    ServiceOperation::json::<ListStorageTags>("ListTagsForResource", NamedResource)
        .at(RestRoute::new("GET", TAGS)
            .with_query(&[("MaxResults", "MaxResults", Integer), ("NextToken", "NextToken", Text)]))
        .with_rule_name("elasticfilesystem:ListTagsForResource"),
    ServiceOperation::json::<ModifyMountTargetSecurityGroups>(
        "ModifyMountTargetSecurityGroups",
        NamedResource,
    )
    .at(RestRoute::new("PUT", SECURITY_GROUPS).with_status(204)),
    ServiceOperation::json::<PutFileSystemPolicy>("PutFileSystemPolicy", NamedResource)
        .at(RestRoute::new("PUT", POLICY)),
    ServiceOperation::json::<TagStorage>("TagResource", NamedResource)
        .at(RestRoute::new("POST", TAGS))
        .with_rule_name("elasticfilesystem:TagResource"),
    ServiceOperation::json::<UntagStorage>("UntagResource", NamedResource)
        .at(RestRoute::new("DELETE", TAGS).with_query(&[("tagKeys", "TagKeys", List)]))
        .with_rule_name("elasticfilesystem:UntagResource"),
];

/// Source: Amazon EFS API Reference, "Common errors"; the statuses are those of a service that speaks REST.
const ERRORS: &[ErrorName] = &[
    ErrorName {
        common: "MissingAuthenticationTokenException",
        status: 403,
        name: "MissingAuthenticationTokenException",
    },
    ErrorName {
        common: "IncompleteSignatureException",
        status: 403,
        name: "IncompleteSignatureException",
    },
    ErrorName {
        common: "InvalidSignatureException",
        status: 403,
        name: "InvalidSignatureException",
    },
    ErrorName { common: "InvalidClientTokenId", status: 403, name: "UnrecognizedClientException" },
    ErrorName { common: "ExpiredTokenException", status: 403, name: "ExpiredTokenException" },
    ErrorName { common: "AccessDeniedException", status: 403, name: "AccessDeniedException" },
    ErrorName {
        common: "UnknownOperationException",
        status: 404,
        name: "UnknownOperationException",
    },
    ErrorName { common: "ThrottlingException", status: 429, name: "ThrottlingException" },
    ErrorName { common: "ServerException", status: 500, name: "InternalServerError" },
];

#[cfg(test)]
mod tests;
