//! Limits of the process: open files, threads, memory. If a limit is too low, the driver says so in
//! one line before it starts anything. If it is high enough, the whole job passes.

use std::fs::File;
use std::path::Path;

use fargate_tests::{BUILD_FAILURE, CheckedHost, SYSTEM_FAILURE, TestJob, TestProcessResult, have};

use crate::refused;

/// The data of a process of 64 MiB, in KiB, for `ulimit -d`. Its address space is
/// no measure: most of it is reserved and never used.
const MEMORY_KIB: u32 = 64 * 1024;

/// Runs its arguments without the descriptors that whoever started this test left open: they would count
/// against the limit.
const CLOSE_INHERITED: &str = "for fd in /proc/self/fd/*; do fd=${fd##*/}; \
                               [ \"$fd\" -le 2 ] || eval \"exec $fd>&-\"; done; exec \"$@\"";

/// Runs a stage after `prefix`, which are words of a shell.
async fn behind(job: &TestJob, prefix: &str, words: &[&str]) -> TestProcessResult {
    let program = fargate_tests::runner().display().to_string();
    let arguments: Vec<_> = job.arguments.iter().map(|word| word.to_string_lossy()).collect();
    let script = format!("{prefix} \"$@\"");
    let mut line = vec!["-c", CLOSE_INHERITED, "bash", "sh", "-c", &script, "sh", &program];
    line.extend(arguments.iter().map(AsRef::as_ref));
    line.extend(words);
    job.heard(job.start_other("bash", &line)).await
}

/// The three stages that reach for the task, each behind `prefix`.
async fn stages(
    job: &TestJob,
    prefix: &str,
    script: &Path,
) -> Vec<(&'static str, TestProcessResult)> {
    let script = script.display().to_string();
    vec![
        ("prepare", behind(job, prefix, &["prepare"]).await),
        ("run", behind(job, prefix, &["run", &script, "build_script"]).await),
        ("cleanup", behind(job, prefix, &["cleanup"]).await),
    ]
}

#[tokio::test]
async fn with_too_few_open_files_it_says_so_and_with_enough_a_job_passes() {
    /// Limits at which a whole job is played once they suffice.
    const ENOUGH: usize = 3;
    let site = CheckedHost::open().await;
    let (mut refusals, mut passes) = (0, 0);
    // With three a program cannot even be loaded.
    for files in (4..=40).filter(|files| files % 2 == 0) {
        let job = site.job();
        let script = job.script("echo hello");
        let before = site.calls("RunTask");
        let all = stages(&job, &format!("ulimit -n {files} && exec"), &script).await;
        if all[0].1.code == 0 {
            let codes: Vec<_> = all.iter().map(|(_, ended)| ended.code).collect();
            assert_eq!(codes, [0, 0, 0], "{files}: {all:?}");
            assert_eq!((all[1].1.out(), all[2].1.all()), ("hello\n".into(), String::new()));
            passes += 1;
            if passes == ENOUGH {
                break;
            }
        } else {
            assert_eq!(passes, 0, "more files, and less done");
            refused(&all, "this host refused opening the files that a stage needs");
            assert!(all[0].1.out().contains("Too many open files"), "{}", all[0].1.out());
            assert_eq!(site.calls("RunTask"), before);
            refusals += 1;
        }
    }
    assert!(refusals >= 5 && passes == ENOUGH, "{refusals} refusals, {passes} passes");
    // The driver may raise this limit itself, so it does no harm.
    let job = site.job();
    let script = job.script("exit 3");
    let all = stages(&job, "ulimit -S -n 6 && exec", &script).await;
    let codes: Vec<_> = all.iter().map(|(_, ended)| ended.code).collect();
    assert_eq!(codes, [0, 1, 0], "{all:?}");
    site.close().await;
}

#[tokio::test]
async fn a_log_that_may_grow_no_further_costs_no_verdict_and_no_task() {
    let site = CheckedHost::open().await;
    let log = site.folder().join("full.jsonl");
    std::fs::write(&log, vec![b'\n'; 64 * 1024]).expect("a log");
    site.set("log_file", log.display().to_string());
    let job = site.job();
    let script = job.script("echo told; exit 3");
    // In blocks of 512 bytes: less than the log has, and more than a job's record takes.
    let all = stages(&job, "ulimit -f 64 && exec", &script).await;
    let codes: Vec<_> = all.iter().map(|(_, ended)| ended.code).collect();
    assert_eq!(codes, [0, BUILD_FAILURE, 0], "{all:?}");
    assert_eq!((all[1].1.out(), job.exit_code().as_deref()), ("told\n".into(), Some("3\n")));
    // Where no record fits, nothing is started.
    let before = site.calls("RunTask");
    let job = site.job();
    let prepare = behind(&job, "ulimit -f 1 && exec", &["prepare"]).await;
    assert_eq!((prepare.code, site.calls("RunTask")), (SYSTEM_FAILURE, before), "{prepare:?}");
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn where_no_thread_can_be_started_it_says_so() {
    if !have("setpriv") || !have("prlimit") {
        return;
    }
    let site = CheckedHost::open().await;
    // The limit counts all processes of a user, and root has no limit: so this is another real user, who
    // keeps root's rights to files.
    let user = match nix::unistd::geteuid().is_root() {
        true => "exec setpriv --ruid 65533 --bounding-set -sys_resource,-sys_admin",
        false => "exec",
    };
    let prefix = format!("{user} prlimit --nproc=1");
    // A name is looked up in a thread.
    let endpoint = site.cloud().endpoint().replace("127.0.0.1", "localhost");
    let job = site.job_with(|job| job.set("AWS_ENDPOINT_URL_ECS", &endpoint));
    let script = job.script("echo never");
    let all = stages(&job, &prefix, &script).await;
    refused(&all, "this host refused starting a thread");
    assert_eq!(site.cloud().requests().len(), 0);
    // In the middle of a job: its task is left to the next clean-up.
    job.prepare().await.passed();
    let run = behind(&job, &prefix, &["run", &script.display().to_string(), "build_script"]).await;
    refused(&[("run", run)], "this host refused starting a thread");
    assert_eq!(site.task_of(&job).desired_status, "RUNNING");
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn in_64_mib_a_job_passes_and_a_script_that_does_not_fit_is_told_as_that() {
    let site = CheckedHost::open().await;
    let job = site.job();
    let prefix = format!("ulimit -d {MEMORY_KIB} && exec");
    behind(&job, &prefix, &["prepare"]).await.passed();
    let run = async |script: &Path| {
        behind(&job, &prefix, &["run", &script.display().to_string(), "build_script"]).await
    };
    // A log that is as large as all of the memory, behind a script of 10 MiB.
    let mut bytes = b"head -c 67108864 /dev/zero; exit 5\n".to_vec();
    bytes.resize(10 * 1024 * 1024, b'#');
    let ended = run(&job.script(&bytes)).await.with_code(1);
    assert_eq!((ended.stdout.len(), ended.err()), (67_108_864, String::new()));
    assert_eq!(job.exit_code().as_deref(), Some("5\n"));
    for mib in [60, 250] {
        let script = job.script("");
        let file = File::options().write(true).open(&script).expect("the script");
        file.set_len(mib * 1024 * 1024).expect("a sparse file");
        let ended = run(&script).await.with_code(SYSTEM_FAILURE);
        let line = ended.error_line();
        assert!(line.ends_with(": out of memory"), "{mib} MiB: {line}");
        assert_eq!((ended.out(), ended.err().lines().count()), (String::new(), 1));
    }
    behind(&job, &prefix, &["cleanup"]).await.passed();
    site.close().await;
}
