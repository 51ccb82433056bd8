//! Volumes: one that the containers of a task share, and file systems that tasks share.

use aws_sdk_ecs::types::{
    ContainerCondition, ContainerDependency, EfsVolumeConfiguration, MountPoint, Volume,
};

use crate::{close, engine, host_on, output, register_with, run_task, shell, until_status};

/// A file system of the cloud.
const FILE_SYSTEM: &str = "fs-0a1b2c3d4e5f60718";

fn mount(volume: &str, path: &str, read_only: bool) -> MountPoint {
    MountPoint::builder().source_volume(volume).container_path(path).read_only(read_only).build()
}

#[tokio::test]
async fn a_volume_is_shared_in_its_task_and_a_file_system_by_all_tasks() {
    let Some(engine) = engine() else { return };
    let site = host_on(engine).await;
    let folder = site.cloud().add_file_system(FILE_SYSTEM);
    let efs = EfsVolumeConfiguration::builder().file_system_id(FILE_SYSTEM).build().expect("an id");
    let volumes = vec![
        Volume::builder().name("scratch").build(),
        Volume::builder().name("shared").efs_volume_configuration(efs).build(),
    ];
    let writer = shell(engine, "writer", "echo one >> /scratch/file; echo two >> /shared/file")
        .essential(false)
        .mount_points(mount("scratch", "/scratch", false))
        .mount_points(mount("shared", "/shared", false));
    let after = ContainerDependency::builder()
        .container_name("writer")
        .condition(ContainerCondition::Success)
        .build()
        .expect("all");
    let script = "cat /scratch/file /shared/file; touch /shared/x 2>/dev/null || echo read-only";
    let reader = shell(engine, "reader", script)
        .depends_on(after)
        .mount_points(mount("scratch", "/scratch", false))
        .mount_points(mount("shared", "/shared", true));
    register_with(&site, "volumes", vec![writer, reader], volumes).await;
    for seen in ["one\ntwo\nread-only\n", "one\ntwo\ntwo\nread-only\n"] {
        let arn = run_task(&site, "volumes").await;
        until_status(&site, &arn, "STOPPED").await;
        assert_eq!(output(&site, &arn, "reader"), seen);
    }
    assert_eq!(
        std::fs::read_to_string(folder.join("file")).expect("a file of this machine"),
        "two\ntwo\n"
    );
    close(engine, site).await;
}
