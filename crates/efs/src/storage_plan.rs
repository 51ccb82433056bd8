//! What is missing on a file system, in the order in which it is made, and what a person should know.
//!
//! It calls nothing: it compares what is asked for with what was read.

use std::collections::BTreeSet;

use fargate_aws::{EFS_AVAILABLE, EfsAccessPoint, SubnetPlace};
use fargate_config::VolumeAccess;
use fargate_model::region::AwsPartition;

use crate::made_access_point::{FolderOwner, MadeAccessPoint};
use crate::mount_policy::{EVERYBODY, MountGrant, statements};
use crate::storage_error::StorageError;
use crate::storage_site::FileSystemState;
use crate::wanted_storage::{WantedVolume, groups};

/// One thing to do on a file system.
#[derive(Clone, Debug)]
pub enum StorageStep {
    /// Make an access point.
    MakeAccessPoint(MadeAccessPoint),
    /// Wait for an access point that somebody has just asked for.
    AwaitAccessPoint(String),
    /// Replace our statements of the policy.
    PutPolicy {
        /// The policy's text, in which an access point that is still to be made has a sentence in place
        /// of its ARN.
        policy: String,
        /// Whether there is none yet.
        is_first: bool,
        /// Whether it has statements of ours already.
        has_ours: bool,
    },
    /// Make a mount target.
    MakeMountTarget {
        /// The subnet.
        place: SubnetPlace,
        /// Its security groups; without any EFS takes the default group of the VPC.
        groups: Vec<String>,
    },
    /// Wait for a mount target that somebody has just asked for.
    AwaitMountTarget {
        /// Its id.
        id: String,
        /// Its zone.
        zone: String,
    },
}

/// What is to be done on one file system.
#[derive(Clone, Debug)]
pub struct FileSystemPlan {
    /// The file system.
    pub file_system: String,
    /// The steps, in the order in which they are safe: nobody can mount before the policy is there,
    /// because mount targets come last.
    pub steps: Vec<StorageStep>,
    /// What no step mends, and what keeps jobs from mounting.
    pub problems: Vec<String>,
    /// What a person should know.
    pub notices: Vec<String>,
}

impl StorageStep {
    /// What is done, and why, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        match self {
            Self::MakeAccessPoint(point) => format!(
                "make an access point for the volume `{}` and {}: folder {}; there is none",
                point.volume,
                point.owner,
                point.root()
            ),
            Self::AwaitAccessPoint(id) => format!("wait for the access point {id}, which is being made"),
            Self::PutPolicy { is_first: true, .. } => {
                "write a policy: there is none, so whoever reaches a mount target may mount everything"
                    .to_owned()
            }
            Self::PutPolicy { has_ours: false, .. } => {
                "add our statements to the policy: it has none of them".to_owned()
            }
            Self::PutPolicy { .. } => {
                "replace our statements of the policy: they differ from what the profiles ask for".to_owned()
            }
            Self::MakeMountTarget { place, groups } => format!(
                "make a mount target in {} of {}{}; the zone has none",
                place.subnet,
                place.zone,
                match groups.as_slice() {
                    [] => " with the default security group of the VPC".to_owned(),
                    groups => format!(" with {}", groups.join(", ")),
                }
            ),
            Self::AwaitMountTarget { id, zone } => {
                format!("wait for the mount target {id} of {zone}, which is being made")
            }
        }
    }
}

impl FileSystemState {
    /// Compares what is there with what is asked for.
    ///
    /// # Errors
    ///
    /// [`StorageError::Setting`] if the policy would be longer than EFS takes.
    pub fn plan(&self) -> Result<FileSystemPlan, StorageError> {
        let mut plan = FileSystemPlan {
            file_system: self.wanted.id.clone(),
            steps: Vec::new(),
            problems: Vec::new(),
            notices: Vec::new(),
        };
        for volume in &self.wanted.volumes {
            self.plan_access_points(volume, &mut plan);
        }
        self.plan_policy(&mut plan)?;
        self.plan_mount_targets(&mut plan);
        Ok(plan)
    }

    fn plan_access_points(&self, volume: &WantedVolume, plan: &mut FileSystemPlan) {
        let name = &volume.volume.name;
        if let VolumeAccess::Fixed(id) = volume.volume.access()
            && !self.points.iter().any(|point| point.id == id)
        {
            plan.problems.push(format!(
                "the volume `{name}` names the access point {id}, which {} does not have",
                self.wanted.id
            ));
        }
        for pattern in &volume.open_patterns {
            plan.notices.push(format!(
                "the volume `{name}` has a folder for each project, and `{pattern}` stands for many; name \
                 those that need one: `--project group/project`"
            ));
        }
        for wanted in volume.access_points() {
            let alive: Vec<&EfsAccessPoint> = self.alive(&wanted).collect();
            match alive.as_slice() {
                [] => {
                    let foreign = self.points.iter().filter(|point| wanted.has_our_tags(point));
                    plan.notices.extend(foreign.map(|point| format!(
                        "the access point {} has the tags of the volume `{name}` for {}, but another \
                         folder or user; no job uses it",
                        point.id, wanted.owner
                    )));
                    plan.steps.push(StorageStep::MakeAccessPoint(wanted));
                }
                [one] if one.state == EFS_AVAILABLE => {}
                [one] => plan.steps.push(StorageStep::AwaitAccessPoint(one.id.clone())),
                several => {
                    let ids: Vec<&str> = several.iter().map(|point| point.id.as_str()).collect();
                    plan.problems.push(format!(
                        "the volume `{name}` has {} access points for {}, so jobs take none: {}; delete \
                         all but one",
                        ids.len(), wanted.owner, ids.join(", ")
                    ));
                }
            }
        }
    }

    fn plan_policy(&self, plan: &mut FileSystemPlan) -> Result<(), StorageError> {
        let wanted = statements(&self.found.arn, &self.grants());
        let is_first = self.policy_text.is_none();
        if !self.policy.has(&wanted) {
            let policy = self.policy.with(&wanted).map_err(|length| StorageError::setting(format!(
                "the policy of {} would have {length} characters, and EFS takes {}; spread the projects \
                 over several file systems",
                self.wanted.id, crate::mount_policy::MAX_POLICY
            )))?;
            plan.steps.push(StorageStep::PutPolicy {
                policy,
                is_first,
                has_ours: !self.policy.ours().is_empty(),
            });
            if is_first {
                plan.notices.push(
                    "with a policy, servers that mount the file system today need an entry in `principals` \
                     or a statement of their own"
                        .to_owned(),
                );
            }
        }
        for (name, opened) in self.policy.foreign() {
            if !opened.is_empty() {
                plan.notices.push(format!(
                    "the statement {name} of the policy, which is not ours and stays, opens more than ours: \
                     {}",
                    opened.join(", ")
                ));
            }
        }
        for volume in self.wanted.volumes.iter().filter(|volume| !volume.volume.iam) {
            plan.notices.push(format!(
                "the volume `{}` has `iam = false`, so whoever reaches a mount target may mount it",
                volume.volume.name
            ));
        }
        Ok(())
    }

    fn plan_mount_targets(&self, plan: &mut FileSystemPlan) {
        let groups = groups(&self.wanted);
        let mut zones = BTreeSet::new();
        for subnet in &self.wanted.subnets {
            let Some(place) = self.places.iter().find(|place| place.subnet == *subnet) else {
                continue;
            };
            if let Some(only) = self.found.single_zone.as_deref().filter(|only| *only != place.zone)
            {
                plan.problems.push(format!(
                    "{subnet} is in {}, and the file system is in {only} alone: tasks there cannot mount it",
                    place.zone
                ));
                continue;
            }
            if !zones.insert(&place.zone) {
                continue;
            }
            let of_zone = |zone: Option<&str>| zone == Some(place.zone.as_str());
            let found = self.targets.iter().find(|target| {
                of_zone(target.zone.as_deref()) || of_zone(self.zone_of(&target.subnet))
            });
            match found {
                None => plan.steps.push(StorageStep::MakeMountTarget {
                    place: place.clone(),
                    groups: groups.clone(),
                }),
                Some(target) if target.state == "creating" => {
                    let (id, zone) = (target.id.clone(), place.zone.clone());
                    plan.steps.push(StorageStep::AwaitMountTarget { id, zone });
                }
                Some(target) if target.state != EFS_AVAILABLE => plan.problems.push(format!(
                    "the mount target {} of {} is {}",
                    target.id, place.zone, target.state
                )),
                Some(target) => {
                    let has = self.target_groups.get(&target.id);
                    let lacks =
                        |has: &BTreeSet<String>| !groups.iter().all(|one| has.contains(one));
                    if let Some(has) = has.filter(|has| lacks(has)) {
                        let has: Vec<&str> = has.iter().map(String::as_str).collect();
                        plan.notices.push(format!(
                            "the mount target {} of {} has the security groups {}, and \
                             `mount_target_security_groups` names {}; it stays as it is",
                            target.id,
                            place.zone,
                            has.join(", "),
                            groups.join(", ")
                        ));
                    }
                }
            }
        }
    }

    fn zone_of(&self, subnet: &str) -> Option<&str> {
        self.places.iter().find(|place| place.subnet == subnet).map(|place| place.zone.as_str())
    }

    /// Who may mount what, by the configuration.
    #[must_use]
    pub fn grants(&self) -> BTreeSet<MountGrant> {
        let mut grants = BTreeSet::new();
        for volume in &self.wanted.volumes {
            for (access_point, owner) in self.ways_in(volume) {
                let settings = &volume.volume;
                let mut grant = |principal: String, may_write: bool, only_tls: bool| {
                    let access_point = access_point.clone();
                    grants.insert(MountGrant { principal, access_point, may_write, only_tls });
                };
                for profile in &volume.profiles {
                    let runs = owner.as_ref().is_none_or(|owner| match owner {
                        FolderOwner::Everyone => true,
                        FolderOwner::Project { project, protection } => {
                            profile.runs(project, *protection)
                        }
                    });
                    let principal = match (&profile.task_role, settings.iam) {
                        (_, false) => Some(EVERYBODY.to_owned()),
                        (role, true) => role.as_deref().map(|role| self.role_arn(role)),
                    };
                    if let Some(principal) = principal.filter(|_| runs) {
                        grant(principal, !settings.read_only, settings.transit_encryption);
                    }
                }
                for principal in &settings.principals {
                    grant(principal.clone(), true, true);
                }
            }
        }
        grants
    }

    /// The ARNs of the access points of a volume, and for whom each is.
    fn ways_in(&self, volume: &WantedVolume) -> Vec<(Option<String>, Option<FolderOwner>)> {
        match volume.volume.access() {
            VolumeAccess::Root => vec![(None, None)],
            VolumeAccess::Fixed(id) => {
                let found = self.points.iter().find(|point| point.id == id);
                found.map(|point| (Some(point.arn.clone()), None)).into_iter().collect()
            }
            VolumeAccess::Made(_) => volume
                .access_points()
                .into_iter()
                .flat_map(|wanted| {
                    let mut arns: Vec<String> =
                        self.alive(&wanted).map(|point| point.arn.clone()).collect();
                    if arns.is_empty() {
                        arns.push(format!("(the ARN of the access point of {})", wanted.root()));
                    }
                    arns.into_iter().map(move |arn| (Some(arn), Some(wanted.owner.clone())))
                })
                .collect(),
        }
    }

    /// The ARN of a role that the file names by its name or its ARN.
    fn role_arn(&self, role: &str) -> String {
        if role.starts_with("arn:") {
            return role.to_owned();
        }
        let partition = AwsPartition::of(self.client.account().region()).name();
        format!("arn:{partition}:iam::{}:role/{role}", self.found.owner)
    }
}
