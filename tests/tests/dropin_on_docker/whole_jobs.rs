//! Whole jobs: many at once, one that is cancelled, and one whose image does not exist.

use std::collections::BTreeSet;
use std::sync::Arc;

use fargate_playground::runner::{
    DriverCall, DriverCallEvent, DriverCallObserver, DriverOutputStream, DriverProcessExit,
    FailureReason, GitInfo, GitLabJob, GitLabVerdict, JobControl, PlayedJob, RunnerImitation,
    ScriptSource,
};
use fargate_tests::RunnerInstallation;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::recorded_jobs::replayed::DEADLINE;
use crate::{containers, gitlab_runner};

/// Jobs that are played at once.
const AT_ONCE: u64 = 8;

fn job(number: u64, script: &[&str]) -> GitLabJob {
    let git = GitInfo {
        repo_url: "http://gitlab.example/group/project.git".to_owned(),
        ..GitInfo::default()
    };
    GitLabJob::new(number, "test", git, script).with_variable("GIT_STRATEGY", "none")
}

async fn play(
    runner: &RunnerImitation,
    job: &GitLabJob,
    control: &JobControl,
    watch: DriverCallObserver,
) -> PlayedJob {
    timeout(DEADLINE, runner.play(job, control, watch)).await.expect("the job ends by itself")
}

fn stdout(call: &DriverCall) -> String {
    String::from_utf8_lossy(&call.stdout).into_owned()
}

/// The rest of the line that begins with `word`.
fn told(outcome: &PlayedJob, stage: &str, word: &str) -> String {
    let out = stdout(outcome.call(stage).expect("a stage that ran"));
    let line = out.lines().find_map(|line| line.strip_prefix(word));
    line.unwrap_or_else(|| panic!("no line {word:?} of {stage}:\n{out}")).trim().to_owned()
}

#[tokio::test]
async fn eight_jobs_at_once_pass_each_in_a_container_of_its_own() {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::on(containers);
    let runner = Arc::new(gitlab_runner(&installation, ScriptSource::Written));
    let mut jobs = JoinSet::new();
    for number in 0..AT_ONCE {
        let runner = runner.clone();
        let script =
            [&*format!("echo number {number}"), "echo host $(hostname)"].map(str::to_owned);
        jobs.spawn(async move {
            let job = job(number, &script.each_ref().map(String::as_str));
            let job = job.with_after_script(&["echo afterwards $(hostname)"]);
            (number, play(&runner, &job, &JobControl::default(), Arc::new(|_| {})).await)
        });
    }
    let mut hosts = BTreeSet::new();
    for (number, outcome) in jobs.join_all().await {
        let log = String::from_utf8_lossy(&outcome.trace);
        assert_eq!(outcome.verdict, GitLabVerdict::Success, "{log}");
        assert!(outcome.calls.iter().all(|call| call.exit == DriverProcessExit::Code(0)), "{log}");
        assert_eq!(told(&outcome, "build_script", "number "), number.to_string());
        let host = told(&outcome, "build_script", "host ");
        assert_eq!(told(&outcome, "after_script", "afterwards "), host);
        assert!(hosts.insert(host), "two jobs in one container");
    }
    installation.close(hosts.len()).await;
}

#[tokio::test]
async fn a_cancel_ends_all_that_the_script_started_and_then_after_script_runs() {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::on(containers);
    let runner = gitlab_runner(&installation, ScriptSource::Written);
    let job = job(1, &["sleep 4711 &", "(sleep 4712; true) &", "echo started", "sleep 4713"])
        .with_after_script(&[
            "echo sleepers: $(cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -cx '471[123]')",
        ]);
    let control = JobControl::default();
    let cancelling = control.clone();
    let watch: DriverCallObserver = Arc::new(move |event| {
        if let DriverCallEvent::Output {
            name: "build_script",
            stream: DriverOutputStream::Stdout,
            bytes,
        } = event
            && bytes.windows(8).any(|window| window == b"started\n")
        {
            cancelling.cancel();
        }
    });
    let outcome = play(&runner, &job, &control, watch).await;
    let log = String::from_utf8_lossy(&outcome.trace);
    assert!(outcome.cancelled, "{log}");
    let script = outcome.call("build_script").expect("it ran");
    assert_ne!(script.exit, DriverProcessExit::Code(0), "{log}");
    assert_eq!(
        outcome.call("after_script").map(|call| call.exit.clone()),
        Some(DriverProcessExit::Code(0))
    );
    assert_eq!(told(&outcome, "after_script", "sleepers: "), "0", "{log}");
    installation.close(1).await;
}

#[tokio::test]
async fn an_image_that_nobody_has_fails_as_system_failure_and_says_what_ecs_said() {
    let Some(containers) = containers() else { return };
    let installation = RunnerInstallation::without_image(containers);
    let runner = gitlab_runner(&installation, ScriptSource::Written);
    let outcome = play(&runner, &job(1, &["true"]), &JobControl::default(), Arc::new(|_| {})).await;
    let log = String::from_utf8_lossy(&outcome.trace);
    let failed =
        GitLabVerdict::Failed { reason: FailureReason::RunnerSystemFailure, exit_code: None };
    assert_eq!(outcome.verdict, failed, "{log}");
    let prepares: Vec<_> = outcome.calls.iter().filter(|call| call.name() == "prepare").collect();
    assert_eq!(prepares.len(), 3, "gitlab-runner's own tries:\n{log}");
    for prepare in prepares {
        assert_eq!(prepare.exit, DriverProcessExit::Code(2), "{log}");
    }
    for words in ["acme/ci:mistyped does not exist", "TaskFailedToStart"] {
        assert!(log.contains(words), "{words} in the job's log:\n{log}");
    }
    assert!(outcome.call("build_script").is_none(), "{log}");
    installation.close(1).await;
}
