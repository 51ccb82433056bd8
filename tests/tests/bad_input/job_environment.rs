//! Variables, scripts and streams that break the contract of gitlab-runner.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use fargate_tests::{BUILD_FAILURE, CheckedHost, SYSTEM_FAILURE};

use crate::{every_stage, refused};

#[tokio::test]
async fn exit_codes_that_are_missing_or_no_numbers_are_never_guessed() {
    let site = CheckedHost::open().await;
    for variable in ["BUILD_FAILURE_EXIT_CODE", "SYSTEM_FAILURE_EXIT_CODE"] {
        for value in [None, Some(""), Some("0"), Some("256"), Some("-1"), Some("one"), Some("1;2")]
        {
            let job = site.job_with(|job| match value {
                Some(value) => job.set(variable, value),
                None => drop(job.environment.remove(OsStr::new(variable))),
            });
            let mut stages = every_stage(&job).await;
            let (_, cleanup) = stages.pop().expect("four stages");
            refused(&stages, variable);
            // A clean-up goes on all the same, because a task must not be left behind.
            assert_eq!((cleanup.code, cleanup.all().as_str()), (0, ""), "{variable} {value:?}");
        }
        let bytes = OsStr::from_bytes(b"\xff");
        let job = site.job_with(|job| job.set(variable, bytes));
        refused(&[("run", job.run("echo never").await)], variable);
    }
    assert_eq!(site.calls("RunTask"), 0);
    site.close().await;
}

#[tokio::test]
async fn odd_values_of_other_variables_change_nothing() {
    let site = CheckedHost::open().await;
    let job = site.job_with(|job| {
        job.set("CUSTOM_ENV_BYTES", OsStr::from_bytes(b"\xff\xfe\x80"));
        job.set("CUSTOM_ENV_LINES", "a\nerror: b\n");
        job.environment.insert(OsStr::from_bytes(b"CUSTOM_ENV_\xff").to_owned(), "x".into());
        for n in 0..20 {
            job.set(&format!("CUSTOM_ENV_LARGE_{n}"), "x".repeat(100_000));
        }
        let path = job.folder.join(OsStr::from_bytes(b"code \xff\n"));
        job.set("BUILD_EXIT_CODE_FILE", path);
    });
    job.prepare().await.passed();
    let ended = job.run("exit 6").await.with_code(BUILD_FAILURE);
    assert_eq!(ended.all(), "");
    let path = job.folder.join(OsStr::from_bytes(b"code \xff\n"));
    assert_eq!(fs::read_to_string(path).expect("the exit code file"), "6\n");
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn an_exit_code_file_that_cannot_be_written_keeps_the_verdict() {
    let site = CheckedHost::open().await;
    let job = site.job_with(|job| job.set("BUILD_EXIT_CODE_FILE", "/no/such/folder/code"));
    job.prepare().await.passed();
    let ended = job.run("exit 6").await.with_code(BUILD_FAILURE);
    assert!(
        ended.err().starts_with("fargate-runner: warning: the exit code 6 "),
        "{}",
        ended.err()
    );
    site.close().await;
}

#[tokio::test]
async fn a_script_that_cannot_be_read_is_a_system_failure() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let folder = site.folder().join("a folder");
    fs::create_dir(&folder).expect("a folder");
    for path in [OsStr::new("/no/such/script"), folder.as_os_str(), OsStr::new("")] {
        let running = job.start(&[OsStr::new("run"), path, OsStr::new("build_script")]);
        let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
        let line = ended.error_line();
        assert!(line.starts_with("fargate-runner: error: reading the script "), "{line}");
        assert_eq!((ended.out().as_str(), job.exit_code()), ("", None));
    }
    // Without the arguments that gitlab-runner appends it is no call of gitlab-runner's.
    for arguments in [&["run"][..], &["run", "/tmp/script"]] {
        let ended = job.heard(job.start(arguments)).await.with_code(SYSTEM_FAILURE);
        assert!(ended.error_line().contains("required") || ended.error_line().contains("values"));
    }
    job.run("true").await.passed();
    site.close().await;
}

/// Starts a stage whose stdout has no reader any more, through a shell that knows how to do that.
async fn without_a_reader(
    job: &fargate_tests::TestJob,
    stage: &[&str],
) -> fargate_tests::TestProcessResult {
    let arguments: Vec<_> = job.arguments.iter().map(|word| word.to_string_lossy()).collect();
    let program = fargate_tests::runner();
    let script = "\"$@\" 3>&1 | :; exit ${PIPESTATUS[0]}";
    let mut words = vec!["-c".to_owned(), script.to_owned(), "bash".to_owned()];
    words.push(program.display().to_string());
    words.extend(arguments.iter().map(ToString::to_string));
    words.extend(stage.iter().map(|&word| word.to_owned()));
    job.heard(job.start_other("bash", &words)).await
}

#[tokio::test]
async fn output_that_nobody_reads_is_a_system_failure_and_no_panic() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let script = job.script("sleep 0.3; seq 100000").display().to_string();
    let ended = without_a_reader(&job, &["run", &script, "build_script"]).await;
    let ended = ended.with_code(SYSTEM_FAILURE);
    let line = ended.error_line();
    let expected = "fargate-runner: error: the job's log could not be written";
    assert!(line.starts_with(expected), "{line}");
    assert_eq!(job.exit_code(), None);
    job.cleanup().await.passed();
    // A log that nobody reads does not keep a task from starting.
    let job = site.job();
    let ended = without_a_reader(&job, &["prepare"]).await;
    assert_eq!((ended.code, ended.all().as_str()), (0, ""));
    job.cleanup().await.passed();
    // Without output the stage passes. With output it fails, and does not panic.
    let refused = site.job_with(|job| job.set("SYSTEM_FAILURE_EXIT_CODE", "x"));
    let ended = without_a_reader(&refused, &["prepare"]).await;
    assert_eq!((ended.code, ended.all().as_str()), (SYSTEM_FAILURE, ""));
    site.close().await;
}

#[tokio::test]
async fn closed_streams_are_no_panic_in_any_stage() {
    let site = CheckedHost::open().await;
    let job = site.job();
    let program = fargate_tests::runner().display().to_string();
    let arguments: Vec<_> = job.arguments.iter().map(|word| word.to_string_lossy()).collect();
    for (stage, expected) in [("config", 0), ("prepare", 0), ("cleanup", 0)] {
        let script = "exec \"$@\" >&- 2>&- <&-";
        let mut words = vec!["-c", script, "bash", &program];
        words.extend(arguments.iter().map(AsRef::as_ref));
        words.push(stage);
        let ended = job.heard(job.start_other("bash", &words)).await;
        assert_eq!((ended.code, ended.all().as_str()), (expected, ""), "{stage}");
    }
    // A full disk under gitlab-runner's log is noticed, for the JSON that it needs.
    let script = "exec \"$@\" >/dev/full";
    let mut words = vec!["-c", script, "bash", &program];
    words.extend(arguments.iter().map(AsRef::as_ref));
    words.push("config");
    let ended = job.heard(job.start_other("bash", &words)).await.with_code(SYSTEM_FAILURE);
    let line = ended.error_line();
    assert!(line.starts_with("error: the job's log could not be written"), "{line}");
    // So it is for a person who keeps the help in a file.
    let ended =
        job.heard(job.start_other("bash", &["-c", script, "bash", &program, "--help"])).await;
    let told = "error: writing to stdout: No space left on device (os error 28)\n";
    assert_eq!((ended.code, ended.err().as_str()), (1, told));
    site.close().await;
}
