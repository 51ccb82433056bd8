//! The names of the resources that a cloud starts with, in every Region that is asked for: a cluster,
//! private subnets in two zones and one for IPv6, their way out, security groups, a task definition and a topic of
//! SNS.

use std::net::Ipv4Addr;

/// The cluster's name.
pub const CLUSTER: &str = "ci";
/// The subnets, in the zones a and b.
pub const SUBNETS: [&str; 2] = ["subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a"];
/// A subnet whose tasks have an IPv6 address only. This machine has one IPv6 loopback address, so the
/// subnet has room for one task, and for none if the cloud itself listens at that address.
pub const IPV6_SUBNET: &str = "subnet-0d4e5f60718293b4c";
/// The public subnet, in which the NAT gateway stands.
pub const PUBLIC_SUBNET: &str = "subnet-0e5f60718293b4c5d";
/// The address from which tasks reach the internet. Source of the block: RFC 5737, for documentation.
pub const ELASTIC_IP: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 25);
/// The security group of the manager host.
pub const MANAGER_GROUP: &str = "sg-0d4e5f60718293b4c";
/// The security group of mount targets.
pub const FILE_SYSTEM_GROUP: &str = "sg-0e5f60718293b4c5d";
/// The security group of tasks.
pub const SECURITY_GROUP: &str = "sg-0c3d4e5f60718293b";
/// The network that the subnets and the security group belong to.
pub const VPC: &str = "vpc-0e4f5a6b7c8d9e0f1";
/// The task definition's family.
pub const FAMILY: &str = "ci-job";
/// The container's name.
pub const CONTAINER: &str = "job";
/// The image of the task definition, unless another one is given. No registry has it.
pub const IMAGE: &str = "registry.example/ci/job:1";
/// The Region of the configuration that the cloud writes.
pub const REGION: &str = "eu-west-1";
/// The topic of SNS.
pub const TOPIC: &str = "ci-alarms";
