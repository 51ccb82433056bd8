//! State folders that others write to as well: what a stranger puts there steers nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use fargate_tests::{PATIENCE, SYSTEM_FAILURE, Site};
use nix::unistd::geteuid;

use crate::site;

/// A user that no system has.
const STRANGER: u32 = 4_000_000;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// Makes a file as another user would; where only root can, as one of ours that all may write.
fn plant(path: &Path, text: &str) {
    fs::write(path, text).expect("a writable folder");
    match geteuid().is_root() {
        true => lchown(path, Some(STRANGER), Some(STRANGER)).expect("root may"),
        false => set_mode(path, 0o666),
    }
}

/// A second state folder, which everybody may write to as to /tmp.
fn shared_folder(site: &Site) -> PathBuf {
    let folder = site.folder().join("shared");
    for name in ["", "jobs", "locks", "tombstones"] {
        fs::create_dir(folder.join(name)).expect("a folder");
        set_mode(&folder.join(name), 0o700);
    }
    set_mode(&folder, 0o1777);
    folder
}

#[tokio::test]
async fn a_name_that_a_stranger_gave_this_host_stops_no_job_of_its_true_owner() {
    let site = site().await;
    let job = site.prepared().await;
    let victim = fs::read_to_string(site.state_dir().join("owner")).expect("a name");
    let folder = shared_folder(&site);
    plant(&folder.join("owner"), &victim);
    let before = fs::read_to_string(site.config()).expect("a configuration");
    site.set("state_dir", folder.display().to_string());
    let ended = site.start(&["tasks", "reap"]).ended().await.with_code(1);
    let told = ended.err().replace(&site.folder().display().to_string(), "SITE");
    if geteuid().is_root() {
        insta::assert_snapshot!(told, @"
    error: not using SITE/shared/owner: it belongs to user 4000000, and only what root has made is believed
    hint: look at it with `ls -ld SITE/shared/owner`, then `rm SITE/shared/owner`
    ");
    }
    // Nothing is started under that name either.
    let other = site.job();
    let prepare = other.prepare().await.with_code(SYSTEM_FAILURE);
    let line = prepare.error_line();
    assert!(line.starts_with("error: another user may have written "), "{line}");
    other.cleanup().await.passed();
    fs::write(site.config(), before).expect("a writable folder");
    site.set("state_dir", site.state_dir().display().to_string());
    job.run("echo still here").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_pause_that_a_stranger_wrote_holds_no_job_and_is_named_in_the_log() {
    let site = site().await;
    let folder = shared_folder(&site);
    site.set("state_dir", folder.display().to_string());
    plant(&folder.join("paused"), r#"{"hold":"pause","who":"stranger","since_unix_s":1}"#);
    let job = site.job();
    let ended = job.prepare().await.with_code(0);
    assert!(ended.took < PATIENCE && !ended.out().contains("paused"), "{}", ended.out());
    assert!(site.log().contains("\"event\":\"state.distrusted\""));
    job.run("true").await.passed();
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_folder_from_which_others_may_take_records_costs_no_job_and_stops_no_task() {
    let site = site().await;
    let job = site.prepared().await;
    set_mode(&site.state_dir(), 0o757);
    // Whoever may write the folder can do this, and every task looks like one without a record.
    let (jobs, locks) = (site.state_dir().join("jobs"), site.state_dir().join("locks"));
    let aside = site.state_dir().join("aside");
    fs::rename(&jobs, &aside).expect("a folder");
    fs::rename(&locks, &jobs).expect("a folder");
    fs::create_dir(&locks).expect("a folder");
    set_mode(&locks, 0o700);
    let ended = site.start(&["tasks", "reap"]).ended().await.with_code(1);
    let told = ended.err().replace(&site.folder().display().to_string(), "SITE");
    insta::assert_snapshot!(told, @"
    error: not using SITE/state: others than its owner may take files out of it (mode 0757)
    hint: look at it with `ls -ld SITE/state`, then `chmod go-w SITE/state`
    ");
    fs::remove_dir_all(&jobs).expect("a folder");
    fs::rename(&aside, &jobs).expect("a folder");
    job.run("echo still here").await.passed();
    // An old installation may have such a mode: its jobs go on, and its operator reads of it.
    let other = site.prepared().await;
    assert!(site.log().contains("\"event\":\"state.shared\""));
    other.run("true").await.passed();
    other.cleanup().await.passed();
    set_mode(&site.state_dir(), 0o700);
    site.start(&["tasks", "reap"]).ended().await.with_code(0);
    site.close().await;
}
