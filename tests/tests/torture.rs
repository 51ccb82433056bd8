//! `fargate-local torture` itself: no invariant breaks for any draw, and it reports one that
//! breaks.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use fargate_tests::{agent, contains, runner, until, write_program};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::timeout;

/// Of the run in CI; more are played by hand.
const SEEDS: std::ops::RangeInclusive<u32> = 1..=10;
const JOBS: u32 = 50;
/// A seed and a job of it that meets an impostor from the beginning; the answer to its launch is lost,
/// so that the next one shows the address already.
const IMPOSTOR: (&str, &str) = ("7", "16");
/// A seed and a job of it whose task is told to end while its script works for longer than the agent
/// keeps that from it; its handler ends it with 0.
const TOLD_TO_END: (&str, &str) = ("10", "35");
/// What is done to jobs and would show nothing if it never were, in the words of the report.
const STRIKES: [&str; 5] = [
    "task told to end by",
    "its script ends the task",
    "an essential sidecar ends",
    "keys expire: ",
    "known before STOPPED: ",
];
/// A driver that runs every script, and passes.
const RUNS_AND_PASSES: &str = "[ \"$2\" = run ] || exec \"$true_one\" \"$@\"\n\
                               \"$true_one\" \"$@\"\nexit 0";
/// Longest time that one may take; unhurried it takes a tenth.
const DEADLINE: Duration = Duration::from_secs(600);

fn command(arguments: &[&str]) -> Command {
    let program = runner().with_file_name("fargate-local");
    let mut command = Command::new(program);
    command.arg("torture").args(arguments).env("FARGATE_AGENT", agent());
    command
}

fn torture(arguments: &[&str]) -> Output {
    // What broke is kept, but not here.
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = command(arguments);
    command.env("TMPDIR", folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("fargate-local was built");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("an id"));
    let (sender, output) = channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = output.recv_timeout(DEADLINE) else {
        kill(pid, Signal::SIGKILL).ok();
        panic!("{arguments:?} still ran after {} s", DEADLINE.as_secs());
    };
    output.expect("a child of ours")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The number before these words.
fn count(played: &Output, words: &str) -> u32 {
    let said = out(played);
    let line = said.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{said}"));
    let number = line.split_whitespace().next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{line}"))
}

/// The numbers before these words, together.
fn counts(played: &Output, words: &str) -> u32 {
    let said = out(played);
    let lines = said.lines().filter(|line| line.contains(words));
    lines.filter_map(|line| line.split_whitespace().next()?.parse::<u32>().ok()).sum()
}

#[test]
fn no_invariant_breaks_in_the_seeds_of_ci() {
    let (mut breaks, mut misled, mut saved, mut strikes) = (0, 0, 0, [0; STRIKES.len()]);
    for seed in SEEDS {
        let played = torture(&["--seed", &seed.to_string(), "--jobs", &JOBS.to_string()]);
        let errors = String::from_utf8_lossy(&played.stderr);
        assert!(played.status.success(), "{}\n{errors}", out(&played));
        assert!(out(&played).contains(&format!("{JOBS} jobs in ")), "{}", out(&played));
        breaks += count(&played, "cuts, pauses and changes at a byte");
        misled += count(&played, "connections to another machine");
        saved += count(&played, "scripts that were told to end and ended with 0");
        for (strikes, words) in strikes.iter_mut().zip(STRIKES) {
            *strikes += counts(&played, words);
        }
    }
    // A network that breaks nothing shows nothing.
    assert!(breaks >= 30 && misled >= 10, "{breaks} {misled}");
    assert!(saved >= 3 && strikes.iter().all(|strikes| *strikes >= 3), "{saved} {strikes:?}");
}

/// A program in `folder` that does as the shell lines say, which see the true driver's words.
fn untrue_driver(folder: &Path, lines: &str) -> String {
    let program = folder.join("fargate-runner");
    let text = format!("#!/bin/sh\ntrue_one={}\n{lines}\n", runner().display());
    write_program(&program, &text);
    program.to_string_lossy().into_owned()
}

#[test]
fn a_driver_that_passes_a_script_which_was_told_to_end_is_found_out_by_what_its_handler_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let believer = untrue_driver(folder.path(), RUNS_AND_PASSES);
    let (seed, first) = TOLD_TO_END;
    let played = torture(&["--seed", seed, "--first", first, "--jobs", "1", "--runner", &believer]);
    assert_eq!(played.status.code(), Some(1), "{}", out(&played));
    assert_eq!(counts(&played, "scripts that were told to end and ended with 0"), 1);
    let said = out(&played);
    let passed = "error: I3 no false verdict: passed, and its script was told to end";
    assert!(said.contains(passed), "{said}");
}

#[test]
fn a_clean_up_that_stops_nothing_is_found_out_before_the_task_ends_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let idle = untrue_driver(folder.path(), "[ \"$2\" = cleanup ] || exec \"$true_one\" \"$@\"");
    let played = torture(&["--seed", "1", "--jobs", "8", "--runner", &idle]);
    assert_eq!(played.status.code(), Some(1), "{}", out(&played));
    assert!(out(&played).contains("error: I1 no orphan: cleanup has not stopped arn:"));
}

#[test]
fn a_driver_that_lies_is_found_out_and_its_job_can_be_played_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let liar = untrue_driver(folder.path(), RUNS_AND_PASSES);
    // The script of the first of them fails, and nothing is done to it: again it will be found out.
    let jobs = ["--seed", "1", "--first", "2", "--jobs", "8"];
    let played = torture(&[&jobs[..], &["--runner", &liar]].concat());
    assert_eq!(played.status.code(), Some(1), "{}", out(&played));
    let said = out(&played);
    assert!(
        said.contains("error: I3 no false verdict: passed, and its script ended with"),
        "{said}"
    );
    let again =
        said.lines().find_map(|line| line.trim().strip_prefix("again: fargate-local torture "));
    let mut again: Vec<_> = again.expect("a command").split(' ').collect();
    again.extend(["--runner", &*liar]);
    let again = torture(&again);
    assert_eq!(again.status.code(), Some(1), "{}", out(&again));
    assert!(out(&again).contains("1 job in "), "{}", out(&again));
}

#[test]
fn a_driver_that_trusts_whom_it_meets_is_found_out_by_what_the_impostor_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    // It takes the first key that it is shown.
    let lines = format!(
        "mine={}/$$.toml\nsed 's/host_key = .*/host_key = \"first_use\"/' \"$4\" >$mine\n\
         stage=\"$1 $2 $3 $mine\"\nshift 4\nexec \"$true_one\" $stage \"$@\"",
        folder.path().display()
    );
    let trusting = untrue_driver(folder.path(), &lines);
    let (seed, first) = IMPOSTOR;
    let arguments = ["--seed", seed, "--first", first, "--jobs", "1"];
    let honest = torture(&arguments);
    assert!(honest.status.success(), "{}", out(&honest));
    assert!(out(&honest).contains("1  an impostor from the beginning"), "{}", out(&honest));
    let played = torture(&[&arguments[..], &["--runner", &trusting]].concat());
    assert_eq!(played.status.code(), Some(1), "{}", out(&played));
    let said = out(&played);
    assert!(said.contains("error: I7 right host: an impostor was told a login of "), "{said}");
    assert!(said.contains("error: I7 right host: an impostor was told a channel"), "{said}");
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    for arguments in [["--jobs", "0"], ["--at-once", "0"], ["--seed", "-1"], ["--jobs", "many"]] {
        let refused = torture(&arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(out(&refused).is_empty());
    }
}

/// True if there is a driver whose temporary folder lies in `folder`.
fn drives_in(folder: &Path) -> bool {
    let variable = format!("TMPDIR={}/", folder.display());
    let is_driver = |process: &Path| {
        fs::read(process.join("comm")).is_ok_and(|name| name == b"fargate-runner\n")
            && fs::read(process.join("environ"))
                .is_ok_and(|variables| contains(&variables, variable.as_bytes()))
    };
    let processes = fs::read_dir("/proc").expect("a folder of Linux");
    processes.flatten().any(|process| is_driver(&process.path()))
}

#[tokio::test]
async fn a_torture_that_is_interrupted_says_so_and_leaves_nothing() {
    let (folder, said) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("one"));
    let (out, err) = (said.path().join("out"), said.path().join("err"));
    let file = |path: &Path| File::create(path).expect("a writable folder");
    let text = |path: &Path| fs::read_to_string(path).expect("just made");
    let mut command = command(&["--jobs", "40", "--seed", "7", "--at-once", "2"]);
    command.env("TMPDIR", folder.path());
    command.stdin(Stdio::null()).stdout(file(&out)).stderr(file(&err));
    let mut command = tokio::process::Command::from(command);
    let mut child = command.kill_on_drop(true).spawn().expect("fargate-local was built");
    until("it began", || text(&out).contains("seed 7\n")).await;
    until("a stage runs", || drives_in(folder.path())).await;
    let pid = Pid::from_raw(i32::try_from(child.id().expect("not reaped yet")).expect("an id"));
    kill(pid, Signal::SIGINT).expect("a process that still runs");
    let ended = timeout(DEADLINE, child.wait()).await.expect("it ends").expect("a child of ours");
    let err = text(&err);
    assert_eq!(ended.code(), Some(130), "{err}");
    assert!(err.starts_with("error: interrupted") && err.lines().count() == 1, "{err}");
    let left: Vec<_> = fs::read_dir(folder.path()).expect("still there").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    until("no driver is left", || !drives_in(folder.path())).await;
}
