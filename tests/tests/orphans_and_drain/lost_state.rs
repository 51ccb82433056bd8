//! State that is lost, damaged, or of another user: what `tasks reap` can still tell from it, and
//! what not.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use fargate_tests::CheckedHost;

use crate::{reap, site};

/// `tasks reap` cannot begin; what it says, with the site's folder made the same in every run.
async fn refused(site: &CheckedHost) -> String {
    let before = site.cloud().requests().len();
    let ended = site.start(&["tasks", "reap"]).ended().await.with_code(1);
    assert_eq!(ended.out(), "");
    assert_eq!(site.cloud().requests().len(), before, "nothing was asked");
    ended.err().replace(&site.folder().display().to_string(), "SITE")
}

#[tokio::test]
async fn without_the_state_folder_nothing_is_judged_and_nothing_is_made() {
    let site = site().await;
    site.set("owner", "ci-host");
    let job = site.prepared().await;
    job.note_key();
    let elsewhere = site.folder().join("elsewhere");
    fs::rename(site.state_dir(), &elsewhere).expect("a state folder");
    insta::assert_snapshot!(refused(&site).await, @r"
    error: the state folder SITE/state/jobs does not exist, so every task would look like an orphan; check that its disk is mounted and that jobs use the same `state_dir`
    hint: `fargate-runner config show` prints `state_dir`
    ");
    assert!(!site.state_dir().exists());
    fs::rename(&elsewhere, site.state_dir()).expect("it is still there");
    job.run("echo still here").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_folder_that_others_may_write_to_is_not_believed() {
    let site = site().await;
    let job = site.prepared().await;
    let jobs = site.state_dir().join("jobs");
    fs::set_permissions(&jobs, fs::Permissions::from_mode(0o777)).expect("a folder of ours");
    insta::assert_snapshot!(refused(&site).await, @r"
    error: not using SITE/state/jobs: others than its owner may take files out of it (mode 0777)
    hint: look at it with `ls -ld SITE/state/jobs`, then `chmod 700 SITE/state/jobs`
    ");
    fs::set_permissions(&jobs, fs::Permissions::from_mode(0o700)).expect("a folder of ours");
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_copy_of_the_folder_on_another_machine_stops_nothing_of_the_original() {
    let site = site().await;
    let job = site.prepared().await;
    let machine = site.state_dir().join("machine");
    if !machine.exists() {
        println!("SKIPPED: this machine has no id, so copies are not known");
        return site.close().await;
    }
    // The copy sees another machine, and another boot than the one in the record.
    fs::write(&machine, "0".repeat(64)).expect("a writable file");
    job.change_state(|state| state["manager"]["boot"] = "another".into());
    insta::assert_snapshot!(refused(&site).await, @r"
    error: the state folder SITE/state is a copy from another machine, and jobs there may still use its tasks
    hint: if the folder is a copy, remove `owner`, `machine` and `jobs` in it; if this machine replaces the other one, `rm SITE/state/machine`
    ");
    job.run("echo still here").await.passed();
    fs::remove_file(&machine).expect("it is there");
    job.note_key();
    assert_eq!(reap(&site, &[], 0).await.orphans(), ["stopped host-rebooted"]);
    site.close().await;
}

#[tokio::test]
async fn a_new_folder_under_the_same_name_leaves_the_tasks_of_the_lost_one_to_their_timers() {
    let site = site().await;
    site.set("owner", "ci-host");
    let lost = site.prepared().await;
    lost.note_key();
    fs::remove_dir_all(site.state_dir()).expect("a state folder");
    let job = site.prepared().await;
    let seen = reap(&site, &[], 0).await;
    assert_eq!((seen.orphans().len(), seen.needed()), (0, 1), "{}", seen.document);
    assert_eq!(seen.left_alone(), ["another-folder"]);
    // If its own clean-up still comes, that finds the task.
    lost.cleanup().await.passed();
    assert_eq!(site.task_of(&lost).desired_status, "STOPPED");
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn with_the_name_of_the_host_its_tasks_are_lost_to_it_and_the_agent_ends_them() {
    let site = site().await;
    site.set("defaults.timeouts.task_idle", "3s");
    let lost = site.prepared().await;
    lost.note_key();
    fs::remove_dir_all(site.state_dir()).expect("a state folder");
    site.job().cleanup().await.passed();
    let seen = reap(&site, &[], 0).await;
    assert_eq!((seen.orphans().len(), seen.needed()), (0, 0), "{}", seen.document);
    fargate_tests::until("the agent ended its task", || site.cloud().live_tasks() == 0).await;
    site.close().await;
}

#[tokio::test]
async fn records_alone_that_are_lost_leave_tasks_that_no_stage_can_enter() {
    let site = site().await;
    for owner in [None, Some("ci-host")] {
        if let Some(owner) = owner {
            site.set("owner", owner);
        }
        let job = site.prepared().await;
        job.note_key();
        fs::remove_file(job.state_file()).expect("a state file");
        assert_eq!(reap(&site, &[], 0).await.orphans(), ["stopped no-record"]);
        assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    }
    site.close().await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_spares_its_task_and_stays() {
    let site = site().await;
    let job = site.prepared().await;
    job.note_key();
    let good = fs::read(job.state_file()).expect("a state file");
    for damaged in [&good[..good.len() / 2], b"", b"{\"schema\": 99, \"core\": {}}"] {
        fs::write(job.state_file(), damaged).expect("a writable file");
        let seen = reap(&site, &[], 0).await;
        assert_eq!((seen.orphans().len(), seen.left_alone()), (0, vec!["unreadable"]));
        assert_eq!(fs::read(job.state_file()).expect("a file"), damaged);
    }
    assert_eq!(site.calls("StopTask"), 0);
    job.cleanup().await.passed();
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}

#[tokio::test]
async fn what_else_lies_in_the_folder_is_nobodys_job() {
    let site = site().await;
    let job = site.prepared().await;
    let jobs = site.state_dir().join("jobs");
    for name in ["x.json", &format!("{}.json.new", job.key()), "README"] {
        fs::write(jobs.join(name), "{").expect("a writable folder");
    }
    let seen = reap(&site, &[], 0).await;
    assert_eq!((seen.orphans().len(), seen.needed()), (0, 1), "{}", seen.document);
    for name in ["x.json", "README"] {
        fs::remove_file(jobs.join(name)).expect("it stays");
    }
    site.close().await;
}
