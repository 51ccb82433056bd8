//! A VPC: its addresses, its DNS attributes, and the DNS servers that it tells its hosts.
//!
//! Source: Amazon EC2 API Reference, `DescribeVpcs`, `DescribeVpcAttribute`, `DescribeDhcpOptions`.

use ipnet::Ipv4Net;
use serde::Deserialize;

use super::ec2_pages::{Ec2Filter, Ec2Items, Ec2ListAnswer, value_of};
use crate::account::AwsAccount;
use crate::call::CallError;

const VPC_RIGHT: &str = "ec2:DescribeVpcs";
const ATTRIBUTE_RIGHT: &str = "ec2:DescribeVpcAttribute";
const DHCP_RIGHT: &str = "ec2:DescribeDhcpOptions";

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcShape {
    /// The id.
    pub id: String,
    /// Its prefixes.
    pub cidrs: Vec<Ipv4Net>,
    /// The set of DHCP options, by its id; `default` for none.
    pub dhcp_options: String,
}

/// The DNS attributes of a VPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VpcDns {
    /// Whether Amazon's DNS server answers in it (`enableDnsSupport`).
    pub is_supported: bool,
    /// Whether its hosts and endpoints get names (`enableDnsHostnames`).
    pub has_hostnames: bool,
}

impl AwsAccount {
    /// These VPCs.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn vpcs(&self, ids: &[String]) -> Result<Vec<VpcShape>, CallError> {
        let filter = Ec2Filter { name: "vpc-id", values: ids };
        let found = self.ec2_list::<VpcsAnswer>(VPC_RIGHT, filter).await?;
        self.ec2_read(VPC_RIGHT, found, VpcEntry::read)
    }

    /// The DNS attributes of a VPC, in two calls side by side.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses a call, or if no usable answer comes.
    pub async fn vpc_dns(&self, vpc: &str) -> Result<VpcDns, CallError> {
        let of = |attribute: &'static str| async move {
            let members = [("VpcId".to_owned(), vpc), ("Attribute".to_owned(), attribute)];
            self.ec2_answer::<VpcAttributeAnswer>(ATTRIBUTE_RIGHT, &members).await
        };
        let (support, hostnames) =
            tokio::try_join!(of("enableDnsSupport"), of("enableDnsHostnames"))?;
        let value = |given: Option<VpcAttributeValue>| {
            given.map(|given| given.value).ok_or_else(|| {
                let text = "EC2 leaves out the attribute that it was asked for".to_owned();
                self.of_ec2(ATTRIBUTE_RIGHT, CallError::Unreadable { text })
            })
        };
        Ok(VpcDns {
            is_supported: value(support.enable_dns_support)?,
            has_hostnames: value(hostnames.enable_dns_hostnames)?,
        })
    }

    /// The DNS servers that a set of DHCP options names. `AmazonProvidedDNS` stands for Amazon's.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn dns_servers(&self, dhcp_options: &str) -> Result<Vec<String>, CallError> {
        let ids = [dhcp_options.to_owned()];
        let filter = Ec2Filter { name: "dhcp-options-id", values: &ids };
        let found = self.ec2_list::<DhcpOptionsAnswer>(DHCP_RIGHT, filter).await?;
        Ok(found.into_iter().flat_map(DhcpOptionsEntry::dns_servers).collect())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VpcsAnswer {
    #[serde(default)]
    vpc_set: Ec2Items<VpcEntry>,
    next_token: Option<String>,
}

impl Ec2ListAnswer for VpcsAnswer {
    type Entry = VpcEntry;
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>) {
        (self.vpc_set.items, self.next_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VpcEntry {
    vpc_id: String,
    #[serde(default)]
    cidr_block: String,
    #[serde(default)]
    cidr_block_association_set: Ec2Items<VpcCidrEntry>,
    #[serde(default)]
    dhcp_options_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VpcCidrEntry {
    #[serde(default)]
    cidr_block: String,
    cidr_block_state: Option<VpcCidrState>,
}

#[derive(Deserialize)]
struct VpcCidrState {
    #[serde(default)]
    state: String,
}

impl VpcEntry {
    fn read(self) -> Result<VpcShape, String> {
        let associated = |it: &VpcCidrEntry| {
            it.cidr_block_state.as_ref().is_none_or(|state| state.state == "associated")
        };
        let further = self.cidr_block_association_set.items.into_iter().filter(associated);
        let texts = std::iter::once(self.cidr_block).chain(further.map(|it| it.cidr_block));
        let mut cidrs: Vec<Ipv4Net> = Vec::new();
        for text in texts.filter(|text| !text.is_empty()) {
            let cidr = value_of("the addresses of a VPC", &text)?;
            if !cidrs.contains(&cidr) {
                cidrs.push(cidr);
            }
        }
        Ok(VpcShape { id: self.vpc_id, cidrs, dhcp_options: self.dhcp_options_id })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VpcAttributeAnswer {
    enable_dns_support: Option<VpcAttributeValue>,
    enable_dns_hostnames: Option<VpcAttributeValue>,
}

#[derive(Deserialize)]
struct VpcAttributeValue {
    value: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DhcpOptionsAnswer {
    #[serde(default)]
    dhcp_options_set: Ec2Items<DhcpOptionsEntry>,
    next_token: Option<String>,
}

impl Ec2ListAnswer for DhcpOptionsAnswer {
    type Entry = DhcpOptionsEntry;
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>) {
        (self.dhcp_options_set.items, self.next_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DhcpOptionsEntry {
    #[serde(default)]
    dhcp_configuration_set: Ec2Items<DhcpOption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DhcpOption {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value_set: Ec2Items<DhcpValue>,
}

#[derive(Deserialize)]
struct DhcpValue {
    #[serde(default)]
    value: String,
}

impl DhcpOptionsEntry {
    fn dns_servers(self) -> Vec<String> {
        let options = self.dhcp_configuration_set.items.into_iter();
        let servers = options.filter(|it| it.key == "domain-name-servers");
        servers.flat_map(|it| it.value_set.items).map(|it| it.value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::ec2_pages::parsed;
    use super::*;

    #[test]
    fn a_vpc_is_read_with_all_its_prefixes() {
        let body = "<R><vpcSet><item><vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/16</cidrBlock>\
            <dhcpOptionsId>dopt-1</dhcpOptionsId><cidrBlockAssociationSet><item><cidrBlock>10.0.0.0/16\
            </cidrBlock><cidrBlockState><state>associated</state></cidrBlockState></item><item><cidrBlock>\
            10.1.0.0/16</cidrBlock><cidrBlockState><state>associated</state></cidrBlockState></item><item>\
            <cidrBlock>10.2.0.0/16</cidrBlock><cidrBlockState><state>disassociated</state></cidrBlockState>\
            </item></cidrBlockAssociationSet></item></vpcSet></R>";
        let answer: VpcsAnswer = parsed(body).unwrap();
        let vpc = answer.into_page().0.remove(0).read().unwrap();
        assert_eq!(vpc.cidrs, ["10.0.0.0/16".parse().unwrap(), "10.1.0.0/16".parse().unwrap()]);
    }

    #[test]
    fn attributes_and_dns_servers_are_read() {
        let body =
            "<R><vpcId>vpc-1</vpcId><enableDnsSupport><value>false</value></enableDnsSupport></R>";
        let answer: VpcAttributeAnswer = parsed(body).unwrap();
        assert!(!answer.enable_dns_support.unwrap().value);
        assert!(answer.enable_dns_hostnames.is_none());
        let body = "<R><dhcpOptionsSet><item><dhcpOptionsId>dopt-1</dhcpOptionsId><dhcpConfigurationSet>\
            <item><key>domain-name</key><valueSet><item><value>x</value></item></valueSet></item><item>\
            <key>domain-name-servers</key><valueSet><item><value>10.9.0.2</value></item></valueSet></item>\
            </dhcpConfigurationSet></item></dhcpOptionsSet></R>";
        let answer: DhcpOptionsAnswer = parsed(body).unwrap();
        assert_eq!(answer.into_page().0.remove(0).dns_servers(), ["10.9.0.2"]);
    }
}
