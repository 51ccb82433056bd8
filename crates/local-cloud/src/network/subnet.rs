//! Subnets: where they are, and how many addresses they have left.

use crate::backend::container::SubnetAddressFamily;

/// A subnet in which tasks are placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudSubnet {
    /// `subnet-` and hexadecimal digits.
    pub subnet: String,
    /// Its VPC.
    pub vpc: String,
    /// The last letter of the availability zone.
    pub zone: char,
    /// Which addresses its tasks have.
    pub family: SubnetAddressFamily,
    /// Its addresses, of its family.
    pub cidr: String,
    /// The addresses that are free while no task runs in it.
    pub free_addresses: usize,
    /// Whether an instance gets a public address if nobody says otherwise.
    pub maps_public_addresses: bool,
}

impl CloudSubnet {
    /// A subnet for IPv4 with the 251 free addresses of a new `/24`.
    #[must_use]
    pub fn new(subnet: &str, vpc: &str, zone: char, cidr: &str) -> Self {
        Self {
            subnet: subnet.to_owned(),
            vpc: vpc.to_owned(),
            zone,
            family: SubnetAddressFamily::Four,
            cidr: cidr.to_owned(),
            free_addresses: 251,
            maps_public_addresses: false,
        }
    }

    /// The names by which fault rules know it in `region`: the subnet and the availability zone.
    pub(crate) fn named(&self, region: &str) -> [String; 2] {
        [self.subnet.clone(), format!("{region}{}", self.zone)]
    }
}
