//! The one client of EFS.
//!
//! It retries nothing, because there is only one retry policy, and the caller has it. It deletes
//! nothing. Each error names the right that the call needs.
//!
//! Source: Amazon EFS API Reference, version 2015-02-01.

use aws_sdk_efs::Client;
use aws_sdk_efs::error::BuildError;
use aws_sdk_efs::types::{CreationInfo, PosixUser, RootDirectory, Tag};

use crate::account::AwsAccount;
use crate::call::CallError;
use crate::efs_resources::{EfsAccessPoint, EfsFileSystem, EfsMountTarget, NewAccessPoint};

/// The service's name in the endpoints of this host's settings and in its own host name.
const SERVICE: &str = "elasticfilesystem";
/// Most access points that one page is asked for. Ours: one page for all that most file systems have.
const PAGE: i32 = 1000;
/// Most pages that are read. Source for the limit of 10,000 access points: Amazon EFS User Guide,
/// "Quotas"; a page has at least 100.
const MAX_PAGES: usize = 100;

/// EFS in one Region.
#[derive(Clone, Debug)]
pub struct EfsClient {
    client: Client,
    account: AwsAccount,
}

impl EfsClient {
    /// The client of this account. It makes no call.
    #[must_use]
    pub fn new(account: &AwsAccount) -> Self {
        Self { client: Client::new(account.config()), account: account.clone() }
    }

    /// The account that it is in.
    #[must_use]
    pub fn account(&self) -> &AwsAccount {
        &self.account
    }

    /// Calls `DescribeFileSystems` for one file system. Returns `None` if this Region has none with this
    /// id.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn file_system(&self, id: &str) -> Result<Option<EfsFileSystem>, CallError> {
        let call = self.client.describe_file_systems().file_system_id(id);
        let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
        let right = "elasticfilesystem:DescribeFileSystems";
        match answer {
            Ok(found) => Ok(found.file_systems().first().map(EfsFileSystem::from)),
            Err(error) if is(&error, "FileSystemNotFound") => Ok(None),
            Err(error) => Err(self.failed(right, error)),
        }
    }

    /// Calls `DescribeAccessPoints` for all access points of a file system.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if a call failed, or if the list does not end.
    pub async fn access_points(&self, file_system: &str) -> Result<Vec<EfsAccessPoint>, CallError> {
        let right = "elasticfilesystem:DescribeAccessPoints";
        let mut points = Vec::new();
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let call = self.client.describe_access_points().file_system_id(file_system);
            let call = call.max_results(PAGE).set_next_token(next);
            let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
            let page = answer.map_err(|error| self.failed(right, error))?;
            points.extend(page.access_points().iter().map(EfsAccessPoint::from));
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if next.is_none() {
                return Ok(points);
            }
        }
        Err(self.endless(right))
    }

    /// Calls `DescribeMountTargets` for all mount targets of a file system.
    ///
    /// # Errors
    ///
    /// As [`Self::access_points`].
    pub async fn mount_targets(&self, file_system: &str) -> Result<Vec<EfsMountTarget>, CallError> {
        let right = "elasticfilesystem:DescribeMountTargets";
        let mut targets = Vec::new();
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let call = self.client.describe_mount_targets().file_system_id(file_system);
            let call = call.set_marker(next);
            let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
            let page = answer.map_err(|error| self.failed(right, error))?;
            targets.extend(page.mount_targets().iter().map(EfsMountTarget::from));
            next = page.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if next.is_none() {
                return Ok(targets);
            }
        }
        Err(self.endless(right))
    }

    /// Calls `DescribeMountTargetSecurityGroups`.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn mount_target_groups(&self, mount_target: &str) -> Result<Vec<String>, CallError> {
        let call = self.client.describe_mount_target_security_groups();
        let call = call.mount_target_id(mount_target);
        let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
        let right = "elasticfilesystem:DescribeMountTargetSecurityGroups";
        let found = answer.map_err(|error| self.failed(right, error))?;
        Ok(found.security_groups().to_vec())
    }

    /// Calls `DescribeFileSystemPolicy`. Returns `None` if the file system has no policy.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn policy(&self, file_system: &str) -> Result<Option<String>, CallError> {
        let call = self.client.describe_file_system_policy().file_system_id(file_system);
        let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
        match answer {
            Ok(found) => Ok(found.policy().map(str::to_owned)),
            Err(error) if is(&error, "PolicyNotFound") => Ok(None),
            Err(error) => Err(self.failed("elasticfilesystem:DescribeFileSystemPolicy", error)),
        }
    }

    /// Calls `CreateAccessPoint`. If an earlier call with this token made one, nothing happens.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn create_access_point(&self, new: &NewAccessPoint) -> Result<(), CallError> {
        let right = "elasticfilesystem:CreateAccessPoint";
        let not_sent = |error: BuildError| CallError::NotSent { text: error.to_string() };
        let shape = &new.shape;
        let (uid, gid) = shape.user.ok_or_else(|| CallError::NotSent {
            text: "an access point of ours needs a user".to_owned(),
        })?;
        let (uid, gid) = (i64::from(uid), i64::from(gid));
        let user = PosixUser::builder().uid(uid).gid(gid).build().map_err(not_sent)?;
        let owner = CreationInfo::builder().owner_uid(uid).owner_gid(gid);
        let owner = owner.permissions(&new.mode).build().map_err(not_sent)?;
        let root = RootDirectory::builder().path(&shape.root).creation_info(owner).build();
        let mut call = self.client.create_access_point().client_token(&new.client_token);
        call = call.file_system_id(&shape.file_system).posix_user(user).root_directory(root);
        for (key, value) in &shape.tags {
            call = call.tags(Tag::builder().key(key).value(value).build().map_err(not_sent)?);
        }
        match self.account.call(|| self.account.sent(call.clone().send())).await {
            Ok(_) => Ok(()),
            Err(error) if is(&error, "AccessPointAlreadyExists") => Ok(()),
            Err(error) => Err(self.failed(right, error)),
        }
    }

    /// Calls `CreateMountTarget`. Without `groups` EFS takes the default group of the VPC.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed; a zone that has one already is an error as well.
    pub async fn create_mount_target(
        &self,
        file_system: &str,
        subnet: &str,
        groups: &[String],
    ) -> Result<(), CallError> {
        let groups = Some(groups.to_vec()).filter(|groups| !groups.is_empty());
        let call = self.client.create_mount_target().file_system_id(file_system);
        let call = call.subnet_id(subnet).set_security_groups(groups);
        let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
        answer.map(drop).map_err(|error| self.failed("elasticfilesystem:CreateMountTarget", error))
    }

    /// Calls `PutFileSystemPolicy`, which replaces the whole policy.
    ///
    /// # Errors
    ///
    /// Returns [`CallError`] if the call failed.
    pub async fn put_policy(&self, file_system: &str, policy: &str) -> Result<(), CallError> {
        let call = self.client.put_file_system_policy().file_system_id(file_system);
        let call = call.policy(policy);
        let answer = self.account.call(|| self.account.sent(call.clone().send())).await;
        answer
            .map(drop)
            .map_err(|error| self.failed("elasticfilesystem:PutFileSystemPolicy", error))
    }

    fn failed(&self, right: &'static str, error: CallError) -> CallError {
        let endpoint = self.account.endpoint(SERVICE);
        CallError::Elsewhere { service: "EFS", endpoint, right, error: Box::new(error) }
    }

    fn endless(&self, right: &'static str) -> CallError {
        let text = format!("EFS's list goes on after {MAX_PAGES} pages");
        self.failed(right, CallError::Unreadable { text })
    }
}

/// Whether EFS answered with this exception.
fn is(error: &CallError, exception: &str) -> bool {
    matches!(error, CallError::Answered { code, .. } if code == exception)
}
