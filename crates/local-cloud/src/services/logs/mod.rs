//! Amazon CloudWatch Logs: what containers with the log driver `awslogs` wrote. Clients read; only
//! containers write.

mod describe_log_groups;
mod get_log_events;
pub mod log_groups;
pub mod streams;

use std::sync::Arc;

use describe_log_groups::DescribeLogGroups;
use get_log_events::GetLogEvents;
use log_groups::AddedLogGroups;
use streams::CloudLogStreams;

use super::definition::OperationRight::{AllResources, NamedResource};
use super::definition::{CloudService, ServiceOperation};
use super::protocol::ServiceProtocol;

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    prepare: |states, _| {
        states.add(Arc::<CloudLogStreams>::default());
        states.add(AddedLogGroups::default());
    },
    ..CloudService::new(
        "logs",
        ServiceProtocol::Json { target: "Logs_20140328.", message: "message" },
        OPERATIONS,
    )
};

const OPERATIONS: &[ServiceOperation] = &[
    ServiceOperation::json::<DescribeLogGroups>("DescribeLogGroups", AllResources),
    ServiceOperation::json::<GetLogEvents>("GetLogEvents", NamedResource),
];
