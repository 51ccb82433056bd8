//! The page of the demo: `fargate-runner serve` on a free port, beside the jobs. It only starts and ends it.
//!
//! A demo without a page is played all the same, and says why there is none.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::test_host::TestHost;

/// Longest wait for its address, and for its end.
const PAGE_TIME: Duration = Duration::from_secs(10);

/// A page that is served. It ends with this value.
#[derive(Debug)]
pub struct DemoPage {
    served: Child,
    address: String,
}

impl DemoPage {
    /// Serves the page of the host's jobs, and waits until it tells its address.
    ///
    /// # Errors
    ///
    /// If it does not start, or tells no address in time.
    pub async fn serve(host: &TestHost) -> io::Result<Self> {
        // It shows the jobs of the folder that is there when it starts.
        DirBuilder::new().recursive(true).mode(0o700).create(host.state_dir())?;
        let log_path = host.folder().join("page.log");
        let log = File::create(&log_path)?;
        let mut served = Command::new(host.driver())
            .arg("-c")
            .arg(host.config())
            .args(["serve", "--listen", "127.0.0.1:0", "--demo"])
            .env_clear()
            .envs(host.environment())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let out = served.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
        let mut line = String::new();
        let told = timeout(PAGE_TIME, BufReader::new(out).read_line(&mut line)).await;
        told.map_err(|_| io::Error::other("it told no address in time"))??;
        match line.trim() {
            address if address.starts_with("http://") => {
                Ok(Self { address: address.to_owned(), served })
            }
            _ => Err(io::Error::other(last_line(&log_path))),
        }
    }

    /// Where it is, such as `http://127.0.0.1:41880/`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process, unless it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.served.id()
    }

    /// Ends it, by force if it takes too long.
    pub async fn end(mut self) {
        if let Some(pid) = self.served.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It may have ended a moment ago.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        if timeout(PAGE_TIME, self.served.wait()).await.is_err() {
            let _ = self.served.kill().await;
        }
    }
}

/// Why it ended, in its own words.
fn last_line(log: &Path) -> String {
    let said = std::fs::read_to_string(log).unwrap_or_default();
    let line = said.lines().find(|line| line.starts_with("error: "));
    line.unwrap_or("it ended before it told an address").to_owned()
}
