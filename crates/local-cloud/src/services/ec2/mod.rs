//! Amazon EC2, as far as a client of ECS asks it: which zone a subnet is in, and which addresses the
//! network interfaces of tasks have. It has no instances.

mod describe_network_interfaces;
mod describe_subnets;
pub mod network;

use describe_network_interfaces::describe_network_interfaces;
use describe_subnets::describe_subnets;
use network::RegionNetwork;

use super::definition::OperationRight::NoResource;
use super::definition::{CloudService, ServiceOperation};
use super::protocol::{ErrorName, ServiceProtocol};

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    errors: ERRORS,
    denial_opening: "You are not authorized to perform this operation. ",
    prepare: |states, options| {
        let network =
            if options.empty { RegionNetwork::open() } else { RegionNetwork::furnished() };
        states.add(network);
    },
    ..CloudService::new(
        "ec2",
        ServiceProtocol::Ec2Query {
            version: "2016-11-15",
            namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
        },
        OPERATIONS,
    )
};

const OPERATIONS: &[ServiceOperation] = &[
    ServiceOperation::query("DescribeNetworkInterfaces", NoResource, describe_network_interfaces),
    ServiceOperation::query("DescribeSubnets", NoResource, describe_subnets),
];

/// Source: Amazon EC2 API Reference, "Error codes".
const ERRORS: &[ErrorName] = &[
    ErrorName {
        common: "MissingAuthenticationTokenException",
        status: 403,
        name: "MissingAuthenticationToken",
    },
    ErrorName { common: "IncompleteSignatureException", status: 400, name: "IncompleteSignature" },
    ErrorName { common: "InvalidSignatureException", status: 401, name: "AuthFailure" },
    ErrorName { common: "InvalidClientTokenId", status: 401, name: "AuthFailure" },
    ErrorName { common: "ExpiredTokenException", status: 400, name: "RequestExpired" },
    ErrorName { common: "AccessDeniedException", status: 403, name: "UnauthorizedOperation" },
    ErrorName { common: "UnknownOperationException", status: 400, name: "InvalidAction" },
    ErrorName { common: "ThrottlingException", status: 503, name: "RequestLimitExceeded" },
    ErrorName { common: "ServerException", status: 500, name: "InternalError" },
];
