//! A damaged state file: `cleanup` prints one line and finds the task.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use fargate_tests::{CheckedHost, SYSTEM_FAILURE, TestJob};
use serde_json::json;

/// What `run` and `cleanup` do over a ruin of the state file, which `ruin` makes.
async fn over(site: &CheckedHost, what: &str, ruin: impl Fn(&Path, &[u8])) {
    let job = site.prepared().await;
    let good = fs::read(job.state_file()).expect("a state file");
    job.note_key();
    ruin(&job.state_file(), &good);
    let line = one_line(&job).await;
    assert!(
        line.contains("the state file of this job cannot be read")
            || line.contains("this job was not prepared on this host"),
        "{what}: {line}"
    );
    let ended = job.cleanup().await.with_code(0);
    assert_eq!(ended.out(), "", "{what}");
    assert_eq!(site.task_of(&job).desired_status, "STOPPED", "{what}: {}", ended.err());
    assert!(!job.state_file().is_file(), "{what}");
    // What comes after finds a job that is cleaned up.
    job.cleanup().await.passed();
    one_line(&job).await;
}

/// The line of a `run` that cannot start.
async fn one_line(job: &TestJob) -> String {
    let ended = job.run("echo never").await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.out(), "");
    assert_eq!(ended.err().lines().count(), 1, "{}", ended.err());
    let line = ended.error_line();
    assert!(line.starts_with("fargate-runner: error: "), "{line}");
    line
}

#[tokio::test]
async fn cut_off_at_any_byte_it_is_one_line_and_the_task_is_found() {
    let site = CheckedHost::open().await;
    for share in [0, 1, 10, 30, 50, 70, 90, 99] {
        over(&site, &format!("{share} %"), |path, good| {
            fs::write(path, &good[..good.len() * share / 100]).expect("a writable file");
        })
        .await;
    }
    site.close().await;
}

#[tokio::test]
async fn garbage_is_one_line_and_the_task_is_found() {
    let site = CheckedHost::open().await;
    let garbage: [(&str, &[u8]); 6] = [
        ("NULs", &[0; 4096]),
        ("bytes", b"\xff\xfe\x00\x01"),
        ("an empty object", b"{}"),
        ("another type", b"[1, 2]"),
        ("a schema that is text", b"{\"schema\": \"one\"}"),
        ("two documents", b"{\"schema\": 1}{\"schema\": 1}"),
    ];
    for (what, bytes) in garbage {
        over(&site, what, |path, _| fs::write(path, bytes).expect("a writable file")).await;
    }
    let large = vec![b' '; 2 << 20];
    over(&site, "2 MiB", |path, _| fs::write(path, &large).expect("a writable file")).await;
    let deep = format!("{{\"schema\": 1, \"core\": {}", "[".repeat(100_000));
    over(&site, "deep", |path, _| fs::write(path, &deep).expect("a writable file")).await;
    site.close().await;
}

#[tokio::test]
async fn a_field_of_another_type_is_one_line_and_the_task_is_found() {
    let site = CheckedHost::open().await;
    for field in ["origin", "job", "launches", "client_key", "address", "ready", "owner"] {
        over(&site, field, |path, good| {
            let mut state: serde_json::Value = serde_json::from_slice(good).expect("JSON");
            state[field] = json!({ "not": "this" });
            fs::write(path, state.to_string()).expect("a writable file");
        })
        .await;
    }
    site.close().await;
}

#[tokio::test]
async fn a_link_or_a_folder_in_its_place_is_not_followed() {
    let site = CheckedHost::open().await;
    let elsewhere = site.folder().join("elsewhere.json");
    over(&site, "a link", |path, good| {
        fs::write(&elsewhere, good).expect("a writable folder");
        fs::remove_file(path).expect("a file");
        symlink(&elsewhere, path).expect("a link");
    })
    .await;
    fs::remove_file(&elsewhere).expect("what the link named is left alone");
    over(&site, "a folder", |path, _| {
        fs::remove_file(path).expect("a file");
        fs::create_dir(path).expect("a folder");
    })
    .await;
    site.close().await;
}

#[tokio::test]
async fn a_newer_version_s_file_is_refused_by_run_and_cleaned_up_by_its_core() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.change_state(|state| {
        *state = json!({
            "schema": 99,
            "core": state["core"],
            "keys": { "in another": "place" },
        });
    });
    insta::assert_snapshot!(
        one_line(&job)
            .await
            .replace(&site.folder().display().to_string(), "SITE")
            .replace(job.key().as_str(), "KEY"),
        @r#"fargate-runner: error: a newer Fargate Runner wrote the state of this job (SITE/state/jobs/KEY.json: "written by a newer version (schema 99, this one reads up to 1)"). Install that version again (cause: state-newer)"#
    );
    job.cleanup().await.passed();
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    assert!(!job.state_file().exists());
    site.close().await;
}

#[tokio::test]
async fn fields_of_another_version_are_kept() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.change_state(|state| state["from_the_future"] = json!({ "a": [1, 2] }));
    job.run("true").await.passed();
    // A clean-up that cannot stop the task writes nothing of the record; what `run` reads stays.
    assert_eq!(job.state().expect("a state")["from_the_future"], json!({ "a": [1, 2] }));
    site.close().await;
}

#[tokio::test]
async fn prepare_over_a_damaged_file_first_ends_the_task_that_ecs_knows() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.note_key();
    fs::write(job.state_file(), "{\"schema\": 1, ").expect("a writable file");
    job.prepare().await.passed();
    let states: Vec<_> = site.tasks_of(&job).into_iter().map(|task| task.desired_status).collect();
    assert_eq!(states, ["STOPPED", "RUNNING"]);
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_damaged_tombstone_and_a_damaged_owner_cost_no_task() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.cleanup().await.passed();
    fs::write(job.tombstone(), "{\"tries\": ").expect("a writable file");
    job.cleanup().await.passed();
    job.prepare().await.passed();
    job.note_key();
    fs::write(site.state_dir().join("owner"), "no owner has\nsuch a name")
        .expect("a writable file");
    job.cleanup().await.passed();
    assert!(site.tasks_of(&job).iter().all(|task| task.desired_status == "STOPPED"));
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    let owner = site.state_dir().join("owner");
    let expected = format!("error: the name of this host cannot be read from {}", owner.display());
    assert_eq!(ended.error_line(), expected);
    site.close().await;
}
