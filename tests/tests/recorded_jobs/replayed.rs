//! Plays a recorded job again: with which scripts, what happens to it meanwhile, and what must be
//! the same in the end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fargate_playground::runner::{
    DriverCall, DriverCallEvent, DriverCallObserver, DriverOutputStream, DriverProcessExit,
    JobControl, KillTimes, PlayedJob, RecordedScripts, RunnerImitation, RunnerTimes, ScriptSource,
};

use super::{HOST, JobRecording, exits, originals, received, verdict};

/// The files of the repository that the recorded jobs fetch.
pub const FILES: [(&str, &str); 2] =
    [("README.md", "hello\n"), ("src/main.c", "int main(){return 0;}\n")];

/// What the exit code of a driver means in the recordings, and what ours gives.
const TERMINATED: i64 = 143;

/// A line that a stand-in of ours prints before a script's own output.
pub const CHECKSUM: &str = "script-sha256 ";

/// Longest time of one job.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The pauses of gitlab-runner in tenths, and its patience with a driver.
pub fn times() -> RunnerTimes {
    RunnerTimes {
        kill: KillTimes { graceful: Duration::from_secs(20), force: Duration::from_secs(5) },
        stage_pause: Duration::from_millis(100),
        prepare_pause: Duration::from_millis(100),
        ..RunnerTimes::default()
    }
}

/// The recorded scripts where they lie beside the checkout, else scripts of our own.
pub fn scripts(name: &str, host: &str) -> ScriptSource {
    match originals() {
        Some(folder) => {
            let scripts =
                RecordedScripts::read(&folder.join(name).join("scripts"), &[(HOST, host)]);
            ScriptSource::Recorded(scripts.unwrap())
        }
        None => {
            println!(
                "no recorded scripts beside the checkout: {name} is played with scripts of our own"
            );
            ScriptSource::Written
        }
    }
}

/// When, during the user's script, what happens to the job.
fn interrupt(control: &JobControl, recording: &JobRecording, name: &str) -> DriverCallObserver {
    let control = control.clone();
    let how = match recording.outcome["cancelled_with"].as_str() {
        Some(how) => how.to_owned(),
        None if name == "runner-gets-sigterm" => "runner".to_owned(),
        None => String::new(),
    };
    Arc::new(move |event| {
        if let DriverCallEvent::Output {
            name: "build_script",
            stream: DriverOutputStream::Stdout,
            bytes,
        } = event
            && bytes.windows(8).any(|window| window == b"started\n")
        {
            match how.as_str() {
                "canceling" => control.cancel(),
                "canceled" => control.abort(),
                "runner" => control.stop_runner(),
                _ => {}
            }
        }
    })
}

/// Plays the recording `name` with a server at `host`, and compares what can be seen.
pub async fn play(name: &str, runner: &RunnerImitation, host: &str) -> PlayedJob {
    let recording = JobRecording::read(name);
    let job = recording.job(host);
    let control = JobControl::default();
    let watch = interrupt(&control, &recording, name);
    let play = runner.play(&job, &control, watch);
    let outcome = tokio::time::timeout(DEADLINE, play).await.expect("the job ends by itself");
    compare(&recording, &outcome);
    if let (ScriptSource::Recorded(_), Some(originals)) = (&runner.scripts, originals()) {
        compare_trace(&originals.join(name).join("trace.txt"), &outcome);
    }
    outcome
}

/// The same calls, exit codes, signals and verdict.
fn compare(recording: &JobRecording, outcome: &PlayedJob) {
    let log = String::from_utf8_lossy(&outcome.trace);
    assert_eq!(outcome.names(), recording.names(), "order of calls; the log:\n{log}");
    let ours_for = |exit: &Option<i64>| if *exit == Some(TERMINATED) { Some(2) } else { *exit };
    let expected: Vec<_> = recording.exits().iter().map(ours_for).collect();
    assert_eq!(exits(outcome), expected, "exit codes; the log:\n{log}");
    assert_eq!(received(outcome), recording.signals(), "signals");
    let (state, reason, exit_code) = recording.verdict();
    // The recording driver reported a signal as its negative number; ours as a shell does.
    let exit_code = exit_code.map(|code| if code < 0 { 128 - code } else { code });
    assert_eq!(verdict(outcome), (state, reason, exit_code), "verdict; the log:\n{log}");
}

/// What the user's script printed is what the recorded one printed.
fn compare_trace(path: &Path, outcome: &PlayedJob) {
    let recorded = std::fs::read_to_string(path).unwrap();
    let Some(call) = outcome.call("build_script") else { return };
    if call.exit != DriverProcessExit::Code(0) {
        return;
    }
    let section = recorded.split(":step_script\r").nth(1).unwrap_or_default();
    let of_runner = |line: &&str| !line.contains("section_") && !line.contains("step_script");
    // The recorded log holds both streams; what we have on stderr is taken out of it.
    let stderr: Vec<_> = String::from_utf8_lossy(&call.stderr).lines().map(masked).collect();
    let lines = section.lines().filter(of_runner).map(masked);
    let theirs: Vec<_> = lines.filter(|line| !stderr.contains(line)).collect();
    assert_eq!(printed(call), theirs);
}

/// Each line of a call without the runner's masks: both sides are compared as if masked.
fn printed(call: &DriverCall) -> Vec<String> {
    let text = String::from_utf8_lossy(&call.stdout);
    text.lines().filter(|line| !line.starts_with(CHECKSUM)).map(masked).collect()
}

/// Values that GitLab hides, hidden on both sides.
fn masked(line: &str) -> String {
    line.replace("hunter2-hunter2", "[MASKED]")
}

/// One test for each recorded job whose driver did not misbehave: `$replay` plays it by its name.
macro_rules! every_recorded_job {
    ($replay:ident) => {
        every_recorded_job! { $replay:
            an_ordinary_job_passes: "success";
            a_script_that_exits_with_3_fails_with_3: "script-exits-3";
            a_script_killed_by_a_signal_fails_with_128_and_the_signal: "script-killed-by-signal";
            a_script_of_200_kib_arrives_whole: "script-of-200-kib";
            variables_of_every_kind_arrive_unchanged: "odd-variables";
            variables_that_lie_about_the_job_change_nothing: "hostile-variables";
            an_image_and_services_are_passed_over: "image-and-services";
            a_job_without_sources_passes: "git-strategy-none";
            hooks_and_submodules_run: "hooks-and-submodules";
            a_cache_and_artifacts_are_packed: "artifacts-and-cache";
            artifacts_of_another_job_are_there: "artifact-of-another-job";
            sources_that_are_not_there_are_tried_three_times: "sources-tried-3-times";
            a_cancelled_job_still_runs_its_after_script: "cancelled-in-script";
            a_job_cancelled_at_once_ends_with_cleanup_alone: "cancelled-at-once-in-script";
            a_job_whose_time_is_over_ends_with_cleanup_alone: "job-times-out";
            a_job_whose_runner_is_stopped_ends_with_cleanup_alone: "runner-gets-sigterm";
        }
    };
    ($replay:ident: $($test:ident: $name:literal;)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                $replay($name).await;
            }
        )*
    };
}
pub(crate) use every_recorded_job;
