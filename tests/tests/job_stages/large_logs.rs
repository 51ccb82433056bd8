//! E1 and E2: logs of any size and shape, with our agent and with a stock `sshd`. The driver passes
//! them on while the script writes them, and needs little memory.
//!
//! `FARGATE_TEST_MEGABYTES` makes them larger.

use std::rc::Rc;

use fargate_tests::{
    BUILD_FAILURE, CheckedHost, SshdSetup, TestJob, TestProcess, mark, megabytes, memory_kib, pass,
    until, wait_at,
};
use sha2::{Digest, Sha256};

/// Largest driver of a debug build, in KiB.
const MEMORY_KIB: u64 = 48 << 10;

/// Bytes that come soon.
const STRETCH: usize = 10_000_000;

/// What serves a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TaskServerKind {
    Agent,
    Stock,
}

/// A prepared job with each peer that can be had here.
async fn jobs() -> Vec<(TaskServerKind, CheckedHost, Rc<TestJob>)> {
    let mut jobs = Vec::new();
    for peer in [TaskServerKind::Agent, TaskServerKind::Stock] {
        if peer == TaskServerKind::Stock && !SshdSetup::can_run() {
            continue;
        }
        let site = CheckedHost::open().await;
        if peer == TaskServerKind::Stock {
            SshdSetup::open_ssh().serve(&site).await;
        }
        let job = site.prepared().await;
        jobs.push((peer, site, job));
    }
    jobs
}

/// Returns when this many bytes of output have come. It fails if no more bytes come for a while.
async fn received(running: &TestProcess, bytes: usize) {
    for stretch in 1..=bytes.div_ceil(STRETCH) {
        let least = bytes.min(stretch * STRETCH);
        until(&format!("{least} bytes to come"), || running.received() >= least).await;
    }
}

#[tokio::test]
async fn a_large_log_arrives_byte_for_byte_in_little_memory() {
    let bytes = megabytes(10) * 1_000_000;
    let line = "one line of a log as a build tool writes it";
    let lines = format!("{line}\n").repeat(1000);
    let mut hash = Sha256::new();
    let mut left = usize::try_from(bytes).expect("a size in memory");
    while left > 0 {
        let n = left.min(lines.len());
        hash.update(&lines.as_bytes()[..n]);
        left -= n;
    }
    let expected = hash.finalize();
    for (peer, site, job) in jobs().await {
        let gate = mark("large-log");
        let script = format!("yes '{line}' | head -c {bytes}; {}; exit 3", wait_at(&gate));
        let running = job.start_run(script);
        received(&running, usize::try_from(bytes).expect("a size in memory")).await;
        let memory = memory_kib(running.pid());
        pass(&gate).await;
        let ended = job.heard(running).await;
        assert_eq!(ended.code, BUILD_FAILURE, "{peer:?}: {}", ended.err());
        assert_eq!(Sha256::digest(&ended.stdout), expected, "{peer:?}");
        assert_eq!((ended.err(), job.exit_code().as_deref()), (String::new(), Some("3\n")));
        assert!(memory < MEMORY_KIB, "{peer:?}: {memory} KiB");
        site.close().await;
    }
}

#[tokio::test]
async fn a_line_without_end_is_passed_on_while_it_is_written() {
    let half = usize::try_from(megabytes(20) * 500_000).expect("a size in memory");
    for (peer, site, job) in jobs().await {
        let [first, second] = ["first-half", "second-half"].map(mark);
        let words = format!("head -c {half} /dev/zero | tr '\\0' x");
        let script = format!("{words}; {}; {words}; {}; true", wait_at(&first), wait_at(&second));
        let running = job.start_run(script);
        // The script waits in the middle of its line.
        received(&running, half).await;
        assert_eq!(running.received(), half, "{peer:?}");
        pass(&first).await;
        received(&running, 2 * half).await;
        let memory = memory_kib(running.pid());
        pass(&second).await;
        let ended = job.heard(running).await;
        assert_eq!((ended.code, ended.err()), (0, String::new()), "{peer:?}");
        assert!(ended.stdout == vec![b'x'; 2 * half], "{peer:?}: {} bytes", ended.stdout.len());
        assert!(memory < MEMORY_KIB, "{peer:?}: {memory} KiB");
        site.close().await;
    }
}

#[tokio::test]
async fn a_progress_bar_is_seen_as_it_moves() {
    for (peer, site, job) in jobs().await {
        let gates: Vec<_> = (0..5).map(|n| mark(&format!("at-{n}-quarters"))).collect();
        let step = |(n, gate): (usize, &String)| {
            format!("printf '\\r%3d %% of it' {}; {}", n * 25, wait_at(gate))
        };
        let steps: Vec<_> = gates.iter().enumerate().map(step).collect();
        let mut running = job.start_run(steps.join("; ") + "; true");
        let mut seen = String::new();
        for (n, gate) in gates.iter().enumerate() {
            let percent = n * 25;
            seen += &format!("\r{percent:3} % of it");
            running.wrote(&seen).await;
            assert_eq!(running.received(), seen.len(), "{peer:?}");
            pass(gate).await;
        }
        assert_eq!(job.heard(running).await.with_code(0).all(), seen, "{peer:?}");
        site.close().await;
    }
}

#[tokio::test]
async fn short_lines_that_are_written_one_by_one_arrive_in_order_and_in_little_memory() {
    let lines = megabytes(2) * 100_000;
    let mut expected = Vec::new();
    (1..=lines).for_each(|n| expected.extend_from_slice(format!("{n}\n").as_bytes()));
    for (peer, site, job) in jobs().await {
        let gate = mark("short-lines");
        let running = job.start_run(format!("stdbuf -oL seq {lines}; {}; true", wait_at(&gate)));
        received(&running, expected.len()).await;
        let memory = memory_kib(running.pid());
        pass(&gate).await;
        let ended = job.heard(running).await;
        assert_eq!((ended.code, ended.err()), (0, String::new()), "{peer:?}");
        assert!(ended.stdout == expected, "{peer:?}: {} bytes", ended.stdout.len());
        assert!(memory < MEMORY_KIB, "{peer:?}: {memory} KiB");
        site.close().await;
    }
}
