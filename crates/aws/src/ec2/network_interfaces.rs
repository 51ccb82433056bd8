//! Who has an address: the network interfaces of the account.
//!
//! Source: Amazon EC2 API Reference, `DescribeNetworkInterfaces`.

use std::net::IpAddr;

use serde::Deserialize;

use super::ec2_pages::{Ec2Filter, Ec2Items, Ec2ListAnswer};
use crate::account::AwsAccount;
use crate::call::CallError;

const RIGHT: &str = "ec2:DescribeNetworkInterfaces";

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcInterface {
    /// The id.
    pub id: String,
    /// The VPC.
    pub vpc: String,
    /// The subnet.
    pub subnet: String,
    /// The security groups.
    pub groups: Vec<String>,
}

impl AwsAccount {
    /// The network interfaces of the account with this private address; each VPC may have one.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn interfaces_with(&self, address: IpAddr) -> Result<Vec<VpcInterface>, CallError> {
        let values = [address.to_string()];
        let filter = Ec2Filter { name: "addresses.private-ip-address", values: &values };
        let found = self.ec2_list::<VpcInterfacesAnswer>(RIGHT, filter).await?;
        Ok(found.into_iter().map(VpcInterfaceEntry::read).collect())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VpcInterfacesAnswer {
    #[serde(default)]
    network_interface_set: Ec2Items<VpcInterfaceEntry>,
    next_token: Option<String>,
}

impl Ec2ListAnswer for VpcInterfacesAnswer {
    type Entry = VpcInterfaceEntry;
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>) {
        (self.network_interface_set.items, self.next_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VpcInterfaceEntry {
    network_interface_id: String,
    #[serde(default)]
    vpc_id: String,
    #[serde(default)]
    subnet_id: String,
    #[serde(default)]
    group_set: Ec2Items<InterfaceGroupEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InterfaceGroupEntry {
    #[serde(default)]
    group_id: String,
}

impl VpcInterfaceEntry {
    fn read(self) -> VpcInterface {
        VpcInterface {
            id: self.network_interface_id,
            vpc: self.vpc_id,
            subnet: self.subnet_id,
            groups: self.group_set.items.into_iter().map(|it| it.group_id).collect(),
        }
    }
}
