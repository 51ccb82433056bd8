//! The errors of EFS, with their names and statuses.
//!
//! Source: Amazon EFS API Reference, the errors of each operation; messages of the service as public issue
//! trackers quote them.

use crate::wire::exception::{ExistingResource, ServiceException};

/// A member that is missing or has a value that EFS does not take.
pub fn bad_request(message: impl Into<String>) -> ServiceException {
    error(400, "BadRequest", message)
}

/// No file system has this id.
pub fn no_file_system(id: &str) -> ServiceException {
    error(404, "FileSystemNotFound", format!("File system '{id}' does not exist."))
}

/// No access point has this id.
pub fn no_access_point(id: &str) -> ServiceException {
    error(404, "AccessPointNotFound", format!("Access point '{id}' does not exist."))
}

/// No mount target has this id.
pub fn no_mount_target(id: &str) -> ServiceException {
    error(404, "MountTargetNotFound", format!("Mount target '{id}' does not exist."))
}

/// The file system has no policy.
pub fn no_policy(id: &str) -> ServiceException {
    error(404, "PolicyNotFound", format!("File system '{id}' has no policy."))
}

/// The token belongs to the file system `id`.
pub fn file_system_exists(id: &str, token: &str) -> ServiceException {
    let message = format!("File system '{id}' already exists with creation token '{token}'");
    ServiceException {
        existing: existing("FileSystemId", id),
        ..error(409, "FileSystemAlreadyExists", message)
    }
}

/// The token belongs to the access point `id`.
pub fn access_point_exists(id: &str, token: &str) -> ServiceException {
    let message = format!("Access point '{id}' already exists with client token '{token}'");
    ServiceException {
        existing: existing("AccessPointId", id),
        ..error(409, "AccessPointAlreadyExists", message)
    }
}

/// A file system with mount targets cannot be deleted.
pub fn file_system_in_use(id: &str) -> ServiceException {
    error(409, "FileSystemInUse", format!("File system '{id}' has mount targets."))
}

/// The file system is not `available`.
pub fn file_system_state(id: &str, state: &str) -> ServiceException {
    let message =
        format!("File system '{id}' has the life cycle state '{state}', not 'available'.");
    error(409, "IncorrectFileSystemLifeCycleState", message)
}

/// The mount target is not `available`.
pub fn mount_target_state(id: &str, state: &str) -> ServiceException {
    let message =
        format!("Mount target '{id}' has the life cycle state '{state}', not 'available'.");
    error(409, "IncorrectMountTargetState", message)
}

/// The zone has a mount target.
pub fn zone_taken() -> ServiceException {
    error(409, "MountTargetConflict", "mount target already exists in this AZ")
}

/// The file system is in another zone alone.
pub fn other_zone(zone: &str) -> ServiceException {
    let message = format!("The file system is in the availability zone {zone} alone.");
    error(400, "AvailabilityZonesMismatch", message)
}

/// No zone has this name here.
pub fn no_zone(zone: &str) -> ServiceException {
    let message = format!("Availability zone '{zone}' is not supported.");
    error(400, "UnsupportedAvailabilityZone", message)
}

/// No subnet has this id.
pub fn no_subnet(id: &str) -> ServiceException {
    error(400, "SubnetNotFound", format!("The subnet ID '{id}' does not exist"))
}

/// No security group has this id.
pub fn no_security_group(id: &str) -> ServiceException {
    error(400, "SecurityGroupNotFound", format!("The security group ID '{id}' does not exist"))
}

/// More groups than a mount target may have.
pub fn too_many_groups(limit: usize) -> ServiceException {
    let message = format!("A mount target can have at most {limit} security groups.");
    error(400, "SecurityGroupLimitExceeded", message)
}

/// The address is another mount target's.
pub fn address_in_use(address: &str) -> ServiceException {
    error(409, "IpAddressInUse", format!("The IP address {address} is already in use."))
}

/// More file systems than an account may have.
pub fn too_many_file_systems(limit: usize) -> ServiceException {
    error(
        403,
        "FileSystemLimitExceeded",
        format!("You have the most file systems allowed: {limit}."),
    )
}

/// More access points than a file system may have.
pub fn too_many_access_points(limit: usize) -> ServiceException {
    let message = format!("The file system has the most access points allowed: {limit}.");
    error(403, "AccessPointLimitExceeded", message)
}

/// A policy that EFS does not take.
pub fn invalid_policy(problem: &str) -> ServiceException {
    error(400, "InvalidPolicyException", problem)
}

fn existing(member: &'static str, id: &str) -> Option<Box<ExistingResource>> {
    Some(Box::new(ExistingResource { member, id: id.to_owned() }))
}

fn error(status: u16, code: &str, message: impl Into<String>) -> ServiceException {
    ServiceException { status, ..ServiceException::new(code, message) }
}
