//! ECS in one process: the wire protocol, the states, the errors and the checks of the real service, for
//! the operations that Fargate Runner uses, with tasks that really run.
//!
//! Fault rules ([`FaultRules`]) say what goes wrong with a call or a task; they are given in process or
//! over the control endpoint `/_local`. [`CloudRateLimits`] say how fast callers may be. The cloud's
//! clock can be moved.
//!
//! Besides ECS it plays Secrets Manager, EFS (whose file systems tasks really mount), and what a client of ECS needs of other
//! services: identities of STS, the networks of EC2, roles and policies of IAM, topics of SNS, logs of
//! CloudWatch, Service Quotas.
//! To add a service, see `services`.
//!
//! Clients reach it by its endpoint only; no product crate links it. Containers are processes of this
//! machine, or those of a Docker Engine ([`BackendChoice`]). Processes run no images: a task is the
//! agent, or the container's own command. After its end it keeps nothing but the folders that it was
//! given.

mod access;
mod account;
mod backend;
mod chance;
mod clock;
mod cloud;
mod configuration;
mod endpoint;
mod fault;
mod fault_language;
mod limits;
mod network;
mod options;
mod random_id;
mod record;
mod rights;
mod seed;
mod serve_error;
mod server;
mod services;
mod task_roles;
mod task_timing;
#[cfg(test)]
mod test_cloud;
mod wire;

pub use backend::container::SubnetAddressFamily;
pub use backend::docker::engine_error::EngineUnusable;
pub use fault::{
    AnswerEdit, CloudFault, CloudTaskPhase, FaultCount, FaultRecord, FaultRule, FaultRules,
    FaultRulesError, InvalidRuleLine,
};
pub use fault_language::FAULT_REFERENCE;
pub use limits::{BucketRate, CloudRateLimits};
pub use network::{
    CloudEndpointKind, CloudInternetGateway, CloudNatGateway, CloudNetwork, CloudNetworkAcl,
    CloudRoute, CloudRouteTable, CloudRouteTarget, CloudSecurityGroup, CloudSubnet, CloudVpc,
    CloudVpcEndpoint, NetworkAclRule, PacketSource, SecurityGroupRule,
};
pub use options::{BackendChoice, CloudOptions};
pub use record::{ContainerRecord, RequestRecord, TaskRecord};
pub use seed::IPV6_SUBNET;
pub use serve_error::ServeError;
pub use server::LocalCloud;
pub use task_timing::TaskTiming;
pub use wire::credentials::{AccessKeyPair, IssuedCredentials};
