//! Makes what is missing on a file system, and waits until it can be used.
//!
//! The order is safe wherever it is interrupted: access points, then the policy, then mount targets,
//! without which nobody mounts. A further run finds what an earlier one has made, and makes no second
//! one. Nothing is deleted, and no statement of others is changed.

use std::time::Duration;

use fargate_aws::{EFS_AVAILABLE, SubnetPlace, retry};
use fargate_fail_point::FailPoint;
use fargate_model::backoff::RetryBackoff;
use fargate_model::text::duration;
use tokio::time::{Instant, sleep};

use crate::made_access_point::MadeAccessPoint;
use crate::storage_error::StorageError;
use crate::storage_plan::StorageStep;
use crate::storage_site::{FileSystemState, is_exception};

/// How long something new may take to become available. Source for mount targets: Amazon EFS User Guide,
/// "Mounting on Amazon EC2 with a DNS name", which says to wait 90 s; the rest is ours.
pub const AVAILABLE_WITHIN: Duration = Duration::from_mins(10);
/// Between two looks at what is being made.
const FIRST_LOOK: Duration = Duration::from_millis(200);
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyProgress {
    /// Something is done.
    Done(String),
    /// It waits for something.
    Waiting {
        /// For what.
        what: String,
        /// What it is now.
        state: String,
    },
}

impl FileSystemState {
    /// Makes what is missing. Returns the file system as it is afterwards.
    ///
    /// # Errors
    ///
    /// [`StorageError`]. What is made by then stays, and a further run goes on.
    pub async fn apply(&self, told: &mut impl FnMut(ApplyProgress)) -> Result<Self, StorageError> {
        let now = self.make_access_points(told).await?;
        now.put_policy(self.policy_text.as_deref(), told).await?;
        now.make_mount_targets(told).await?;
        now.read_again().await
    }

    async fn make_access_points(
        &self,
        told: &mut impl FnMut(ApplyProgress),
    ) -> Result<Self, StorageError> {
        let wanted: Vec<MadeAccessPoint> =
            self.wanted.volumes.iter().flat_map(|volume| volume.access_points()).collect();
        for point in wanted.iter().filter(|point| self.alive(point).next().is_none()) {
            let new = point.to_make();
            let made = retry(self.deadline(), || self.client.create_access_point(&new)).await;
            made.map_err(StorageError::call(format!(
                "making the access point of {}",
                point.root()
            )))?;
            FailPoint::AccessPointAsked.reached();
        }
        let state = self.until("the access points", told, |now| {
            let missing = wanted.iter().find_map(|point| {
                let Some(found) = now.alive(point).next() else {
                    return Some((point.root().to_owned(), "not listed yet".to_owned()));
                };
                (found.state != EFS_AVAILABLE).then(|| (found.id.clone(), found.state.clone()))
            });
            Ok(missing)
        });
        let now = state.await?;
        for point in wanted.iter().filter(|point| self.alive(point).next().is_none()) {
            let ids: Vec<&str> = now.alive(point).map(|found| found.id.as_str()).collect();
            told(ApplyProgress::Done(format!(
                "access point {} of the volume `{}` for {}",
                ids.join(", "),
                point.volume,
                point.owner
            )));
        }
        Ok(now)
    }

    /// Puts the policy, unless it is right, or somebody changed it since it was shown.
    async fn put_policy(
        &self,
        shown: Option<&str>,
        told: &mut impl FnMut(ApplyProgress),
    ) -> Result<(), StorageError> {
        let step = self.plan()?.steps.into_iter().find_map(|step| match step {
            StorageStep::PutPolicy { policy, .. } => Some(policy),
            _ => None,
        });
        let Some(policy) = step else { return Ok(()) };
        let id = &self.wanted.id;
        if self.policy_text.as_deref() != shown {
            return Err(StorageError::setting(format!(
                "somebody changed the policy of {id} meanwhile; look at it again: `fargate-runner efs plan`"
            )));
        }
        let put = retry(self.deadline(), || self.client.put_policy(id, &policy)).await;
        put.map_err(StorageError::call(format!("writing the policy of {id}")))?;
        FailPoint::StoragePolicyPut.reached();
        told(ApplyProgress::Done(format!("policy of {id}")));
        Ok(())
    }

    async fn make_mount_targets(
        &self,
        told: &mut impl FnMut(ApplyProgress),
    ) -> Result<(), StorageError> {
        let steps = self.plan()?.steps;
        let mut zones: Vec<String> = Vec::new();
        for step in steps {
            match step {
                StorageStep::MakeMountTarget { place, groups } => {
                    self.make_mount_target(&place, &groups).await?;
                    zones.push(place.zone);
                }
                StorageStep::AwaitMountTarget { zone, .. } => zones.push(zone),
                _ => {}
            }
        }
        if zones.is_empty() {
            return Ok(());
        }
        let now = self.until("the mount targets", told, |now| {
            for zone in &zones {
                let found = now.targets.iter().find(|one| one.zone.as_ref() == Some(zone));
                match found {
                    None => return Ok(Some((zone.clone(), "not listed yet".to_owned()))),
                    Some(one) if one.state == "error" => {
                        let text = format!("the mount target {} of {zone} failed", one.id);
                        return Err(StorageError::setting(text));
                    }
                    Some(one) if one.state != EFS_AVAILABLE => {
                        return Ok(Some((format!("{} of {zone}", one.id), one.state.clone())));
                    }
                    Some(_) => {}
                }
            }
            Ok(None)
        });
        let now = now.await?;
        for zone in zones {
            let found = now.targets.iter().find(|one| one.zone.as_ref() == Some(&zone));
            let id = found.map_or("", |one| one.id.as_str());
            told(ApplyProgress::Done(format!("mount target {id} of {zone}")));
        }
        Ok(())
    }

    async fn make_mount_target(
        &self,
        place: &SubnetPlace,
        groups: &[String],
    ) -> Result<(), StorageError> {
        let (id, subnet) = (&self.wanted.id, &place.subnet);
        let made =
            retry(self.deadline(), || self.client.create_mount_target(id, subnet, groups)).await;
        let made = match made {
            // An earlier call of ours whose answer was lost, or somebody else: then the zone has one.
            Err(error) if is_exception(&error, "MountTargetConflict") => {
                self.is_served(place).await.then_some(()).ok_or(error)
            }
            other => other,
        };
        made.map_err(StorageError::call(format!("making a mount target of {id} in {subnet}")))?;
        FailPoint::MountTargetAsked.reached();
        Ok(())
    }

    async fn is_served(&self, place: &SubnetPlace) -> bool {
        let targets = retry(self.deadline(), || self.client.mount_targets(&self.wanted.id)).await;
        let targets = targets.unwrap_or_default();
        targets.iter().any(|one| one.zone.as_ref() == Some(&place.zone))
    }

    /// Looks again until nothing is missing any more.
    async fn until(
        &self,
        what: &str,
        told: &mut impl FnMut(ApplyProgress),
        missing: impl Fn(&Self) -> Result<Option<(String, String)>, StorageError>,
    ) -> Result<Self, StorageError> {
        let begun = Instant::now();
        let mut pauses = RetryBackoff::doubling(FIRST_LOOK, LONGEST_LOOK);
        loop {
            let now = self.read_again().await?;
            let Some((which, state)) = missing(&now)? else { return Ok(now) };
            if begun.elapsed() >= AVAILABLE_WITHIN {
                let waited = duration(AVAILABLE_WITHIN);
                return Err(StorageError::TooLate { what: which, waited, state });
            }
            told(ApplyProgress::Waiting { what: format!("{what}: {which}"), state });
            sleep(pauses.next_pause()).await;
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.limit
    }
}
