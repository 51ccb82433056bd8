//! Amazon EC2, as far as a client of ECS asks it: the networks that tasks run in, and which addresses the
//! network interfaces of tasks have. It has no instances, and nothing here can be created or changed.

mod describe_gateways;
mod describe_network_interfaces;
mod describe_packet_rules;
mod describe_route_tables;
mod describe_subnets;
mod describe_vpc_endpoints;
mod describe_vpcs;
mod described_resource;
pub mod network;

use describe_network_interfaces::describe_network_interfaces;
use describe_subnets::describe_subnets;
use describe_vpcs::describe_vpc_attribute;
use described_resource::describe;
use network::RegionNetwork;

use super::definition::OperationRight::NoResource;
use super::definition::{CloudService, ServiceOperation};
use super::protocol::{ErrorName, ServiceProtocol};
use crate::network::{
    CloudInternetGateway, CloudNatGateway, CloudNetworkAcl, CloudRouteTable, CloudSecurityGroup,
    CloudVpc, CloudVpcEndpoint,
};

/// The service.
pub(crate) const SERVICE: CloudService = CloudService {
    errors: ERRORS,
    denial_opening: "You are not authorized to perform this operation. ",
    prepare: |states, options| {
        states.add(match options.empty {
            true => RegionNetwork::open(),
            false => RegionNetwork::described_by(options.network.clone()),
        });
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
    ServiceOperation::query(
        "DescribeInternetGateways",
        NoResource,
        describe::<CloudInternetGateway>,
    ),
    ServiceOperation::query("DescribeNatGateways", NoResource, describe::<CloudNatGateway>),
    ServiceOperation::query("DescribeNetworkAcls", NoResource, describe::<CloudNetworkAcl>),
    ServiceOperation::query("DescribeNetworkInterfaces", NoResource, describe_network_interfaces),
    ServiceOperation::query("DescribeRouteTables", NoResource, describe::<CloudRouteTable>),
    ServiceOperation::query("DescribeSecurityGroups", NoResource, describe::<CloudSecurityGroup>),
    ServiceOperation::query("DescribeSubnets", NoResource, describe_subnets),
    ServiceOperation::query("DescribeVpcAttribute", NoResource, describe_vpc_attribute),
    ServiceOperation::query("DescribeVpcEndpoints", NoResource, describe::<CloudVpcEndpoint>),
    ServiceOperation::query("DescribeVpcs", NoResource, describe::<CloudVpc>),
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
