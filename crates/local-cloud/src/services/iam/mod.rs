//! AWS IAM: roles, their policies, and what somebody may do. Clients read; only the owner of the cloud makes
//! roles and gives policies.
//!
//! A principal that was never given a policy may do everything, so that a cloud is of use without IAM. One that
//! has a policy may do what its policies allow, in every service, and nothing else.

mod get_policy;
mod get_role;
mod iam_errors;
mod list_role_policies;
pub mod principal_store;
mod simulate_principal_policy;

use get_policy::{get_policy, get_policy_version};
use get_role::{get_role, get_role_policy};
use list_role_policies::{list_attached_role_policies, list_role_policies};
use principal_store::PrincipalStore;
use simulate_principal_policy::simulate_principal_policy;

use super::definition::OperationRight::NamedResource;
use super::definition::{CloudService, ServiceOperation};
use super::protocol::{ErrorName, ServiceProtocol};

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    errors: ERRORS,
    prepare: |states, _| states.add(PrincipalStore::default()),
    ..CloudService::new(
        "iam",
        ServiceProtocol::AwsQuery {
            version: "2010-05-08",
            namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
        },
        OPERATIONS,
    )
};

const OPERATIONS: &[ServiceOperation] = &[
    ServiceOperation::query("GetPolicy", NamedResource, get_policy),
    ServiceOperation::query("GetPolicyVersion", NamedResource, get_policy_version),
    ServiceOperation::query("GetRole", NamedResource, get_role),
    ServiceOperation::query("GetRolePolicy", NamedResource, get_role_policy),
    ServiceOperation::query("ListAttachedRolePolicies", NamedResource, list_attached_role_policies),
    ServiceOperation::query("ListRolePolicies", NamedResource, list_role_policies),
    ServiceOperation::query("SimulatePrincipalPolicy", NamedResource, simulate_principal_policy),
];

/// Source: AWS IAM API Reference, "Common errors".
const ERRORS: &[ErrorName] = &[
    ErrorName {
        common: "MissingAuthenticationTokenException",
        status: 403,
        name: "MissingAuthenticationToken",
    },
    ErrorName { common: "IncompleteSignatureException", status: 400, name: "IncompleteSignature" },
    ErrorName { common: "InvalidSignatureException", status: 403, name: "SignatureDoesNotMatch" },
    ErrorName { common: "InvalidClientTokenId", status: 403, name: "InvalidClientTokenId" },
    ErrorName { common: "ExpiredTokenException", status: 403, name: "ExpiredToken" },
    ErrorName { common: "AccessDeniedException", status: 403, name: "AccessDenied" },
    ErrorName { common: "ThrottlingException", status: 400, name: "Throttling" },
    ErrorName { common: "UnknownOperationException", status: 400, name: "InvalidAction" },
    ErrorName { common: "ServerException", status: 500, name: "ServiceFailure" },
];

#[cfg(test)]
mod tests;
