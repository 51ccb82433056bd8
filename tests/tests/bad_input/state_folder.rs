//! A state folder that the driver cannot write: it refuses the job before RunTask.

use std::ffi::OsStr;
use std::fs;

use fargate_tests::{CheckedHost, SYSTEM_FAILURE, TestJob, TestProcessResult, have, until};

use crate::refused;

const UNKEPT: &str = "error: the job's state cannot be kept in ";

#[tokio::test]
async fn a_file_in_its_place_is_refused_before_run_task() {
    let site = CheckedHost::open().await;
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
            "the job's state cannot be kept in ",
        );
    }
    for part in ["jobs", "locks", "tombstones"] {
        let folder = site.folder().join(format!("state-{part}"));
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join(part), "").expect("a writable folder");
        site.set("state_dir", folder.display().to_string());
        refused(&[("prepare", site.job().prepare().await)], "the job's state cannot be kept in ");
    }
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}

/// Runs a stage in a mount namespace of its own, in which `mount` changes the state folder as the
/// test wants.
async fn mounted(
    site: &CheckedHost,
    job: &TestJob,
    mount: &[&str],
    stage: &str,
) -> TestProcessResult {
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
    let site = CheckedHost::open().await;
    let state = site.state_dir().display().to_string();
    fs::create_dir(&state).expect("a folder");
    let job = site.job();
    let prepare = mounted(&site, &job, &["--ro-bind", &state], "prepare").await;
    assert!(prepare.out().contains("Read-only file system"), "{}", prepare.out());
    refused(&[("prepare", prepare)], "the job's state cannot be kept in ");
    let cleanup = mounted(&site, &job, &["--ro-bind", &state], "cleanup").await;
    refused(&[("cleanup", cleanup)], "the job's state cannot be kept in ");
    assert_eq!(site.calls("RunTask"), 0);
    site.close().await;
}

#[tokio::test]
async fn a_full_disk_starts_no_task_that_it_cannot_write_down() {
    if !have("bwrap") {
        return;
    }
    let site = CheckedHost::open().await;
    fs::create_dir(site.state_dir()).expect("a folder");
    let mut refusals = 0;
    // From room for the name of the host only, up to room for everything.
    for pages in 1..=8 {
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
            assert!(prepare.error_line().starts_with(UNKEPT), "{}", prepare.all());
            assert_eq!(site.calls("RunTask"), before, "{pages} pages");
        }
        // The folder went with its mount: the task is found without it.
        job.cleanup().await.passed();
        until("it stopped", || site.cloud().live_tasks() == 0).await;
    }
    assert!((1..8).contains(&refusals), "{refusals} refusals");
    site.close().await;
}

#[tokio::test]
async fn a_file_system_without_inodes_starts_no_task_that_it_cannot_write_down() {
    if !have("unshare") || !have("mount") {
        return;
    }
    let site = CheckedHost::open().await;
    fs::create_dir(site.state_dir()).expect("a folder");
    let (mut refusals, mut passes) = (0, 0);
    for inodes in 1..40 {
        let job = site.job();
        let before = site.calls("RunTask");
        let mount =
            format!("mount -t tmpfs -o nr_inodes={inodes},mode=700 none \"$0\" && exec \"$@\"");
        let ended = in_own_mounts(&site, &job, &mount).await;
        if ended.code == 0 {
            passes += 1;
        } else {
            assert_eq!(passes, 0, "more room, and less done: {}", ended.all());
            refusals += 1;
            assert_eq!(ended.code, SYSTEM_FAILURE, "{}", ended.all());
            assert!(ended.all().contains("No space left on device"), "{}", ended.all());
            assert!(ended.error_line().starts_with(UNKEPT), "{}", ended.all());
            assert_eq!(site.calls("RunTask"), before, "{inodes} inodes");
        }
        job.cleanup().await.passed();
        until("it stopped", || site.cloud().live_tasks() == 0).await;
        if passes == 2 {
            break;
        }
    }
    assert!(refusals > 3 && passes == 2, "{refusals} refusals, {passes} passes");
    site.close().await;
}

#[tokio::test]
async fn a_disk_that_fills_up_in_mid_job_keeps_neither_the_task_nor_the_keys() {
    if !have("unshare") || !have("mount") {
        return;
    }
    let site = CheckedHost::open().await;
    fs::create_dir(site.state_dir()).expect("a folder");
    let job = site.job();
    // The clean-up may say that no tombstone could be made.
    let script = "mount -t tmpfs -o size=256k,mode=700 none \"$0\" || exit 90
        \"$@\" prepare || exit 91
        grep -lq client_key \"$0\"/jobs/*.json || exit 92
        head -c 1000000 /dev/zero >\"$0/filler\" 2>/dev/null
        \"$@\" cleanup
        set -- \"$0\"/jobs/*
        [ ! -e \"$1\" ] || { ls -l \"$0/jobs\"; exit 93; }";
    in_own_mounts_of(&site, &job, script, &[]).await.passed();
    until("it stopped", || site.cloud().live_tasks() == 0).await;
    site.close().await;
}

/// `prepare` behind the words `mount` of a shell in a mount namespace of its own; `$0` is the state
/// folder there, and `$@` the command.
async fn in_own_mounts(site: &CheckedHost, job: &TestJob, mount: &str) -> TestProcessResult {
    in_own_mounts_of(site, job, mount, &["prepare"]).await
}

/// The same, with these `stages` behind the command.
async fn in_own_mounts_of(
    site: &CheckedHost,
    job: &TestJob,
    mount: &str,
    stages: &[&str],
) -> TestProcessResult {
    let state = site.state_dir().display().to_string();
    let runner = fargate_tests::runner().display().to_string();
    let namespaces = if nix::unistd::geteuid().is_root() { "-m" } else { "-Urm" };
    let mut words = vec![namespaces, "sh", "-c", mount, &state, &runner];
    let arguments: Vec<_> = job.arguments.iter().map(|word| word.to_string_lossy()).collect();
    words.extend(arguments.iter().map(AsRef::as_ref));
    words.extend(stages);
    job.heard(job.start_other("unshare", &words)).await
}

/// A library for `LD_PRELOAD` that lets the disk below one folder die.
fn dying_disk(site: &CheckedHost) -> std::path::PathBuf {
    let (source, library) =
        (site.folder().join("dying_disk.c"), site.folder().join("dying_disk.so"));
    fs::write(&source, include_str!("dying_disk.c")).expect("a writable folder");
    let built = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    assert!(built.is_ok_and(|status| status.success()), "cc builds the library");
    library
}

#[tokio::test]
async fn a_disk_that_dies_before_the_launch_is_written_down_starts_no_task() {
    if !have("cc") {
        return;
    }
    let site = CheckedHost::open().await;
    // Who this host is stands there already; how often a record is written is the same each time.
    site.job().cleanup().await.passed();
    let library = dying_disk(&site);
    let (mut refused_before, mut taken_back, mut passed) = (0, 0, false);
    for from in (1..200).step_by(2) {
        let before = site.calls("RunTask");
        let job = site.job_with(|job| {
            job.set("LD_PRELOAD", &library);
            job.set("DYING_FOLDER", site.state_dir());
            job.set("DYING_FROM", from.to_string());
        });
        let ended = job.prepare().await;
        let launched = site.calls("RunTask") > before;
        if ended.code != 0 {
            assert_eq!(ended.code, SYSTEM_FAILURE, "{from}: {}", ended.all());
            assert!(ended.error_line().starts_with(UNKEPT), "{from}: {}", ended.all());
            assert!(ended.all().contains("Input/output error"), "{from}: {}", ended.all());
        }
        match (ended.code, launched) {
            (0, _) => passed = true,
            (_, false) => refused_before += 1,
            (_, true) => {
                // What was started is being stopped already.
                assert_eq!(site.task_of(&job).desired_status, "STOPPED", "{from}");
                taken_back += 1;
            }
        }
        let mended =
            site.same_job(&job, |job| drop(job.environment.remove(OsStr::new("LD_PRELOAD"))));
        mended.cleanup().await.passed();
        if passed {
            break;
        }
    }
    assert!(
        passed && refused_before >= 3,
        "{refused_before} before and {taken_back} behind RunTask"
    );
    site.close().await;
}
