//! `JOB_RESPONSE_FILE`: the identity of a job is read from it and from nowhere else.

use std::fs;
use std::os::unix::fs::symlink;

use fargate_tests::{CheckedHost, replace_in};
use serde_json::json;

use crate::{every_stage, refused};

/// A job with variables that claim to be another job.
fn with_variables(job: &mut fargate_tests::TestJob) {
    job.set("CUSTOM_ENV_CI_JOB_ID", "4711");
    job.set("CUSTOM_ENV_CI_PROJECT_ID", "7");
    job.set("CUSTOM_ENV_CI_PROJECT_URL", "https://gitlab.example/group/project");
}

#[tokio::test]
async fn cut_off_anywhere_it_is_refused_and_variables_are_no_substitute() {
    let site = CheckedHost::open().await;
    let job = site.job_with(with_variables);
    let good = fs::read(job.response()).expect("a response");
    for share in [0, 1, 25, 50, 75, 99] {
        let cut = &good[..good.len() * share / 100];
        fs::write(job.response(), cut).expect("a writable file");
        refused(&every_stage(&job).await, "the job's response file");
    }
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}

#[tokio::test]
async fn hostile_content_is_refused() {
    let site = CheckedHost::open().await;
    let job = site.job_with(with_variables);
    let good: serde_json::Value =
        serde_json::from_slice(&fs::read(job.response()).expect("a response")).expect("JSON");
    let changed = |path: &str, value: serde_json::Value| {
        let mut response = good.clone();
        *response.pointer_mut(path).expect("a member") = value;
        response.to_string()
    };
    let hostile = [
        changed("/id", json!(-1)),
        changed("/id", json!("4000")),
        changed("/id", json!(1.5)),
        changed("/job_info", json!([])),
        changed("/job_info/project_id", json!(null)),
        changed("/git_info/repo_url", json!("")),
        changed("/git_info/repo_url", json!("../../../etc/passwd")),
        changed("/git_info/repo_url", json!("file:///etc/passwd")),
        "[".repeat(200_000),
        "{\"id\": 1e999}".to_owned(),
        "null".to_owned(),
    ];
    for text in hostile {
        fs::write(job.response(), &text).expect("a writable file");
        let prepare = job.prepare().await;
        refused(&[("prepare", prepare), ("cleanup", job.cleanup().await)], "response file");
    }
    fs::write(job.response(), b"\xff\xfe\x00{}").expect("a writable file");
    refused(&[("prepare", job.prepare().await)], "response file");
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}

#[tokio::test]
async fn a_file_that_is_huge_or_no_file_is_refused() {
    let site = CheckedHost::open().await;
    let job = site.job_with(with_variables);
    let file = fs::File::create(job.response()).expect("a writable file");
    file.set_len(65 << 20).expect("a sparse file");
    refused(&[("prepare", job.prepare().await)], "response file");
    fs::remove_file(job.response()).expect("a file");
    fs::create_dir(job.response()).expect("a folder");
    refused(&every_stage(&job).await, "response file");
    fs::remove_dir(job.response()).expect("a folder");
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    nix::unistd::mkfifo(&job.response(), mode).expect("a pipe");
    refused(&every_stage(&job).await, "response file");
    fs::remove_file(job.response()).expect("a pipe");
    symlink("/dev/zero", job.response()).expect("a link");
    refused(&every_stage(&job).await, "response file");
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}

#[tokio::test]
async fn where_there_is_none_variables_are_taken_with_a_warning() {
    let site = CheckedHost::open().await;
    let bare = site.job();
    fs::remove_file(bare.response()).expect("a file");
    refused(&every_stage(&bare).await, "JOB_RESPONSE_FILE");
    let job = site.job_with(with_variables);
    fs::remove_file(job.response()).expect("a file");
    let ended = job.prepare().await.with_code(0);
    assert!(
        ended.out().starts_with("Warning: gitlab-runner gave no response file"),
        "{}",
        ended.out()
    );
    job.run("true").await.passed();
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn nothing_that_a_job_sets_selects_its_identity_or_its_task() {
    let site = CheckedHost::open().await;
    let job = site.job_with(|job| {
        for (name, value) in [
            ("CUSTOM_ENV_CI_JOB_ID", "1"),
            ("CUSTOM_ENV_CI_PROJECT_ID", "1"),
            ("CUSTOM_ENV_CI_PROJECT_URL", "https://other.example/x/y"),
            ("CUSTOM_ENV_FARGATE_TASK_DEFINITION", "with-more-rights"),
            ("CUSTOM_ENV_FARGATE_RUNNER_CONFIG", "/tmp/other.toml"),
            ("CUSTOM_ENV_AWS_ENDPOINT_URL_ECS", "http://127.0.0.1:1"),
            ("CUSTOM_ENV_SSH_PUBLIC_KEY", "ssh-ed25519 AAAA"),
        ] {
            job.set(name, value);
        }
    });
    // Names that reach tags are made harmless, not refused.
    let name = "\"project_full_path\":\"group/project\"";
    let hostile = "\"project_full_path\":\"a\\u0000b\\n<x>&=\\u001b[31m\"";
    replace_in(&job.response(), name, hostile);
    job.prepare().await.passed();
    let task = site.task_of(&job);
    assert_eq!(task.tags["fargate-runner:project"], "a_b__x__=__31m");
    let requests = site.cloud().requests();
    let asked = requests.iter().find(|r| r.operation == "RunTask").expect("a RunTask");
    assert_eq!(asked.body["taskDefinition"], "ci-job");
    job.cleanup().await.passed();
    site.close().await;
}
