//! Servers with settings that differ from the defaults, and a log that nobody reads: the job passes
//! all the same.

use fargate_tests::{
    PATIENCE, PipeReading, SYSTEM_FAILURE, SshdSetup, alive, mark, memory_kib, process, until,
};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::prepared_on;

#[tokio::test]
async fn a_server_that_allows_one_session_per_connection() {
    let Some((site, job)) = prepared_on(&SshdSetup::open_ssh().line("MaxSessions 1")).await else {
        return;
    };
    assert_eq!(job.run("echo out").await.with_code(0).all(), "out\n");
    site.close().await;
}

#[tokio::test]
async fn a_server_that_asks_whether_its_client_lives() {
    let server = SshdSetup::open_ssh().line("ClientAliveInterval 2").line("ClientAliveCountMax 2");
    let Some((site, job)) = prepared_on(&server).await else { return };
    assert_eq!(job.run("sleep 4; echo out").await.with_code(0).all(), "out\n");
    site.close().await;
}

#[tokio::test]
async fn a_server_that_changes_its_session_keys_often() {
    for server in [
        SshdSetup::open_ssh().line("RekeyLimit 1M"),
        SshdSetup::old_open_ssh("diffie-hellman-group14-sha256", "rsa").line("RekeyLimit 1M"),
        SshdSetup::old_open_ssh("ecdh-sha2-nistp256", "ecdsa").line("RekeyLimit 1M"),
    ] {
        let Some((site, job)) = prepared_on(&server).await else { return };
        let line = "# a line that says nothing, so that the script is long enough for this test\n";
        let script = line.repeat((4 << 20) / line.len()) + "seq 1000000; echo err >&2";
        let ended = job.run(script).await.with_code(0);
        let expected: String = (1..=1_000_000).map(|n| format!("{n}\n")).collect();
        assert!(ended.out() == expected, "{} of {} bytes", ended.stdout.len(), expected.len());
        assert_eq!(ended.err(), "err\n");
        site.close().await;
    }
}

#[tokio::test]
async fn a_server_that_is_slow_to_let_anyone_in_and_lets_few_in_at_once() {
    let server = SshdSetup::open_ssh().line("MaxStartups 1:100:1").line("MaxAuthTries 1");
    let Some((site, job)) = prepared_on(&server).await else { return };
    for n in 0..5 {
        assert_eq!(job.run(format!("echo {n}")).await.with_code(0).all(), format!("{n}\n"));
    }
    site.close().await;
}

/// Bytes that a process has written so far, by the kernel's count.
fn written(pid: Pid) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|count| count.parse().ok()).unwrap_or_default()
}

/// Waits until the process that is called `mark` writes no more, and gives it with what it wrote.
async fn halted(mark: &str) -> (Pid, u64) {
    until("the writer runs", || process(mark).is_some()).await;
    let writer = process(mark).expect("just seen");
    let (mut before, mut same) = (0, 0);
    until("the writer came to a halt", || {
        let now = written(writer);
        same = if now == before && now > 0 { same + 1 } else { 0 };
        before = now;
        same == 40
    })
    .await;
    (writer, before)
}

#[tokio::test]
async fn a_reader_who_does_not_read_blocks_the_script_and_then_gets_every_byte() {
    // What the driver holds, beside the windows of SSH and what pipes and sockets hold.
    const BOUND: u64 = 16 << 20;
    const LAST: u32 = 3_500_000;
    for server in [SshdSetup::open_ssh(), SshdSetup::dropbear()] {
        let Some((site, job)) = prepared_on(&server).await else { return };
        let mark = mark("writer");
        let script = format!("(exec -a {mark} seq {LAST}); echo done >&2");
        let mut running = job.start_stage("build_script", script, PipeReading::OnDemand);
        let (writer, wrote) = halted(&mark).await;
        assert!(wrote <= BOUND, "{wrote} bytes were taken from the script");
        assert!(alive(writer) && running.runs(), "the script is not over");
        let driver = running.pid();
        running.read_on();
        running.wrote(&format!("\n{}\n", LAST / 10)).await;
        let memory = memory_kib(driver);
        assert!(memory < 64 << 10, "{memory} KiB");
        let ended = job.heard(running).await.with_code(0);
        let expected: String = (1..=LAST).map(|n| format!("{n}\n")).collect();
        assert!(ended.out() == expected, "{} of {} bytes", ended.stdout.len(), expected.len());
        assert_eq!(ended.err(), "done\n");
        site.close().await;
    }
}

#[tokio::test]
async fn a_cancel_is_heard_while_nobody_reads() {
    let Some((site, job)) = prepared_on(&SshdSetup::open_ssh()).await else { return };
    site.set("defaults.timeouts.cancel_return", "1m");
    let mark = mark("endless");
    let script = format!("exec -a {mark} yes");
    let running = job.start_stage("build_script", script, PipeReading::OnDemand);
    halted(&mark).await;
    let told = std::time::Instant::now();
    running.signal(Signal::SIGTERM);
    until("the script was ended", || process(&mark).is_none()).await;
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(told.elapsed() < PATIENCE, "{:?}", told.elapsed());
    assert!(ended.stdout.starts_with(b"y\ny\n"));
    // What came after the cancel may find a reader again, or not.
    let cut = "fargate-runner: nobody read the output of the cancelled script; from here on it is not shown\n";
    assert!(["", cut].contains(&ended.err().as_str()), "{}", ended.err());
    assert_eq!(job.run("echo next").await.with_code(0).all(), "next\n");
    site.close().await;
}
