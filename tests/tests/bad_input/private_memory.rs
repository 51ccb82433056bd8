//! The secrets of the driver stay in its memory: it writes no core file, and no process of the same
//! user can read it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use fargate_tests::{CheckedHost, copy_program, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

/// The user `nobody`.
const NOBODY: u32 = 65534;

/// Starts `program` where a core file of any size may be written, with a stdin that stays open.
fn start(program: &Path, arguments: &[&str], folder: &Path) -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited; exec \"$@\"", "sh"]).arg(program).args(arguments);
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    if geteuid().is_root() {
        // For a process of root, everything in /proc belongs to root.
        command.uid(NOBODY).gid(NOBODY);
    }
    command.spawn().expect("sh")
}

/// The user that `/proc` shows as the owner of a process's memory. It is root if no other process may
/// read it.
fn owner_of_memory(child: &Child) -> Option<u32> {
    Some(fs::metadata(format!("/proc/{}/environ", child.id())).ok()?.uid())
}

/// Both limits of core files, as the kernel shows them.
fn core_limits(child: &Child) -> String {
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
    line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn abort(mut child: Child) -> std::process::ExitStatus {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, Signal::SIGABRT).expect("it runs");
    child.wait().expect("a child of ours")
}

#[tokio::test]
async fn what_the_driver_knows_is_in_no_core_file_and_no_other_process_reads_it() {
    let site = CheckedHost::open().await;
    fs::set_permissions(site.folder(), fs::Permissions::from_mode(0o755)).expect("ours");
    // The user `nobody` can run it here, whatever folder it was built in.
    let program = site.folder().join("fargate-runner");
    copy_program(&fargate_tests::runner(), &program, "");
    let cores = site.folder().join("cores");
    fs::create_dir(&cores).expect("a folder");
    fs::set_permissions(&cores, fs::Permissions::from_mode(0o777)).expect("ours");
    fs::set_permissions(site.config(), fs::Permissions::from_mode(0o644)).expect("ours");
    let config = site.config().display().to_string();
    // It waits for its script, so that it can be looked at.
    let arguments = ["-c", config.as_str(), "exec", "--script", "-"];
    let driver = start(&program, &arguments, &cores);
    until("its memory is its own", || {
        owner_of_memory(&driver) == Some(0) && core_limits(&driver).starts_with("0 0")
    })
    .await;
    let ended = abort(driver);
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(Signal::SIGABRT as i32), false));
    assert_eq!(fs::read_dir(&cores).expect("a folder").count(), 0);
    // Other programs allow both, so that this test can fail.
    let other = start(Path::new("sleep"), &["1000"], &cores);
    until("it runs", || core_limits(&other).starts_with("unlimited")).await;
    let own = if geteuid().is_root() { NOBODY } else { geteuid().as_raw() };
    until("it is its user's", || owner_of_memory(&other) == Some(own)).await;
    abort(other);
    site.close().await;
}
