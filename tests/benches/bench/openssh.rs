//! OpenSSH as the measure: its server with a configuration of its own, its client with a fast key
//! exchange. Nothing of this machine's or this user's settings takes part.

use std::error::Error;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fargate_playground::programs;
use nix::unistd::{Uid, User};

use crate::measured::{until, words};

/// Where `sshd` lies, whatever PATH says: it must be started by its absolute path.
const SSHD: &str = "/usr/sbin/sshd";
/// The folder without which a root `sshd` refuses to start.
const SEPARATION: &str = "/run/sshd";

/// A server that is ended when this is dropped.
pub struct OpenSshServer {
    server: Child,
    port: u16,
    user: String,
    folder: PathBuf,
    ssh: PathBuf,
}

impl Drop for OpenSshServer {
    fn drop(&mut self) {
        // It may have ended by itself, which is what is wanted.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// What is missing on this machine, in words.
pub fn missing() -> Option<String> {
    if !Path::new(SSHD).is_file() {
        return Some(format!("there is no {SSHD}; `apt-get install openssh-server` brings it"));
    }
    let client = ["ssh", "ssh-keygen"].map(|name| programs::installed(name, "openssh-client"));
    client.into_iter().find_map(Result::err).map(|missing| missing.to_string())
}

impl OpenSshServer {
    /// Starts a server on a free port of loopback; its files go into `folder`, which is made.
    pub fn start(folder: &Path) -> Result<Self, Box<dyn Error>> {
        std::fs::create_dir(folder)?;
        let ssh = programs::installed("ssh", "openssh-client")?;
        let user = User::from_uid(Uid::current())?.ok_or("this user has no name")?.name;
        for key in ["host", "user"] {
            generate(&folder.join(key))?;
        }
        std::fs::copy(folder.join("user.pub"), folder.join("authorized_keys"))?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let host = std::fs::read_to_string(folder.join("host.pub"))?;
        std::fs::write(folder.join("known_hosts"), format!("[127.0.0.1]:{port} {host}"))?;
        std::fs::create_dir(folder.join("home"))?;
        std::fs::write(folder.join("sshd_config"), configuration(folder, port))?;
        if Uid::current().is_root() && !Path::new(SEPARATION).exists() {
            std::fs::DirBuilder::new().mode(0o755).create(SEPARATION)?;
        }
        let log = File::create(folder.join("sshd.log"))?;
        let server = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(folder.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        let server = Self { server, port, user, folder: folder.to_owned(), ssh };
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        until("sshd to listen", listens).map_err(|error| server.with_log(&*error))?;
        Ok(server)
    }

    /// Runs `script` in a fresh login.
    pub fn script(&self, script: &Path) -> Result<Command, Box<dyn Error>> {
        let login = OpenSshLogin {
            ssh: self.ssh.clone(),
            key: self.folder.join("user"),
            known_hosts: Some(self.folder.join("known_hosts")),
            place: (Ipv4Addr::LOCALHOST, self.port).into(),
            user: self.user.clone(),
        };
        login.script(script)
    }

    /// An error, with what the server said.
    pub fn with_log(&self, error: &dyn Error) -> String {
        let log = std::fs::read_to_string(self.folder.join("sshd.log")).unwrap_or_default();
        format!("{error}\n{log}")
    }
}

/// How OpenSSH's client reaches a server.
pub struct OpenSshLogin {
    /// The client.
    pub ssh: PathBuf,
    /// The private key's file.
    pub key: PathBuf,
    /// The file with the server's host key; `None` takes any key.
    pub known_hosts: Option<PathBuf>,
    /// Where it listens.
    pub place: SocketAddr,
    /// As whom.
    pub user: String,
}

impl OpenSshLogin {
    /// Runs `script` in a fresh login, fed to `bash` as GitLab's own driver feeds it.
    pub fn script(&self, script: &Path) -> Result<Command, Box<dyn Error>> {
        let (checks, known_hosts) = match &self.known_hosts {
            Some(file) => ("yes", file.as_path()),
            None => ("no", Path::new("/dev/null")),
        };
        let mut command = Command::new(&self.ssh);
        command
            .args(["-F", "none", "-T", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"])
            .args(["-o", "KexAlgorithms=curve25519-sha256", "-o"])
            .arg(format!("StrictHostKeyChecking={checks}"))
            // It would say on stderr that it takes a key that it did not know.
            .args(["-o", "LogLevel=ERROR"])
            // What the driver takes first as well.
            .args(["-c", "aes256-gcm@openssh.com"])
            .args(["-o", "GlobalKnownHostsFile=none", "-o"])
            .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
            .arg("-i")
            .arg(&self.key)
            .args(["-p", &self.place.port().to_string()])
            .arg(format!("{}@{}", self.user, self.place.ip()))
            .arg("bash")
            .env_remove("SSH_AUTH_SOCK")
            .stdin(File::open(script)?)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        Ok(command)
    }
}

/// Makes a pair of ed25519 keys, `key` and `key.pub`.
pub fn generate(key: &Path) -> Result<(), Box<dyn Error>> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key).stdin(Stdio::null());
    let status = command.status()?;
    if !status.success() {
        return Err(format!("{status} of {}", words(&command)).into());
    }
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600))?;
    Ok(())
}

/// HOME is empty, because `bash` under `sshd` would read this user's `.bashrc` for each command.
fn configuration(folder: &Path, port: u16) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    format!(
        "ListenAddress 127.0.0.1:{port}\n\
         HostKey {}\n\
         AuthorizedKeysFile {}\n\
         PidFile none\n\
         UsePAM no\n\
         UseDNS no\n\
         StrictModes no\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         PermitRootLogin yes\n\
         PrintMotd no\n\
         SetEnv HOME={}\n",
        file("host"),
        file("authorized_keys"),
        file("home"),
    )
}
