//! A shell without a terminal: bytes pass as they are, and the number of shells has a limit.

use fargate_tests::{CheckedHost, SshdSetup, TestJob, TestProcess, runner};
use nix::sys::signal::Signal;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;

use crate::name_of;

/// Most shells and commands beside the script. The agent's own number.
const MOST: usize = fargate_protocol::MAX_SIDE_SESSIONS;

/// Runs `jobs shell` with `input` on standard input: exit code and stdout.
async fn piped(
    site: &CheckedHost,
    job: &TestJob,
    command: &[&str],
    input: &[u8],
) -> (i32, Vec<u8>) {
    let mut command = {
        let mut started = tokio::process::Command::new(runner());
        started.arg("-c").arg(site.config()).args(["jobs", "shell", &name_of(job)]);
        if !command.is_empty() {
            started.arg("--").args(command);
        }
        started.env_clear().envs(site.environment());
        started.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        started.kill_on_drop(true).spawn().expect("a program that can be started")
    };
    let mut stdin = command.stdin.take().expect("a pipe");
    let feed = async {
        stdin.write_all(input).await.expect("a reader");
        drop(stdin);
    };
    let (ended, ()) = tokio::join!(command.wait_with_output(), feed);
    let ended = ended.expect("a child of ours");
    (ended.status.code().unwrap_or(-1), ended.stdout)
}

async fn bytes_pass(site: &CheckedHost, job: &TestJob) {
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(1 << 20).collect();
    let (code, out) = piped(site, job, &["cat"], &bytes).await;
    assert_eq!((code, out.len()), (0, bytes.len()));
    assert!(out == bytes, "the bytes are the same");
    let (code, out) = piped(site, job, &[], b"echo in a shell; tty; exit 6\n").await;
    assert_eq!((code, String::from_utf8_lossy(&out).as_ref()), (6, "in a shell\nnot a tty\n"));
}

#[tokio::test]
async fn bytes_pass_as_they_are_through_the_agent() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    bytes_pass(&site, &job).await;
    site.close().await;
}

#[tokio::test]
async fn bytes_pass_as_they_are_through_a_stock_server() {
    if !SshdSetup::can_run() {
        return;
    }
    let site = CheckedHost::open().await;
    SshdSetup::open_ssh().serve(&site).await;
    let job = site.prepared().await;
    bytes_pass(&site, &job).await;
    site.close().await;
}

#[tokio::test]
async fn without_a_terminal_the_first_interrupt_is_the_programs_and_the_second_the_persons() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let name = name_of(&job);
    let begin = |script: &str| site.start(&["jobs", "shell", &name, "--", "bash", "-c", script]);
    let loops = "echo up; while :; do sleep 0.05; done";
    let mut heeds = begin(&format!("trap 'echo heard; exit 3' INT; {loops}"));
    heeds.wrote("up").await;
    heeds.signal(Signal::SIGINT);
    assert_eq!(heeds.ended().await.with_code(3).out(), "up\nheard\n");
    let mut ignores = begin(&format!("trap 'echo heard' INT; {loops}"));
    ignores.wrote("up").await;
    ignores.signal(Signal::SIGINT);
    ignores.wrote("heard").await;
    ignores.signal(Signal::SIGINT);
    ignores.ended().await.with_code(130);
    site.close().await;
}

#[tokio::test]
async fn so_many_shells_may_be_open_and_one_more_is_told_so() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let name = name_of(&job);
    let words = ["jobs", "shell", &name, "--", "sh", "-c", "echo up; exec sleep 1000"];
    let mut shells: Vec<TestProcess> = Vec::new();
    for _ in 0..MOST {
        let mut shell = site.start(&words);
        shell.wrote("up").await;
        shells.push(shell);
    }
    let refused = site.start(&words).ended().await.with_code(126);
    assert!(refused.err().contains("8 shells and commands are open"), "{}", refused.err());
    job.run("echo the script has its own place").await.passed();
    drop(shells);
    site.close().await;
}
