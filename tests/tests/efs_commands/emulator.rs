//! The same commands against ministack, which others wrote, and the folders that the jobs of a project get
//! there. It mounts no EFS, so the access points of the task definitions are what can be seen.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use fargate_tests::{EcsEmulator, python, runner};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// Makes a file system and tells where two subnets of one VPC are.
const PREPARE: &str = "
import boto3, json, sys
at = dict(endpoint_url=sys.argv[1], region_name='eu-west-1', aws_access_key_id='test',
          aws_secret_access_key='test')
ec2, efs = boto3.client('ec2', **at), boto3.client('efs', **at)
vpc = ec2.create_vpc(CidrBlock='10.9.0.0/16')['Vpc']['VpcId']
subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f'10.9.{n}.0/24', AvailabilityZone=f'eu-west-1{zone}')
           ['Subnet']['SubnetId'] for n, zone in enumerate('ab')]
made = efs.create_file_system(CreationToken='test')
print(json.dumps([made['FileSystemId'], *subnets]))
";

/// An administrator at ministack. The volume of the only profile has a folder for each project.
struct EmulatedStorage {
    emulator: EcsEmulator,
    config: PathBuf,
    _folder: TempDir,
}

impl EmulatedStorage {
    /// `None` after saying why it cannot be had here. In CI nothing is skipped.
    async fn with_projects(projects: &[&str]) -> Option<Self> {
        let emulator = EcsEmulator::start().await?;
        let made = prepared(&python()?, emulator.endpoint()).await;
        let [file_system, subnets @ ..] = made.as_slice() else { panic!("{made:?}") };
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("config.toml");
        let text = format!(
            "config_version = 1\nstate_dir = {:?}\n[defaults]\ncluster = \"ci\"\nregion = \"eu-west-1\"\n\
             subnets = {subnets:?}\nsecurity_groups = [\"sg-0a1\"]\nimage = \"team/ci:1\"\n\
             pin_image = false\ntask_role = \"ci-task\"\nvolumes = [\"cache\"]\nprojects = {projects:?}\n\
             [volume.cache]\nfile_system = {file_system:?}\npath = \"/cache\"\nseparation = \"project\"\n",
            folder.path().join("state")
        );
        std::fs::write(&config, text).expect("a writable folder");
        Some(Self { emulator, config, _folder: folder })
    }

    /// Runs `fargate-runner` with these arguments. Returns its exit code, stdout and stderr.
    async fn says(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(runner());
        command.env_clear().env("AWS_ENDPOINT_URL", self.emulator.endpoint());
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.arg("-c").arg(&self.config).args(arguments).stdin(Stdio::null());
        let output = command.output().await.expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// The access point in the task definition of a job, which ministack must take.
    async fn access_point_of(&self, job: &[&str]) -> String {
        let (code, _, err) = self.says(&[&["task-definition", "register"], job].concat()).await;
        assert_eq!(code, Some(0), "{err}");
        let (_, out, _) = self.says(&[&["task-definition", "render"], job].concat()).await;
        let definition: Value = serde_json::from_str(&out).expect("JSON");
        let access = &definition["volumes"][0]["efsVolumeConfiguration"]["authorizationConfig"];
        access["accessPointId"].as_str().expect("an access point").to_owned()
    }
}

async fn prepared(python: &Path, endpoint: &str) -> Vec<String> {
    let prepared = Command::new(python).args(["-c", PREPARE, endpoint]).output().await;
    let prepared = prepared.expect("it runs");
    let words = String::from_utf8_lossy(&prepared.stderr);
    serde_json::from_slice(&prepared.stdout).expect(&words)
}

#[tokio::test]
async fn an_emulator_that_others_wrote_is_brought_to_the_same_state() {
    let Some(storage) = EmulatedStorage::with_projects(&["group/app"]).await else { return };
    assert_eq!(storage.says(&["efs", "plan"]).await.0, Some(1));
    let (code, _, err) = storage.says(&["efs", "apply", "--yes"]).await;
    assert_eq!(code, Some(0), "{err}");
    let (code, out, err) = storage.says(&["efs", "plan"]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let (_, shown, _) = storage.says(&["efs", "show", "--format", "json"]).await;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let points = &shown["file_systems"][0]["volumes"][0]["access_points"];
    assert_eq!(points.as_array().expect("a list").len(), 2, "{shown}");
    assert_eq!(shown["file_systems"][0]["mount_targets"].as_array().expect("a list").len(), 2);
}

#[tokio::test]
async fn an_emulator_that_others_wrote_gives_jobs_the_folders_of_their_project_and_level_alone() {
    let projects = ["group/app", "group/other", "group/*"];
    let Some(storage) = EmulatedStorage::with_projects(&projects).await else { return };
    let (code, _, err) = storage.says(&["efs", "apply", "--yes"]).await;
    assert_eq!(code, Some(0), "{err}");
    let own = ["--project", "group/app"];
    let protected = ["--project", "group/app", "--protected"];
    let first = storage.access_point_of(&own).await;
    assert_eq!(
        storage.access_point_of(&own).await,
        first,
        "two jobs of one project share a folder"
    );
    let others = [
        storage.access_point_of(&protected).await,
        storage.access_point_of(&["--project", "group/other"]).await,
        storage.access_point_of(&["--project", "group/other", "--protected"]).await,
    ];
    assert!(!others.contains(&first), "{first} {others:?}");
    assert_ne!(others[0], others[2]);
    assert_ne!(others[1], others[2]);
    let third = ["task-definition", "register", "--project", "group/third"];
    let (code, _, err) = storage.says(&third).await;
    assert_ne!(code, Some(0), "a project without a folder of its own gets no task definition");
    assert!(err.contains("efs apply --project group/third"), "{err}");
}
