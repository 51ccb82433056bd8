//! Why a task could not mount a file system, in the words that ECS shows as the reason of the stopped task.
//!
//! Source: Amazon ECS Developer Guide, "Resolve Amazon ECS `ResourceInitializationError` errors"; Amazon EFS User Guide,
//! "Troubleshooting mount issues"; reasons of tasks that public issue trackers quote.

use fargate_model::region::AwsPartition;

/// A mount that failed; the text is the whole reason.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MountRefusal {
    /// The file system has no mount target in the zone, or there is no such file system.
    #[error(
        "{BEGIN}Failed to resolve \"{name}\" - check that your file system ID is correct, and ensure that the VPC \
         has an EFS mount target for this file system ID. See \
         https://docs.aws.amazon.com/console/efs/mount-dns-name for more detail. : unsuccessful EFS utils command \
         execution; code: 1"
    )]
    Unresolved { name: String },
    /// The policy or the role does not allow it, or the access point or its folder is missing.
    #[error(
        "{BEGIN}b'mount.nfs4: access denied by server while mounting 127.0.0.1:{path}' : unsuccessful EFS utils \
         command execution; code: 32"
    )]
    Denied { path: String },
    /// The folder of a mount without an access point is missing.
    #[error(
        "{BEGIN}b'mount.nfs4: mounting 127.0.0.1:{path} failed, reason given by server: No such file or directory' \
         : unsuccessful EFS utils command execution; code: 32"
    )]
    NoDirectory { path: String },
    /// The task is to show its role and has none.
    #[error(
        "{BEGIN}AWS Access Key ID and Secret Access Key are not found in AWS credentials file (~/.aws/credentials), \
         config file (~/.aws/config), from ECS credentials relative uri, or from the instance security credentials \
         service : unsuccessful EFS utils command execution; code: 1"
    )]
    NoCredentials,
    /// EFS allows it, and this machine cannot do it. These words are not those of ECS.
    #[error("ResourceInitializationError: the local cloud cannot mount {file_system}: {problem}")]
    Machine { file_system: String, problem: String },
}

const BEGIN: &str = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: ";

impl MountRefusal {
    /// The name of the file system leads nowhere.
    pub fn unresolved(file_system: &str, region: &str) -> Self {
        let suffix = AwsPartition::of(region).dns_suffix();
        Self::Unresolved { name: format!("{file_system}.efs.{region}.{suffix}") }
    }

    pub fn denied(path: &str) -> Self {
        Self::Denied { path: path.to_owned() }
    }
}
