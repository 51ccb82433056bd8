//! Tests that end in the middle: by Ctrl-C, which cleans up, and by SIGKILL, after which the next one does.

use std::process::Child;

use fargate_tests::until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::test_site::{AGENT, SSHD, TestSite, site};

/// An image whose test waits for a server for as long as it may.
const SILENT: &str = "smoke/silent:1";

/// A test that waits for its container's server; `count` such containers run then.
fn waiting(site: &TestSite, count: usize) -> Child {
    site.image(SILENT, SSHD, "ENTRYPOINT [\"/usr/bin/tini\",\"--\",\"/bin/sleep\",\"1000\"]\n");
    let child = site.command("sshd", &["--image-id", SILENT]).spawn().expect("the program starts");
    let clock = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let running = || site.docker(&["ps", "--quiet"]).lines().count() == count;
    clock.expect("an event loop").block_on(until("a container that runs", running));
    child
}

fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).expect("a process id");
    kill(Pid::from_raw(id), signal).expect("it lives");
}

#[test]
fn ctrl_c_ends_the_test_and_removes_its_container() {
    let Some(site) = site() else { return };
    let child = waiting(&site, 1);
    signal(&child, Signal::SIGINT);
    let output = child.wait_with_output().expect("it ends");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("interrupted during smoke test; its container is removed"), "{err}");
    site.assert_nothing_left();
}

#[test]
fn what_a_killed_test_left_is_removed_by_the_next_one_and_that_of_a_living_one_stays() {
    let Some(site) = site() else { return };
    let (mut killed, mut living) = (waiting(&site, 1), waiting(&site, 2));
    signal(&killed, Signal::SIGKILL);
    killed.wait().expect("it ends");
    let before = site.docker(&["ps", "--quiet"]).lines().count();
    site.test("agent", &["--image-id", AGENT]).with_code(0);
    let after = site.docker(&["ps", "--quiet"]).lines().count();
    signal(&living, Signal::SIGINT);
    living.wait().expect("it ends");
    assert_eq!((before, after), (2, 1));
    site.assert_nothing_left();
}
