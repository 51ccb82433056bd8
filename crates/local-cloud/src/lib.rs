//! An ECS that lives in one process: the wire protocol, the states, the errors and the checks of
//! the real service for the operations that Fargate Runner uses, with tasks that really run.
//!
//! What goes wrong with a call or a task is asked for by rules ([`FaultRules`]), in process or over the
//! control endpoint `/_local`; how fast callers may be, by [`CloudRateLimits`]. Its clock can be moved.
//!
//! Beside ECS it plays what an ECS client needs of its neighbours: `AssumeRole` of STS,
//! `DescribeNetworkInterfaces` and `DescribeSubnets` of EC2, and `GetLogEvents` of CloudWatch Logs.
//!
//! It is reached by its endpoint only; no product crate links it. It does not run images (a task
//! is the agent, or the container's own command), plays no further service, schedules nothing, and
//! keeps nothing after its end but the folders it was given.

mod actions;
mod backend;
mod chance;
mod clock;
mod cloud;
mod configuration;
mod fault;
mod lifecycle;
mod limits;
mod log_streams;
mod options;
mod record;
mod rights;
mod seed;
mod server;
mod state;
mod task_timing;
mod wire;

pub use fault::{
    AnswerEdit, CloudFault, CloudTaskPhase, FAULT_REFERENCE, FaultCount, FaultRecord, FaultRule,
    FaultRules, FaultRulesError, InvalidRuleLine,
};
pub use limits::{BucketRate, CloudRateLimits};
pub use options::{CloudOptions, ServeError};
pub use record::{ContainerRecord, RequestRecord, TaskRecord};
pub use seed::IPV6_SUBNET;
pub use server::LocalCloud;
pub use task_timing::TaskTiming;
pub use wire::credentials::{AccessKeyPair, IssuedCredentials};
