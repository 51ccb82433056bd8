//! Amazon CloudWatch Logs: what containers with the log driver `awslogs` wrote. Clients read; only
//! containers write.

mod get_log_events;
pub mod streams;

use std::sync::Arc;

use get_log_events::GetLogEvents;
use streams::CloudLogStreams;

use super::definition::OperationRight::NamedResource;
use super::definition::{CloudService, ServiceOperation};
use super::protocol::ServiceProtocol;

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    prepare: |states, _| states.add(Arc::<CloudLogStreams>::default()),
    ..CloudService::new(
        "logs",
        ServiceProtocol::Json { target: "Logs_20140328.", message: "message" },
        OPERATIONS,
    )
};

const OPERATIONS: &[ServiceOperation] =
    &[ServiceOperation::json::<GetLogEvents>("GetLogEvents", NamedResource)];
