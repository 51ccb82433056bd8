//! AWS Secrets Manager: secrets with versions and staging labels, and what ECS reads of one: the login
//! of a private registry, and secrets of a task. It does not encrypt, rotate by itself, or replicate to other Regions.
//!
//! Each operation is one file. Values of secrets appear in answers to `GetSecretValue` alone: the record of
//! requests hides them.

mod create_secret;
mod delete_secret;
mod describe_secret;
mod errors;
mod get_secret_value;
mod list_secrets;
mod put_secret_value;
pub mod registry_login;
mod restore_secret;
mod secret_checks;
mod secret_filter;
mod secret_tags;
mod secret_version;
mod store;
mod stored_secret;
mod tag_secret;
pub mod task_secret;
mod update_secret;

use create_secret::CreateSecret;
use delete_secret::DeleteSecret;
use describe_secret::DescribeSecret;
use get_secret_value::GetSecretValue;
use list_secrets::ListSecrets;
use put_secret_value::PutSecretValue;
use restore_secret::RestoreSecret;
use store::SecretStore;
use tag_secret::TagSecret;
use update_secret::UpdateSecret;

pub(crate) use put_secret_value::put;

use super::definition::OperationRight::{AllResources, NamedResource};
use super::definition::{CloudService, ServiceOperation};
use super::protocol::ServiceProtocol;

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    secret_members: &["SecretString", "SecretBinary", "RotationToken"],
    prepare: |states, _| states.add(SecretStore::default()),
    ..CloudService::new(
        "secretsmanager",
        ServiceProtocol::Json { target: "secretsmanager.", message: "Message" },
        OPERATIONS,
    )
};

const OPERATIONS: &[ServiceOperation] = &[
    ServiceOperation::json::<CreateSecret>("CreateSecret", NamedResource),
    ServiceOperation::json::<DeleteSecret>("DeleteSecret", NamedResource),
    ServiceOperation::json::<DescribeSecret>("DescribeSecret", NamedResource),
    ServiceOperation::json::<GetSecretValue>("GetSecretValue", NamedResource),
    ServiceOperation::json::<ListSecrets>("ListSecrets", AllResources),
    ServiceOperation::json::<PutSecretValue>("PutSecretValue", NamedResource),
    ServiceOperation::json::<RestoreSecret>("RestoreSecret", NamedResource),
    ServiceOperation::json::<TagSecret>("TagResource", NamedResource)
        .with_rule_name("secretsmanager:TagResource"),
    ServiceOperation::json::<UpdateSecret>("UpdateSecret", NamedResource),
];

#[cfg(test)]
mod tests;
