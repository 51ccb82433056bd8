//! Wrong credentials, Region or clock of the host.

use std::ffi::OsStr;
use std::fs;
use std::time::Duration;

use fargate_local_cloud::CloudFault;
use fargate_tests::{CheckedHost, PATIENCE, TestJob, TestProcessResult, have, replace_in};

use crate::refused;

const CREDENTIALS: &str = "error: the AWS credentials of this host do not work";

/// The job's `prepare` fails for good with this line, and no task is started.
async fn fails_with(site: &CheckedHost, job: &TestJob, line: &str) -> TestProcessResult {
    let ended = job.prepare().await;
    refused(&[("prepare", ended.clone())], line);
    assert_eq!(site.cloud().tasks().len(), 0);
    ended
}

#[tokio::test]
async fn credentials_that_aws_refuses_are_told_as_that() {
    let site = CheckedHost::open().await;
    let expired = site.cloud().issue_credentials(Duration::ZERO);
    let rows: [&[(&str, &str)]; 3] = [
        &[("AWS_SECRET_ACCESS_KEY", "not the secret")],
        &[("AWS_ACCESS_KEY_ID", "AKIANOBODYKNOWSTHIS1")],
        &[
            ("AWS_ACCESS_KEY_ID", &expired.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &expired.secret_access_key),
            ("AWS_SESSION_TOKEN", &expired.session_token),
        ],
    ];
    for variables in rows {
        let job = site.job_with(|job| {
            for (name, value) in variables {
                job.set(name, value);
            }
        });
        let ended = fails_with(&site, &job, CREDENTIALS).await;
        for (_, value) in variables.iter().filter(|(name, _)| *name != "AWS_ACCESS_KEY_ID") {
            assert!(!ended.all().contains(value), "a secret in {}", ended.all());
        }
        // A clean-up that may not ask ECS does not make the job fail.
        let ended = job.cleanup().await.with_code(0);
        assert!(!ended.all().contains("panic"), "{}", ended.all());
    }
    site.close().await;
}

#[tokio::test]
async fn without_credentials_nothing_is_sent_and_it_says_so_soon() {
    let site = CheckedHost::open().await;
    let job = site.job_with(|job| {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            job.environment.remove(OsStr::new(name));
        }
    });
    let ended = fails_with(&site, &job, "error: this host has no AWS credentials").await;
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    assert_eq!(site.cloud().requests().len(), 0);
    job.cleanup().await.with_code(0);
    site.close().await;
}

#[tokio::test]
async fn without_a_region_it_says_where_it_looked() {
    let site = CheckedHost::open().await;
    site.without_policies("the Region comes from the environment of a job, which no policy knows");
    replace_in(&site.config(), "region = \"eu-west-1\"\n", "");
    let job = site.job();
    let ended = fails_with(&site, &job, "error: the AWS Region is not known").await;
    assert!(ended.out().contains("AWS_REGION"), "{}", ended.out());
    job.cleanup().await.with_code(0);
    // The SDK's own variable is enough.
    let job = site.job_with(|job| job.set("AWS_REGION", "eu-central-1"));
    job.prepare().await.passed();
    assert_eq!(site.task_of(&job).region, "eu-central-1");
    // What was started there is stopped there, whatever the variable says later.
    let moved = site.same_job(&job, |job| job.set("AWS_REGION", "us-east-1"));
    moved.cleanup().await.passed();
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}

#[tokio::test]
async fn what_aws_says_of_a_clock_is_told_as_the_clock() {
    let site = CheckedHost::open().await;
    for message in [
        "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z (20260101T001500Z - 5 min.)",
        "Signature not yet current: 20260101T003000Z is still later than 20260101T002000Z",
    ] {
        // It is sent once more by the time that the first answer told.
        for _ in 0..2 {
            site.cloud().fail(
                "RunTask",
                CloudFault::Exception {
                    status: 400,
                    code: "InvalidSignatureException".to_owned(),
                    message: message.to_owned(),
                },
            );
        }
        let job = site.job();
        fails_with(&site, &job, "error: this host's clock differs from AWS's").await;
        job.cleanup().await.passed();
    }
    site.close().await;
}

#[tokio::test]
async fn a_clock_that_is_off_is_corrected_by_what_aws_tells_and_the_operator_hears_of_it() {
    if !have("faketime") {
        return;
    }
    let site = CheckedHost::open().await;
    for offset in ["-2 hours", "+2 hours"] {
        let job = site.job();
        let program = fargate_tests::runner().display().to_string();
        let arguments: Vec<_> = job.arguments.iter().map(|word| word.to_string_lossy()).collect();
        let mut words = vec!["-f", offset.split_once(' ').map_or(offset, |(n, _)| n)];
        let shifted = format!("{}h", words[1]);
        words[1] = &shifted;
        words.push(&program);
        words.extend(arguments.iter().map(AsRef::as_ref));
        words.push("prepare");
        job.heard(job.start_other("faketime", &words)).await.with_code(0);
        job.run("true").await.passed();
        job.cleanup().await.passed();
    }
    assert_eq!(site.cloud().tasks().len(), 2);
    assert_eq!(site.log().matches("\"clock.differs\"").count(), 2, "once for each");
    site.close().await;
}

#[tokio::test]
async fn a_log_that_cannot_be_written_fails_no_job() {
    let site = CheckedHost::open().await;
    site.set("log_file", "/no/such/folder/log.jsonl");
    let job = site.prepared().await;
    job.run("true").await.passed();
    fs::create_dir(site.folder().join("a folder")).expect("a folder");
    site.set("log_file", site.folder().join("a folder").display().to_string());
    job.run("true").await.passed();
    job.cleanup().await.passed();
    site.close().await;
}
