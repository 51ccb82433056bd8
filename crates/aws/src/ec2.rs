//! Calls to EC2: the public address of a network interface, and the zones of subnets. What a VPC is made
//! of is read in the files below.
//!
//! EC2 uses its query protocol: a signed form in the request, XML in the answer. A call is made
//! once; the caller repeats it if needed.
//!
//! Source: Amazon EC2 API Reference, version 2016-11-15, `DescribeNetworkInterfaces`,
//! `DescribeSubnets` and "Error codes".

mod dry_run;
mod ec2_pages;
mod gateways;
mod network_acls;
mod network_interfaces;
mod prefix_lists;
mod route_tables;
mod security_groups;
mod traffic_rule;
mod vpc_endpoints;
mod vpc_settings;
mod vpc_subnets;

use std::net::IpAddr;

use serde::Deserialize;

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::signed_request::{RawResponse, UnsignedRequest};
use crate::xml_refusal::XmlServiceError;
use fargate_mask::SharedMasker;

pub use gateways::{InternetGateway, NatGateway, NatGatewayAddress};
pub use network_acls::{AclEntry, NetworkAcl};
pub use network_interfaces::VpcInterface;
pub use route_tables::{RouteDestination, RouteTarget, VpcRoute, VpcRouteTable};
pub use security_groups::{GroupPeer, GroupRule, SecurityGroup};
pub use traffic_rule::{PortRange, TrafficProtocol};
pub use vpc_endpoints::{EndpointKind, VpcEndpoint};
pub use vpc_settings::{VpcDns, VpcShape};
pub use vpc_subnets::VpcSubnet;

/// The rights that the calls need.
const RIGHT: &str = "ec2:DescribeNetworkInterfaces";
const SUBNETS_RIGHT: &str = "ec2:DescribeSubnets";
/// Longest answer that is read. One interface takes 4 KiB, a subnet 1 KiB.
const LONGEST: usize = 1024 * 1024;
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

impl AwsAccount {
    /// The public address of a network interface. `None` if EC2 reports none, or does not know the
    /// interface yet.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn public_address(&self, interface: &str) -> Result<Option<IpAddr>, CallError> {
        let answer = self.describe_interface(interface).await;
        match answer {
            Err(CallError::Answered { code, .. })
                if code == "InvalidNetworkInterfaceID.NotFound" =>
            {
                Ok(None)
            }
            Err(error) => Err(self.of_ec2(RIGHT, error)),
            Ok(found) => Ok(found),
        }
    }

    /// Where these subnets are, in the order of EC2's answer.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, which it does if one of them does not exist, or if
    /// no usable answer comes.
    pub async fn subnets(&self, ids: &[String]) -> Result<Vec<SubnetPlace>, CallError> {
        let names = (1..=ids.len()).map(|at| format!("SubnetId.{at}"));
        let named: Vec<(String, &str)> = names.zip(ids.iter().map(String::as_str)).collect();
        let body = self.ec2("DescribeSubnets", &named, LONGEST).await;
        body.and_then(|body| places(&body)).map_err(|error| self.of_ec2(SUBNETS_RIGHT, error))
    }

    async fn describe_interface(&self, interface: &str) -> Result<Option<IpAddr>, CallError> {
        let named = [("NetworkInterfaceId.1".to_owned(), interface)];
        public_address(&self.ec2("DescribeNetworkInterfaces", &named, LONGEST).await?)
    }

    async fn ec2(
        &self,
        action: &str,
        members: &[(String, &str)],
        longest: usize,
    ) -> Result<String, CallError> {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", action)
            .append_pair("Version", "2016-11-15")
            .extend_pairs(members)
            .finish();
        let question = UnsignedRequest {
            who: "EC2",
            service: "ec2",
            region: &self.region,
            endpoint: self.endpoint("ec2"),
            headers: &[("content-type", FORM)],
            body: form,
            longest,
        };
        let RawResponse { status, body, .. } = self.ask(question).await?;
        if (200..300).contains(&status) {
            Ok(body)
        } else {
            Err(self.judged(refusal(status, &body, &self.masker)))
        }
    }

    fn of_ec2(&self, right: &'static str, error: CallError) -> CallError {
        let endpoint = self.endpoint("ec2");
        CallError::Elsewhere { service: "EC2", endpoint, right, error: Box::new(error) }
    }
}

/// Where a subnet is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SubnetPlace {
    /// The subnet's id.
    #[serde(rename = "subnetId")]
    pub subnet: String,
    /// The VPC.
    #[serde(rename = "vpcId")]
    pub vpc: String,
    /// The zone's name.
    #[serde(rename = "availabilityZone")]
    pub zone: String,
}

#[derive(Deserialize)]
struct Ec2SubnetsResponse {
    #[serde(rename = "subnetSet")]
    set: Ec2SubnetSet,
}

#[derive(Deserialize)]
struct Ec2SubnetSet {
    #[serde(rename = "item", default)]
    items: Vec<SubnetPlace>,
}

fn places(body: &str) -> Result<Vec<SubnetPlace>, CallError> {
    let read: Result<Ec2SubnetsResponse, _> = quick_xml::de::from_str(body);
    read.map(|read| read.set.items).map_err(|error| CallError::Unreadable {
        text: format!("EC2's answer is not as documented: {error}"),
    })
}

#[derive(Deserialize)]
struct Ec2InterfacesResponse {
    #[serde(rename = "networkInterfaceSet")]
    set: Ec2InterfaceSet,
}

#[derive(Deserialize)]
struct Ec2InterfaceSet {
    #[serde(rename = "item", default)]
    items: Vec<Ec2Interface>,
}

#[derive(Deserialize)]
struct Ec2Interface {
    association: Option<PublicIpAssociation>,
}

#[derive(Deserialize)]
struct PublicIpAssociation {
    #[serde(rename = "publicIp")]
    public_ip: Option<String>,
}

fn public_address(body: &str) -> Result<Option<IpAddr>, CallError> {
    let read: Ec2InterfacesResponse = quick_xml::de::from_str(body).map_err(|error| {
        CallError::Unreadable { text: format!("EC2's answer is not as documented: {error}") }
    })?;
    let associations = read.set.items.into_iter().filter_map(|item| item.association);
    let Some(text) = associations.filter_map(|found| found.public_ip).next() else {
        return Ok(None);
    };
    text.trim().parse().map(Some).map_err(|_| CallError::Unreadable {
        text: format!(
            "EC2 gives {:?} as a public address",
            text.chars().take(60).collect::<String>()
        ),
    })
}

#[derive(Deserialize)]
struct Ec2ErrorResponse {
    #[serde(rename = "Errors")]
    errors: Ec2ErrorList,
    #[serde(rename = "RequestID")]
    request_id: Option<String>,
}

#[derive(Deserialize)]
struct Ec2ErrorList {
    #[serde(rename = "Error", default)]
    errors: Vec<XmlServiceError>,
}

fn refusal(status: u16, body: &str, masker: &SharedMasker) -> CallError {
    let read: Option<Ec2ErrorResponse> = quick_xml::de::from_str(body).ok();
    let request_id = read.as_ref().and_then(|read| read.request_id.clone());
    let error = read.and_then(|read| read.errors.errors.into_iter().next()).unwrap_or_default();
    error.into_call_error(status, request_id, masker)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeNetworkInterfacesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>59dbff89-35bd-4eac-99ed-be587EXAMPLE</requestId>
  <networkInterfaceSet><item>
    <networkInterfaceId>eni-0b1</networkInterfaceId>
    <privateIpAddressesSet><item><privateIpAddress>10.0.0.7</privateIpAddress></item></privateIpAddressesSet>
    <association><publicIp>203.0.113.9</publicIp><ipOwnerId>amazon</ipOwnerId></association>
  </item></networkInterfaceSet>
</DescribeNetworkInterfacesResponse>"#;

    fn read(body: &str) -> Result<Option<IpAddr>, String> {
        public_address(body).map_err(|error| error.to_string())
    }

    #[test]
    fn the_public_address_is_read_and_none_while_there_is_none() {
        assert_eq!(read(ANSWER), Ok(Some(IpAddr::from([203, 0, 113, 9]))));
        let start = ANSWER.find("<association>").unwrap();
        let end = ANSWER.find("</association>").unwrap() + "</association>".len();
        assert_eq!(read(&(ANSWER[..start].to_owned() + &ANSWER[end..])), Ok(None));
        assert_eq!(read("<R><networkInterfaceSet/></R>"), Ok(None));
        assert_eq!(read("<R><networkInterfaceSet><item/></networkInterfaceSet></R>"), Ok(None));
    }

    #[test]
    fn odd_answers_are_errors_and_never_a_panic() {
        let bad = ANSWER.replace("203.0.113.9", "not an address");
        assert_eq!(read(&bad), Err("EC2 gives \"not an address\" as a public address".to_owned()));
        for length in (0..ANSWER.len()).filter(|at| ANSWER.is_char_boundary(*at)) {
            assert!(read(&ANSWER[..length]).is_err(), "cut at {length}");
        }
        let deep = "<a>".repeat(200_000);
        for odd in [
            "",
            "{}",
            "<html><body>502</body></html>",
            "<a",
            "<!DOCTYPE x [<!ENTITY e 'x'>]><a>&e;</a>",
            &deep,
        ] {
            assert!(read(odd).is_err(), "{}", &odd[..odd.len().min(40)]);
        }
    }

    #[test]
    fn the_places_of_subnets_are_read() {
        let item = |subnet: &str, zone: &str| {
            format!(
                "<item><subnetId>{subnet}</subnetId><state>available</state><vpcId>vpc-1</vpcId>\
                 <availabilityZone>{zone}</availabilityZone><tagSet/></item>"
            )
        };
        let body = format!(
            "<DescribeSubnetsResponse><requestId>r</requestId><subnetSet>{}{}</subnetSet>\
             </DescribeSubnetsResponse>",
            item("subnet-0a1", "eu-west-1a"),
            item("subnet-0b2", "eu-west-1b")
        );
        let found = places(&body).unwrap();
        let zones: Vec<&str> = found.iter().map(|place| place.zone.as_str()).collect();
        assert_eq!(zones, ["eu-west-1a", "eu-west-1b"]);
        assert_eq!(found[0].vpc, "vpc-1");
        assert!(places("<html>502</html>").is_err());
    }

    fn refused(status: u16, body: &str) -> CallError {
        refusal(status, body, &SharedMasker::default())
    }

    #[test]
    fn a_refusal_keeps_ec2s_own_words() {
        let body = "<?xml version=\"1.0\"?><Response><Errors><Error><Code>UnauthorizedOperation</Code>\
                    <Message>no &lt;right&gt;</Message></Error></Errors><RequestID>r-1</RequestID></Response>";
        assert_eq!(refused(403, body).to_string(), "UnauthorizedOperation: no <right>");
        assert_eq!(refused(403, body).request_id(), Some("r-1"));
        for odd in ["", "<html>Bad Gateway</html>", "<Response><Errors/></Response>"] {
            let error = refused(502, odd);
            assert_eq!(error.to_string(), "HTTP status 502: ");
            assert!(error.is_transient());
        }
    }
}
