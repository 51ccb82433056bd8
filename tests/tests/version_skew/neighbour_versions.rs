//! State files of the version before and after, at each stage, and of a version too far away.

use fargate_tests::{CheckedHost, SYSTEM_FAILURE, TestJob};
use serde_json::{Value, json};
use std::rc::Rc;

use crate::{BinaryFolder, after_next, next};

/// The same job, its stages called with another binary.
fn by(site: &CheckedHost, job: &TestJob, binary: &std::path::Path) -> Rc<TestJob> {
    site.same_job(job, |job| job.program = binary.to_owned())
}

/// What one `tasks reap` of this binary says.
async fn reaped(site: &CheckedHost, job: &TestJob, code: i32) -> Value {
    let config = site.config();
    let arguments = ["-c", &config.display().to_string(), "tasks", "reap"].map(str::to_owned);
    let program = job.program.display().to_string();
    let ended = job.start_other(&program, &arguments).ended().await.with_code(code);
    serde_json::from_slice(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {}", ended.all()))
}

#[tokio::test]
async fn each_stage_reads_what_the_version_before_and_after_wrote() {
    let binaries = BinaryFolder::new();
    let [this, next, last] = [("this", None), ("next", Some(next())), ("last", Some(after_next()))]
        .map(|(name, claim)| binaries.make(name, claim.as_ref()));
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.orphan_recheck", "20ms");
    for (before, after) in [(&this, &next), (&next, &this), (&next, &last), (&last, &next)] {
        let first = site.job_with(|job| job.program.clone_from(before));
        let second = by(&site, &first, after);
        first.prepare().await.passed();
        let written = first.state().expect("a record");
        for (n, job) in [&second, &first, &second].into_iter().enumerate() {
            assert_eq!(job.run(format!("echo {n}")).await.with_code(0).out(), format!("{n}\n"));
        }
        assert_eq!(reaped(&site, &second, 0).await["needed"], 1);
        // An attempt of the other version stops the earlier attempt's task and starts its own.
        second.prepare().await.passed();
        first.run("echo again").await.passed();
        let tasks = site.tasks_of(&first);
        let meant: Vec<_> = tasks.iter().map(|task| task.desired_status.as_str()).collect();
        assert_eq!(meant, ["STOPPED", "RUNNING"]);
        // A clean-up that cannot finish keeps what only the other version knows.
        site.set("defaults.timeouts.cleanup", "1s");
        site.cloud().deny("ecs:StopTask");
        let rewritten = second.state().expect("a record");
        first.note_key();
        first.cleanup().await.with_code(0);
        let kept = first.state().expect("it is kept");
        let own = |record: &Value| ["of_0_2", "of_0_3"].map(|name| record[name].clone());
        assert_eq!(own(&kept), own(&rewritten));
        assert_eq!((&kept["schema"], &kept["ready"]), (&rewritten["schema"], &json!(false)));
        assert_ne!(own(&written), own(&rewritten), "each version adds its own");
        site.cloud().allow("ecs:StopTask");
        second.cleanup().await.passed();
        assert!(!first.state_file().exists());
        assert_eq!(site.tasks_of(&first)[1].desired_status, "STOPPED");
        // Each version reads the other's tombstone, so nothing is left to do.
        first.cleanup().await.passed();
    }
    site.close().await;
}

#[tokio::test]
async fn a_file_of_a_version_too_new_is_told_and_every_way_to_its_task_s_end_works() {
    let binaries = BinaryFolder::new();
    let new = binaries.make("new", Some(&after_next()));
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.orphan_recheck", "20ms");
    let newer = site.job_with(|job| job.program.clone_from(&new));
    let older = by(&site, &newer, &fargate_tests::runner());
    newer.prepare().await.passed();
    newer.note_key();
    let told = older.run("echo never").await.with_code(SYSTEM_FAILURE);
    assert_eq!(told.out(), "");
    let words = "written by a newer version (schema 2, this one reads up to 1)";
    assert!(told.err().contains(words), "{}", told.err());
    // `tasks reap` leaves it alone, and says so.
    let seen = reaped(&site, &older, 0).await;
    assert_eq!(
        (&seen["orphans"], &seen["left_alone"][0]["reason"]),
        (&json!([]), &json!("unreadable"))
    );
    newer.run("echo still works").await.passed();
    older.cleanup().await.passed();
    assert_eq!(site.task_of(&newer).desired_status, "STOPPED");
    assert!(newer.tombstone().exists() && !newer.state_file().exists());
    let told = newer.run("true").await.with_code(SYSTEM_FAILURE).err();
    assert!(told.contains("the job's clean-up stopped the task"), "{told}");
    site.close().await;
}

#[tokio::test]
async fn a_try_of_an_older_version_first_ends_the_task_of_a_newer_one_without_the_right_to_list() {
    let binaries = BinaryFolder::new();
    let new = binaries.make("new", Some(&after_next()));
    let site = CheckedHost::open().await;
    let newer = site.job_with(|job| job.program.clone_from(&new));
    let older = by(&site, &newer, &fargate_tests::runner());
    newer.prepare().await.passed();
    newer.note_key();
    site.cloud().deny("ecs:ListTasks");
    older.prepare().await.passed();
    let tasks = site.tasks_of(&newer);
    let meant: Vec<_> = tasks.iter().map(|task| task.desired_status.as_str()).collect();
    assert_eq!(meant, ["STOPPED", "RUNNING"]);
    older.run("echo mine now").await.passed();
    older.cleanup().await.passed();
    site.close().await;
}
