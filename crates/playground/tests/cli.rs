//! The `fargate-local` binary as a person meets it: help, wrong arguments, missing programs.

use std::collections::HashSet;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

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
fn a_job_prints_its_log_and_ends_with_its_verdict() {
    // A driver that does nothing, so the job passes.
    let output = local(&["job", "--runner", "/bin/true", "echo one"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "Job succeeded\n");
}

#[test]
fn a_job_without_its_driver_or_configuration_names_the_flag() {
    let missing = ["job", "--runner", "/nonexistent/fargate-runner", "true"];
    let output = local(&missing).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output),
        "error: /nonexistent/fargate-runner is not a file; --runner must name the fargate-runner program\n"
    );
    let missing = ["job", "--config", "/nonexistent/config.toml", "true"];
    let output = local(&missing).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = text(&output);
    assert!(
        text.starts_with("error: finding the configuration /nonexistent/config.toml"),
        "{text}"
    );
}

#[test]
fn a_demo_without_its_programs_names_the_command_that_brings_them() {
    let empty = tempfile::tempdir().unwrap();
    let output = local(&["demo"]).env("PATH", empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output), "error: git is not installed; `apt-get install git` brings it\n");

    symlink("/bin/true", empty.path().join("git")).unwrap();
    let output = local(&["demo"]).env("PATH", empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output),
        "error: bwrap is not installed; `apt-get install bubblewrap` brings it\n"
    );

    symlink("/bin/true", empty.path().join("bwrap")).unwrap();
    let missing = ["demo", "--runner", "/nonexistent/fargate-runner"];
    let output = local(&missing).env("PATH", empty.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output),
        "error: /nonexistent/fargate-runner is not a file; --runner must name the fargate-runner program\n"
    );
}

#[test]
fn serve_says_in_one_line_how_to_use_it_and_ends_at_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("my local.toml");
    std::fs::write(&file, "what was there").unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let mut secrets = HashSet::new();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut child = local(&["serve", "--write-config"])
            .arg(&file)
            .env("FARGATE_AGENT", "/bin/true")
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let endpoint =
            line.strip_prefix("ready: export AWS_ENDPOINT_URL=http://127.0.0.1:").unwrap();
        let port = endpoint.split(' ').next().unwrap();
        assert!(line.ends_with(&format!("FARGATE_RUNNER_CONFIG='{}'\n", file.display())), "{line}");
        let configuration = std::fs::read_to_string(&file).unwrap();
        assert!(configuration.contains(&format!("port = {port}\n")), "{configuration}");
        let secret = line.split("AWS_SECRET_ACCESS_KEY=").nth(1).unwrap();
        let secret = secret.split(' ').next().unwrap();
        assert!(secret.len() == 40 && secrets.insert(secret.to_owned()), "{line}");
        assert!(configuration.contains(&format!("AWS_SECRET_ACCESS_KEY={secret}\n")));
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds the secret");
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_pair_of_the_environment_is_taken_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("local.toml");
    let mut child = local(&["serve", "--write-config"])
        .arg(&file)
        .env("FARGATE_AGENT", "/bin/true")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "a-secret-of-somebody")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let configuration = std::fs::read_to_string(&file).unwrap();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(line.starts_with("ready: export AWS_ENDPOINT_URL=http://127.0.0.1:"), "{line}");
    assert!(!(line + &configuration).contains("a-secret-of-somebody"));
}

#[test]
fn an_address_that_other_machines_reach_needs_a_flag_and_keys_that_nobody_knows() {
    let serve = |arguments: &[&str]| {
        let mut command = local(arguments);
        command.env("FARGATE_AGENT", "/bin/true").env("AWS_ACCESS_KEY_ID", "test");
        let output = command.env("AWS_SECRET_ACCESS_KEY", "test").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        text(&output)
    };
    let said = serve(&["serve", "--listen", "192.0.2.7:4510"]);
    insta::assert_snapshot!(said, @"error: listening on 192.0.2.7:4510 would let other machines run commands on this one; give a loopback address, for example 127.0.0.1:4510, or allow it with --allow-remote");
    let said = serve(&["serve", "--listen", "192.0.2.7:4510", "--allow-remote"]);
    insta::assert_snapshot!(said, @"error: listening on 192.0.2.7:4510 with access key test, whose secret is well known or easily guessed, would let strangers run commands on this machine; unset AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (then a random pair is drawn), or set a pair that nobody else knows");
}

#[test]
fn the_explanation_of_fault_rules_is_a_file_of_them() {
    let explained = local(&["faults"]).output().unwrap();
    assert!(explained.status.success());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.faults");
    std::fs::write(&file, &explained.stdout).unwrap();
    let checked = local(&["faults"]).arg(&file).output().unwrap();
    let rules = text(&checked);
    assert!(checked.status.success(), "{rules}");
    assert!(rules.lines().count() > 40 && !rules.contains('#'), "{rules}");
}

#[test]
fn fault_rules_that_cannot_be_used_are_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let outputs = ["serve", "demo"].map(|command| {
            let mut command = local(&[command, "--faults"]);
            let output = command.arg(&path).env("FARGATE_AGENT", "/bin/true").output().unwrap();
            assert_eq!(output.status.code(), Some(1));
            assert!(output.stdout.is_empty());
            text(&output).replace(&path.display().to_string(), "FILE")
        });
        assert_eq!(outputs[0], outputs[1]);
        outputs[0].clone()
    };
    let begin = "error: FILE holds no usable fault rules; `fargate-local faults` explains them: ";
    let said = refused(b"any: throttle\nRunTask call 0: hang\nStopTask 101%: hang\n");
    assert!(said.starts_with(&format!("{begin}line 2, `RunTask call 0: hang`: ")), "{said}");
    assert!(said.contains("\nline 3, `StopTask 101%: hang`: "), "{said}");
    let said = refused(b"\x7fELF\x02\x01\xff");
    assert_eq!(
        said,
        format!("{begin}reading fault rules: byte 7 is not UTF-8, and rules are lines of text\n")
    );
    let said = refused(&vec![b'\n'; 1024 * 1024]);
    assert!(said.contains("they are longer than 65.5 KB"), "{said}");
    std::fs::remove_file(&path).unwrap();
    let missing = local(&["serve", "--faults"]).arg(&path).output().unwrap();
    let said = text(&missing).replace(&path.display().to_string(), "FILE");
    assert_eq!(
        said,
        "error: reading the fault rules FILE: No such file or directory (os error 2)\n"
    );
}

#[test]
fn realistic_takes_a_factor_with_an_equals_sign_and_no_pace_beside_it() {
    for wrong in [
        &["serve", "--realistic=0"][..],
        &["serve", "--realistic=fast"],
        &["serve", "--realistic", "--pace", "1"],
    ] {
        let output = local(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", text(&output));
    }
    let output = local(&["serve", "--realistic=101"]).output().unwrap();
    assert!(text(&output).contains("allowed: a factor above 0 and up to 100"), "{}", text(&output));
}

#[test]
fn a_cloud_that_serves_shows_its_rules_and_takes_others() {
    let rainy_day = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/rainy-day.faults");
    let mut child = local(&["serve", "--realistic=0.025", "--faults"])
        .arg(&rainy_day)
        .env("FARGATE_AGENT", "/bin/true")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let host = line.split("http://").nth(1).unwrap().split_whitespace().next().unwrap();
    let ask = |request: &str, rules: &str| {
        let mut stream = TcpStream::connect(host).unwrap();
        let length = rules.len();
        write!(
            stream,
            "{request} HTTP/1.1\r\nhost: {host}\r\nx-local-cloud: 1\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{rules}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let checked = text(&local(&["faults"]).arg(&rainy_day).output().unwrap());
    let shown = ask("GET /_local/faults", "");
    assert_eq!(shown.replace("  # struck 0 times", ""), checked);
    let shown = ask("PUT /_local/faults", "RunTask: limit 5/s");
    assert_eq!(shown, "RunTask: limit 5/s burst 5  # struck 0 times\n");
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
