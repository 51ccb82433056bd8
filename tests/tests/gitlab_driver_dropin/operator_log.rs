//! The operator's log with a configuration file of GitLab's driver: it never goes into the job's
//! log.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::OldStyleHost;

#[tokio::test]
async fn the_log_goes_to_its_file_in_its_format_and_only_there() {
    for (format, begins) in [("json", "{\""), ("text", "20"), ("text-simple", "20")] {
        let mut old = OldStyleHost::open().await;
        old.set("LogFormat", format);
        let job = old.job();
        let prepared = job.prepare().await.with_code(0);
        let ran = job.run("true").await.with_code(0);
        assert_eq!(ran.all(), "");
        assert!(!prepared.all().contains("task.accepted"), "{}", prepared.all());
        let log = old.site.log();
        assert!(log.contains("task.accepted"), "{log}");
        assert!(log.lines().all(|line| line.starts_with(begins)), "{log}");
        assert_eq!(log.contains('\u{1b}'), format == "text", "{log}");
        let mode = fs::metadata(old.log_file()).expect("a log").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        job.cleanup().await.passed();
        old.site.close().await;
    }
}

#[tokio::test]
async fn without_a_log_file_nothing_of_the_log_reaches_the_job_not_even_with_debug() {
    let mut old = OldStyleHost::open().await;
    old.unset("", "LogFile");
    for flags in [&[][..], &["--debug"], &["-debug=true"], &["--log-level", "trace", "-debug"]] {
        let job = old.job_with(|job| {
            let flags = flags.iter().map(std::convert::Into::into);
            job.arguments = flags.chain(job.arguments.drain(..)).collect();
        });
        let config = job.config().await.with_code(0);
        assert_eq!(config.err(), "");
        let prepared = job.prepare().await.with_code(0);
        assert_eq!(prepared.err(), "", "{flags:?}");
        assert!(!prepared.out().contains("task.accepted"), "{}", prepared.out());
        let ran = job.run("echo only").await.with_code(0);
        assert_eq!((ran.out().as_str(), ran.err().as_str()), ("only\n", ""));
        assert_eq!(job.cleanup().await.with_code(0).all(), "");
    }
    assert_eq!(old.site.log(), "");
    old.site.close().await;
}

#[tokio::test]
async fn debug_raises_the_level_of_their_file_and_writes_to_stderr_only_with_ours() {
    let mut old = OldStyleHost::open().await;
    old.set("LogLevel", "error");
    let job = old.job_with(|job| job.arguments.insert(0, "--debug".into()));
    assert_eq!(job.prepare().await.with_code(0).err(), "");
    let log = old.site.log();
    assert!(log.contains("task.accepted"), "{log}");
    job.cleanup().await.passed();
    // The same installation with a configuration file of ours.
    let job = old.site.job_with(|job| job.arguments.insert(0, "--debug".into()));
    old.site.set("defaults.task_definition", "ci-job");
    assert!(job.prepare().await.with_code(0).err().contains("task.accepted"));
    job.cleanup().await.passed();
    old.site.close().await;
}

#[tokio::test]
async fn that_first_use_is_implied_is_told_to_the_operator_once_and_to_no_job() {
    let mut old = OldStyleHost::open().await;
    old.unset("Fargate", "HostKey");
    // Refused before anything starts: only the words are looked at here.
    old.set("Fargate.TaskDefinition", "no-such-family");
    let job = old.job();
    job.config().await.passed();
    let told = || old.site.log().matches("first_use").count();
    assert_eq!(told(), 0, "{}", old.site.log());
    let prepared = job.prepare().await;
    assert_eq!(told(), 1, "{}", old.site.log());
    assert!(!prepared.all().contains("first_use"), "{}", prepared.all());
    job.cleanup().await.with_code(0);
    assert_eq!(told(), 1, "{}", old.site.log());
    old.site.close().await;
}

#[tokio::test]
async fn a_relative_log_file_lies_in_the_working_directory_as_it_did() {
    let mut old = OldStyleHost::open().await;
    old.set("LogFile", "fargate.log");
    let job = old.job();
    let prepared = job.prepare().await.with_code(0);
    assert!(!prepared.all().contains("fargate.log"), "{}", prepared.all());
    let log = fs::read_to_string(job.folder.join("fargate.log")).expect("a log");
    assert!(log.contains("a path from the working directory"), "{log}");
    job.cleanup().await.passed();
    old.site.close().await;
}
