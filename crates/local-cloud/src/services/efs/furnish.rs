//! A file system as the owner of a cloud adds one, without a request: with the id that a test knows before.

use super::file_system::FileSystem;
use super::mount_target::MountTarget;
use super::storage_id::StorageKind;
use super::storage_life_cycle::StorageLifeCycle;
use super::storage_tags::StorageTags;
use super::store::StorageStore;
use crate::backend::container::SubnetAddressFamily;
use crate::cloud::CloudInstance;
use crate::random_id;
use crate::seed::{FILE_SYSTEM_GROUP, SUBNETS};
use crate::services::ec2::network::RegionNetwork;

/// Adds the file system, available and with a mount target in each zone of the first subnets, unless it exists.
pub(crate) fn add_file_system(cloud: &CloudInstance, region: &str, id: &str) {
    let ready = StorageLifeCycle::created(cloud.clock.now(), std::time::Duration::ZERO);
    let network = cloud.states.of::<RegionNetwork>();
    let places = SUBNETS.iter().filter_map(|subnet| network.subnet(subnet));
    StorageStore::with_region(cloud, region, |storage, _| {
        if storage.file_systems.iter().any(|one| one.id == id) {
            return;
        }
        storage.file_systems.push(FileSystem {
            id: id.to_owned(),
            arn: StorageKind::FileSystem.arn(region, id),
            creation_token: id.to_owned(),
            created: cloud.clock.now(),
            life_cycle: ready,
            performance_mode: "generalPurpose".to_owned(),
            throughput_mode: "bursting".to_owned(),
            encrypted: false,
            kms_key_id: None,
            zone: None,
            tags: StorageTags::default(),
            policy: None,
        });
        for (n, place) in
            places.filter(|place| place.family == SubnetAddressFamily::Four).enumerate()
        {
            storage.mount_targets.push(MountTarget {
                id: StorageKind::MountTarget.draw(),
                file_system: id.to_owned(),
                subnet: place.subnet,
                zone: place.zone,
                region: region.to_owned(),
                address: format!("10.1.0.{}", n + 4),
                interface: format!("eni-{}", random_id::hex_digits(17)),
                security_groups: vec![FILE_SYSTEM_GROUP.to_owned()],
                life_cycle: ready,
            });
        }
    });
}
