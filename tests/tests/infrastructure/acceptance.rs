//! `make aws-acceptance` against ministack on a Docker Engine: the stack, a configuration, a job in a real container,
//! what was seen and what was not, and that nothing is left, also after Ctrl-C.
//!
//! What only AWS can show stays unseen here, and the facts must say so.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fargate_tests::{ContainerEngine, PATIENCE, python, runner, skip};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::root;

/// The image with the agent that `tests/containers/serve.py` makes on its engine.
const IMAGE: &str = "fargate-agent-debian:tests";
/// The longest that a whole trial may take here.
const WHOLE: Duration = Duration::from_secs(300);

/// The engine with ministack on it, and the trial's interpreter; `None` after saying why not.
struct TrialPlace {
    engine: ContainerEngine,
    python: std::path::PathBuf,
}

impl TrialPlace {
    fn find() -> Option<Self> {
        let python = python()?;
        match ContainerEngine::start() {
            Ok(engine) => Some(Self { engine, python }),
            Err(why) => {
                skip(&why);
                None
            }
        }
    }

    fn begin(&self, out: &Path) -> Child {
        let programs = runner().parent().expect("it lies in a folder").to_owned();
        let mut command = Command::new(&self.python);
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("AWS_ENDPOINT_URL", self.engine.endpoint());
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.env("AWS_DEFAULT_REGION", "eu-west-1").env("AWS_REGION", "eu-west-1");
        command.arg(root().join("infrastructure/acceptance/accept.py"));
        command.args(["--image", IMAGE, "--write-docs"]).arg("--programs").arg(programs);
        command.arg("--out").arg(out);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).spawn().expect("python was installed")
    }

    /// What is there besides what `serve.py` made: clusters, stacks, file systems, NAT gateways.
    async fn leftovers(&self) -> String {
        let look = "
import boto3, sys
at = dict(endpoint_url=sys.argv[1], region_name='eu-west-1', aws_access_key_id='test', aws_secret_access_key='test')
c = lambda name: boto3.client(name, **at)
print([arn for arn in c('ecs').list_clusters()['clusterArns'] if 'acceptance' in arn],
      [s['StackName'] for s in c('cloudformation').describe_stacks()['Stacks'] if s['StackStatus'] != 'DELETE_COMPLETE'],
      [f['FileSystemId'] for f in c('efs').describe_file_systems()['FileSystems']],
      [n['NatGatewayId'] for n in c('ec2').describe_nat_gateways()['NatGateways'] if n['State'] not in ('deleted', 'deleting')],
      [a['AllocationId'] for a in c('ec2').describe_addresses()['Addresses']])
";
        let mut command = Command::new(&self.python);
        let output =
            command.args(["-c", look, self.engine.endpoint()]).output().await.expect("it runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned()
    }
}

async fn ended(trial: Child) -> (Option<i32>, String) {
    let output =
        timeout(WHOLE, trial.wait_with_output()).await.expect("it ends in time").expect("it ran");
    let log = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.code(), log)
}

fn row<'a>(facts: &'a Value, fact: &str) -> &'a Value {
    let rows = facts["facts"].as_array().expect("rows");
    rows.iter().find(|row| row["fact"] == fact).unwrap_or_else(|| panic!("no row {fact}: {facts}"))
}

#[tokio::test]
async fn the_trial_runs_a_job_in_an_emulated_account_says_what_it_could_not_see_and_leaves_nothing()
{
    let Some(place) = TrialPlace::find() else { return };
    let out = tempfile::tempdir().expect("a folder");
    let limits = std::fs::read_to_string(root().join("docs/LIMITS.md")).expect("a page");
    let (code, log) = ended(place.begin(out.path())).await;
    assert_eq!(code, Some(0), "{log}");
    let facts = std::fs::read_to_string(out.path().join("facts.json")).expect("the facts");
    let facts: Value = serde_json::from_str(&facts).expect("JSON");
    assert_eq!(facts["place"], "an emulator", "what an emulator shows is never called AWS");
    for (fact, seen) in [
        ("stack", true),
        ("import-stack", true),
        ("job", true),
        ("stop of the task of the first job", true),
        ("host-key-sts", false),
        ("sts-session-name", false),
        ("efs-apply", false),
        ("AWS::EC2::Instance", false),
        ("manager-host", false),
    ] {
        assert_eq!(row(&facts, fact)["seen"], seen, "{fact}\n{log}");
    }
    let phases: Vec<&str> = facts["times"]
        .as_array()
        .expect("times")
        .iter()
        .filter_map(|time| time["phase"].as_str())
        .collect();
    for phase in ["building the stack", "first job", "taking everything down"] {
        assert!(phases.contains(&phase), "{phase}: {phases:?}");
    }
    // Each phase of a start has its time, or the sheet says why not.
    let rows =
        facts["facts"].as_array().expect("rows").iter().filter_map(|row| row["fact"].as_str());
    let rows: Vec<&str> = rows.chain(phases.iter().copied()).collect();
    for phase in
        ["network interface", "pull of the image", "from RunTask to RUNNING", "by the driver"]
    {
        let told = |row: &&str| row.contains("first job") && row.contains(phase);
        assert!(rows.iter().any(told), "{phase}: {rows:?}");
    }
    let job =
        std::fs::read_to_string(out.path().join("first-job.log")).expect("the log of the job");
    assert!(job.contains("git version 2.") && job.contains("Job succeeded"), "{job}");
    assert_eq!(place.leftovers().await, "[] [] [] [] []", "{log}");
    let after = std::fs::read_to_string(root().join("docs/LIMITS.md")).expect("a page");
    assert_eq!(limits, after, "nothing that an emulator shows settles a row of the docs");
}

#[tokio::test]
async fn after_ctrl_c_the_trial_takes_everything_down() {
    let Some(place) = TrialPlace::find() else { return };
    let out = tempfile::tempdir().expect("a folder");
    let trial = place.begin(out.path());
    let id = trial.id().expect("it runs");
    let begun = || async {
        let stacks = place.leftovers().await;
        if stacks.contains("fargate-acceptance-") { Ok(()) } else { Err(stacks) }
    };
    fargate_tests::until_found("a stack", begun).await;
    kill(Pid::from_raw(id.cast_signed()), Signal::SIGINT).expect("a signal");
    let (code, log) = timeout(PATIENCE * 4, ended(trial)).await.expect("it ends soon");
    assert_eq!(code, Some(130), "{log}");
    assert!(log.contains("nothing is left"), "{log}");
    assert_eq!(place.leftovers().await, "[] [] [] [] []", "{log}");
}
