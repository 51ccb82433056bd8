//! A state folder that cannot be written: refused before RunTask.

use std::fs;

use fargate_tests::{Ended, Job, SYSTEM_FAILURE, Site, have, until};

use crate::refused;

#[tokio::test]
async fn a_file_in_its_place_is_refused_before_run_task() {
    let site = Site::open().await;
    let blocked = site.folder().join("blocked");
    fs::write(&blocked, "").expect("a writable folder");
    for path in [blocked.clone(), blocked.join("below")] {
        site.set("state_dir", path.display().to_string());
        let job = site.job();
        let prepare = job.prepare().await;
        assert!(prepare.out().contains("making the folder"), "{}", prepare.out());
        refused(
            &[
                ("prepare", prepare),
                ("run", job.run("echo never").await),
                ("cleanup", job.cleanup().await),
            ],
            "no room to write the job's state",
        );
    }
    for part in ["jobs", "locks", "tombstones"] {
        let folder = site.folder().join(format!("state-{part}"));
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join(part), "").expect("a writable folder");
        site.set("state_dir", folder.display().to_string());
        refused(&[("prepare", site.job().prepare().await)], "no room to write the job's state");
    }
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}

/// Runs a stage in a mount namespace of its own, in which `mount` makes the state folder what the
/// test wants.
async fn mounted(site: &Site, job: &Job, mount: &[&str], stage: &str) -> Ended {
    let state = site.state_dir().display().to_string();
    let runner = fargate_tests::runner().display().to_string();
    let mut words = vec!["--dev-bind", "/", "/"];
    words.extend(mount);
    words.extend([state.as_str(), "--", runner.as_str()]);
    let arguments: Vec<_> = job.arguments.iter().map(|word| word.to_string_lossy()).collect();
    words.extend(arguments.iter().map(AsRef::as_ref));
    words.push(stage);
    job.heard(job.start_other("bwrap", &words)).await
}

#[tokio::test]
async fn a_read_only_disk_is_refused_before_run_task() {
    if !have("bwrap") {
        return;
    }
    let site = Site::open().await;
    let state = site.state_dir().display().to_string();
    fs::create_dir(&state).expect("a folder");
    let job = site.job();
    let prepare = mounted(&site, &job, &["--ro-bind", &state], "prepare").await;
    assert!(prepare.out().contains("Read-only file system"), "{}", prepare.out());
    refused(&[("prepare", prepare)], "no room to write the job's state");
    let cleanup = mounted(&site, &job, &["--ro-bind", &state], "cleanup").await;
    refused(&[("cleanup", cleanup)], "no room to write the job's state");
    assert_eq!(site.calls("RunTask"), 0);
    site.close().await;
}

#[tokio::test]
async fn a_full_disk_starts_no_task_that_it_cannot_write_down() {
    if !have("bwrap") {
        return;
    }
    let site = Site::open().await;
    fs::create_dir(site.state_dir()).expect("a folder");
    let mut refusals = 0;
    // From room for nothing but the owner's name to room for all.
    for pages in 1..=6 {
        let size = (pages * 4096).to_string();
        let job = site.job();
        let before = site.calls("RunTask");
        let prepare = mounted(&site, &job, &["--size", &size, "--tmpfs"], "prepare").await;
        let started = site.tasks_of(&job).len();
        if prepare.code == 0 {
            assert_eq!(started, 1);
        } else {
            refusals += 1;
            assert_eq!(prepare.code, SYSTEM_FAILURE, "{}", prepare.all());
            assert!(prepare.all().contains("No space left on device"), "{}", prepare.all());
            assert_eq!(prepare.error_line(), "error: no room to write the job's state");
            assert_eq!(site.calls("RunTask"), before, "{pages} pages");
        }
        // The folder went with its mount: the task is found without it.
        job.cleanup().await.passed();
        until("it stopped", || site.cloud().live_tasks() == 0).await;
    }
    assert!((1..6).contains(&refusals), "{refusals} refusals");
    site.close().await;
}
