//! `DescribeVpcs` and `DescribeVpcAttribute` of EC2.

use super::described_resource::{DescribedResource, flag, not_found};
use super::network::RegionNetwork;
use crate::account::ACCOUNT;
use crate::network::{CloudNetwork, CloudVpc};
use crate::services::context::RequestContext;
use crate::wire::exception::ServiceException;
use crate::wire::form::FormFields;
use crate::wire::xml::XmlElement;

impl DescribedResource for CloudVpc {
    const IDS: &'static str = "VpcId";
    const SET: &'static str = "vpcSet";
    const FILTERS: &'static [&'static str] = &["vpc-id", "cidr"];

    fn all(network: &CloudNetwork) -> &[Self] {
        &network.vpcs
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn filter_values(&self, _: &str) -> Vec<(&'static str, String)> {
        vec![("vpc-id", self.id.clone()), ("cidr", self.cidr.clone())]
    }

    fn item(&self, _: &RequestContext<'_>) -> XmlElement {
        let block = |set: &str, name: &str, cidr: &str| {
            let state = XmlElement::new(&format!("{name}State"))
                .with(XmlElement::text("state", "associated"));
            let item = XmlElement::new("item").with(XmlElement::text(name, cidr)).with(state);
            XmlElement::new(set).with(item)
        };
        let ipv6 = self.ipv6_cidr.iter();
        let ipv6 = ipv6.map(|cidr| block("ipv6CidrBlockAssociationSet", "ipv6CidrBlock", cidr));
        XmlElement::new("item")
            .with(XmlElement::text("vpcId", &self.id))
            .with(XmlElement::text("ownerId", ACCOUNT))
            .with(XmlElement::text("state", "available"))
            .with(XmlElement::text("cidrBlock", &self.cidr))
            .with(block("cidrBlockAssociationSet", "cidrBlock", &self.cidr))
            .with_all(ipv6)
            .with(XmlElement::text("instanceTenancy", "default"))
            .with(flag("isDefault", false))
    }

    fn unknown(id: &str) -> ServiceException {
        not_found("InvalidVpcID.NotFound", "vpc", id)
    }
}

/// `DescribeVpcAttribute`: one attribute of one VPC.
pub fn describe_vpc_attribute(
    members: &FormFields,
    context: &RequestContext<'_>,
) -> Result<Vec<XmlElement>, ServiceException> {
    let member = |name: &str| members.get(name).map(String::as_str).unwrap_or_default();
    let (id, attribute) = (member("VpcId"), member("Attribute"));
    let network = context.cloud.states.of::<RegionNetwork>().described();
    let vpc = network.vpcs.iter().find(|vpc| vpc.id == id);
    let vpc = vpc.ok_or_else(|| CloudVpc::unknown(id))?;
    let value = match attribute {
        "enableDnsSupport" => vpc.dns_support,
        "enableDnsHostnames" => vpc.dns_hostnames,
        // Source: Amazon EC2 API Reference, `DescribeVpcAttribute`. Nothing here has such an address.
        "enableNetworkAddressUsageMetrics" => false,
        other => {
            return Err(ServiceException::new(
                "InvalidParameterValue",
                format!("Value ({other}) for parameter attribute is invalid. Unknown attribute."),
            ));
        }
    };
    Ok(vec![XmlElement::text("vpcId", id), XmlElement::new(attribute).with(flag("value", value))])
}
