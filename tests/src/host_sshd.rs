//! A stock `sshd` on this machine, outside any sandbox, that takes the place of a job's task.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

use crate::checked_host::CheckedHost;
use crate::job::TestJob;
use crate::place::free_place;
use crate::wait::until;

/// A server with a new host key that accepts the key of one job. It ends when this is dropped.
pub struct HostSshd {
    /// Where it listens.
    pub address: SocketAddr,
    folder: PathBuf,
    server: Child,
}

impl HostSshd {
    /// Starts it for `job`, whose task runs. Its files are in a new folder with this name, and `more` makes the
    /// further lines of its configuration from the path of that folder.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start(
        site: &CheckedHost,
        job: &TestJob,
        name: &str,
        more: impl FnOnce(&Path) -> String,
    ) -> Self {
        // This folder may hold a job's secrets, because the server may record what it is told.
        let folder = site.folder().join("runner").join(name);
        fs::create_dir_all(&folder).expect("a writable folder");
        let file = |name: &str| folder.join(name).display().to_string();
        let made = ["-q", "-t", "ed25519", "-N", "", "-f", &file("host")];
        job.start_other("ssh-keygen", &made).ended().await.passed();
        let key = site.task_of(job).environment["SSH_PUBLIC_KEY"].clone();
        fs::write(file("authorized_keys"), key).expect("a writable folder");
        let address = free_place();
        let configuration = format!(
            "ListenAddress {address}\n\
             HostKey {}\n\
             AuthorizedKeysFile {}\n\
             LogLevel DEBUG1\n\
             PermitRootLogin yes\n\
             StrictModes no\n\
             PidFile none\n\
             UsePAM no\n\
             {}\n",
            file("host"),
            file("authorized_keys"),
            more(&folder),
        );
        fs::write(file("sshd_config"), configuration).expect("a writable folder");
        // Without this folder sshd does not start as root; the packages of most systems make it at boot.
        fs::create_dir_all("/run/sshd").expect("root may make it");
        let server = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &file("sshd_config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(file("log")).expect("a writable folder"))
            .kill_on_drop(true)
            .spawn()
            .expect("sshd starts");
        until("sshd listens", || TcpStream::connect(address).is_ok()).await;
        Self { address, folder, server }
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its host key, as a line of a `.pub` file without the comment.
    ///
    /// # Panics
    ///
    /// If the key is gone.
    #[must_use]
    pub fn host_key(&self) -> String {
        let line = fs::read_to_string(self.folder.join("host.pub")).expect("a public key");
        line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).unwrap_or_default()).into_owned()
    }

    /// Ends it, so that the checks of the host find nothing left.
    ///
    /// # Panics
    ///
    /// If it cannot be ended.
    pub async fn end(mut self) {
        self.server.kill().await.expect("a child of ours");
    }
}
