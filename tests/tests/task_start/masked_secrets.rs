//! E5: text from others may contain a secret of the job, and the driver masks it. The job's own
//! bytes are passed on unchanged.

use std::rc::Rc;

use fargate_local_cloud::CloudTaskPhase;
use fargate_tests::{BUILD_FAILURE, CheckedHost, SYSTEM_FAILURE, TestJob};
use serde_json::{Value, json};

use crate::{exception, stops};

/// The value of a variable that GitLab masks in the job's log.
const MASKED: &str = "masked/canary+4711?value";
/// The same after `user:`, in base64.
const IN_BASE64: &str = "dXNlcjptYXNrZWQvY2FuYXJ5KzQ3MTE/dmFsdWU=";
/// In a URL.
const IN_A_URL: &str = "masked%2Fcanary%2B4711%3Fvalue";

/// A job with such a variable.
fn job(site: &CheckedHost) -> Rc<TestJob> {
    let job = site.job();
    let text = std::fs::read(job.response()).expect("a response");
    let mut response: Value = serde_json::from_slice(&text).expect("JSON");
    let variables = response["variables"].as_array_mut().expect("a list");
    variables.push(json!({ "key": "LOGIN", "value": MASKED, "masked": true }));
    variables.push(json!({ "key": "OPEN", "value": "open-canary-value", "masked": false }));
    std::fs::write(job.response(), response.to_string()).expect("a writable response");
    job
}

/// Text from others that contains the secret in each form, and something that is no secret.
fn repeating(job: &TestJob) -> String {
    format!(
        "no {MASKED} or {IN_BASE64} at https://u:{IN_A_URL}@x/ or {} open-canary-value",
        job.token
    )
}

/// `text` has no part of the secret, and still has what is no secret.
#[track_caller]
fn is_masked(text: &str) {
    for secret in ["canary+4711", "ZWQvY2FuYXJ5", "canary%2B4711", "glcbt-canary"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert!(text.contains("[MASKED]") && text.contains("open-canary-value"), "{text}");
}

#[tokio::test]
async fn what_ecs_repeats_of_a_secret_reaches_no_log_of_ours_and_no_file() {
    let site = CheckedHost::open().await;
    let first = job(&site);
    site.cloud()
        .fail("RunTask", stops(CloudTaskPhase::Pending, "TaskFailedToStart", &repeating(&first)));
    is_masked(&first.prepare().await.with_code(SYSTEM_FAILURE).out());
    let second = job(&site);
    let refused = exception(400, "InvalidParameterException", &repeating(&second));
    site.cloud().fail("RunTask", refused);
    is_masked(&second.prepare().await.with_code(SYSTEM_FAILURE).out());
    for job in [&first, &second] {
        let kept = std::fs::read_to_string(job.tombstone()).unwrap_or_default();
        assert!(!kept.contains("canary+4711") && !kept.contains("glcbt-canary"), "{kept}");
    }
    is_masked(&site.log());
    site.close().await;
}

/// The author of a job may mask a part of our names. The operator still finds the task.
#[tokio::test]
async fn a_masked_variable_blanks_no_name_of_ours_in_the_operators_log() {
    let site = CheckedHost::open().await;
    let job = site.job();
    let text = std::fs::read(job.response()).expect("a response");
    let mut response: Value = serde_json::from_slice(&text).expect("JSON");
    let variables = response["variables"].as_array_mut().expect("a list");
    for value in ["eu-west-1", "123456789012", "arn:aws:ecs", "task.accepted"] {
        let name = format!("V{}", variables.len());
        variables.push(json!({ "key": name, "value": value, "masked": true }));
    }
    std::fs::write(job.response(), response.to_string()).expect("a writable response");
    job.prepare().await.passed();
    let arn = site.task_of(&job).arn;
    let log = site.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let accepted = lines.iter().find(|line| line["event"] == "task.accepted").expect(&log);
    assert_eq!(accepted["task"], arn);
    assert!(lines.iter().all(|line| line["job"].as_str().is_some_and(|id| id.starts_with("gl-"))));
    site.close().await;
}

#[tokio::test]
async fn a_clean_up_and_a_stage_repeat_none_and_the_jobs_own_bytes_pass_through() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.cleanup", "1s");
    site.set("defaults.timeouts.reconnect", "1s");
    let job = job(&site);
    job.prepare().await.passed();
    let script = format!("echo 'mine: {MASKED}'; exit 3");
    let ended = job.run(&script).await.with_code(BUILD_FAILURE);
    assert_eq!(ended.out(), format!("mine: {MASKED}\n"));
    let mut running = job.start_run("echo started; sleep 1000");
    running.wrote("started").await;
    let task = site.task_of(&job);
    let words = repeating(&job);
    assert!(site.cloud().stop_task_from_outside(&task.arn, "UserInitiated", &words));
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    is_masked(&ended.err());
    let refused = exception(400, "InvalidParameterException", &repeating(&job));
    site.cloud().fail_until_cleared("StopTask", refused);
    is_masked(&job.cleanup().await.with_code(0).err());
    is_masked(&site.log());
    site.close().await;
}
