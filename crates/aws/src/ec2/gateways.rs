//! NAT gateways and internet gateways.
//!
//! Source: Amazon EC2 API Reference, `DescribeNatGateways`, `DescribeInternetGateways`.

use std::net::IpAddr;

use serde::Deserialize;

use super::ec2_pages::{Ec2Filter, Ec2Items, Ec2ListAnswer, value_of};
use crate::account::AwsAccount;
use crate::call::CallError;

const NAT_RIGHT: &str = "ec2:DescribeNatGateways";
const INTERNET_RIGHT: &str = "ec2:DescribeInternetGateways";

/// A NAT gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatGateway {
    /// The id.
    pub id: String,
    /// The VPC.
    pub vpc: String,
    /// The subnet that it stands in; `None` for one that serves all zones.
    pub subnet: Option<String>,
    /// The route table of its own; only one that serves all zones has one.
    pub own_route_table: Option<String>,
    /// Its state: `available` if it can be used.
    pub state: String,
    /// Whether it leads to the internet, rather than to other private networks.
    pub is_public: bool,
    /// Its public addresses.
    pub addresses: Vec<NatGatewayAddress>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// A public address of a NAT gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatGatewayAddress {
    /// The address.
    pub address: IpAddr,
    /// Its zone, where EC2 names it.
    pub zone: Option<String>,
}

/// An internet gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternetGateway {
    /// The id.
    pub id: String,
    /// The VPCs that it is attached to.
    pub attached_to: Vec<String>,
}

impl AwsAccount {
    /// All NAT gateways of these VPCs, without those that are deleted.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn nat_gateways(&self, vpcs: &[String]) -> Result<Vec<NatGateway>, CallError> {
        let filter = Ec2Filter { name: "vpc-id", values: vpcs };
        let found = self.ec2_list::<NatGatewaysAnswer>(NAT_RIGHT, filter).await?;
        let found = found.into_iter().filter(|nat| nat.state != "deleted").collect();
        self.ec2_read(NAT_RIGHT, found, NatGatewayEntry::read)
    }

    /// The internet gateways that are attached to these VPCs.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn internet_gateways(
        &self,
        vpcs: &[String],
    ) -> Result<Vec<InternetGateway>, CallError> {
        let filter = Ec2Filter { name: "attachment.vpc-id", values: vpcs };
        let found = self.ec2_list::<InternetGatewaysAnswer>(INTERNET_RIGHT, filter).await?;
        Ok(found.into_iter().map(InternetGatewayEntry::read).collect())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NatGatewaysAnswer {
    #[serde(default)]
    nat_gateway_set: Ec2Items<NatGatewayEntry>,
    next_token: Option<String>,
}

impl Ec2ListAnswer for NatGatewaysAnswer {
    type Entry = NatGatewayEntry;
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>) {
        (self.nat_gateway_set.items, self.next_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NatGatewayEntry {
    nat_gateway_id: String,
    #[serde(default)]
    vpc_id: String,
    subnet_id: Option<String>,
    route_table_id: Option<String>,
    #[serde(default)]
    state: String,
    connectivity_type: Option<String>,
    #[serde(default)]
    nat_gateway_address_set: Ec2Items<NatGatewayAddressEntry>,
    failure_message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NatGatewayAddressEntry {
    public_ip: Option<String>,
    availability_zone: Option<String>,
}

impl NatGatewayEntry {
    fn read(self) -> Result<NatGateway, String> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let mut addresses = Vec::new();
        for entry in self.nat_gateway_address_set.items {
            let Some(text) = given(entry.public_ip) else { continue };
            let address = value_of("the address of a NAT gateway", &text)?;
            addresses.push(NatGatewayAddress { address, zone: given(entry.availability_zone) });
        }
        Ok(NatGateway {
            id: self.nat_gateway_id,
            vpc: self.vpc_id,
            subnet: given(self.subnet_id),
            own_route_table: given(self.route_table_id),
            state: self.state,
            is_public: self.connectivity_type.as_deref() != Some("private"),
            addresses,
            failure: given(self.failure_message),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InternetGatewaysAnswer {
    #[serde(default)]
    internet_gateway_set: Ec2Items<InternetGatewayEntry>,
    next_token: Option<String>,
}

impl Ec2ListAnswer for InternetGatewaysAnswer {
    type Entry = InternetGatewayEntry;
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>) {
        (self.internet_gateway_set.items, self.next_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InternetGatewayEntry {
    internet_gateway_id: String,
    #[serde(default)]
    attachment_set: Ec2Items<InternetGatewayAttachment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InternetGatewayAttachment {
    #[serde(default)]
    vpc_id: String,
    #[serde(default)]
    state: String,
}

impl InternetGatewayEntry {
    fn read(self) -> InternetGateway {
        // EC2 calls an attached internet gateway `available`, and its model `attached`.
        let attached =
            |it: &InternetGatewayAttachment| ["available", "attached"].contains(&it.state.as_str());
        let attachments = self.attachment_set.items.into_iter();
        InternetGateway {
            id: self.internet_gateway_id,
            attached_to: attachments.filter(attached).map(|it| it.vpc_id).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ec2_pages::parsed;
    use super::*;

    #[test]
    fn a_nat_gateway_is_read_with_its_public_addresses() {
        let body = "<R><natGatewaySet><item><natGatewayId>nat-1</natGatewayId><subnetId>subnet-1</subnetId>\
            <vpcId>vpc-1</vpcId><state>available</state><connectivityType>public</connectivityType>\
            <natGatewayAddressSet><item><publicIp>203.0.113.17</publicIp><privateIp>10.0.0.4</privateIp>\
            <isPrimary>true</isPrimary></item><item><privateIp>10.0.0.5</privateIp></item>\
            </natGatewayAddressSet></item></natGatewaySet></R>";
        let answer: NatGatewaysAnswer = parsed(body).unwrap();
        let nat = answer.into_page().0.remove(0).read().unwrap();
        assert_eq!(nat.addresses.len(), 1);
        assert_eq!(nat.addresses[0].address, IpAddr::from([203, 0, 113, 17]));
        assert!(nat.is_public && nat.subnet.as_deref() == Some("subnet-1"));
        let body = body.replace("<connectivityType>public", "<connectivityType>private");
        let answer: NatGatewaysAnswer = parsed(&body).unwrap();
        assert!(!answer.into_page().0.remove(0).read().unwrap().is_public);
    }

    #[test]
    fn an_internet_gateway_that_is_being_detached_is_not_attached() {
        let body = |state: &str| {
            format!(
                "<R><internetGatewaySet><item><internetGatewayId>igw-1</internetGatewayId><attachmentSet>\
                 <item><vpcId>vpc-1</vpcId><state>{state}</state></item></attachmentSet></item>\
                 </internetGatewaySet></R>"
            )
        };
        let attached = |state: &str| {
            let answer: InternetGatewaysAnswer = parsed(&body(state)).unwrap();
            answer.into_page().0.remove(0).read().attached_to
        };
        assert_eq!(attached("available"), ["vpc-1"]);
        assert!(attached("detaching").is_empty());
    }
}
