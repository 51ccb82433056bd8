//! A wrong server outside any sandbox. It accepts the key of a job, and records what it is told. It
//! holds no test.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use fargate_tests::{CheckedHost, HostSshd, TestJob};

/// The server. It ends when this is dropped.
pub struct RecordingSshServer(HostSshd);

impl RecordingSshServer {
    /// Starts it for `job`, whose task runs.
    pub async fn set(site: &CheckedHost, job: &TestJob) -> Self {
        let record =
            |folder: &Path| format!("ForceCommand cat >>{}", folder.join("received").display());
        Self(HostSshd::start(site, job, "trap", record).await)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Its host key, as a line of a `.pub` file without the comment.
    pub fn host_key(&self) -> String {
        self.0.host_key()
    }

    /// How often a client tried to log in, with any key.
    pub fn logins_asked_for(&self) -> usize {
        self.0.log().lines().filter(|line| line.contains("userauth-request for user")).count()
    }

    /// What its commands got on stdin, if it started one.
    pub fn received(&self) -> Option<Vec<u8>> {
        fs::read(self.0.folder().join("received")).ok()
    }

    /// Shows that the server accepts a script with the job's key, so that the test can fail.
    pub async fn takes_the_key_of(&self, job: &TestJob) {
        let state = job.state().expect("a state file");
        let key = self.0.folder().join("stolen");
        fs::write(&key, state["client_key"].as_str().expect("a key")).expect("a writable folder");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&key, mode).expect("a file of ours");
        let key = key.display().to_string();
        let port = self.0.address.port().to_string();
        let user = format!("root@{}", self.0.address.ip());
        let words = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"];
        let words = words.into_iter().chain(["-o", "UserKnownHostsFile=/dev/null", "-i", &key]);
        let words: Vec<_> = words.chain(["-p", &port, &user, "true"]).collect();
        job.start_other("ssh", &words).ended().await.passed();
        assert!(self.logins_asked_for() > 0 && self.received().is_some());
    }
}
