//! The product tortures itself: no invariant breaks, whatever is drawn, and one that breaks is told.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use fargate_tests::{agent, runner};

/// Of the run in CI; more are played by hand.
const SEEDS: std::ops::RangeInclusive<u32> = 1..=10;
const JOBS: u32 = 50;

fn torture(arguments: &[&str]) -> Output {
    let program = runner().with_file_name("fargate-local");
    let mut command = Command::new(program);
    command.arg("torture").args(arguments).env("FARGATE_AGENT", agent());
    command.output().expect("fargate-local was built")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn no_invariant_breaks_in_the_seeds_of_ci() {
    for seed in SEEDS {
        let played = torture(&["--seed", &seed.to_string(), "--jobs", &JOBS.to_string()]);
        let errors = String::from_utf8_lossy(&played.stderr);
        assert!(played.status.success(), "{}\n{errors}", out(&played));
        assert!(out(&played).contains(&format!("{JOBS} jobs in ")), "{}", out(&played));
    }
}

#[test]
fn a_driver_that_lies_is_found_out_and_its_job_can_be_played_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let liar = folder.path().join("fargate-runner");
    let true_one = runner();
    // It runs everything, and passes.
    let text = format!("#!/bin/sh\n{} \"$@\"\nexit 0\n", true_one.display());
    std::fs::write(&liar, text).expect("a script");
    std::fs::set_permissions(&liar, std::fs::Permissions::from_mode(0o755)).expect("a program");
    let liar = liar.to_string_lossy();
    let played = torture(&["--seed", "1", "--jobs", "10", "--runner", &liar]);
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
fn numbers_that_make_no_sense_are_refused() {
    for arguments in [["--jobs", "0"], ["--at-once", "0"], ["--seed", "-1"], ["--jobs", "many"]] {
        let refused = torture(&arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(out(&refused).is_empty());
    }
}
