//! systemd takes our units, and they are as closed as it can tell.

use std::process::Command;

use fargate_tests::{have, runner};

use crate::root;

const UNITS: [&str; 3] =
    ["fargate-runner.service", "fargate-runner-reap.service", "fargate-runner-reap.timer"];

/// The units, with the program that was built in the place of the installed one.
fn units_that_name_this_program() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for unit in UNITS {
        let text = std::fs::read_to_string(root().join("packaging/systemd").join(unit));
        let text = text.expect("a unit");
        let built = text.replace("/usr/bin/fargate-runner", &runner().to_string_lossy());
        assert!(unit.ends_with(".timer") || text != built, "{unit} starts another program");
        std::fs::write(folder.path().join(unit), built).expect("a unit");
    }
    folder
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    if !have("systemd-analyze") {
        return;
    }
    let folder = units_that_name_this_program();
    let units = UNITS.map(|unit| folder.path().join(unit));
    let output = Command::new("systemd-analyze").arg("verify").args(units).output();
    let output = output.expect("systemd-analyze");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // What it says of units of the machine itself is not ours.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("fargate-runner")).collect();
    assert_eq!(ours, Vec::<&str>::new());
}

/// systemd's own measure: 0 is closed, 10 is open.
#[test]
fn both_services_are_closed_to_what_they_do_not_need() {
    if !have("systemd-analyze") {
        return;
    }
    let folder = units_that_name_this_program();
    for unit in &UNITS[..2] {
        let mut command = Command::new("systemd-analyze");
        command
            .args(["security", "--offline=true", "--threshold=40"])
            .arg(folder.path().join(unit));
        let output = command.output().expect("systemd-analyze");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{unit}: {said}");
    }
}
