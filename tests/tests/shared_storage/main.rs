//! File systems that tasks share: what a task sees of one, as whom it writes there, and how it fails where EFS does
//! not let it mount. On processes and on a Docker Engine.

mod access_points;
mod efs_faults;
mod jobs_of_projects;
mod mount_refusals;
mod shared_files;

use std::sync::OnceLock;

use aws_sdk_ecs::types::builders::ContainerDefinitionBuilder;
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, Compatibility, ContainerDefinition, EfsAuthorizationConfig,
    EfsAuthorizationConfigIam, EfsTransitEncryption, EfsVolumeConfiguration, LaunchType,
    MountPoint, NetworkConfiguration, NetworkMode, Task, Volume,
};
use fargate_tests::{CheckedHost, TestEngine, skip, until_found};

/// The file system of these tests.
const FILE_SYSTEM: &str = "fs-0a1b2c3d4e5f60718";
/// The role of the tasks that show one.
const ROLE: &str = "arn:aws:iam::123456789012:role/ci-task";
/// The cloud's subnets, in the zones a and b.
const SUBNETS: [&str; 2] = ["subnet-0a1b2c3d4e5f60718", "subnet-0b2c3d4e5f607182a"];

/// What runs the tasks of a test.
#[derive(Clone, Copy)]
enum TaskRunner {
    Processes,
    Engine(&'static TestEngine),
}

impl TaskRunner {
    /// The engine, or `None` after saying why tests of it are skipped. In CI nothing is skipped.
    fn engine() -> Option<Self> {
        static ENGINE: OnceLock<Result<TestEngine, String>> = OnceLock::new();
        match ENGINE.get_or_init(TestEngine::start) {
            Ok(engine) => Some(Self::Engine(engine)),
            Err(missing) => {
                skip(missing);
                None
            }
        }
    }

    /// A host with a file system.
    async fn host(self) -> CheckedHost {
        let site = CheckedHost::open_with(|options| match self {
            Self::Processes => {}
            Self::Engine(engine) => engine.choose(options),
        })
        .await;
        site.cloud().add_file_system(FILE_SYSTEM);
        site
    }

    /// A container that runs a line of shell.
    fn shell(self, script: &str) -> ContainerDefinitionBuilder {
        let image = match self {
            Self::Processes => "registry.example/ci/job:1",
            Self::Engine(engine) => engine.image_id(),
        };
        let container = ContainerDefinition::builder().name("job").image(image);
        container.entry_point("/bin/sh").command("-c").command(script).stop_timeout(2)
    }
}

/// How a task mounts the file system.
#[derive(Clone, Default)]
struct SharedMount {
    access_point: Option<String>,
    directory: Option<String>,
    read_only: bool,
    shows_role: bool,
}

impl SharedMount {
    fn of_access_point(id: &str) -> Self {
        Self { access_point: Some(id.to_owned()), ..Self::default() }
    }

    fn volume(&self) -> Volume {
        let iam = match self.shows_role {
            true => EfsAuthorizationConfigIam::Enabled,
            false => EfsAuthorizationConfigIam::Disabled,
        };
        let own = EfsAuthorizationConfig::builder()
            .set_access_point_id(self.access_point.clone())
            .iam(iam)
            .build();
        let efs = EfsVolumeConfiguration::builder()
            .file_system_id(FILE_SYSTEM)
            .set_root_directory(self.directory.clone())
            .transit_encryption(EfsTransitEncryption::Enabled)
            .authorization_config(own)
            .build()
            .expect("it has an id");
        Volume::builder().name("shared").efs_volume_configuration(efs).build()
    }
}

/// Registers a task with this container, which sees the mount at `/shared`.
async fn register(
    site: &CheckedHost,
    family: &str,
    container: ContainerDefinitionBuilder,
    mount: &SharedMount,
) {
    let point = MountPoint::builder().source_volume("shared").container_path("/shared");
    let container = container.mount_points(point.read_only(mount.read_only).build()).build();
    let call = site.ecs().register_task_definition().family(family);
    call.network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .cpu("256")
        .memory("512")
        .set_task_role_arn(mount.shows_role.then(|| ROLE.to_owned()))
        .container_definitions(container)
        .volumes(mount.volume())
        .send()
        .await
        .expect("a definition that the cloud takes");
}

/// Runs one task of the family to its end. Returns how it ended, and what it wrote.
async fn run_task(site: &CheckedHost, family: &str, subnet: &str) -> (Task, String) {
    let network = AwsVpcConfiguration::builder().subnets(subnet).build().expect("a subnet");
    let network = NetworkConfiguration::builder().awsvpc_configuration(network).build();
    let run = site.ecs().run_task().cluster("ci").task_definition(family);
    let run = run.launch_type(LaunchType::Fargate).network_configuration(network);
    let answer = run.send().await.expect("a task that may be started");
    let arn = answer.tasks()[0].task_arn().expect("a task has an ARN").to_owned();
    let task = until_found("a task that has stopped", || async {
        let answer = site.ecs().describe_tasks().cluster("ci").tasks(&arn).send().await;
        let task = answer.expect("a task that may be described").tasks()[0].clone();
        if task.last_status() == Some("STOPPED") { Ok(task) } else { Err(format!("{task:?}")) }
    })
    .await;
    let record = site.cloud().tasks().into_iter().find(|one| one.arn == arn).expect("a task");
    let log = record.containers[0].log.as_ref().map(std::fs::read_to_string);
    (task, log.transpose().expect("a log").unwrap_or_default())
}

/// Runs a line of shell in a task with this mount. Returns what it wrote.
async fn run_shell(
    runner: TaskRunner,
    site: &CheckedHost,
    mount: &SharedMount,
    script: &str,
) -> String {
    register(site, "shell", runner.shell(script), mount).await;
    let (task, output) = run_task(site, "shell", SUBNETS[0]).await;
    let reason = task.stopped_reason();
    assert_eq!(reason, Some("Essential container in task exited"), "{output}");
    output
}
