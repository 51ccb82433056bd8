//! Service Quotas: how much of Fargate and of EC2's networks an account may use. The owner of a cloud sets the
//! values; nothing else here keeps to them.

mod quota_operations;
mod quota_store;

use quota_operations::{GetDefaultQuota, GetServiceQuota, ListServiceQuotas};

pub(crate) use quota_store::QuotaStore;

use super::definition::OperationRight::AllResources;
use super::definition::{CloudService, ServiceOperation};
use super::protocol::ServiceProtocol;

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    prepare: |states, _| states.add(QuotaStore::default()),
    ..CloudService::new(
        "servicequotas",
        ServiceProtocol::Json { target: "ServiceQuotasV20190624.", message: "Message" },
        OPERATIONS,
    )
};

const OPERATIONS: &[ServiceOperation] = &[
    ServiceOperation::json::<GetDefaultQuota>("GetAWSDefaultServiceQuota", AllResources),
    ServiceOperation::json::<GetServiceQuota>("GetServiceQuota", AllResources),
    ServiceOperation::json::<ListServiceQuotas>("ListServiceQuotas", AllResources),
];
