//! `CreateMountTarget`: one in each zone.

use std::net::Ipv4Addr;

use super::errors;
use super::mount_target::MountTarget;
use super::storage_id::StorageKind;
use super::storage_life_cycle::StorageLifeCycle;
use super::store::{RegionStorage, StorageStore};
use crate::backend::container::SubnetAddressFamily;
use crate::random_id;
use crate::seed::SECURITY_GROUP;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::services::ec2::network::RegionNetwork;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// Security groups of a mount target. Source: Amazon EFS User Guide, "Quotas".
const MAX_GROUPS: usize = 5;

shapes! {
    CreateMountTarget {
        file_system_id: String = "FileSystemId",
        subnet_id: String = "SubnetId",
        ip_address: String = "IpAddress",
        ip_address_type: String = "IpAddressType",
        security_groups: Vec<String> = "SecurityGroups",
    }
}

impl JsonRequest for CreateMountTarget {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let given = self.file_system_id.as_ref();
        let id = StorageKind::FileSystem.required(context.region, given, "FileSystemId")?;
        let address = self.ip_address.as_deref().map(address).transpose()?;
        StorageStore::with(context, |storage, timing| {
            let right = "elasticfilesystem:CreateMountTarget";
            let zone = storage.available_file_system(context, right, &id)?.zone.clone();
            let network = context.cloud.states.of::<RegionNetwork>();
            let subnet = self.subnet_id.as_deref().unwrap_or_default();
            let place = network.subnet(subnet).ok_or_else(|| errors::no_subnet(subnet))?;
            if place.family != SubnetAddressFamily::Four
                || self.ip_address_type.as_deref().is_some_and(|kind| kind != "IPV4_ONLY")
            {
                return Err(errors::bad_request(
                    "This local cloud has mount targets with IPv4 addresses alone: the subnet must have such \
                     addresses, and IpAddressType must be IPV4_ONLY.",
                ));
            }
            let named = format!("{}{}", context.region, place.zone);
            if let Some(only) = zone.filter(|only| *only != named) {
                return Err(errors::other_zone(&only));
            }
            let security_groups = security_groups(network, self.security_groups.clone())?;
            let mut targets = storage.mount_targets.iter();
            if targets.any(|other| other.file_system == id && other.zone == place.zone) {
                return Err(errors::zone_taken());
            }
            let made = MountTarget {
                id: StorageKind::MountTarget.draw(),
                file_system: id,
                subnet: place.subnet,
                zone: place.zone,
                region: context.region.to_owned(),
                address: free_address(storage, place.zone, address)?,
                interface: format!("eni-{}", random_id::hex_digits(17)),
                security_groups,
                life_cycle: StorageLifeCycle::created(context.now, timing.mount_target),
            };
            // As EFS answers, the state is `creating` even where it lasts no time.
            let mut view = made.view(context.now);
            view["LifeCycleState"] = "creating".into();
            storage.mount_targets.push(made);
            Ok(view)
        })
    }
}

/// Checks the groups of a mount target; without any it has the default group of the network.
pub fn security_groups(
    network: &RegionNetwork,
    given: Option<Vec<String>>,
) -> Result<Vec<String>, ServiceException> {
    let given = given.filter(|groups| !groups.is_empty());
    let Some(groups) = given else { return Ok(vec![SECURITY_GROUP.to_owned()]) };
    if groups.len() > MAX_GROUPS {
        return Err(errors::too_many_groups(MAX_GROUPS));
    }
    match groups.iter().find(|group| !network.has_security_group(group)) {
        Some(unknown) => Err(errors::no_security_group(unknown)),
        None => Ok(groups),
    }
}

fn address(given: &str) -> Result<Ipv4Addr, ServiceException> {
    let wrong = || errors::bad_request(format!("IpAddress '{given}' is no IPv4 address."));
    given.parse().map_err(|_| wrong())
}

/// The address that was asked for, or the first free one of the zone. Subnets here have no ranges of addresses, and
/// nothing listens at these: mounts do not go over the network.
fn free_address(
    storage: &RegionStorage,
    zone: char,
    asked: Option<Ipv4Addr>,
) -> Result<String, ServiceException> {
    let is_taken = |address: &str| storage.mount_targets.iter().any(|one| one.address == address);
    if let Some(asked) = asked {
        let asked = asked.to_string();
        return if is_taken(&asked) { Err(errors::address_in_use(&asked)) } else { Ok(asked) };
    }
    let block = u32::from(zone) - u32::from('a');
    let address = |n: u32| format!("10.0.{}.{}", block * 64 + n / 250, n % 250 + 4);
    let free = (0..250 * 64).map(address).find(|address| !is_taken(address));
    free.ok_or_else(|| ServiceException {
        status: 409,
        ..ServiceException::new("NoFreeAddressesInSubnet", "The subnet has no free addresses.")
    })
}
