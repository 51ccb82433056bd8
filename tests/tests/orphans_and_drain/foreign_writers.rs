//! State folders that other users may write to: what they put there changes nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use fargate_tests::{CheckedHost, PATIENCE, SYSTEM_FAILURE};
use nix::unistd::geteuid;

use crate::site;

/// A user that no system has.
const STRANGER: u32 = 4_000_000;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// Makes a file of another user. Only root can do that; otherwise it is a file that all may write.
fn plant(path: &Path, text: &str) {
    fs::write(path, text).expect("a writable folder");
    match geteuid().is_root() {
        true => lchown(path, Some(STRANGER), Some(STRANGER)).expect("root may"),
        false => set_mode(path, 0o666),
    }
}

/// A second state folder, which everybody may write to as to /tmp.
fn shared_folder(site: &CheckedHost) -> PathBuf {
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
    error: not using SITE/shared/owner: it belongs to user 4000000, and only files of root are trusted
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
    // Everyone who may write to the folder can do this. Then no task has a record.
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
    // An old installation may have such a mode. Its jobs go on, and the operator's log has a warning.
    let other = site.prepared().await;
    assert!(site.log().contains("\"event\":\"state.shared\""));
    other.run("true").await.passed();
    other.cleanup().await.passed();
    set_mode(&site.state_dir(), 0o700);
    site.start(&["tasks", "reap"]).ended().await.with_code(0);
    site.close().await;
}

/// What `prepare` and `config check` print about a state folder that jobs cannot use.
async fn told_of_folder(site: &CheckedHost) -> String {
    let job = site.job();
    let prepare = job.prepare().await.with_code(SYSTEM_FAILURE);
    let check = site.start(&["config", "check"]).ended().await.with_code(0);
    let told = format!("{}$ config check\n{}", prepare.out(), check.err());
    let plain = told.replace("\x1b[1;31m", "").replace("\x1b[36m", "").replace("\x1b[0m", "");
    plain.replace(&site.folder().display().to_string(), "SITE")
}

#[tokio::test]
async fn a_folder_of_keys_that_is_not_ours_alone_is_told_by_its_owner_or_mode_and_not_as_a_full_disk()
 {
    let site = site().await;
    let folder = shared_folder(&site);
    set_mode(&folder, 0o700);
    site.set("state_dir", folder.display().to_string());
    for part in ["jobs", "locks", "tombstones"] {
        set_mode(&folder.join(part), 0o777);
        let told = told_of_folder(&site).await.replace(part, "PART");
        set_mode(&folder.join(part), 0o700);
        insta::allow_duplicates! {
            insta::assert_snapshot!(told, @r#"
            error: another user may have written SITE/shared/PART
              SITE/shared/PART: "others than its owner may take files out of it (mode 0777)"
              Fix: look at it with `ls -ld SITE/shared/PART`, then correct it
                chmod 700 SITE/shared/PART
              Who can fix it: whoever runs the CI platform. Your script did not start.
              Cause: state-distrusted
            $ config check
            warning: SITE/config.toml: `state_dir` is SITE/shared, and no job can use SITE/shared/PART: others than its owner may take files out of it (mode 0777)
            hint: `chmod 700 SITE/shared/PART`
            "#);
        }
    }
    let (jobs, aside) = (folder.join("jobs"), folder.join("aside"));
    if geteuid().is_root() {
        lchown(&jobs, Some(STRANGER), None).expect("root may");
        insta::assert_snapshot!(told_of_folder(&site).await, @r#"
        error: another user may have written SITE/shared/jobs
          SITE/shared/jobs: "it belongs to user 4000000, and a folder of user root alone is expected"
          Fix: look at it with `ls -ld SITE/shared/jobs`, then correct it
            chown -h 0 SITE/shared/jobs
          Who can fix it: whoever runs the CI platform. Your script did not start.
          Cause: state-distrusted
        $ config check
        warning: SITE/config.toml: `state_dir` is SITE/shared, and no job can use SITE/shared/jobs: it belongs to user 4000000, and a folder of user root alone is expected
        hint: `chown -h 0 SITE/shared/jobs`
        "#);
        let ended = site.start(&["tasks", "reap"]).ended().await.with_code(1);
        assert!(ended.err().contains("it belongs to user 4000000"), "{}", ended.err());
        lchown(&jobs, Some(0), None).expect("root may");
    }
    fs::rename(&jobs, &aside).expect("a folder");
    for leads_to in [aside.as_path(), Path::new("/nowhere")] {
        symlink(leads_to, &jobs).expect("a link");
        let told = told_of_folder(&site).await;
        let first = told.lines().next().expect("a line");
        assert_eq!(first, "error: another user may have written SITE/shared/jobs");
        assert!(told.contains("it is a symbolic link of "), "{told}");
        fs::remove_file(&jobs).expect("a link");
    }
    assert_eq!(site.calls("RunTask"), 0);
    let job = site.job();
    job.prepare().await.passed();
    site.start(&["tasks", "reap"]).ended().await.with_code(0);
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_name_of_this_host_that_cannot_be_read_is_called_so_and_keeps_no_task_alive() {
    let site = site().await;
    let owner = site.state_dir().join("owner");
    let damage: [fn(&Path); 4] = [
        |owner| symlink("elsewhere", owner).expect("a link"),
        |owner| fs::create_dir(owner).expect("a folder"),
        |owner| fs::File::create(owner).and_then(|file| file.set_len(100 << 20)).expect("a file"),
        |owner| fs::write(owner, "a name\nwith lines").expect("a file"),
    ];
    for (damage, what) in damage.into_iter().zip([
        "it is a symbolic link",
        "it is not a regular file",
        "larger than 1 MiB",
        "",
    ]) {
        let job = site.prepared().await;
        fs::remove_file(&owner).expect("a file");
        damage(&owner);
        let told = told_of_folder(&site).await;
        assert!(told.contains(what), "{told}");
        if what.starts_with("larger") {
            insta::assert_snapshot!(told, @r#"
            error: the name of this host cannot be read from SITE/state/owner
              SITE/state/owner: "larger than 1 MiB"
              Fix: remove SITE/state/owner, so that the next job gives this host a new name
                ls -ld SITE/state/owner
              Who can fix it: whoever runs the CI platform. Your script did not start.
              Cause: state-damaged
            $ config check
            "#);
        }
        // The job's record is lost as well, so its task is looked for under every name.
        for file in fs::read_dir(site.state_dir().join("jobs")).expect("a folder") {
            fs::remove_file(file.expect("an entry").path()).expect("a file");
        }
        job.cleanup().await.passed();
        assert_eq!(site.task_of(&job).desired_status, "STOPPED");
        match owner.symlink_metadata().expect("it is there").is_dir() {
            true => fs::remove_dir(&owner).expect("a folder"),
            false => fs::remove_file(&owner).expect("a file"),
        }
    }
    site.close().await;
}
