//! AWS Systems Manager, of which it plays the Parameter Store alone: parameters with versions, and what ECS
//! reads of them for the secrets of a task. It does not encrypt, has no policies, no labels and no advanced
//! tier.
//!
//! Each operation is one file. Values of parameters appear in answers to `GetParameter` and `GetParameters`
//! alone: the record of requests hides them.

mod delete_parameter;
mod describe_parameters;
mod errors;
mod get_parameter;
mod get_parameters;
mod parameter_reference;
mod parameter_store;
mod put_parameter;
mod stored_parameter;
pub mod task_parameters;

use delete_parameter::DeleteParameter;
use describe_parameters::DescribeParameters;
use get_parameter::GetParameter;
use get_parameters::GetParameters;
use parameter_store::ParameterStore;
use put_parameter::PutParameter;

pub(crate) use put_parameter::put;

use super::definition::OperationRight::{AllResources, NamedResource};
use super::definition::{CloudService, ServiceOperation};
use super::protocol::ServiceProtocol;

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    secret_members: &["Value"],
    prepare: |states, _| states.add(ParameterStore::default()),
    ..CloudService::new(
        "ssm",
        ServiceProtocol::Json { target: "AmazonSSM.", message: "message" },
        OPERATIONS,
    )
};

const OPERATIONS: &[ServiceOperation] = &[
    ServiceOperation::json::<DeleteParameter>("DeleteParameter", NamedResource),
    ServiceOperation::json::<DescribeParameters>("DescribeParameters", AllResources),
    ServiceOperation::json::<GetParameter>("GetParameter", NamedResource),
    ServiceOperation::json::<GetParameters>("GetParameters", NamedResource),
    ServiceOperation::json::<PutParameter>("PutParameter", NamedResource),
];

#[cfg(test)]
mod tests;
