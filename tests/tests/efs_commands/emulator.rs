//! The same commands against ministack, which others wrote.

use std::path::Path;

use fargate_tests::{EcsEmulator, python, runner};
use serde_json::Value;
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

#[tokio::test]
async fn an_emulator_that_others_wrote_is_brought_to_the_same_state() {
    let Some(emulator) = EcsEmulator::start().await else { return };
    let Some(python) = python() else { return };
    let prepared = Command::new(python).args(["-c", PREPARE, emulator.endpoint()]).output().await;
    let prepared = prepared.expect("it runs");
    let words = String::from_utf8_lossy(&prepared.stderr);
    let made: Vec<String> = serde_json::from_slice(&prepared.stdout).expect(&words);
    let [file_system, subnets @ ..] = made.as_slice() else { panic!("{made:?}") };
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.toml");
    let text = format!(
        "config_version = 1\nstate_dir = {:?}\n[defaults]\ncluster = \"ci\"\nregion = \"eu-west-1\"\n\
         subnets = {subnets:?}\nsecurity_groups = [\"sg-0a1\"]\nimage = \"team/ci:1\"\n\
         pin_image = false\ntask_role = \"ci-task\"\nvolumes = [\"cache\"]\nprojects = [\"group/app\"]\n\
         [volume.cache]\nfile_system = {file_system:?}\npath = \"/cache\"\nseparation = \"project\"\n",
        folder.path().join("state")
    );
    std::fs::write(&config, text).expect("a writable folder");
    let says = async |arguments: &[&str]| says(&config, emulator.endpoint(), arguments).await;
    assert_eq!(says(&["plan"]).await.0, Some(1));
    let (code, _, err) = says(&["apply", "--yes"]).await;
    assert_eq!(code, Some(0), "{err}");
    let (code, out, err) = says(&["plan"]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let (_, shown, _) = says(&["show", "--format", "json"]).await;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let points = &shown["file_systems"][0]["volumes"][0]["access_points"];
    assert_eq!(points.as_array().expect("a list").len(), 2, "{shown}");
    assert_eq!(shown["file_systems"][0]["mount_targets"].as_array().expect("a list").len(), 2);
}

async fn says(config: &Path, endpoint: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(runner());
    command.env_clear().env("AWS_ENDPOINT_URL", endpoint);
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.arg("-c").arg(config).arg("efs").args(arguments).stdin(std::process::Stdio::null());
    let output = command.output().await.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
