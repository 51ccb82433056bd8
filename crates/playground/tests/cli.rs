//! The `fargate-local` binary as a person meets it: help, wrong arguments, missing programs.

use std::process::{Command, Output};

fn local(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fargate-local"));
    command.args(arguments);
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn help_names_both_commands() {
    let output = local(&["--help"]).output().unwrap();
    let text = text(&output);
    assert!(output.status.success() && text.contains("serve") && text.contains("demo"), "{text}");
}

#[test]
fn a_pace_that_is_none_is_refused_with_what_is_allowed() {
    let output = local(&["serve", "--pace", "fast"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("allowed: `instant`, or a factor above 0"), "{}", text(&output));
}

#[test]
fn a_demo_without_its_programs_names_the_command_that_brings_them() {
    let empty = tempfile::tempdir().unwrap();
    let output = local(&["demo"]).env("PATH", empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output), "error: git is not installed; `apt-get install git` brings it\n");

    std::os::unix::fs::symlink("/bin/true", empty.path().join("git")).unwrap();
    let output = local(&["demo"]).env("PATH", empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output),
        "error: bwrap is not installed; `apt-get install bubblewrap` brings it\n"
    );

    std::os::unix::fs::symlink("/bin/true", empty.path().join("bwrap")).unwrap();
    let missing = ["demo", "--runner", "/nonexistent/fargate-runner"];
    let output = local(&missing).env("PATH", empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output),
        "error: /nonexistent/fargate-runner is not a file; --runner must name the fargate-runner program\n"
    );
}
