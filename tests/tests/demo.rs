//! The demo as a new user sees it: the real binaries, as lines in a pipe and live on a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use fargate_playground::programs;
use fargate_tests::write_program;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longest time for a demo on a busy machine. On an idle one it takes a tenth of this.
const DEADLINE: Duration = Duration::from_secs(100);

fn demo() -> Command {
    let runner = programs::runner(None).unwrap();
    let local: PathBuf = runner.with_file_name("fargate-local");
    assert!(local.is_file(), "{} is built by `cargo build`", local.display());
    let mut command = Command::new(local);
    command.arg("demo").env("FARGATE_AGENT", programs::agent().unwrap()).env_remove("CI");
    command.env("LANG", "C.UTF-8").env_remove("NO_COLOR").env_remove("LC_ALL");
    command
}

fn ended(child: &mut Child) -> i32 {
    let pid = pid_of(child);
    let (sender, status) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || sender.send(child.wait()).ok());
        let status = status.recv_timeout(DEADLINE).unwrap_or_else(|_| {
            // The thread that waits for the demo is joined before this is seen.
            kill(pid, Signal::SIGKILL).ok();
            panic!("the demo still ran after {} s", DEADLINE.as_secs())
        });
        status.unwrap().code().unwrap_or(-1)
    })
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// A demo on a terminal of its own, and what it wrote so far.
struct DemoTerminal {
    child: Child,
    pieces: Receiver<Vec<u8>>,
    text: Vec<u8>,
    master: OwnedFd,
}

impl DemoTerminal {
    fn open(columns: u16, rows: u16, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = openpty(Some(&size), None).unwrap();
        let side = || Stdio::from(terminal.slave.try_clone().unwrap());
        let mut command = demo();
        command.args(arguments).env("TERM", "xterm").envs(variables.iter().copied());
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        drop(command);
        let mut reader = File::from(terminal.master.try_clone().unwrap());
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            // A read fails when the last process with the other side of the terminal is gone.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, pieces, text: Vec::new(), master: terminal.master }
    }

    fn resize(&self, columns: u16, rows: u16) {
        let size =
            rustix::termios::Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.master, size).unwrap();
    }

    fn until(&mut self, text: &str) {
        let begun = Instant::now();
        while !String::from_utf8_lossy(&self.text).contains(text) {
            let left = DEADLINE.saturating_sub(begun.elapsed());
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.text.extend(piece),
                Err(_) => panic!("no {text:?} in {}", String::from_utf8_lossy(&self.text)),
            }
        }
    }

    /// The exit code, and everything that was written.
    fn end(mut self) -> (i32, String) {
        let code = ended(&mut self.child);
        let begun = Instant::now();
        loop {
            match self.pieces.recv_timeout(DEADLINE.saturating_sub(begun.elapsed())) {
                Ok(piece) => self.text.extend(piece),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("somebody still holds the terminal"),
            }
        }
        (code, String::from_utf8_lossy(&self.text).into_owned())
    }
}

impl Drop for DemoTerminal {
    fn drop(&mut self) {
        // If it has ended already, there is nothing to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The text without any escape sequence.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\x1b[") {
        out.push_str(&rest[..at]);
        let sequence = &rest[at + 2..];
        let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(sequence.len() - 1);
        rest = &sequence[end + 1..];
    }
    out + rest
}

/// What each row of the terminal shows. A carriage return begins a row again, because the cursor was
/// moved up to it.
fn rows_of(text: &str) -> Vec<String> {
    bare(text).split(['\n', '\r']).map(str::to_owned).collect()
}

#[test]
fn in_a_pipe_it_writes_a_few_lines_and_no_escape() {
    let begun = Instant::now();
    let output = demo().output().unwrap();
    let took = begun.elapsed();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains(['\x1b', '\r']), "{text:?}");
    assert!(text.lines().count() < 60, "{text}");
    assert!(text.contains("No AWS account, no Docker. Page: http://127.0.0.1:"), "{text}");
    for line in [
        "lint          passed        0",
        "fails-with-3  failed        3",
        "cancelled     cancelled     -",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("4 passed, 1 failed and 1 was cancelled, as planned."), "{text}");
    assert!(text.contains("Checked: no task, no state file, no process is left."), "{text}");
    println!("the demo took {took:?}");
}

#[test]
fn a_driver_that_forgets_to_clean_up_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let forgetful = folder.path().join("forgetful");
    let real = programs::runner(None).unwrap();
    let script =
        format!("#!/bin/sh\n[ \"$2\" = cleanup ] && exit 0\nexec {} \"$@\"\n", real.display());
    write_program(&forgetful, &script);
    let output =
        demo().arg("--runner").arg(&forgetful).env("TMPDIR", folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    // A record and a mark for each job, and one more mark for the job that failed.
    assert!(text.contains("error: something is left behind: 6 tasks, 13 state files, "), "{text}");
    assert!(text.contains("\n! lint          passed        0"), "{text}");
    let kept = text.lines().find_map(|line| line.strip_prefix("  logs and state: ")).unwrap();
    assert!(Path::new(kept).join("lint.log").is_file(), "{text}");
}

#[test]
fn on_a_terminal_no_row_is_too_wide_and_the_cursor_comes_back() {
    for (columns, rows) in [(60, 20), (200, 50)] {
        let (code, text) = DemoTerminal::open(columns, rows, &[], &[]).end();
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("\x1b[?2026h\x1b[?25l"), "{text:?}");
        assert!(text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "{text:?}");
        for row in rows_of(&text) {
            assert!(row.trim_end().chars().count() <= usize::from(columns), "{row}");
        }
    }
}

#[test]
fn a_terminal_that_gets_smaller_is_written_anew() {
    let mut session = DemoTerminal::open(200, 50, &[], &[]);
    session.until("running");
    session.resize(60, 20);
    let (code, text) = session.end();
    assert_eq!(code, 0, "{text}");
    let after = text.rsplit("\x1b[H\x1b[2J").next().unwrap();
    assert!(after.len() < text.len(), "{text:?}");
    for row in rows_of(after) {
        assert!(row.trim_end().chars().count() <= 60, "{row}");
    }
}

#[test]
fn a_terminal_without_colour_or_movement_gets_none() {
    let (code, text) = DemoTerminal::open(80, 24, &[], &[("NO_COLOR", "1")]).end();
    assert_eq!(code, 0, "{text}");
    let sgr = text
        .split("\x1b[")
        .skip(1)
        .any(|rest| rest.find('m') == rest.find(|c: char| c.is_ascii_alphabetic()));
    assert!(!sgr, "{text:?}");
    let (code, text) = DemoTerminal::open(80, 24, &[], &[("TERM", "dumb")]).end();
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
}

#[test]
fn after_ctrl_c_the_cursor_is_back_and_nothing_is_left() {
    let mut session = DemoTerminal::open(80, 24, &[], &[]);
    session.until("running");
    kill(pid_of(&session.child), Signal::SIGINT).unwrap();
    let (code, text) = session.end();
    assert_eq!(code, 130, "{text}");
    assert!(text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "{text:?}");
    assert!(text.contains("error: interrupted; nothing is left"), "{text}");
}

#[test]
fn a_page_that_stays_shows_the_jobs_until_ctrl_c() {
    let mut session = DemoTerminal::open(200, 50, &["--stay"], &[]);
    session.until(" until Ctrl-C.");
    let text = bare(&String::from_utf8_lossy(&session.text));
    assert!(text.contains("Checked: no task, no state file, no process is left."), "{text}");
    let after = text.rsplit("The page stays at http://").next().unwrap();
    let address = after.split('/').next().unwrap().to_owned();
    let jobs = asked(&address, "/api/v1/jobs");
    for name in ["lint", "fails-with-3", "cancelled", "big-log"] {
        assert!(jobs.contains(name), "no {name} in {jobs}");
    }
    kill(pid_of(&session.child), Signal::SIGINT).unwrap();
    let (code, text) = session.end();
    assert_eq!(code, 0, "{text}");
    assert!(TcpStream::connect(&address).is_err(), "the page ended with the demo");
}

/// What the page answers.
fn asked(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer
}

#[test]
fn with_faults_it_says_what_went_wrong_and_claims_no_plan() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rainy-day");
    let text = "# one try is throttled, one image is missing, nothing else\n\
                RunTask call 2: throttle\n\
                task 1 at PENDING: stop TaskFailedToStart \"CannotPullContainerError: pull image \
                manifest has been retried 1 time(s): failed to resolve ref x: not found\"\n\
                RunTask call 1000: hang\n";
    std::fs::write(&rules, text).unwrap();
    let output = demo().arg("--faults").arg(&rules).env("TMPDIR", folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("What goes wrong: 3 fault rules of "), "{text}");
    for line in [
        "  struck once: RunTask call 2: throttle\n",
        "  struck once: task 1 at PENDING: stop TaskFailedToStart ",
        "  did not strike: RunTask call 1000: hang\n",
        ": runner_system_failure instead of ",
        ", with faults injected.\n",
        "Checked: no task, no state file, no process is left.\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("as planned"), "{text}");
    let kept = text.lines().find_map(|line| line.strip_prefix("Logs and state: ")).unwrap();
    assert!(Path::new(kept).join("lint.log").is_file(), "{text}");
}
