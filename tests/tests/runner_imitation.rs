//! The imitation of gitlab-runner, compared with a real one: it plays the recorded jobs through a
//! driver that misbehaves in the same way.

mod recorded_jobs;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fargate_playground::runner::{
    DriverCallEvent, DriverCallObserver, DriverCommands, DriverOutputStream, DriverProcessExit,
    GitLabJob, JobControl, KillTimes, OUTPUT_LIMIT, PlayedJob, RunnerImitation, RunnerTimes,
    ScriptSource,
};
use fargate_tests::write_program;
use recorded_jobs::JobRecording;
use serde_json::Value;

/// A driver as the one that made the recordings: it notes what it sees, does what `HOW` says in
/// the call that `WHERE` names, and otherwise passes.
const RECORDER: &str = r#"#!/bin/bash
call=$1; [ "$1" = run ] && call="run:$3"
{
  echo "call=$call"
  echo "folder=$(pwd)"
  echo "tmpdir=$TMPDIR"
  echo "stdin=$(readlink /proc/$$/fd/0)"
  echo "group=$(( $(cut -d' ' -f5 /proc/$$/stat) == $$ ))"
  echo "response=$(stat -c %a "$JOB_RESPONSE_FILE")"
  [ "$1" = run ] && echo "script=$(stat -c %a "$2")"
  echo "files=$(ls "$TMPDIR" | sed 's/^script.*/script/' | sort -u | tr '\n' ' ')"
  env -0 | sort -z | grep -z -E '^(CUSTOM_ENV_|FROM_CONFIG=|PLAIN=|[A-Z_]*_EXIT_CODE=)' | tr '\n\0' '~\n' | sed 's/^/env:/'
} >> "$NOTES"
trap 'exit 143' TERM
if [ "$1" = config ] && [ "$WHERE" != config ]; then printf '%s' "$CONFIG"; fi
if [ "$1" = prepare ] && [ "$WHERE" != prepare ]; then
  echo "a line from prepare on stdout"
  echo "a line from prepare on stderr" >&2
fi
[ "$call" = "$WHERE" ] || exit 0
case $HOW in
  system) exit "$SYSTEM_FAILURE_EXIT_CODE" ;;
  build) exit "$BUILD_FAILURE_EXIT_CODE" ;;
  obey) trap 'exit 0' TERM; echo started; while :; do sleep 0.05; done ;;
  sleep) echo started; while :; do sleep 0.05; done ;;
  # What it started lives in a session of its own and keeps the output open.
  ignore_term) trap '' TERM; setsid sleep 30 & echo started; while :; do sleep 0.05; done ;;
esac
"#;

/// The recordings were made with pauses of 3 s and kill times of 4 s and 3 s: here a tenth, but half
/// of the time that a driver has to heed SIGTERM, which on a busy machine it needs.
fn times() -> RunnerTimes {
    let millis = Duration::from_millis;
    RunnerTimes {
        kill: KillTimes { graceful: millis(2000), force: millis(300) },
        prepare_pause: millis(300),
        stage_pause: millis(500),
        ..RunnerTimes::default()
    }
}

struct RunnerSetup {
    folder: tempfile::TempDir,
    runner: RunnerImitation,
}

impl RunnerSetup {
    /// A runner whose driver misbehaves as `recording` says.
    fn set(recording: &JobRecording, (call, how): (String, String)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let driver = folder.path().join("driver");
        write_program(&driver, RECORDER);
        let jobs = folder.path().join("jobs");
        fs::create_dir(&jobs).unwrap();
        let usual = serde_json::json!({"driver": {"name": "recorder", "version": "1"}, "hostname": "task-1"});
        let mut config = usual;
        for (key, value) in
            recording.outcome["behaviour"]["config_json"].as_object().into_iter().flatten()
        {
            config[key] = value.clone();
        }
        let environment: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap()),
            ("NOTES".into(), folder.path().join("notes").into()),
            ("WHERE".into(), call.into()),
            ("HOW".into(), how.into()),
            ("CONFIG".into(), config.to_string().into()),
            ("PLAIN".into(), "from the runner".into()),
            ("SYSTEM_FAILURE_EXIT_CODE".into(), "99".into()),
        ];
        let runner = RunnerImitation {
            driver: DriverCommands::new(&driver, &[], &[]),
            environment,
            builds_dir: "/builds".to_owned(),
            cache_dir: "/cache".to_owned(),
            short_token: "testtestt".to_owned(),
            folder: jobs,
            times: times(),
            output_limit: OUTPUT_LIMIT,
            scripts: ScriptSource::Written,
        };
        Self { folder, runner }
    }

    async fn play(&self, recording: &JobRecording) -> PlayedJob {
        let control = JobControl::default();
        let watch = cancel_when_started(&control, recording);
        self.play_job(&recording.job(recorded_jobs::HOST), &control, watch).await
    }

    async fn play_job(
        &self,
        job: &GitLabJob,
        control: &JobControl,
        watch: DriverCallObserver,
    ) -> PlayedJob {
        let play = self.runner.play(job, control, watch);
        tokio::time::timeout(Duration::from_secs(30), play).await.expect("the job ends by itself")
    }

    /// What the driver noted in each call: its lines, split at the first `=`.
    fn notes(&self) -> Vec<Vec<(String, String)>> {
        let text = fs::read_to_string(self.folder.path().join("notes")).unwrap();
        let mut calls: Vec<Vec<(String, String)>> = Vec::new();
        for line in text.lines() {
            let (key, value) = line.split_once('=').unwrap();
            if key == "call" {
                calls.push(Vec::new());
            }
            calls.last_mut().unwrap().push((key.to_owned(), value.to_owned()));
        }
        calls
    }
}

/// The call that misbehaves, and how; empty words for none.
fn misbehaviour(behaviour: &Value) -> (String, String) {
    for (call, how) in behaviour.as_object().into_iter().flatten() {
        if let Some(exit) = how["exit"].as_str() {
            return (call.clone(), exit.to_owned());
        }
        if let Some((word, _)) = how.as_object().and_then(|how| how.iter().next()) {
            return (call.clone(), word.clone());
        }
    }
    (String::new(), String::new())
}

fn cancel_when_started(control: &JobControl, recording: &JobRecording) -> DriverCallObserver {
    let control = control.clone();
    let cancelled = recording.outcome["cancelled_with"].as_str().map(str::to_owned);
    let stops_runner = recording.names()
        == ["config", "prepare", "prepare_script", "get_sources", "build_script", "cleanup"]
        && cancelled.is_none();
    Arc::new(move |event| {
        if let DriverCallEvent::Output { stream: DriverOutputStream::Stdout, bytes, .. } = event
            && bytes.starts_with(b"started")
        {
            match cancelled.as_deref() {
                Some("canceling") => control.cancel(),
                Some("canceled") => control.abort(),
                _ if stops_runner => control.stop_runner(),
                _ => {}
            }
        }
    })
}

/// Plays the recording `name` as its driver was told to misbehave.
async fn compare(name: &str) -> (JobRecording, RunnerSetup, PlayedJob) {
    let recording = JobRecording::read(name);
    let how = misbehaviour(&recording.outcome["behaviour"]);
    compare_as(recording, how).await
}

/// Plays a recording whose scripts, not its driver, did what is to be seen: here `call` does it.
async fn compare_script(name: &str, call: &str, how: &str) -> PlayedJob {
    compare_as(JobRecording::read(name), (call.to_owned(), how.to_owned())).await.2
}

/// Plays a recording and compares everything that GitLab and the driver can see.
async fn compare_as(
    recording: JobRecording,
    how: (String, String),
) -> (JobRecording, RunnerSetup, PlayedJob) {
    let stage = RunnerSetup::set(&recording, how);
    let outcome = stage.play(&recording).await;
    assert_eq!(outcome.names(), recording.names(), "order of calls");
    assert_eq!(recorded_jobs::exits(&outcome), recording.exits(), "exit codes");
    assert_eq!(recorded_jobs::received(&outcome), recording.signals(), "signals");
    assert_eq!(recorded_jobs::verdict(&outcome), recording.verdict(), "verdict");
    compare_folders(&recording, &outcome);
    compare_notes(&recording, &stage.notes());
    assert_eq!(
        files_in(&stage.runner.folder),
        [] as [PathBuf; 0],
        "folders of attempts that stayed"
    );
    (recording, stage, outcome)
}

/// Each attempt has a folder of its own, and all its calls share it.
fn compare_folders(recording: &JobRecording, outcome: &PlayedJob) {
    let changes = |folders: Vec<String>| -> Vec<bool> {
        folders.windows(2).map(|pair| pair[0] != pair[1]).collect()
    };
    let ours = outcome.calls.iter().map(|call| call.folder.display().to_string()).collect();
    let theirs =
        recording.calls.iter().map(|call| call["cwd"].as_str().unwrap().to_owned()).collect();
    assert_eq!(changes(ours), changes(theirs), "folders of attempts");
}

fn compare_notes(recording: &JobRecording, notes: &[Vec<(String, String)>]) {
    assert_eq!(notes.len(), recording.calls.len());
    for (call, noted) in recording.calls.iter().zip(notes) {
        let value =
            |key: &str| noted.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v.as_str());
        let at = value("call");
        assert!(value("folder").contains("/custom-executor"), "{at}: {}", value("folder"));
        assert_eq!(value("folder"), value("tmpdir"), "{at}");
        assert_eq!(
            (value("stdin"), value("group"), value("response")),
            ("/dev/null", "1", "600"),
            "{at}"
        );
        assert_eq!(value("script"), if call["script"].is_null() { "" } else { "700" }, "{at}");
        let mut files: Vec<_> = call["tmpdir_listing"].as_array().unwrap().iter().collect();
        // Only the driver that made the recordings writes this file.
        files.retain(|name| *name != "build_exit_code");
        let expected = if files.len() > 1 { "response.json script " } else { "response.json " };
        assert_eq!(value("files"), expected, "{at}");
        compare_environment(call, noted);
    }
}

/// Every variable of the contract that a driver may read has the recorded value.
fn compare_environment(call: &Value, noted: &[(String, String)]) {
    for (key, value) in call["env"].as_object().unwrap() {
        let differs = ["FILE", "TMPDIR", "RUNNER_VERSION", "RUNNER_REVISION", "EXECUTABLE_ARCH"];
        if differs.iter().any(|end| key.ends_with(end)) {
            continue;
        }
        let ours = noted
            .iter()
            .find(|(k, _)| k.strip_prefix("env:") == Some(key))
            .map(|(_, v)| v.as_str());
        let theirs = value.as_str().unwrap().replace('\n', "~");
        assert_eq!(ours, Some(theirs.as_str()), "{key} in {}", call["stage"]);
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn a_config_that_fails_is_tried_three_times_each_followed_by_cleanup() {
    let (_, _, outcome) = compare("config-fails").await;
    let pauses: Vec<_> =
        outcome.calls.windows(2).map(|two| two[1].started - two[0].started).collect();
    assert!(pauses[1] >= times().prepare_pause && pauses[3] >= times().prepare_pause, "{pauses:?}");
    assert!(outcome.took >= times().prepare_pause * 3, "the pause also follows the last try");
}

#[tokio::test]
async fn a_prepare_that_fails_is_tried_three_times_each_followed_by_cleanup() {
    compare("prepare-fails-3-times").await;
}

#[tokio::test]
async fn a_prepare_that_blames_the_build_is_not_tried_again() {
    compare("prepare-says-build-failure").await;
}

#[tokio::test]
async fn after_a_system_failure_in_the_script_the_after_script_still_runs() {
    compare("run-system-failure").await;
}

#[tokio::test]
async fn a_cleanup_that_fails_leaves_the_verdict_as_it_was() {
    let (_, _, outcome) = compare("cleanup-fails").await;
    let trace = String::from_utf8_lossy(&outcome.trace);
    assert!(
        trace.contains("Cleanup script failed") && trace.ends_with("Job succeeded\n"),
        "{trace}"
    );
}

#[tokio::test]
async fn what_config_answers_takes_effect() {
    let (_, stage, outcome) = compare("config-overrides").await;
    let plain = |call: &[(String, String)], key: &str| {
        let name = format!("env:{key}");
        call.iter().find(|(k, _)| *k == name).map(|(_, value)| value.clone())
    };
    let notes = stage.notes();
    assert_eq!(plain(&notes[0], "FROM_CONFIG"), None, "config itself has no job_env");
    assert!(notes[1..].iter().all(|call| plain(call, "FROM_CONFIG").as_deref() == Some("yes")));
    assert!(notes.iter().all(|call| plain(call, "PLAIN").as_deref() == Some("from the runner")));
    assert!(
        notes.iter().all(|call| plain(call, "SYSTEM_FAILURE_EXIT_CODE").as_deref() == Some("2"))
    );
    let trace = String::from_utf8_lossy(&outcome.trace);
    assert!(trace.starts_with("Using Custom executor with driver recorder 1...\n"), "{trace}");
}

#[tokio::test]
async fn a_cancel_in_prepare_ends_it_and_only_cleanup_follows() {
    let (_, _, outcome) = compare("cancelled-in-prepare").await;
    assert!(outcome.cancelled);
}

#[tokio::test]
async fn a_driver_that_ignores_sigterm_is_killed_and_the_next_stages_still_come() {
    let (_, _, outcome) = compare("cancelled-and-driver-ignores-sigterm").await;
    let killed = outcome.call("build_script").unwrap();
    let signals: Vec<_> = killed.signals.iter().map(|sent| sent.signal.as_str()).collect();
    assert_eq!(signals, ["SIGTERM", "SIGKILL"]);
    assert_eq!(killed.exit, DriverProcessExit::Signal(9));
    let waited = killed.took - killed.signals[0].after;
    assert!(
        waited >= times().kill.graceful + times().kill.force,
        "its open output is waited for: {waited:?}"
    );
    assert!(waited < Duration::from_secs(20), "but not longer: {waited:?}");
}

#[tokio::test]
async fn a_cancel_in_the_script_ends_it_and_after_script_follows() {
    let outcome = compare_script("cancelled-in-script", "run:build_script", "sleep").await;
    assert!(outcome.cancelled);
}

#[tokio::test]
async fn a_cancel_at_once_ends_the_script_and_only_cleanup_follows() {
    let outcome = compare_script("cancelled-at-once-in-script", "run:build_script", "sleep").await;
    assert!(outcome.cancelled);
}

#[tokio::test]
async fn a_runner_that_is_stopped_ends_the_script_and_only_cleanup_follows() {
    let outcome = compare_script("runner-gets-sigterm", "run:build_script", "sleep").await;
    assert!(!outcome.cancelled);
}

#[tokio::test]
async fn sources_that_fail_are_tried_three_times_and_the_work_tree_is_cleared_once() {
    let outcome = compare_script("sources-tried-3-times", "run:get_sources", "build").await;
    assert!(outcome.took >= times().stage_pause * 3, "the pause also follows the last try");
}

/// A job with an `after_script`, and a driver that does `how` in `call`: what no recording shows.
fn unrecorded(call: &str, how: &str) -> (GitLabJob, RunnerSetup) {
    let recording = JobRecording::read("cancelled-in-script");
    let stage = RunnerSetup::set(&recording, (call.to_owned(), how.to_owned()));
    (recording.job(recorded_jobs::HOST), stage)
}

async fn play_unrecorded(job: &GitLabJob, stage: &RunnerSetup) -> PlayedJob {
    stage.play_job(job, &JobControl::default(), Arc::new(|_| {})).await
}

#[tokio::test]
async fn a_script_whose_own_time_is_over_is_followed_by_its_after_script() {
    let (job, stage) = unrecorded("run:build_script", "sleep");
    let job = job.with_variable("RUNNER_SCRIPT_TIMEOUT", "300ms");
    let outcome = play_unrecorded(&job, &stage).await;
    let names = ["build_script", "after_script", "cleanup_file_variables", "cleanup"];
    assert_eq!(outcome.names()[4..], names);
    let verdict = ("failed".to_owned(), Some("job_execution_timeout".to_owned()), None);
    assert_eq!(recorded_jobs::verdict(&outcome), verdict);
    let after = outcome.call("after_script").unwrap();
    let status =
        after.environment.iter().find(|(key, _)| key == "CUSTOM_ENV_CI_JOB_STATUS").unwrap();
    assert_eq!(status.1, "timedout");
}

#[tokio::test]
async fn a_job_whose_time_is_over_goes_to_cleanup_at_once() {
    let (mut job, stage) = unrecorded("run:build_script", "sleep");
    job.runner_info.timeout = 1;
    let outcome = play_unrecorded(&job, &stage).await;
    assert_eq!(outcome.names()[4..], ["build_script", "cleanup"]);
    let verdict = ("failed".to_owned(), Some("job_execution_timeout".to_owned()), None);
    assert_eq!(recorded_jobs::verdict(&outcome), verdict);
}

#[tokio::test]
async fn cleanup_starts_beside_a_stage_that_does_not_end_after_its_job() {
    let (mut job, mut stage) = unrecorded("run:build_script", "ignore_term");
    job.runner_info.timeout = 1;
    stage.runner.times.build_finish = Duration::from_millis(50);
    let outcome = play_unrecorded(&job, &stage).await;
    assert_eq!(outcome.names()[4..], ["cleanup", "build_script"], "in the order of their ends");
    let (cleanup, script) =
        (outcome.call("cleanup").unwrap(), outcome.call("build_script").unwrap());
    assert!(cleanup.started < script.started + script.took);
    assert_eq!(script.exit, DriverProcessExit::Signal(9));
}

#[tokio::test]
async fn a_prepare_whose_time_is_over_is_tried_again() {
    let (job, mut stage) = unrecorded("prepare", "sleep");
    stage.runner.times.prepare = Duration::from_millis(200);
    let outcome = play_unrecorded(&job, &stage).await;
    assert_eq!(outcome.names(), ["config", "prepare", "cleanup"].repeat(3));
    let verdict = ("failed".to_owned(), Some("runner_system_failure".to_owned()), None);
    assert_eq!(recorded_jobs::verdict(&outcome), verdict);
}

#[tokio::test]
async fn a_prepare_that_answers_sigterm_with_0_is_believed_and_the_job_still_ends() {
    let (job, stage) = unrecorded("prepare", "obey");
    let control = JobControl::default();
    let canceller = control.clone();
    let watch: DriverCallObserver = Arc::new(move |event| {
        if let DriverCallEvent::Output { bytes: b"started\n", .. } = event {
            canceller.cancel();
        }
    });
    let outcome = stage.play_job(&job, &control, watch).await;
    assert_eq!(outcome.names(), ["config", "prepare", "cleanup"]);
    assert_eq!(outcome.call("prepare").unwrap().exit, DriverProcessExit::Code(0));
    assert!(outcome.cancelled);
}

#[tokio::test]
async fn an_answer_of_config_that_is_no_json_is_tried_again() {
    let (job, mut stage) = unrecorded("", "");
    stage.runner.environment.push(("CONFIG".into(), "{\"driver\":".into()));
    let outcome = play_unrecorded(&job, &stage).await;
    assert_eq!(outcome.names(), ["config", "cleanup"].repeat(3));
}

#[tokio::test]
async fn a_builds_dir_that_is_empty_is_not_tried_again() {
    let (job, mut stage) = unrecorded("", "");
    stage.runner.environment.push(("CONFIG".into(), "{\"builds_dir\":\"\"}".into()));
    let outcome = play_unrecorded(&job, &stage).await;
    assert_eq!(outcome.names(), ["config", "cleanup"]);
    assert!(String::from_utf8_lossy(&outcome.trace).contains("the builds_dir is not configured"));
}

#[tokio::test]
async fn a_variable_larger_than_the_kernel_takes_is_a_system_failure() {
    let (job, stage) = unrecorded("", "");
    let job = job.with_variable("LARGE", &"x".repeat(200 * 1024));
    let outcome = play_unrecorded(&job, &stage).await;
    assert!(
        matches!(outcome.calls[0].exit, DriverProcessExit::NotStarted(_)),
        "{:?}",
        outcome.calls[0].exit
    );
    let verdict = ("failed".to_owned(), Some("runner_system_failure".to_owned()), None);
    assert_eq!(recorded_jobs::verdict(&outcome), verdict);
}
