//! What tests of this crate and of others begin with: a record, and a folder for it.
//!
//! A release build has none of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use fargate_model::id::{RandomToken, TaskArn, TaskOwner};
use fargate_model::job::JobKey;
use zeroize::Zeroizing;

use crate::launch_request::{ContainerSpec, LaunchRequest, TaskCapacity};
use crate::record::{JobRecord, SecretString, TaskLocation, TaskOrigin, TaskServer};
use crate::{StateFolder, version};

/// [`record_of`] one task.
#[must_use]
pub fn some_record() -> JobRecord {
    record_of(&TaskArn("arn:aws:ecs:eu-west-1:1:task/ci/abc".to_owned()))
}

/// A record as `prepare` leaves it.
#[must_use]
pub fn record_of(task: &TaskArn) -> JobRecord {
    let token = |byte| RandomToken::from_bits([byte; 16]);
    let owner = TaskOwner::try_from("host-1".to_owned()).expect("a plain word");
    JobRecord {
        schema: version::WRITES,
        origin: TaskOrigin::Gitlab,
        location: TaskLocation {
            cluster: "ci".to_owned(),
            region: "eu-west-1".to_owned(),
            endpoint: None,
            task: Some(task.clone()),
        },
        owner: owner.clone(),
        job: JobKey::from_bits([7; 32]),
        job_id: "gl-4411".to_owned(),
        attempt: 1,
        prepared_by: token(1),
        launches: vec![LaunchRequest {
            token: token(2),
            cluster: "ci".to_owned(),
            task_definition: "ci-job".to_owned(),
            subnet: "subnet-0b2".to_owned(),
            security_groups: vec!["sg-1".to_owned()],
            purchase: TaskCapacity::LaunchType("FARGATE".to_owned()),
            platform_version: None,
            cpu_units: None,
            memory_mib: None,
            ephemeral_storage_gib: None,
            containers: vec![ContainerSpec {
                name: "job".to_owned(),
                environment: BTreeMap::from([("SEED".to_owned(), "canary-seed".to_owned())]),
            }],
            started_by: owner,
            tags: BTreeMap::new(),
            assign_public_ip: false,
            execute_command: false,
            propagate_tags: false,
            managed_tags: false,
            sent_unix_s: 1,
            settled: true,
            task: Some(task.clone()),
        }],
        client_key: SecretString::new(Zeroizing::new("canary-key".to_owned())),
        host_key: "ssh-ed25519 AAAA".to_owned(),
        user: "root".to_owned(),
        peer: Some(TaskServer::Agent("fargate-agent 0.1.0".to_owned())),
        address: Some(SocketAddr::from(([10, 0, 0, 7], 22))),
        deadline_unix_s: 1,
        ready: true,
        shell: "bash".to_owned(),
        failure: None,
        manager: None,
        profile: None,
        can_keep: true,
        hold_s: None,
        kept: None,
        others: BTreeMap::new(),
    }
}

/// A folder that was just made, and what removes it.
///
/// # Panics
///
/// If the disk is full.
#[must_use]
pub fn empty_folder() -> (tempfile::TempDir, StateFolder) {
    let root = tempfile::tempdir().expect("a folder for tests");
    let folder =
        StateFolder::open(root.path(), Duration::from_secs(5)).expect("a folder for tests");
    (root, folder)
}
