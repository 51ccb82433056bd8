//! Subnets and security groups: which there are, and in which zone. No routes, no rules.

use std::collections::BTreeMap;

use super::address::SubnetAddressFamily;
use crate::wire::exception::ServiceException;
use crate::wire::shape::common::AwsvpcConfiguration;

/// Subnets of one request. Source: Amazon ECS API Reference, `AwsVpcConfiguration`.
const MAX_SUBNETS: usize = 16;
/// Security groups of one request. Source: as above.
const MAX_SECURITY_GROUPS: usize = 5;

/// The network of one Region; all of it is one VPC.
#[derive(Clone, Debug, Default)]
pub struct RegionNetwork {
    /// By id.
    subnets: BTreeMap<String, CloudSubnet>,
    security_groups: Vec<String>,
    /// Every well-formed id exists.
    open: bool,
}

/// Where a task is placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudSubnet {
    pub subnet: String,
    /// The last letter of the availability zone.
    pub zone: char,
    pub family: SubnetAddressFamily,
}

impl RegionNetwork {
    /// A network in which every well-formed id exists.
    pub fn open() -> Self {
        Self { open: true, ..Self::default() }
    }

    pub fn add_subnet(&mut self, id: &str, zone: char, family: SubnetAddressFamily) {
        let subnet = CloudSubnet { subnet: id.to_owned(), zone, family };
        self.subnets.insert(id.to_owned(), subnet);
    }

    /// The subnets of these ids, all known ones for none; the first id that is not known.
    pub fn subnets(&self, ids: &[String]) -> Result<Vec<CloudSubnet>, String> {
        if ids.is_empty() {
            return Ok(self.subnets.values().cloned().collect());
        }
        ids.iter().map(|id| self.known(id).ok_or_else(|| id.clone())).collect()
    }

    pub fn add_security_group(&mut self, id: &str) {
        self.security_groups.push(id.to_owned());
    }

    /// The places that a request allows, in its order.
    pub fn places(
        &self,
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
            self.check_group(group)?;
        }
        subnets.iter().map(|subnet| self.place(subnet, subnets)).collect()
    }

    fn place(&self, subnet: &str, all: &[String]) -> Result<CloudSubnet, ServiceException> {
        self.known(subnet).ok_or_else(|| {
            ServiceException::parameter(format!(
                "Error retrieving subnet information for [{}]: The subnet ID '{subnet}' does not \
                 exist (ErrorCode: InvalidSubnetID.NotFound)",
                all.join(", ")
            ))
        })
    }

    fn known(&self, subnet: &str) -> Option<CloudSubnet> {
        let open = || {
            // Spread over three zones, the same subnet always in the same one.
            let sum: u32 = subnet.bytes().map(u32::from).sum();
            let zone = ['a', 'b', 'c'][usize::try_from(sum % 3).expect("0 to 2")];
            CloudSubnet { subnet: subnet.to_owned(), zone, family: SubnetAddressFamily::Four }
        };
        let known = self.subnets.get(subnet).cloned();
        known.or_else(|| (self.open && is_id(subnet, "subnet-")).then(open))
    }

    fn check_group(&self, group: &str) -> Result<(), ServiceException> {
        let known = self.security_groups.iter().any(|known| known == group);
        if known || self.open && is_id(group, "sg-") {
            return Ok(());
        }
        Err(ServiceException::parameter(format!(
            "Error retrieving security group information for [{group}]: The security group \
             '{group}' does not exist (ErrorCode: InvalidGroup.NotFound)"
        )))
    }
}

/// `prefix` and 8 or 17 hexadecimal digits.
pub fn is_id(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    [8, 17].contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(network.places(&good).expect("places").len(), 1);
        for (subnet, group) in [
            ("subnet-xyz", "sg-01234567"),
            ("sg-01234567", "sg-01234567"),
            ("subnet-01234567", "default"),
        ] {
            assert!(network.places(&asked(&[subnet], &[group])).is_err(), "{subnet} {group}");
        }
    }

    #[test]
    fn a_furnished_network_says_which_subnet_or_group_is_missing() {
        let mut network = RegionNetwork::default();
        network.add_subnet("subnet-0123456789abcdef0", 'b', SubnetAddressFamily::Four);
        network.add_security_group("sg-0123456789abcdef0");
        let good = asked(&["subnet-0123456789abcdef0"], &["sg-0123456789abcdef0"]);
        let places = network.places(&good).expect("places");
        assert_eq!(places[0].zone, 'b');
        let wrong = asked(&["subnet-0123456789abcdef0", "subnet-01234567"], &[]);
        insta::assert_snapshot!(
            network.places(&wrong).unwrap_err().message,
            @"Error retrieving subnet information for [subnet-0123456789abcdef0, subnet-01234567]: The subnet ID 'subnet-01234567' does not exist (ErrorCode: InvalidSubnetID.NotFound)"
        );
        let wrong = asked(&["subnet-0123456789abcdef0"], &["sg-01234567"]);
        insta::assert_snapshot!(
            network.places(&wrong).unwrap_err().message,
            @"Error retrieving security group information for [sg-01234567]: The security group 'sg-01234567' does not exist (ErrorCode: InvalidGroup.NotFound)"
        );
    }

    #[test]
    fn the_numbers_of_subnets_and_groups_are_limited() {
        let network = RegionNetwork::open();
        let subnets = vec!["subnet-01234567"; 17];
        assert!(network.places(&asked(&subnets, &[])).is_err());
        assert!(network.places(&asked(&subnets[..16], &["sg-01234567"; 6])).is_err());
        assert!(network.places(&asked(&subnets[..16], &["sg-01234567"; 5])).is_ok());
        assert!(network.places(&asked(&[], &[])).is_err());
    }
}
