//! Logs that are not regular files, that nobody reads, or that belong to another user. None of them
//! delays a stage.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, PATIENCE, PipeReading, TestJob, have, replace_in};
use nix::fcntl::OFlag;
use nix::sys::signal::Signal;
use nix::unistd::geteuid;

/// The user `nobody`.
const NOBODY: u32 = 65534;

fn pipe_in(site: &CheckedHost, name: &str) -> PathBuf {
    let path = site.folder().join(name);
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    nix::unistd::mkfifo(&path, mode).expect("a named pipe");
    path
}

fn set_log(site: &CheckedHost, path: &Path) {
    site.set("log_file", path.display().to_string());
}

/// A reader that is there and reads only when it is asked.
fn reader_of(path: &Path) -> File {
    let flags = OFlag::O_NONBLOCK.bits();
    OpenOptions::new().read(true).custom_flags(flags).open(path).expect("a pipe")
}

/// What waits in the pipe.
fn read(mut pipe: &File) -> String {
    let mut text = Vec::new();
    // It ends with an error, because a writer may come.
    let _ = pipe.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// The next task never runs.
fn hold_tasks(site: &CheckedHost) {
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
}

/// Plays a job; no stage may take longer than with any other log.
async fn play(site: &CheckedHost) {
    let job = site.job();
    for ended in [job.config().await, job.prepare().await, job.run("true").await] {
        assert!(ended.took < PATIENCE, "{:?}", ended.took);
        ended.passed();
    }
    job.cleanup().await.passed();
}

#[tokio::test]
async fn a_pipe_without_a_reader_and_one_whose_reader_stopped_hold_no_stage() {
    let site = CheckedHost::open().await;
    site.set("log_level", "trace");
    let path = pipe_in(&site, "pipe");
    set_log(&site, &path);
    play(&site).await;
    for command in ["pause", "resume"] {
        let ended = site.start(&[command]).ended().await.with_code(0);
        assert!(ended.took < PATIENCE, "{command}: {:?}", ended.took);
    }
    let reader = reader_of(&path);
    // The pipe holds 64 KiB: fill it.
    let mut full = OpenOptions::new();
    let mut full = full.write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&path).expect("it");
    while std::io::Write::write(&mut full, &[b'\n'; 4096]).is_ok() {}
    play(&site).await;
    assert_eq!(read(&reader).trim(), "");
    site.close().await;
}

#[tokio::test]
async fn a_journald_that_hangs_holds_no_stage() {
    if !have("bwrap") {
        return;
    }
    let site = CheckedHost::open().await;
    site.set("log_level", "trace");
    let log = site.log_file().display().to_string();
    replace_in(&site.config(), &format!("log_file = \"{log}\"\n"), "");
    let folder = site.folder().join("journal");
    fs::create_dir(&folder).expect("a folder");
    // It takes a few lines, and reads none.
    let socket = std::os::unix::net::UnixDatagram::bind(folder.join("socket")).expect("a socket");
    let job = site.job();
    let (folder, program) = (folder.display().to_string(), fargate_tests::runner());
    let script = job.script("true").display().to_string();
    for stage in [&["prepare"][..], &["run", &script, "build_script"], &["cleanup"]] {
        let program = program.display().to_string();
        let mut words = vec!["--dev-bind", "/", "/", "--tmpfs", "/run"];
        words.extend(["--bind", &folder, "/run/systemd/journal", "--", &program]);
        let arguments: Vec<_> = job.arguments.iter().map(|word| word.to_string_lossy()).collect();
        words.extend(arguments.iter().map(AsRef::as_ref));
        words.extend(stage);
        let ended = job.heard(job.start_other("bwrap", &words)).await.with_code(0);
        assert!(ended.took < PATIENCE, "{stage:?}: {:?}", ended.took);
    }
    let mut line = [0; 2048];
    let length = socket.recv(&mut line).expect("its first line");
    let line = String::from_utf8_lossy(&line[..length]);
    assert!(line.contains("SYSLOG_IDENTIFIER=fargate-runner\nMESSAGE={"), "{line}");
    site.close().await;
}

#[tokio::test]
async fn a_signal_ends_each_stage_in_time_whatever_the_log_does() {
    let site = CheckedHost::open().await;
    let path = pipe_in(&site, "pipe");
    set_log(&site, &path);
    hold_tasks(&site);
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("accepted").await;
    running.signal(Signal::SIGTERM);
    let ended = job.heard(running).await;
    assert!(ended.code != 0 && ended.took < PATIENCE * 2, "{ended:?}");
    job.cleanup().await.passed();
    let job = site.prepared().await;
    let mut running = job.start_run("echo begun; exec sleep 1000");
    running.wrote("begun").await;
    running.signal(Signal::SIGTERM);
    let ended = job.heard(running).await;
    assert!(ended.code != 0 && ended.took < PATIENCE * 2, "{ended:?}");
    site.close().await;
}

#[tokio::test]
async fn lines_that_were_dropped_are_counted_once_the_log_takes_lines_again() {
    let site = CheckedHost::open().await;
    let path = pipe_in(&site, "pipe");
    set_log(&site, &path);
    hold_tasks(&site);
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("accepted").await;
    let reader = reader_of(&path);
    running.signal(Signal::SIGTERM);
    job.heard(running).await;
    let log = read(&reader);
    let first: serde_json::Value =
        serde_json::from_str(log.lines().next().unwrap_or_default()).expect("a line of JSON");
    assert_eq!(
        (&first["event"], &first["level"]),
        (&"log.dropped".into(), &"warn".into()),
        "{log}"
    );
    assert!(first["lines"].as_u64().is_some_and(|lines| lines > 0), "{log}");
    assert_eq!(log.matches("log.dropped").count(), 1, "{log}");
    assert!(log.contains("stage.ended"), "{log}");
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn devices_take_what_they_can_and_the_stream_of_errors_is_a_log_like_another() {
    let site = CheckedHost::open().await;
    for device in ["/dev/full", "/dev/null"] {
        set_log(&site, Path::new(device));
        play(&site).await;
    }
    set_log(&site, Path::new("/dev/stderr"));
    let job = site.job();
    let ended = job.prepare().await.with_code(0);
    assert!(ended.err().contains("\"event\":\"task.accepted\""), "{}", ended.err());
    job.cleanup().await.with_code(0);
    site.close().await;
}

/// Starts a stage whose stderr is a pipe that is full, and stays so.
async fn with_full_stderr(job: &TestJob, stage: &[&str]) -> fargate_tests::TestProcessResult {
    let program = fargate_tests::runner().display().to_string();
    let arguments: Vec<_> = job.arguments.iter().map(|word| word.to_string_lossy()).collect();
    let script =
        "mkfifo \"$0\" && exec 3<>\"$0\" && head -c 65536 /dev/zero >&3 && exec \"$@\" 2>&3";
    let pipe = job.folder.join("full").display().to_string();
    let mut words = vec!["-c", script, &pipe, &program];
    words.extend(arguments.iter().map(AsRef::as_ref));
    words.extend(stage);
    job.heard(job.start_other("bash", &words)).await
}

#[tokio::test]
async fn the_copy_on_stderr_that_debug_asks_for_holds_no_stage_either() {
    let site = CheckedHost::open().await;
    let job = site.job();
    let ended = with_full_stderr(&job, &["--debug", "prepare"]).await.with_code(0);
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_link_of_another_user_leads_no_line_anywhere() {
    if !geteuid().is_root() {
        return println!("SKIPPED: only root can make a link of another user");
    }
    let site = CheckedHost::open().await;
    let (link, victim) = (site.folder().join("link"), site.folder().join("victim"));
    fs::write(&victim, "").expect("a writable folder");
    symlink(&victim, &link).expect("a link");
    set_log(&site, &link);
    play(&site).await;
    assert!(fs::read_to_string(&victim).expect("a file").contains("task.accepted"));
    fs::write(&victim, "").expect("a writable folder");
    lchown(&link, Some(NOBODY), None).expect("root may");
    play(&site).await;
    assert_eq!(fs::read_to_string(&victim).expect("a file"), "");
    site.close().await;
}

/// What `config check` notices; the site's folder has the same name in every run.
async fn noticed(site: &CheckedHost) -> String {
    let ended = site.start(&["config", "check"]).ended().await.with_code(0);
    assert!(ended.out().ends_with("config.toml: in order, no profiles\n"), "{}", ended.out());
    ended.err().replace(&site.folder().display().to_string(), "SITE")
}

#[tokio::test]
async fn a_check_names_a_log_that_is_no_regular_file() {
    let site = CheckedHost::open().await;
    assert_eq!(noticed(&site).await, "");
    set_log(&site, &pipe_in(&site, "pipe"));
    insta::assert_snapshot!(noticed(&site).await, @"warning: SITE/config.toml: `log_file` is SITE/pipe: a named pipe, not a regular file; a line that it does not take at once is lost");
    set_log(&site, Path::new("/dev/null"));
    insta::assert_snapshot!(noticed(&site).await, @"warning: SITE/config.toml: `log_file` is /dev/null: a device, not a regular file; a line that it does not take at once is lost");
    set_log(&site, site.folder());
    insta::assert_snapshot!(noticed(&site).await, @"warning: SITE/config.toml: `log_file` is SITE: a folder; nothing is logged");
    set_log(&site, Path::new("/no/such/folder/log"));
    insta::assert_snapshot!(noticed(&site).await, @"warning: SITE/config.toml: `log_file` is /no/such/folder/log: its folder does not exist, so nothing is logged");
    if geteuid().is_root() {
        let link = site.folder().join("link");
        symlink("elsewhere", &link).expect("a link");
        lchown(&link, Some(4_000_000), None).expect("root may");
        set_log(&site, &link);
        insta::assert_snapshot!(noticed(&site).await, @"warning: SITE/config.toml: `log_file` is SITE/link: a symbolic link of user 4000000; it is not followed, so nothing is logged");
    }
    site.close().await;
}

#[tokio::test]
async fn a_check_names_a_configuration_and_a_state_folder_that_others_may_change() {
    let site = CheckedHost::open().await;
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    };
    set_mode(&site.config(), 0o646);
    insta::assert_snapshot!(noticed(&site).await, @"
    warning: SITE/config.toml: this file may be changed by others than its owner (mode 0646)
    hint: `chmod go-w SITE/config.toml`
    ");
    set_mode(&site.config(), 0o640);
    fs::create_dir(site.state_dir()).expect("a folder");
    set_mode(&site.state_dir(), 0o757);
    insta::assert_snapshot!(noticed(&site).await, @"
    warning: SITE/config.toml: `state_dir` is SITE/state: others than its owner may take files out of it (mode 0757)
    hint: `chmod go-w SITE/state`
    ");
    set_mode(&site.state_dir(), 0o700);
    set_mode(site.folder(), 0o707);
    insta::assert_snapshot!(noticed(&site).await, @"
    warning: SITE/config.toml: its folder may be changed by others than its owner (mode 0707)
    hint: `chmod go-w SITE`
    ");
    set_mode(site.folder(), 0o1777);
    assert_eq!(noticed(&site).await, "");
    if geteuid().is_root() {
        lchown(site.config(), Some(4_000_000), None).expect("root may");
        insta::assert_snapshot!(noticed(&site).await, @"
    warning: SITE/config.toml: this file belongs to user 4000000, who may change it
    hint: `chown root SITE/config.toml`
    ");
        // The user of gitlab-runner is the one whose state it is.
        lchown(site.state_dir(), Some(4_000_000), None).expect("root may");
        assert!(!noticed(&site).await.contains("this file"));
        lchown(site.state_dir(), Some(0), None).expect("root may");
    }
    site.close().await;
}

#[tokio::test]
async fn nobody_who_reads_late_misses_a_line_of_a_regular_log() {
    let site = CheckedHost::open().await;
    let job = site.job();
    let running = job.start_reading(&["--debug", "prepare"], PipeReading::OnDemand);
    job.heard(running).await.with_code(0);
    assert!(site.log().contains("task.accepted") && !site.log().contains("log.dropped"));
    site.close().await;
}
