//! How long resources of EFS are `creating` and `deleting`.

use std::time::Duration;

use crate::task_timing::TaskTiming;

/// Seconds until a file system is available.
///
/// Source: a log of Terraform in steampipe-plugin-aws pull request 426: 12 s with the client's own polling.
const FILE_SYSTEM_S: f64 = 10.0;
/// Seconds until an access point is available. No source names it; clients of AWS poll for it as well.
const ACCESS_POINT_S: f64 = 2.0;
/// Seconds until a mount target is available and its name is known.
///
/// Source: Amazon EFS User Guide, "Mounting on Amazon EC2 with a DNS name", which says to wait 90 s.
const MOUNT_TARGET_S: f64 = 90.0;
/// Seconds until something is gone. No source names it.
const DELETION_S: f64 = 10.0;

/// The delays of one cloud.
#[derive(Clone, Copy, Debug)]
pub struct StorageTiming {
    pub file_system: Duration,
    pub access_point: Duration,
    pub mount_target: Duration,
    pub deletion: Duration,
}

impl StorageTiming {
    /// The delays at the pace of the cloud's tasks.
    pub fn at(pace: TaskTiming) -> Self {
        let factor = match pace {
            TaskTiming::Instant => 0.0,
            TaskTiming::Measured { factor } => factor,
        };
        let scaled =
            |seconds: f64| Duration::try_from_secs_f64(seconds * factor).unwrap_or(Duration::ZERO);
        Self {
            file_system: scaled(FILE_SYSTEM_S),
            access_point: scaled(ACCESS_POINT_S),
            mount_target: scaled(MOUNT_TARGET_S),
            deletion: scaled(DELETION_S),
        }
    }
}
