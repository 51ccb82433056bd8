//! AWS STS: temporary keys for a role, and who signed a request.

mod assume_role;
mod get_caller_identity;
pub mod roles;

use assume_role::assume_role;
use get_caller_identity::get_caller_identity;
use roles::AssumableRoles;

use super::definition::OperationRight::{NamedResource, NoRight};
use super::definition::{CloudService, ServiceOperation};
use super::protocol::{ErrorName, ServiceProtocol};

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    errors: ERRORS,
    prepare: |states, _| states.add(AssumableRoles::default()),
    ..CloudService::new(
        "sts",
        ServiceProtocol::AwsQuery {
            version: "2011-06-15",
            namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
        },
        OPERATIONS,
    )
};

const OPERATIONS: &[ServiceOperation] = &[
    ServiceOperation::query("AssumeRole", NamedResource, assume_role),
    ServiceOperation::query("GetCallerIdentity", NoRight, get_caller_identity),
];

/// Source: AWS Security Token Service API Reference, "Common errors".
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
    ErrorName { common: "UnknownOperationException", status: 400, name: "InvalidAction" },
    ErrorName { common: "ServerException", status: 500, name: "InternalFailure" },
];
