//! The daemon of a host beside real jobs: it watches their tasks with few calls, jobs do without it at any moment,
//! and it reaps what nobody needs.

mod crashed_daemon;
mod late_cluster;
mod lost_folder;
mod lying_list;
mod many_waiters;
mod odd_sockets;
mod orphans;
mod read_calls;
mod task_commands;

use std::path::PathBuf;
use std::time::Duration;

use fargate_tests::{CheckedHost, TestProcess, until};
use nix::sys::signal::Signal;
use tokio::sync::Mutex;

/// Held by tests with crowds of drivers: two crowds at one time would measure each other.
static CROWD: Mutex<()> = Mutex::const_new(());

/// A running `fargate-runner serve`.
struct RunningDaemon(TestProcess);

impl RunningDaemon {
    /// Starts it and waits for its socket. The state folder must exist.
    async fn of(site: &CheckedHost) -> Self {
        Self::listening(site, site.start(&["serve", "--listen", "127.0.0.1:0"])).await
    }

    async fn listening(site: &CheckedHost, mut process: TestProcess) -> Self {
        process.wrote("http://").await;
        let socket = socket(site);
        until("the daemon's socket", || std::os::unix::net::UnixStream::connect(&socket).is_ok())
            .await;
        Self(process)
    }

    /// Ends it as systemd would.
    async fn close(self) {
        self.0.signal(Signal::SIGTERM);
        self.0.ended().await.with_code(0);
    }

    async fn kill(self) {
        self.0.signal(Signal::SIGKILL);
        self.0.ended().await.with_code(128 + 9);
    }
}

fn socket(site: &CheckedHost) -> PathBuf {
    site.state_dir().join("daemon.sock")
}

/// A host on which a job ran, so that it has a state folder and a name.
async fn used_site() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.orphan_recheck", "20ms");
    let job = site.prepared().await;
    job.cleanup().await.passed();
    site
}

/// The name of the site's host.
fn owner(site: &CheckedHost) -> String {
    let name = std::fs::read_to_string(site.state_dir().join("owner"));
    name.expect("a job has made the owner's name").trim().to_owned()
}

/// Calls of DescribeTasks by drivers. The daemon asks for tags as well, and drivers do not.
fn own_looks(site: &CheckedHost) -> usize {
    let requests = site.cloud().requests();
    let is_own = |one: &&fargate_local_cloud::RequestRecord| {
        one.operation == "DescribeTasks" && one.body["include"].is_null()
    };
    requests.iter().filter(is_own).count()
}

/// Lets so much time pass.
async fn passed(time: Duration) {
    let begun = std::time::Instant::now();
    until("the time is over", || begun.elapsed() > time).await;
}
