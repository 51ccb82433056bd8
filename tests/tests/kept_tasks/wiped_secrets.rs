//! What a person finds in a kept task of the job's secrets: nothing, neither in files nor in processes.

use std::fs;

use fargate_tests::{BUILD_FAILURE, CheckedHost, TestJob};
use serde_json::{Value, json};

use crate::{command, keep_until, name_of, prepared, site};

const FILE_VARIABLE: &str = "-----BEGIN KEY-----\ncanary-file-variable\n-----END KEY-----\n";

/// What gitlab-runner and careless scripts leave in a task.
fn careless(token: &str) -> String {
    format!(
        r#"
export CI_JOB_TOKEN='{token}' DEPLOY_KEY='{FILE_VARIABLE}'
mkdir -p /builds/group/project/.git /builds/group/project.tmp/git-template
printf '%s' "$DEPLOY_KEY" >/builds/group/project.tmp/DEPLOY_KEY
printf 'short' >/builds/group/project.tmp/SHORT
printf '[remote]\nurl = https://ci:%s@host/x\n' "$CI_JOB_TOKEN" >/builds/group/project/.git/config
echo evidence >/builds/group/project/result
env >/tmp/environment
printf '%s' "$DEPLOY_KEY" >/dev/shm/key
chmod 0400 /dev/shm/key
echo "$CI_JOB_TOKEN" >"$HOME/.netrc"
: >"/tmp/$CI_JOB_TOKEN"
setsid sleep 1000 >/dev/null 2>&1 </dev/null &
(setsid sh -c 'trap "" TERM; while :; do sleep 1000; done' >/dev/null 2>&1 </dev/null &)
exit 3
"#
    )
}

/// The files and processes of the task in which a person finds a secret of the job.
async fn found(site: &CheckedHost, job: &TestJob) -> Vec<String> {
    // In brackets, so that the search does not find itself.
    let token = job.token.replacen("glcbt", "[g]lcbt", 1);
    let places = "/tmp /var/tmp /run /builds /cache /dev/shm $HOME /proc/[0-9]*/environ";
    let script = format!(
        "{{ grep -rlaE '{token}|[c]anary-file-variable' {places}; find /tmp -name '{}*'; }} 2>/dev/null; true",
        job.token
    );
    let words = ["jobs", "shell", &name_of(job), "--", "sh", "-c", &script];
    let mut found: Vec<String> =
        command(site, &words, 0).await.out().lines().map(str::to_owned).collect();
    // The search itself has the pattern of `find` in no environment, and these numbers differ.
    found.iter_mut().for_each(|path| {
        if path.starts_with("/proc/") {
            "a process".clone_into(path);
        }
    });
    found.sort();
    found.dedup();
    found
}

/// Adds a file variable, and one that is too short to be searched for, to what GitLab sent.
fn with_file_variables(job: &TestJob) {
    let mut response: Value =
        serde_json::from_slice(&fs::read(job.response()).expect("a response")).expect("JSON");
    let variables = response["variables"].as_array_mut().expect("a list");
    variables.push(json!({ "key": "DEPLOY_KEY", "value": FILE_VARIABLE, "file": true }));
    variables.push(json!({ "key": "SHORT", "value": "short", "file": true }));
    fs::write(job.response(), response.to_string()).expect("a writable folder");
}

#[tokio::test]
async fn file_variables_and_the_token_are_nowhere_in_a_kept_task() {
    let site = site().await;
    let job = prepared(&site, "10m").await;
    with_file_variables(&job);
    job.run(careless(&job.token)).await.with_code(BUILD_FAILURE);
    let before = found(&site, &job).await;
    for place in
        ["/builds/group/project.tmp/DEPLOY_KEY", "/dev/shm/key", "/tmp/environment", "a process"]
    {
        assert!(before.iter().any(|path| path == place), "{place} is not in {before:?}");
    }
    job.cleanup().await.passed();
    assert!(keep_until(&job).is_some(), "not kept: {}", site.log());
    assert_eq!(found(&site, &job).await, Vec::<String>::new());
    let name = name_of(&job);
    let look = "cat /builds/group/project/result /builds/group/project/.git/config; \
                ls -d /builds/group/project.tmp /tmp/environment 2>/dev/null; ps -e | grep -c sleep";
    let seen = command(&site, &["jobs", "shell", &name, "--", "sh", "-c", look], 1).await.out();
    let stars = "*".repeat(job.token.len());
    let expected =
        format!("evidence\n[remote]\nurl = https://ci:{stars}@host/x\n/tmp/environment\n0\n");
    assert_eq!(seen, expected, "the evidence stays");
    command(&site, &["jobs", "release", &name], 0).await;
    site.close().await;
}

#[tokio::test]
async fn a_task_whose_secrets_cannot_be_wiped_for_sure_is_stopped() {
    let site = site().await;
    let job = prepared(&site, "10m").await;
    job.run("exit 3").await.with_code(BUILD_FAILURE);
    let mut response: Value =
        serde_json::from_slice(&fs::read(job.response()).expect("a response")).expect("JSON");
    let variables = response["variables"].as_array_mut().expect("a list");
    for number in 0..60 {
        let value = format!("{number:04}{}", "x".repeat(1000));
        variables.push(json!({ "key": format!("V{number}"), "value": value, "masked": true }));
    }
    fs::write(job.response(), response.to_string()).expect("a writable folder");
    job.cleanup().await.passed();
    assert!(!job.state_file().exists() && job.tombstone().exists());
    assert!(site.log().contains("bytes, at most 49152 are looked for"), "{}", site.log());
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}
