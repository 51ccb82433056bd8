//! VPC endpoints: the private ways to services of AWS.
//!
//! Source: Amazon EC2 API Reference, `DescribeVpcEndpoints` and `VpcEndpoint`.

use serde::Deserialize;

use super::ec2_pages::{Ec2Filter, Ec2Items, Ec2ListAnswer};
use crate::account::AwsAccount;
use crate::call::CallError;

const RIGHT: &str = "ec2:DescribeVpcEndpoints";

/// A VPC endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VpcEndpoint {
    /// The id.
    pub id: String,
    /// The VPC.
    pub vpc: String,
    /// The service: `com.amazonaws.REGION.ecr.api`.
    pub service: String,
    /// Of which kind it is.
    pub kind: EndpointKind,
    /// Its state: `available` if it can be used.
    pub state: String,
    /// Whether the usual name of the service leads to it.
    pub has_private_dns: bool,
    /// The route tables that lead to a gateway.
    pub route_tables: Vec<String>,
    /// The subnets in which an interface has addresses.
    pub subnets: Vec<String>,
    /// The security groups of an interface.
    pub groups: Vec<String>,
    /// What it lets pass to the service: a policy. `None` if EC2 shows none, and then all passes.
    pub policy: Option<String>,
}

/// Of which kind an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    /// Network interfaces in subnets.
    Interface,
    /// A route.
    Gateway,
    /// Another kind.
    Other,
}

impl AwsAccount {
    /// All endpoints of these VPCs.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if EC2 refuses the call, or if no usable answer comes.
    pub async fn vpc_endpoints(&self, vpcs: &[String]) -> Result<Vec<VpcEndpoint>, CallError> {
        let filter = Ec2Filter { name: "vpc-id", values: vpcs };
        let found = self.ec2_list::<VpcEndpointsAnswer>(RIGHT, filter).await?;
        Ok(found.into_iter().map(VpcEndpointEntry::read).collect())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VpcEndpointsAnswer {
    #[serde(default)]
    vpc_endpoint_set: Ec2Items<VpcEndpointEntry>,
    next_token: Option<String>,
}

impl Ec2ListAnswer for VpcEndpointsAnswer {
    type Entry = VpcEndpointEntry;
    fn into_page(self) -> (Vec<Self::Entry>, Option<String>) {
        (self.vpc_endpoint_set.items, self.next_token)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VpcEndpointEntry {
    vpc_endpoint_id: String,
    #[serde(default)]
    vpc_id: String,
    #[serde(default)]
    service_name: String,
    #[serde(default)]
    vpc_endpoint_type: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    private_dns_enabled: bool,
    #[serde(default)]
    route_table_id_set: Ec2Items<String>,
    #[serde(default)]
    subnet_id_set: Ec2Items<String>,
    #[serde(default)]
    group_set: Ec2Items<EndpointGroupEntry>,
    policy_document: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointGroupEntry {
    #[serde(default)]
    group_id: String,
}

impl VpcEndpointEntry {
    fn read(self) -> VpcEndpoint {
        let kind = match self.vpc_endpoint_type.as_str() {
            "Interface" => EndpointKind::Interface,
            // Without the element it is a gateway, as in the request that makes one.
            "Gateway" | "" => EndpointKind::Gateway,
            _ => EndpointKind::Other,
        };
        VpcEndpoint {
            id: self.vpc_endpoint_id,
            vpc: self.vpc_id,
            service: self.service_name,
            kind,
            // EC2 documents `available` and answers with `Available` in places.
            state: self.state.to_ascii_lowercase(),
            has_private_dns: self.private_dns_enabled,
            route_tables: self.route_table_id_set.items,
            subnets: self.subnet_id_set.items,
            groups: self.group_set.items.into_iter().map(|it| it.group_id).collect(),
            policy: self.policy_document.filter(|policy| !policy.trim().is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ec2_pages::parsed;
    use super::*;

    #[test]
    fn both_kinds_of_endpoints_are_read() {
        let body = "<R><vpcEndpointSet><item><vpcEndpointId>vpce-1</vpcEndpointId><vpcEndpointType>Interface\
            </vpcEndpointType><vpcId>vpc-1</vpcId><serviceName>com.amazonaws.eu-west-1.logs</serviceName>\
            <state>available</state><routeTableIdSet/><subnetIdSet><item>subnet-1</item><item>subnet-2</item>\
            </subnetIdSet><groupSet><item><groupId>sg-1</groupId><groupName>x</groupName></item></groupSet>\
            <privateDnsEnabled>true</privateDnsEnabled></item><item><vpcEndpointId>vpce-2</vpcEndpointId>\
            <vpcEndpointType>Gateway</vpcEndpointType><vpcId>vpc-1</vpcId><serviceName>\
            com.amazonaws.eu-west-1.s3</serviceName><state>Available</state><routeTableIdSet><item>rtb-1</item>\
            </routeTableIdSet><policyDocument>{&quot;Statement&quot;:[]}</policyDocument></item>\
            </vpcEndpointSet></R>";
        let answer: VpcEndpointsAnswer = parsed(body).unwrap();
        let found: Vec<_> = answer.into_page().0.into_iter().map(VpcEndpointEntry::read).collect();
        assert_eq!(found[0].kind, EndpointKind::Interface);
        assert_eq!(found[0].subnets, ["subnet-1", "subnet-2"]);
        assert_eq!(
            (found[0].has_private_dns, found[0].groups.as_slice()),
            (true, ["sg-1".to_owned()].as_slice())
        );
        assert_eq!(found[1].kind, EndpointKind::Gateway);
        assert_eq!((found[1].state.as_str(), found[1].route_tables.len()), ("available", 1));
        assert_eq!(found[0].policy, None);
        assert_eq!(found[1].policy.as_deref(), Some(r#"{"Statement":[]}"#));
    }
}
