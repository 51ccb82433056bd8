//! Amazon SNS: publishing messages to the one topic that a cloud starts with. Nobody subscribes; the record of
//! requests shows what was published.

mod publish;

use publish::publish;

use super::definition::OperationRight::NamedResource;
use super::definition::{CloudService, ServiceOperation};
use super::protocol::{ErrorName, ServiceProtocol};

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    errors: ERRORS,
    ..CloudService::new(
        "sns",
        ServiceProtocol::AwsQuery {
            version: "2010-03-31",
            namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
        },
        OPERATIONS,
    )
};

const OPERATIONS: &[ServiceOperation] =
    &[ServiceOperation::query("Publish", NamedResource, publish)];

/// Source: Amazon SNS API Reference, "Common errors" and `Publish`, "Errors".
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
    ErrorName { common: "AccessDeniedException", status: 403, name: "AuthorizationError" },
    ErrorName { common: "ResourceNotFoundException", status: 404, name: "NotFound" },
    ErrorName { common: "UnknownOperationException", status: 400, name: "InvalidAction" },
    ErrorName { common: "ServerException", status: 500, name: "InternalFailure" },
];
