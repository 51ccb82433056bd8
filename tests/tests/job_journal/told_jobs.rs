//! The story of jobs that passed, failed, and did not come up.

use fargate_local_cloud::CloudFault;
use fargate_tests::{BUILD_FAILURE, CheckedHost, PipeReading, SYSTEM_FAILURE, TestJob, redacted};
use serde_json::Value;

use crate::{journal, journaled, logged, told};

async fn stage(job: &TestJob, name: &str, script: &str, code: i32) {
    let running = job.start_stage(name, script, PipeReading::Always);
    job.heard(running).await.with_code(code);
}

/// The row of this name.
fn row<'a>(history: &'a Value, label: &str) -> &'a Value {
    let rows = history["timeline"].as_array().expect("rows");
    rows.iter().find(|row| row["label"] == label).unwrap_or_else(|| panic!("{label}: {rows:#?}"))
}

/// The moment of the first event of this name.
fn moment(history: &Value, name: &str) -> u64 {
    let events = history["events"].as_array().expect("events");
    let event = events.iter().find(|event| event["name"] == name);
    event.unwrap_or_else(|| panic!("{name}"))["at_ms"].as_u64().expect("a time")
}

fn between(row: &Value) -> (u64, u64) {
    (row["from_ms"].as_u64().expect("a beginning"), row["to_ms"].as_u64().expect("an end"))
}

#[tokio::test]
async fn a_job_whose_script_failed_is_told_with_all_its_times() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let live = told(&site, "show", &job).await;
    assert_eq!(
        (&live["state"], &live["history"]["state"]),
        (&"running".into(), &"starting".into())
    );
    stage(&job, "get_sources", "echo sources", 0).await;
    let secret = "canary-of-a-script";
    stage(&job, "build_script", &format!("echo {secret}; exit 3"), BUILD_FAILURE).await;
    stage(&job, "after_script", "exit 0", 0).await;
    job.cleanup().await.passed();
    let shown = told(&site, "show", &job).await;
    let history = &shown["history"];
    assert_eq!((&shown["state"], &shown["verdict"]), (&"finished".into(), &"failed".into()));
    assert_eq!(history["why"]["slug"], "script-failed");
    assert_eq!(history["answer"], "Script failed with exit 3.");
    assert_eq!((&history["project"], &history["pipeline"]), (&"group/project".into(), &71.into()));
    let stages = history["stages"].as_array().expect("stages");
    let stages: Vec<_> = stages
        .iter()
        .map(|stage| (stage["name"].as_str().unwrap(), &stage["exit"], &stage["output_bytes"]))
        .collect();
    let bytes = secret.len() + 1;
    let expected = [
        ("get_sources", &0.into(), &8.into()),
        ("build_script", &3.into(), &bytes.into()),
        ("after_script", &0.into(), &0.into()),
    ];
    assert_eq!(stages, expected);
    // The rows are the events: nothing is rounded or guessed.
    let (sent, accepted) = between(row(history, "RunTask"));
    assert_eq!(sent, moment(history, "task.requested"));
    assert_eq!(accepted, moment(history, "task.accepted"));
    let script = row(history, "build_script");
    let (began, ended) = between(script);
    assert_eq!((&script["failed"], &script["phase"]), (&"exit 3".into(), &"script".into()));
    assert!(sent <= accepted && accepted <= began && began <= ended, "{history:#}");
    let described = site.ecs().describe_tasks().cluster("ci");
    let described = described.tasks(shown["task"].as_str().expect("a task")).send().await.unwrap();
    let task = &described.tasks()[0];
    let ms = |time: &aws_sdk_ecs::primitives::DateTime| time.to_millis().unwrap().cast_unsigned();
    let shift = history["clock_shift_ms"].as_i64().unwrap_or_default();
    assert_eq!(shift, 0, "one clock");
    assert_eq!(between(row(history, "Image pull")).0, ms(task.pull_started_at().unwrap()));
    assert_eq!(between(row(history, "Container start")).1, ms(task.started_at().unwrap()));
    assert!(history["cost_micro_usd"].as_u64().is_some_and(|cost| cost > 0), "{history:#}");
    // The journal holds neither what the script wrote, nor a secret, and misses no event of the log.
    let text = journal(&site, &job);
    assert!(!text.contains(secret) && !text.contains(&job.token), "{text}");
    assert_eq!(journaled(&site, &job), logged(&site, &job_name(&shown)));
    let key = job.key();
    let why = ["jobs", "why", &key.as_str()[..12], "-o", "table"];
    let why = site.start(&why).ended().await.with_code(0).out();
    insta::assert_snapshot!(redacted(&why), @"
    x test  gl-4000  group/project  failed after T

    script failed with exit 3                                                  script-failed
      build_script ended after T; 19 B of output.
      Fix: read the end of the log in GitLab
        fargate-runner jobs show gl-4000
      Not tried again by itself. Who can mend it: job
    ");
    site.close().await;
}

fn job_name(shown: &Value) -> String {
    shown["job"].as_str().expect("a name").to_owned()
}

#[tokio::test]
async fn a_start_without_capacity_and_its_second_try_are_told() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.task_start", "1s");
    site.set("defaults.timeouts.prepare", "1s");
    let job = site.job();
    let refusal = CloudFault::Failure {
        reason: "Capacity is unavailable at this time. Please try again later or in a different availability zone".to_owned(),
        detail: None,
    };
    site.cloud().fail_until_cleared("RunTask", refusal);
    job.prepare().await.with_code(SYSTEM_FAILURE);
    job.cleanup().await.passed();
    let why = told(&site, "why", &job).await;
    assert_eq!(
        (&why["why"]["slug"], &why["verdict"]),
        (&"no-capacity".into(), &"system_failure".into())
    );
    assert_eq!(why["why"]["class"], "capacity");
    let first = told(&site, "show", &job).await;
    let run_task = row(&first["history"], "RunTask");
    let refused = run_task["marks"].as_array().expect("marks").len();
    assert!(refused >= 2, "{run_task}");
    assert_eq!(run_task["note"], format!("{refused} refused: capacity"));
    assert!(run_task["failed"].as_str().is_some_and(|why| why.starts_with("no Fargate capacity")));
    assert_eq!(row(&first["history"], "Image pull")["from_ms"], Value::Null);
    site.cloud().clear_faults();
    site.set("defaults.timeouts.prepare", "30s");
    site.set("defaults.timeouts.task_start", "30s");
    job.prepare().await.passed();
    job.run("true").await.with_code(0);
    job.cleanup().await.passed();
    let second = told(&site, "show", &job).await;
    let tries = second["history"]["tries"].as_array().expect("tries");
    let verdicts: Vec<_> = tries.iter().map(|of| (&of["number"], &of["verdict"])).collect();
    assert_eq!(verdicts[1], (&2.into(), &"passed".into()));
    assert!(verdicts[0].1.as_str().is_some_and(|why| why.starts_with("no Fargate capacity")));
    assert_eq!(second["history"]["why"], Value::Null);
    let listed = site.start(&["jobs", "list", "-o", "ndjson"]).ended().await.with_code(0).out();
    let line: Value = serde_json::from_str(listed.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&line["state"], &line["verdict"]), (&"finished".into(), &"passed".into()));
    site.close().await;
}

#[tokio::test]
async fn a_command_of_a_person_is_told_as_well() {
    let site = CheckedHost::open().await;
    let ended = site.start(&["exec", "-q", "--", "sh", "-c", "exit 4"]).ended().await.with_code(4);
    assert_eq!(ended.out(), "");
    let listed = site.start(&["jobs", "list", "-o", "json"]).ended().await.with_code(0).out();
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let key = listed["jobs"][0]["key"].as_str().expect("a key").to_owned();
    let shown = site.start(&["jobs", "show", &key[..12], "--events"]).ended().await.with_code(0);
    let shown: Value = serde_json::from_str(&shown.out()).expect("JSON");
    let history = &shown["history"];
    assert_eq!((&history["verdict"], &history["state"]), (&"failed".into(), &"finished".into()));
    assert_eq!(history["stages"][0]["exit"], 4);
    assert_eq!(history["why"]["slug"], "script-failed");
    let missing = site.start(&["jobs", "why", "gl-no-such"]).ended().await.with_code(1);
    assert!(missing.err().contains("no job gl-no-such on this host"), "{}", missing.err());
    site.close().await;
}
