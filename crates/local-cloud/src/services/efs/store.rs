//! What EFS keeps, by Region: file systems, access points and mount targets. It forgets what is gone by the cloud's
//! clock, and knows nothing of the files.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use super::access_point::AccessPoint;
use super::errors;
use super::file_system::FileSystem;
use super::mount_target::MountTarget;
use super::storage_id::StorageKind;
use super::storage_timing::StorageTiming;
use crate::cloud::CloudInstance;
use crate::services::context::RequestContext;
use crate::task_timing::TaskTiming;
use crate::wire::exception::ServiceException;

/// All resources of one cloud.
pub(crate) struct StorageStore {
    regions: Mutex<BTreeMap<String, RegionStorage>>,
    pub timing: StorageTiming,
}

/// The resources of one Region, each by its id, in the order in which they were made.
#[derive(Default)]
pub struct RegionStorage {
    pub file_systems: Vec<FileSystem>,
    pub access_points: Vec<AccessPoint>,
    pub mount_targets: Vec<MountTarget>,
}

impl StorageStore {
    /// Without resources. States last as long as the pace of the cloud's tasks says.
    pub fn new(pace: TaskTiming) -> Self {
        Self { regions: Mutex::default(), timing: StorageTiming::at(pace) }
    }

    /// Reads or changes the resources of a Region, under the lock.
    pub fn with_region<T>(
        cloud: &CloudInstance,
        region: &str,
        change: impl FnOnce(&mut RegionStorage, &StorageTiming) -> T,
    ) -> T {
        let store = cloud.states.of::<Self>();
        let mut regions = store.lock();
        let storage = regions.entry(region.to_owned()).or_default();
        storage.forget_deleted(cloud.clock.now());
        change(storage, &store.timing)
    }

    /// As [`StorageStore::with_region`], for the Region of a request.
    pub fn with<T>(
        context: &RequestContext<'_>,
        change: impl FnOnce(&mut RegionStorage, &StorageTiming) -> T,
    ) -> T {
        Self::with_region(context.cloud, context.region, change)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, RegionStorage>> {
        self.regions.lock().expect("no one panics while holding the resources")
    }
}

impl RegionStorage {
    /// The file system, if the caller has the right `right` for it. As AWS does, the right is checked before it is
    /// said whether the file system exists.
    pub fn file_system(
        &mut self,
        context: &RequestContext<'_>,
        right: &str,
        id: &str,
    ) -> Result<&mut FileSystem, ServiceException> {
        context.allowed(right, Some(&StorageKind::FileSystem.arn(context.region, id)))?;
        let found = self.file_systems.iter_mut().find(|one| one.id == id);
        found.ok_or_else(|| errors::no_file_system(id))
    }

    /// As [`RegionStorage::file_system`], and it must be `available`.
    pub fn available_file_system(
        &mut self,
        context: &RequestContext<'_>,
        right: &str,
        id: &str,
    ) -> Result<&mut FileSystem, ServiceException> {
        let found = self.file_system(context, right, id)?;
        match found.life_cycle.state(context.now) {
            "available" => Ok(found),
            state => Err(errors::file_system_state(id, state)),
        }
    }

    /// The access point, if the caller has the right for it.
    pub fn access_point(
        &mut self,
        context: &RequestContext<'_>,
        right: &str,
        id: &str,
    ) -> Result<&mut AccessPoint, ServiceException> {
        context.allowed(right, Some(&StorageKind::AccessPoint.arn(context.region, id)))?;
        let found = self.access_points.iter_mut().find(|one| one.id == id);
        found.ok_or_else(|| errors::no_access_point(id))
    }

    /// The mount target, if the caller has the right for its file system.
    pub fn mount_target(
        &mut self,
        context: &RequestContext<'_>,
        right: &str,
        id: &str,
    ) -> Result<&mut MountTarget, ServiceException> {
        let found = self.mount_targets.iter_mut().find(|one| one.id == id);
        let arn = match &found {
            Some(target) => StorageKind::FileSystem.arn(context.region, &target.file_system),
            None => "*".to_owned(),
        };
        context.allowed(right, Some(&arn))?;
        found.ok_or_else(|| errors::no_mount_target(id))
    }

    /// How many mount targets a file system has.
    pub fn count_mount_targets(&self, file_system: &str) -> usize {
        self.mount_targets.iter().filter(|target| target.file_system == file_system).count()
    }

    fn forget_deleted(&mut self, now: SystemTime) {
        self.file_systems.retain(|one| !one.life_cycle.is_gone(now));
        let systems = &self.file_systems;
        let exists = |id: &str| systems.iter().any(|one| one.id == id);
        self.access_points.retain(|one| exists(&one.file_system) && !one.life_cycle.is_gone(now));
        self.mount_targets.retain(|one| exists(&one.file_system) && !one.life_cycle.is_gone(now));
    }
}
