//! The way between two subnets of a VPC: network ACLs judge it twice in each direction.

use fargate_aws::{NetworkAcl, PortRange, VpcSubnet};

use super::acl_verdict::{AclDenial, SubnetCrossing, TASK_PORTS, acl_denial};
use super::address_range::AddressSpan;

/// One side of a connection inside a VPC.
#[derive(Clone, Copy, Debug)]
pub struct InnerSide<'a> {
    /// The subnet.
    pub subnet: &'a VpcSubnet,
    /// Its addresses in it.
    pub addresses: AddressSpan,
}

impl<'a> InnerSide<'a> {
    /// Whoever is in this subnet. `None` for a subnet of IPv6 alone.
    pub fn anywhere_in(subnet: &'a VpcSubnet) -> Option<Self> {
        Some(Self { subnet, addresses: subnet.cidr?.into() })
    }
}

/// The first network ACL that keeps a packet from the client to this port, or its answer, from crossing.
/// Inside one subnet there is nothing to cross.
pub fn inner_acl_denial(
    acls: &[NetworkAcl],
    client: InnerSide<'_>,
    server: InnerSide<'_>,
    port: u16,
) -> Option<AclDenial> {
    if client.subnet.id == server.subnet.id {
        return None;
    }
    let asked = PortRange::one(port);
    let legs = [
        (client, true, server, asked),
        (server, false, client, asked),
        (server, true, client, TASK_PORTS),
        (client, false, server, TASK_PORTS),
    ];
    legs.into_iter().find_map(|(here, is_egress, there, ports)| {
        let peer = there.addresses;
        acl_denial(acls, SubnetCrossing { subnet: &here.subnet.id, is_egress, peer, ports })
    })
}
