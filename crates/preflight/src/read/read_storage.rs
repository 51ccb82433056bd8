//! Reads the file systems that profiles mount.

use std::collections::BTreeSet;

use fargate_aws::{AwsAccount, EFS_AVAILABLE, EfsClient, EfsMountTarget};
use futures_util::future::{join_all, join3};
use tokio::time::Instant;

use crate::job_needs::JobNeeds;
use crate::read::asked::asked;
use crate::reading::AwsReading;
use crate::views::{ClusterView, FileSystemView, MountTargetPlace, StorageView};

const TARGETS: &str = "elasticfilesystem:DescribeMountTargets";

/// The file systems that tasks mount, by their ids: those of volumes, and those of fixed definitions.
pub(crate) fn mounted(needs: &JobNeeds, cluster: &ClusterView) -> BTreeSet<String> {
    let volumes = needs.profiles.iter().flat_map(|profile| &profile.storage);
    let of_definitions =
        cluster.definitions.iter().filter_map(|found| found.known()?.as_ref().ok());
    let of_definitions = of_definitions.flat_map(|facts| facts.file_systems.iter().cloned());
    volumes.map(|volume| volume.file_system.clone()).chain(of_definitions).collect()
}

/// Reads all file systems with these ids, side by side.
pub(crate) async fn read_storage(
    account: &AwsAccount,
    ids: &BTreeSet<String>,
    deadline: Instant,
) -> StorageView {
    if ids.is_empty() {
        return StorageView::default();
    }
    let client = EfsClient::new(account);
    let systems = join_all(ids.iter().map(|id| async {
        let (view, targets) = read_file_system(&client, id, deadline).await;
        (id.clone(), view, targets)
    }));
    let mut view = StorageView::default();
    let mut targets = AwsReading::Known(Vec::new());
    for (id, system, found) in systems.await {
        view.file_systems.insert(id, system);
        targets = together(targets, found);
    }
    view.mount_targets = targets;
    view
}

/// Both lists; without one of them, why it is not known.
fn together<T>(first: AwsReading<Vec<T>>, second: AwsReading<Vec<T>>) -> AwsReading<Vec<T>> {
    match (first, second) {
        (AwsReading::Known(mut all), AwsReading::Known(more)) => {
            all.extend(more);
            AwsReading::Known(all)
        }
        (AwsReading::Known(_), failed) | (failed, _) => failed,
    }
}

async fn read_file_system(
    client: &EfsClient,
    id: &str,
    deadline: Instant,
) -> (FileSystemView, AwsReading<Vec<MountTargetPlace>>) {
    let found = asked("elasticfilesystem:DescribeFileSystems", deadline, || client.file_system(id));
    let rest = async {
        let points =
            asked("elasticfilesystem:DescribeAccessPoints", deadline, || client.access_points(id));
        let policy =
            asked("elasticfilesystem:DescribeFileSystemPolicy", deadline, || client.policy(id));
        futures_util::future::join(points, policy).await
    };
    let (found, (access_points, policy), targets) =
        join3(found, rest, read_targets(client, id, deadline)).await;
    let is_missing = matches!(found, AwsReading::Known(None));
    // What is not there has nothing, and the other questions say only that it is not there.
    let view = match is_missing {
        true => FileSystemView {
            found,
            access_points: AwsReading::Known(Vec::new()),
            policy: AwsReading::Known(None),
        },
        false => FileSystemView { found, access_points, policy },
    };
    (view, if is_missing { AwsReading::Known(Vec::new()) } else { targets })
}

async fn read_targets(
    client: &EfsClient,
    id: &str,
    deadline: Instant,
) -> AwsReading<Vec<MountTargetPlace>> {
    let targets = asked(TARGETS, deadline, || client.mount_targets(id)).await;
    let targets = match targets {
        AwsReading::Known(targets) => targets,
        AwsReading::NotAllowed { right, error } => return AwsReading::NotAllowed { right, error },
        AwsReading::NotRead { why } => return AwsReading::NotRead { why },
    };
    let ready = targets.into_iter().filter(|target| target.state == EFS_AVAILABLE);
    let places = join_all(ready.map(|target| async move {
        let right = "elasticfilesystem:DescribeMountTargetSecurityGroups";
        let groups = asked(right, deadline, || client.mount_target_groups(&target.id)).await;
        groups.map(|groups| vec![place(id, target, groups)])
    }));
    places.await.into_iter().fold(AwsReading::Known(Vec::new()), together)
}

fn place(file_system: &str, target: EfsMountTarget, groups: Vec<String>) -> MountTargetPlace {
    MountTargetPlace {
        file_system: file_system.to_owned(),
        subnet: target.subnet,
        zone: target.zone.unwrap_or_default(),
        vpc: target.vpc,
        address: target.address.and_then(|address| address.parse().ok()),
        groups,
    }
}
