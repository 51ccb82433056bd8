//! One mount target: the address of a file system in one zone.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::storage_life_cycle::StorageLifeCycle;
use crate::account::ACCOUNT;
use crate::seed::VPC;

/// One mount target.
#[derive(Clone, Debug)]
pub struct MountTarget {
    pub id: String,
    pub file_system: String,
    pub subnet: String,
    /// The last letter of the zone.
    pub zone: char,
    pub region: String,
    pub address: String,
    pub interface: String,
    pub security_groups: Vec<String>,
    pub life_cycle: StorageLifeCycle,
}

impl MountTarget {
    /// How the API shows it.
    pub fn view(&self, now: SystemTime) -> Value {
        json!({
            "OwnerId": ACCOUNT,
            "MountTargetId": self.id,
            "FileSystemId": self.file_system,
            "SubnetId": self.subnet,
            "LifeCycleState": self.life_cycle.state(now),
            "IpAddress": self.address,
            "NetworkInterfaceId": self.interface,
            "AvailabilityZoneId": zone_id(&self.region, self.zone),
            "AvailabilityZoneName": format!("{}{}", self.region, self.zone),
            "VpcId": VPC,
        })
    }
}

/// The id of a zone, `euw1-az1` for the zone a of `eu-west-1`. In an account of AWS a letter can belong to any number.
fn zone_id(region: &str, zone: char) -> String {
    let number = u32::from(zone) - u32::from('a') + 1;
    let short: String = match region.split('-').collect::<Vec<_>>().as_slice() {
        [area, side, count] => {
            let side = side.replace("north", "n").replace("south", "s");
            let side = side.replace("east", "e").replace("west", "w").replace("central", "c");
            format!("{area}{side}{count}")
        }
        parts => parts.concat(),
    };
    format!("{short}-az{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_has_the_short_name_of_its_region_and_a_number() {
        assert_eq!(zone_id("eu-west-1", 'a'), "euw1-az1");
        assert_eq!(zone_id("ap-southeast-2", 'b'), "apse2-az2");
    }
}
