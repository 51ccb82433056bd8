//! `CreateFileSystem`.

use super::errors;
use super::file_system::FileSystem;
use super::storage_checks;
use super::storage_id::StorageKind;
use super::storage_life_cycle::StorageLifeCycle;
use super::storage_tags::{StorageTag, StorageTags};
use super::store::StorageStore;
use crate::account::ACCOUNT;
use crate::random_id;
use crate::services::context::{ActionResult, RequestContext};
use crate::services::definition::JsonRequest;
use crate::wire::exception::ServiceException;
use crate::wire::member::shapes;

/// File systems of an account in one Region. Source: Amazon EFS User Guide, "Quotas".
const MAX_FILE_SYSTEMS: usize = 1000;

shapes! {
    CreateFileSystem {
        creation_token: String = "CreationToken",
        performance_mode: String = "PerformanceMode",
        encrypted: bool = "Encrypted",
        kms_key_id: String = "KmsKeyId",
        throughput_mode: String = "ThroughputMode",
        availability_zone_name: String = "AvailabilityZoneName",
        backup: bool = "Backup",
        tags: Vec<StorageTag> = "Tags",
    }
}

impl JsonRequest for CreateFileSystem {
    fn perform(self, context: &RequestContext<'_>) -> ActionResult {
        let token = storage_checks::token(self.creation_token.as_ref(), "CreationToken")?;
        let performance = self.performance_mode.as_deref().unwrap_or("generalPurpose");
        storage_checks::one_of(performance, "PerformanceMode", &["generalPurpose", "maxIO"])?;
        let throughput = self.throughput_mode.as_deref().unwrap_or("bursting");
        storage_checks::one_of(throughput, "ThroughputMode", &["bursting", "elastic"])?;
        let zone = self.availability_zone_name.clone();
        check_zone(context.region, zone.as_deref())?;
        let encrypted = self.encrypted == Some(true);
        if self.kms_key_id.is_some() && !encrypted {
            return Err(errors::bad_request("KmsKeyId needs Encrypted to be true."));
        }
        let tags = StorageTags::default().with(self.tags.clone())?;
        StorageStore::with(context, |storage, timing| {
            if let Some(other) = storage.file_systems.iter().find(|o| o.creation_token == token) {
                return Err(errors::file_system_exists(&other.id, token));
            }
            if storage.file_systems.len() >= MAX_FILE_SYSTEMS {
                return Err(errors::too_many_file_systems(MAX_FILE_SYSTEMS));
            }
            let id = StorageKind::FileSystem.draw();
            let made = FileSystem {
                arn: StorageKind::FileSystem.arn(context.region, &id),
                id,
                creation_token: token.to_owned(),
                created: context.now,
                life_cycle: StorageLifeCycle::created(context.now, timing.file_system),
                performance_mode: performance.to_owned(),
                throughput_mode: throughput.to_owned(),
                encrypted,
                kms_key_id: encrypted.then(|| key_arn(self.kms_key_id.as_deref(), context)),
                zone,
                tags,
                policy: None,
            };
            // As EFS answers, the state is `creating` even where it lasts no time.
            let mut view = made.view(0, context.now);
            view["LifeCycleState"] = "creating".into();
            storage.file_systems.push(made);
            Ok(view)
        })
    }
}

/// The ARN of the key; without one, that of the key which AWS has for EFS.
fn key_arn(given: Option<&str>, context: &RequestContext<'_>) -> String {
    match given {
        Some(key) if key.starts_with("arn:") => key.to_owned(),
        Some(key) => key_with(key, context),
        None => key_with(&random_id::uuid(), context),
    }
}

fn key_with(key: &str, context: &RequestContext<'_>) -> String {
    format!("arn:{}:kms:{}:{ACCOUNT}:key/{key}", context.partition(), context.region)
}

/// A zone is the Region and one letter.
fn check_zone(region: &str, zone: Option<&str>) -> Result<(), ServiceException> {
    let Some(zone) = zone else { return Ok(()) };
    match zone.strip_prefix(region).map(str::as_bytes) {
        Some([b'a'..=b'c']) => Ok(()),
        _ => Err(errors::no_zone(zone)),
    }
}
