//! A wrong server outside any sandbox. It accepts the key of a job, and records what it is told. It
//! holds no test.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;

use fargate_tests::{CheckedHost, TestJob, until};
use tokio::process::{Child, Command};

/// It is ended when this is dropped.
pub struct RecordingSshServer {
    /// Where it listens.
    pub address: SocketAddr,
    folder: PathBuf,
    _server: Child,
}

impl RecordingSshServer {
    /// Lets in the key of `job`, whose task runs. Its host key is new.
    pub async fn set(site: &CheckedHost, job: &TestJob) -> Self {
        // This folder may hold a job's secrets, because the server records what it is told.
        let folder = site.folder().join("runner").join("trap");
        fs::create_dir_all(&folder).expect("a writable folder");
        let file = |name: &str| folder.join(name).display().to_string();
        let made = ["-q", "-t", "ed25519", "-N", "", "-f", &file("host")];
        job.start_other("ssh-keygen", &made).ended().await.passed();
        let key = site.task_of(job).environment["SSH_PUBLIC_KEY"].clone();
        fs::write(file("authorized_keys"), key).expect("a writable folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("a bound socket");
        drop(free);
        let configuration = format!(
            "ListenAddress {address}\n\
             HostKey {}\n\
             AuthorizedKeysFile {}\n\
             ForceCommand cat >>{}\n\
             PermitRootLogin yes\n\
             LogLevel DEBUG1\n\
             StrictModes no\n\
             PidFile none\n\
             UsePAM no\n",
            file("host"),
            file("authorized_keys"),
            file("received"),
        );
        fs::write(file("sshd_config"), configuration).expect("a writable folder");
        // Without it a root sshd refuses to start; the packages of most systems make it at boot.
        fs::create_dir_all("/run/sshd").expect("root may make it");
        let log = fs::File::create(file("log")).expect("a writable folder");
        let server = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &file("sshd_config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("sshd starts");
        until("the trap listens", || TcpStream::connect(address).is_ok()).await;
        Self { address, folder, _server: server }
    }

    /// Its host key, as a line of a `.pub` file without the comment.
    pub fn host_key(&self) -> String {
        let line = fs::read_to_string(self.folder.join("host.pub")).expect("a public key");
        line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// How often a client tried to log in, with any key.
    pub fn logins_asked_for(&self) -> usize {
        let log = fs::read_to_string(self.folder.join("log")).expect("its log");
        log.lines().filter(|line| line.contains("userauth-request for user")).count()
    }

    /// What its commands got on stdin, if it started one.
    pub fn received(&self) -> Option<Vec<u8>> {
        fs::read(self.folder.join("received")).ok()
    }

    /// Shows that the server accepts a script with the job's key, so that the test can fail.
    pub async fn takes_the_key_of(&self, job: &TestJob) {
        let state = job.state().expect("a state file");
        let key = self.folder.join("stolen");
        fs::write(&key, state["client_key"].as_str().expect("a key")).expect("a writable folder");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&key, mode).expect("a file of ours");
        let key = key.display().to_string();
        let port = self.address.port().to_string();
        let words = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"];
        let words = words.into_iter().chain(["-o", "UserKnownHostsFile=/dev/null", "-i", &key]);
        let words: Vec<_> = words.chain(["-p", &port, "root@127.0.0.1", "true"]).collect();
        job.start_other("ssh", &words).ended().await.passed();
        assert!(self.logins_asked_for() > 0 && self.received().is_some());
    }
}
