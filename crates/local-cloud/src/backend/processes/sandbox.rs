//! The sandbox of one container, made by `bubblewrap`: its own mount, PID and IPC namespace, this
//! machine's folders read-only, and private folders for what a job writes. The network is shared.
//!
//! The variables of the container are passed in the environment of `bwrap`, never in its arguments,
//! because every user of the machine can read arguments.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::time::{sleep, timeout};

use crate::backend::container::ContainerPlan;
use crate::backend::volumes::BindMount;

/// The agent's place in a sandbox.
pub const AGENT: &str = "/.fargate/fargate-agent";

/// Top-level folders of this machine that a container does not see.
const NOT_SHARED: [&str; 7] = ["/proc", "/sys", "/dev", "/tmp", "/run", "/builds", "/cache"];
/// Folders that are empty when a container starts, and their permissions.
const PRIVATE: [(&str, &str); 5] = [
    ("/tmp", "1777"),
    ("/var/tmp", "1777"),
    ("/run", "0755"),
    ("/builds", "0755"),
    ("/cache", "0755"),
];
/// Capabilities of a container.
///
/// Source: the default list of Docker and containerd, which is what Fargate gives.
const CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];
/// How long the command may take to replace `bwrap`. After that it counts as running.
const EXEC_DEADLINE: Duration = Duration::from_secs(2);

/// How to make sandboxes on this machine.
#[derive(Debug)]
pub struct SandboxBuilder {
    bwrap: PathBuf,
    home: PathBuf,
    /// The cloud's own folder, which no container may see.
    folder: PathBuf,
    /// The user is not root on this machine and has to become root inside.
    maps_root: bool,
}

/// Why there are no sandboxes; the text is the cloud's notice.
#[derive(Debug, thiserror::Error)]
pub enum SandboxUnavailable {
    #[error(
        "bubblewrap is not installed (Debian: apt-get install bubblewrap), so tasks run \
         unprotected and one at a time"
    )]
    NotInstalled,
    #[error(
        "this machine allows no namespaces ({reason}), so tasks run unprotected and one at a time"
    )]
    NotAllowed { reason: String },
}

impl SandboxBuilder {
    /// Finds `bwrap` and tries it once.
    pub fn probe(home: &Path, folder: &Path) -> Result<Self, SandboxUnavailable> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let bwrap = std::env::split_paths(&path).map(|folder| folder.join("bwrap"));
        let bwrap = bwrap
            .into_iter()
            .find(|file| file.is_file())
            .ok_or(SandboxUnavailable::NotInstalled)?;
        let maps_root = !nix::unistd::geteuid().is_root();
        let sandbox = Self { bwrap, home: home.to_owned(), folder: folder.to_owned(), maps_root };
        let refused = |reason: String| SandboxUnavailable::NotAllowed { reason };
        let mut trial = Command::new(&sandbox.bwrap);
        trial.args(sandbox.arguments(&[], None, None)).args(["--", "/bin/sh", "-c", ":"]);
        let output = trial
            .env_clear()
            .stdin(Stdio::null())
            .output()
            .map_err(|error| refused(error.to_string()))?;
        if output.status.success() {
            return Ok(sandbox);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(refused(said.lines().next().unwrap_or("bwrap said nothing").to_owned()))
    }

    /// `bwrap` with everything but variables and streams.
    pub fn command(
        &self,
        plan: &ContainerPlan,
        mounts: &[BindMount],
        argv: &[String],
        agent: &Path,
        info: RawFd,
    ) -> Command {
        let in_memory = &plan.settings.memory_folders;
        let paths = mounts.iter().map(|mount| mount.path.as_path());
        let paths: Vec<_> =
            paths.chain(in_memory.iter().map(|folder| folder.path.as_path())).collect();
        let working = plan.working_directory.as_deref().map(Path::new);
        let mut command = Command::new(&self.bwrap);
        command.args(["--info-fd", &info.to_string()]);
        command.args(self.arguments(&paths, working, Some(agent)));
        for mount in mounts {
            command.arg(if mount.read_only { "--ro-bind" } else { "--bind" });
            command.args([&mount.source, &mount.path]);
        }
        for folder in in_memory {
            let size_bytes = u64::from(folder.size_mib) << 20;
            command.args(["--perms", "1777", "--size", &size_bytes.to_string(), "--tmpfs"]);
            command.arg(&folder.path);
        }
        if let Some(folder) = working {
            command.arg("--dir").arg(folder).arg("--chdir").arg(folder);
        } else {
            command.args(["--chdir", "/"]);
        }
        // A process group of its own, so that Ctrl-C in the cloud's terminal reaches only the cloud.
        command.arg("--").args(argv).process_group(0);
        command
    }

    /// Folders in which a container sees other files than this machine has.
    pub fn hidden(&self, plan: &ContainerPlan) -> Vec<PathBuf> {
        let private = PRIVATE.iter().map(|(path, _)| PathBuf::from(path));
        let mounted = plan.mounts.iter().map(|mount| mount.path.clone());
        let in_memory = plan.settings.memory_folders.iter().map(|folder| folder.path.clone());
        private.chain([self.home.clone()]).chain(mounted).chain(in_memory).collect()
    }

    fn arguments(
        &self,
        mounts: &[&Path],
        working: Option<&Path>,
        agent: Option<&Path>,
    ) -> Vec<OsString> {
        let mut arguments = BwrapArguments::default();
        arguments.add(["--unshare-pid", "--unshare-ipc", "--as-pid-1", "--die-with-parent"]);
        arguments.add(["--new-session"]);
        if self.maps_root {
            arguments.add(["--unshare-user", "--uid", "0", "--gid", "0"]);
        }
        arguments.add(["--cap-drop", "ALL"]);
        for capability in CAPABILITIES {
            arguments.add(["--cap-add", capability]);
        }
        // The root is empty, and what the container may see is bound into it below.
        arguments.add(["--tmpfs", "/"]);
        let private = PRIVATE.iter().map(|(path, _)| Path::new(*path));
        let mut made: Vec<PathBuf> = private
            .chain([self.home.as_path()])
            .chain(mounts.iter().copied())
            .chain(working)
            .map(resolved)
            .filter(|path| !path.exists())
            .collect();
        made.sort();
        arguments.expose(Path::new("/"), &made);
        // The cloud's folder holds the files and logs of other tasks, so it is covered by an empty one.
        if self.folder.exists() && !NOT_SHARED.iter().any(|hidden| self.folder.starts_with(hidden))
        {
            arguments.add([OsStr::new("--tmpfs"), self.folder.as_os_str()]);
        }
        arguments.add(["--proc", "/proc", "--dev", "/dev"]);
        for (path, permissions) in PRIVATE {
            arguments.add(["--perms", permissions, "--tmpfs", path]);
        }
        arguments.add(["--perms", "0700", "--tmpfs"]);
        arguments.add([self.home.as_os_str()]);
        if let Some(resolver) = resolver() {
            let resolver = resolver.as_os_str();
            arguments.add([OsStr::new("--ro-bind"), resolver, resolver]);
        }
        if let Some(agent) = agent.filter(|agent| agent.is_file()) {
            arguments.add([OsStr::new("--ro-bind"), agent.as_os_str(), OsStr::new(AGENT)]);
        }
        arguments.0
    }

    /// Returns when the process has become the container's command, or after a deadline. A signal that
    /// comes earlier would reach `bwrap` and be lost.
    pub async fn until_command_runs(&self, pid: i32) {
        let link = format!("/proc/{pid}/exe");
        let bwrap = self.bwrap.canonicalize().unwrap_or_else(|_| self.bwrap.clone());
        let wait = async {
            while std::fs::read_link(&link).is_ok_and(|program| program == bwrap) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        // If it takes longer, the container counts as running all the same.
        let _ = timeout(EXEC_DEADLINE, wait).await;
    }
}

#[derive(Default)]
struct BwrapArguments(Vec<OsString>);

impl BwrapArguments {
    fn add<T: Into<OsString>>(&mut self, arguments: impl IntoIterator<Item = T>) {
        self.0.extend(arguments.into_iter().map(Into::into));
    }

    /// Binds the entries of `folder` read-only. If a path of `made` has to be created inside an entry,
    /// that entry becomes a new folder and its own entries are bound, because nothing can be created in
    /// a read-only folder.
    fn expose(&mut self, folder: &Path, made: &[PathBuf]) {
        let Ok(entries) = folder.read_dir() else { return };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| !NOT_SHARED.iter().any(|p| Path::new(p) == **path)) {
            let name = path.as_os_str();
            if let Ok(target) = path.read_link() {
                self.add([OsStr::new("--symlink"), target.as_os_str(), name]);
            } else if made.iter().any(|made| made.starts_with(path)) && path.is_dir() {
                self.add([OsStr::new("--dir"), name]);
                self.expose(path, made);
            } else {
                self.add([OsStr::new("--ro-bind-try"), name, name]);
            }
        }
    }
}

/// The path, with symbolic links resolved in the part of it that exists.
fn resolved(path: &Path) -> PathBuf {
    let existing = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    let rest = path.strip_prefix(existing).unwrap_or(Path::new(""));
    let real = existing.canonicalize().unwrap_or_else(|_| existing.to_owned());
    if rest.as_os_str().is_empty() { real } else { real.join(rest) }
}

/// The DNS resolver's file, if it is in `/run`, which a container does not see.
fn resolver() -> Option<PathBuf> {
    let file = Path::new("/etc/resolv.conf").canonicalize().ok()?;
    file.starts_with("/run").then_some(file)
}

/// Reads the id of the container's first process, which `bwrap` writes to `--info-fd`.
pub async fn first_process(info: OwnedFd, within: Duration) -> io::Result<i32> {
    let mut info = pipe::Receiver::from_owned_fd(info)?;
    let read = async {
        let mut text = Vec::new();
        // The text is complete as soon as it is JSON. The end of file may never come, because another
        // process can hold the pipe open.
        loop {
            if info.read_buf(&mut text).await? == 0 {
                return Err(io::Error::other("bwrap ended before the container began"));
            }
            if let Ok(value) = serde_json::from_slice::<Value>(&text) {
                let pid = value["child-pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
                return pid.ok_or_else(|| io::Error::other("bwrap named no process"));
            }
        }
    };
    timeout(within, read).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
