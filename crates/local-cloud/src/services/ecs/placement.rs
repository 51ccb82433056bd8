//! Where the tasks of a request may be placed: the subnets and security groups that it names.

use super::shape::common::AwsvpcConfiguration;
use crate::network::CloudSubnet;
use crate::services::ec2::network::RegionNetwork;
use crate::wire::exception::ServiceException;

/// Subnets of one request. Source: Amazon ECS API Reference, `AwsVpcConfiguration`.
const MAX_SUBNETS: usize = 16;
/// Security groups of one request. Source: as above.
const MAX_SECURITY_GROUPS: usize = 5;

/// The subnets that a request allows, in its order.
pub fn places(
    network: &RegionNetwork,
    asked: &AwsvpcConfiguration,
) -> Result<Vec<CloudSubnet>, ServiceException> {
    let subnets = asked.subnets.as_deref().unwrap_or_default();
    if subnets.is_empty() {
        return Err(ServiceException::parameter("subnets can not be empty."));
    }
    if subnets.len() > MAX_SUBNETS {
        return Err(ServiceException::parameter(format!(
            "subnets can have at most {MAX_SUBNETS} items."
        )));
    }
    let groups = asked.security_groups.as_deref().unwrap_or_default();
    if groups.len() > MAX_SECURITY_GROUPS {
        return Err(ServiceException::parameter(format!(
            "securityGroups can have at most {MAX_SECURITY_GROUPS} items."
        )));
    }
    match asked.assign_public_ip.as_deref() {
        None | Some("ENABLED" | "DISABLED") => {}
        Some(_) => {
            return Err(ServiceException::parameter(
                "AssignPublicIp must be either ENABLED or DISABLED.",
            ));
        }
    }
    for group in groups {
        check_group(network, group)?;
    }
    subnets.iter().map(|subnet| place(network, subnet, subnets)).collect()
}

fn place(
    network: &RegionNetwork,
    subnet: &str,
    all: &[String],
) -> Result<CloudSubnet, ServiceException> {
    network.subnet(subnet).ok_or_else(|| {
        ServiceException::parameter(format!(
            "Error retrieving subnet information for [{}]: The subnet ID '{subnet}' does not \
             exist (ErrorCode: InvalidSubnetID.NotFound)",
            all.join(", ")
        ))
    })
}

fn check_group(network: &RegionNetwork, group: &str) -> Result<(), ServiceException> {
    if network.has_security_group(group) {
        return Ok(());
    }
    Err(ServiceException::parameter(format!(
        "Error retrieving security group information for [{group}]: The security group \
         '{group}' does not exist (ErrorCode: InvalidGroup.NotFound)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{CloudNetwork, CloudSecurityGroup};

    fn asked(subnets: &[&str], groups: &[&str]) -> AwsvpcConfiguration {
        let owned = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect());
        AwsvpcConfiguration {
            subnets: owned(subnets),
            security_groups: owned(groups),
            assign_public_ip: None,
        }
    }

    #[test]
    fn an_open_network_takes_well_formed_ids_only() {
        let network = RegionNetwork::open();
        let good = asked(&["subnet-0123456789abcdef0"], &["sg-01234567"]);
        assert_eq!(places(&network, &good).expect("places").len(), 1);
        for (subnet, group) in [
            ("subnet-xyz", "sg-01234567"),
            ("sg-01234567", "sg-01234567"),
            ("subnet-01234567", "default"),
        ] {
            assert!(places(&network, &asked(&[subnet], &[group])).is_err(), "{subnet} {group}");
        }
    }

    #[test]
    fn a_furnished_network_says_which_subnet_or_group_is_missing() {
        let group = CloudSecurityGroup {
            id: "sg-0123456789abcdef0".to_owned(),
            name: "tasks".to_owned(),
            vpc: "vpc-01234567".to_owned(),
            ingress: Vec::new(),
            egress: Vec::new(),
        };
        let subnet = CloudSubnet::new("subnet-0123456789abcdef0", &group.vpc, 'b', "10.0.0.0/24");
        let network = RegionNetwork::described_by(CloudNetwork {
            subnets: vec![subnet],
            security_groups: vec![group],
            ..CloudNetwork::default()
        });
        let good = asked(&["subnet-0123456789abcdef0"], &["sg-0123456789abcdef0"]);
        let chosen = places(&network, &good).expect("places");
        assert_eq!(chosen[0].zone, 'b');
        let wrong = asked(&["subnet-0123456789abcdef0", "subnet-01234567"], &[]);
        insta::assert_snapshot!(
            places(&network, &wrong).unwrap_err().message,
            @"Error retrieving subnet information for [subnet-0123456789abcdef0, subnet-01234567]: The subnet ID 'subnet-01234567' does not exist (ErrorCode: InvalidSubnetID.NotFound)"
        );
        let wrong = asked(&["subnet-0123456789abcdef0"], &["sg-01234567"]);
        insta::assert_snapshot!(
            places(&network, &wrong).unwrap_err().message,
            @"Error retrieving security group information for [sg-01234567]: The security group 'sg-01234567' does not exist (ErrorCode: InvalidGroup.NotFound)"
        );
    }

    #[test]
    fn the_numbers_of_subnets_and_groups_are_limited() {
        let network = RegionNetwork::open();
        let subnets = vec!["subnet-01234567"; 17];
        assert!(places(&network, &asked(&subnets, &[])).is_err());
        assert!(places(&network, &asked(&subnets[..16], &["sg-01234567"; 6])).is_err());
        assert!(places(&network, &asked(&subnets[..16], &["sg-01234567"; 5])).is_ok());
        assert!(places(&network, &asked(&[], &[])).is_err());
    }
}
