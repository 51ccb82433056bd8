//! What AWS has of the storage that the configuration asks for, and whose credentials look at it.
//!
//! It changes nothing. It never assumes the manager's role.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fargate_aws::{
    AwsAccount, CallError, CallerIdentity, EfsAccessPoint, EfsClient, EfsFileSystem,
    EfsMountTarget, SubnetPlace, retry,
};
use fargate_config::RunnerConfig;
use fargate_mask::SharedMasker;
use tokio::time::Instant;

use crate::made_access_point::{FolderOwner, MadeAccessPoint, OwnTags};
use crate::mount_policy::FoundPolicy;
use crate::storage_error::StorageError;
use crate::wanted_storage::{WantedFileSystem, groups, manager_roles, wanted_storage};

/// How many times longer than one call the calls for one file system may take together: a list of access
/// points may have many pages.
const CALLS: u32 = 10;

/// The file systems of a configuration, as they are.
#[derive(Clone, Debug)]
pub struct StorageSite {
    /// Who looks.
    pub identity: CallerIdentity,
    /// The file systems.
    pub file_systems: Vec<FileSystemState>,
}

/// One file system: what is asked for, and what is there.
#[derive(Clone, Debug)]
pub struct FileSystemState {
    /// What is asked for.
    pub wanted: WantedFileSystem,
    /// The file system.
    pub found: EfsFileSystem,
    /// Its access points.
    pub points: Vec<EfsAccessPoint>,
    /// Its mount targets.
    pub targets: Vec<EfsMountTarget>,
    /// The security groups of mount targets by their ids; empty if the configuration names none.
    pub target_groups: BTreeMap<String, BTreeSet<String>>,
    /// The text of its policy.
    pub policy_text: Option<String>,
    /// Its policy.
    pub policy: FoundPolicy,
    /// Where the subnets of its tasks are.
    pub places: Vec<SubnetPlace>,
    pub(crate) client: EfsClient,
    pub(crate) limit: Duration,
}

impl StorageSite {
    /// Looks at everything that the configuration and `projects` ask for.
    ///
    /// # Errors
    ///
    /// [`StorageError`]: a setting that does not fit, a call that fails, or the manager's own role.
    pub async fn open(
        config: &RunnerConfig,
        projects: &[String],
        masker: &SharedMasker,
    ) -> Result<Self, StorageError> {
        let wanted = wanted_storage(config, projects)?;
        let managers = manager_roles(config)?;
        let mut identity: Option<CallerIdentity> = None;
        let mut file_systems = Vec::new();
        for wanted in wanted {
            let profile = &wanted.reached_by;
            let account = AwsAccount::open(profile.region.clone(), profile, masker).await;
            let account = account.map_err(|why| StorageError::Account(Box::new(why)))?;
            let limit = profile.timeouts.aws_call * CALLS;
            if identity.is_none() {
                let asked = retry(Instant::now() + limit, || account.own_identity()).await;
                let asked =
                    asked.map_err(StorageError::call("asking whose credentials these are"))?;
                refuse_manager(&asked, &managers)?;
                identity = Some(asked);
            }
            file_systems
                .push(FileSystemState::read(wanted, EfsClient::new(&account), limit).await?);
        }
        let identity = identity.expect("there is at least one file system");
        Ok(Self { identity, file_systems })
    }
}

impl FileSystemState {
    pub(crate) async fn read(
        mut wanted: WantedFileSystem,
        client: EfsClient,
        limit: Duration,
    ) -> Result<Self, StorageError> {
        let (id, deadline) = (wanted.id.clone(), Instant::now() + limit);
        let doing = |what: &str| StorageError::call(format!("reading {what} of {id}"));
        let found =
            retry(deadline, || client.file_system(&id)).await.map_err(doing("the state"))?;
        let found = found.ok_or_else(|| no_file_system(&wanted, &client))?;
        if found.state != fargate_aws::EFS_AVAILABLE {
            let state = &found.state;
            return Err(StorageError::setting(format!(
                "the file system {id} is {state}, not available"
            )));
        }
        let points = retry(deadline, || client.access_points(&id)).await;
        let points = points.map_err(doing("the access points"))?;
        add_known_projects(&mut wanted, &points);
        let targets = retry(deadline, || client.mount_targets(&id)).await;
        let targets = targets.map_err(doing("the mount targets"))?;
        let mut target_groups = BTreeMap::new();
        if !groups(&wanted).is_empty() {
            for target in &targets {
                let found = retry(deadline, || client.mount_target_groups(&target.id)).await;
                let found = found.map_err(doing("the security groups"))?;
                target_groups.insert(target.id.clone(), found.into_iter().collect());
            }
        }
        let policy_text =
            retry(deadline, || client.policy(&id)).await.map_err(doing("the policy"))?;
        let policy = FoundPolicy::read(policy_text.as_deref()).map_err(|what| {
            StorageError::setting(format!(
                "the policy of {id} cannot be read, so it stays as it is: {what}"
            ))
        })?;
        let places = retry(deadline, || client.account().subnets(&wanted.subnets)).await;
        let subnets = wanted.subnets.join(", ");
        let places =
            places.map_err(StorageError::call(format!("reading the subnets {subnets}")))?;
        check_network(&wanted, &places, &targets)?;
        Ok(Self {
            wanted,
            found,
            points,
            targets,
            target_groups,
            policy_text,
            policy,
            places,
            client,
            limit,
        })
    }

    /// The same file system as it is now.
    pub(crate) async fn read_again(&self) -> Result<Self, StorageError> {
        Self::read(self.wanted.clone(), self.client.clone(), self.limit).await
    }

    /// The access points that are this one and can be used, now or soon.
    pub(crate) fn alive<'a>(
        &'a self,
        wanted: &'a MadeAccessPoint,
    ) -> impl Iterator<Item = &'a EfsAccessPoint> {
        let is_alive = |state: &str| ["creating", "available", "updating"].contains(&state);
        self.points.iter().filter(move |point| wanted.is(point) && is_alive(&point.state))
    }
}

/// Refuses subnets of two VPCs, and mount targets in another one.
fn check_network(
    wanted: &WantedFileSystem,
    places: &[SubnetPlace],
    targets: &[EfsMountTarget],
) -> Result<(), StorageError> {
    let vpcs: BTreeSet<&str> = places.iter().map(|place| place.vpc.as_str()).collect();
    let mut vpcs = vpcs.into_iter();
    let Some(vpc) = vpcs.next() else {
        let subnets = wanted.subnets.join(", ");
        return Err(StorageError::setting(format!("EC2 knows none of the subnets {subnets}")));
    };
    if let Some(other) = vpcs.next() {
        return Err(StorageError::setting(format!(
            "the subnets of the profiles that mount {} are in two VPCs, {vpc} and {other}; a file system \
             has mount targets in one",
            wanted.id
        )));
    }
    let other = targets.iter().find_map(|one| one.vpc.as_deref().filter(|at| *at != vpc));
    other.map_or(Ok(()), |other| {
        Err(StorageError::setting(format!(
            "the file system {} has its mount targets in the VPC {other}, and the subnets of the profiles \
             are in {vpc}; use subnets of {other}, or another file system",
            wanted.id
        )))
    })
}

/// Adds the projects that an earlier run made access points for: the policy must go on to name them.
fn add_known_projects(wanted: &mut WantedFileSystem, points: &[EfsAccessPoint]) {
    for volume in wanted.volumes.iter_mut().filter(|volume| volume.is_by_project()) {
        for point in points {
            let Some(OwnTags { project, protection }) = OwnTags::of(point) else { continue };
            let owner = FolderOwner::Project { project: project.to_owned(), protection };
            if MadeAccessPoint::new(&volume.volume, owner).is(point) {
                volume.add_known_project(project);
            }
        }
    }
}

fn no_file_system(wanted: &WantedFileSystem, client: &EfsClient) -> StorageError {
    let names: Vec<String> =
        wanted.volumes.iter().map(|one| format!("`volume.{}`", one.volume.name)).collect();
    StorageError::setting(format!(
        "the Region {} has no file system {} in this account, which {} names; correct `file_system`, or \
         `region` of the profile",
        client.account().region(),
        wanted.id,
        names.join(" and "),
    ))
}

/// Refuses the manager's own role: these commands need rights that it must not have.
fn refuse_manager(
    identity: &CallerIdentity,
    managers: &BTreeSet<String>,
) -> Result<(), StorageError> {
    match managers.iter().find(|role| is_session_of(&identity.arn, role)) {
        None => Ok(()),
        Some(role) => Err(StorageError::setting(format!(
            "these are credentials of {role}, the manager's own role (`assume_role_arn`); use an \
             administrator's, because the manager must not be able to change who may mount"
        ))),
    }
}

/// Whether this is a session of the role: `arn:P:sts::ACCOUNT:assumed-role/ROLE/SESSION`, without the
/// role's path.
fn is_session_of(caller: &str, role: &str) -> bool {
    let parts = |arn: &str| -> Option<(String, String)> {
        let mut fields = arn.splitn(6, ':');
        let account = fields.nth(4)?.to_owned();
        Some((account, fields.next()?.to_owned()))
    };
    let (Some((account, session)), Some((owner, resource))) = (parts(caller), parts(role)) else {
        return false;
    };
    let name = resource.rsplit('/').next().unwrap_or_default();
    let of = session.strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next());
    account == owner && (of == Some(name) || session == resource)
}

/// An error of EFS by its name, whatever it is wrapped in.
pub(crate) fn is_exception(error: &CallError, name: &str) -> bool {
    match error {
        CallError::Answered { code, .. } => code == name,
        CallError::Elsewhere { error, .. } => is_exception(error, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_and_its_subnets_are_in_one_vpc() {
        let text = "config_version = 1\n[defaults]\ncluster = \"ci\"\nsubnets = [\"subnet-0a1\"]\n\
                    security_groups = [\"sg-0a1\"]\nimage = \"image:1\"\ntask_role = \"ci-task\"\n\
                    volumes = [\"cache\"]\n[volume.cache]\nfile_system = \"fs-0a1b2c3d\"\n\
                    path = \"/cache\"\n";
        let policy = fargate_config::UnknownKeyPolicy::Warn;
        let loaded = fargate_config::parse(text, std::path::Path::new("config.toml"), policy);
        let config = loaded.expect("the file is right").config;
        let wanted = wanted_storage(&config, &[]).expect("it mounts a volume").remove(0);
        let place = |subnet: &str, vpc: &str| SubnetPlace {
            subnet: subnet.to_owned(),
            vpc: vpc.to_owned(),
            zone: "eu-west-1a".to_owned(),
        };
        let target = |vpc: &str| EfsMountTarget {
            id: "fsmt-1".to_owned(),
            subnet: "subnet-9".to_owned(),
            zone: None,
            vpc: Some(vpc.to_owned()),
            state: "available".to_owned(),
            address: None,
        };
        let said = |places: &[SubnetPlace], targets: &[EfsMountTarget]| {
            check_network(&wanted, places, targets).map_err(|error| error.to_string())
        };
        let one = [place("subnet-1", "vpc-1")];
        assert_eq!(said(&one, &[target("vpc-1")]), Ok(()));
        let two = [place("subnet-1", "vpc-1"), place("subnet-2", "vpc-2")];
        assert!(said(&two, &[]).unwrap_err().contains("two VPCs, vpc-1 and vpc-2"));
        assert!(
            said(&one, &[target("vpc-2")]).unwrap_err().contains("mount targets in the VPC vpc-2")
        );
        assert!(said(&[], &[]).unwrap_err().contains("none of the subnets subnet-0a1"));
    }

    #[test]
    fn a_session_of_the_managers_role_is_known_whatever_the_roles_path() {
        let role = "arn:aws:iam::123456789012:role/ci/runner";
        for caller in [
            "arn:aws:sts::123456789012:assumed-role/runner/host-1",
            "arn:aws:iam::123456789012:role/ci/runner",
        ] {
            assert!(is_session_of(caller, role), "{caller}");
        }
        for caller in [
            "arn:aws:sts::999999999999:assumed-role/runner/host-1",
            "arn:aws:sts::123456789012:assumed-role/runner2/host-1",
            "arn:aws:iam::123456789012:user/runner",
            "",
        ] {
            assert!(!is_session_of(caller, role), "{caller}");
        }
    }
}
