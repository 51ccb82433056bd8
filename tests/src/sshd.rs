//! An SSH server that others wrote as a job's task, as in images for GitLab's own Fargate driver:
//! an entry script puts `SSH_PUBLIC_KEY` into `authorized_keys` and starts the server.
//!
//! The task has an `/etc` of its own, so that users and their login shells are those of the test
//! and not those of this machine. It needs more than one user id inside the sandbox, which only
//! root can have there.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use aws_sdk_ecs::types::{ContainerDefinition, EfsVolumeConfiguration, MountPoint, Volume};
use fargate_local_cloud::LocalCloud;

use crate::checked_host::CheckedHost;
use crate::ecs;
use crate::neighbour::skip;

/// Where `sshd` and `dropbear` lie; neither has to be on PATH.
const SERVERS: [(&str, &str); 2] =
    [("/usr/sbin/sshd", "openssh-server"), ("/usr/sbin/dropbear", "dropbear-bin")];
/// The file system that holds each task's `/etc`.
const FILE_SYSTEM: &str = "fs-0123456789abcdef0";
/// Shells that `dropbear` lets in.
const SHELLS: &str = "/bin/bash\n/bin/sh\n/bin/dash\n/bin/false\n/run/shells/ash\n/run/shells/sh\n";

/// Which program serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SshdProgram {
    OpenSsh,
    Dropbear,
}

/// A server to be started in tasks.
#[derive(Clone, Debug)]
pub struct SshdSetup {
    program: SshdProgram,
    container: String,
    lines: Vec<String>,
    host_key: String,
    user: String,
    shell: String,
    authorized: String,
    before: String,
    full_disk: bool,
    locked: bool,
    passes_term_on: bool,
}

impl SshdSetup {
    /// OpenSSH with its own defaults, for root with `bash`.
    #[must_use]
    pub fn open_ssh() -> Self {
        Self {
            program: SshdProgram::OpenSsh,
            container: "job".to_owned(),
            lines: Vec::new(),
            host_key: "ssh-keygen -q -t ed25519 -N '' -f /run/host_key".to_owned(),
            user: "root".to_owned(),
            shell: "/bin/bash".to_owned(),
            authorized: "$SSH_PUBLIC_KEY".to_owned(),
            before: String::new(),
            full_disk: false,
            locked: false,
            passes_term_on: false,
        }
    }

    /// An OpenSSH that knows nothing newer than these lines of its configuration say.
    #[must_use]
    pub fn old_open_ssh(kex: &str, host_key: &str) -> Self {
        Self::open_ssh()
            .line(&format!("KexAlgorithms {kex}"))
            .line("Ciphers aes256-ctr")
            .line("MACs hmac-sha2-256")
            .host_key(host_key)
    }

    /// Dropbear, for root with `bash`.
    #[must_use]
    pub fn dropbear() -> Self {
        let host_key = "dropbearkey -t ed25519 -f /run/host_key >/dev/null 2>&1".to_owned();
        Self { program: SshdProgram::Dropbear, host_key, ..Self::open_ssh() }
    }

    /// One more line of `sshd_config`. The first line for a key counts.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Another kind of host key, as `ssh-keygen -t` calls it.
    #[must_use]
    pub fn host_key(mut self, kind: &str) -> Self {
        let size = if kind == "rsa" { "-b 2048" } else { "" };
        self.host_key = format!("ssh-keygen -q -t {kind} {size} -N '' -f /run/host_key");
        self
    }

    /// This host key, a private key file of OpenSSH's.
    #[must_use]
    pub fn with_host_key(mut self, private: &str) -> Self {
        self.host_key = format!(
            "(umask 077; cat >/run/host_key <<'END_OF_KEY'\n{}\nEND_OF_KEY\n)",
            private.trim_end()
        );
        self
    }

    /// Another user to log in as, `root` or `ci`, with this login shell.
    #[must_use]
    pub fn login(mut self, user: &str, shell: &str) -> Self {
        user.clone_into(&mut self.user);
        shell.clone_into(&mut self.shell);
        self
    }

    /// Lets in whoever has this key, and not the job.
    #[must_use]
    pub fn authorized(mut self, public_key: &str) -> Self {
        public_key.clone_into(&mut self.authorized);
        self
    }

    /// Lines of `sh` that run in the task before the server starts. HOME is the user's.
    #[must_use]
    pub fn before(mut self, lines: &str) -> Self {
        self.before += lines;
        self.before.push('\n');
        self
    }

    /// Another name of the container.
    #[must_use]
    pub fn container(mut self, name: &str) -> Self {
        name.clone_into(&mut self.container);
        self
    }

    /// Neither `/tmp`, `/var/tmp`, `/dev/shm` nor HOME has room for a byte or a file.
    #[must_use]
    pub fn full_disk(mut self) -> Self {
        self.full_disk = true;
        self
    }

    /// The user's account is locked, as `passwd -l` leaves it.
    #[must_use]
    pub fn locked(mut self) -> Self {
        self.locked = true;
        self
    }

    /// Behind an entry script that stays process 1 and passes SIGTERM on to every process.
    #[must_use]
    pub fn passing_term_on(mut self) -> Self {
        self.passes_term_on = true;
        self
    }

    /// True where such tasks can run. Where they cannot, says `SKIPPED` and is false.
    ///
    /// # Panics
    ///
    /// In CI, if they cannot.
    #[must_use]
    pub fn can_run() -> bool {
        if !nix::unistd::geteuid().is_root() {
            skip("sshd needs several user ids in its sandbox, which only root can have there");
            return false;
        }
        for (server, package) in SERVERS {
            if !Path::new(server).is_file() {
                skip(&format!("there is no {server}; Debian's {package} has it"));
                return false;
            }
        }
        crate::have("ssh-keygen") && crate::have("busybox")
    }

    /// Registers it with `cloud` as task definition `family`.
    ///
    /// # Panics
    ///
    /// If the cloud refuses it, or its folder cannot be written.
    pub async fn register(&self, cloud: &LocalCloud, family: &str) -> String {
        let root = cloud.add_file_system(FILE_SYSTEM).join(family);
        self.write_etc(&root);
        let efs = EfsVolumeConfiguration::builder()
            .file_system_id(FILE_SYSTEM)
            .root_directory(format!("/{family}"))
            .build()
            .expect("it has an id");
        let volume = Volume::builder().name("etc").efs_volume_configuration(efs).build();
        let mount = MountPoint::builder().source_volume("etc").container_path("/etc");
        let container = ContainerDefinition::builder()
            .name(&self.container)
            .command("sh")
            .command("-c")
            .command(self.entry())
            .stop_timeout(2)
            .mount_points(mount.read_only(true).build());
        let client = ecs::client(cloud);
        ecs::register(&client, family, container, vec![volume]).await
    }

    /// Registers it and lets the jobs to come use it, whatever host key it shows first.
    pub async fn serve(&self, site: &CheckedHost) {
        let family = self.register(site.cloud(), "stock-sshd").await;
        site.set("defaults.task_definition", family);
        site.set("defaults.host_key", "first_use");
        site.set("defaults.ssh.user", self.user.as_str());
    }

    /// Users, groups and shells of the task, and little else.
    fn write_etc(&self, etc: &Path) {
        fs::create_dir_all(etc).expect("a folder for /etc");
        let shell = |user: &str| if self.user == user { &self.shell } else { "/bin/bash" };
        let (root, ci) = (shell("root"), shell("ci"));
        let users = format!(
            "root:x:0:0:root:/run/home-of-root:{root}\n\
             ci:x:1000:1000:ci:/run/home-of-ci:{ci}\n\
             sshd:x:102:65534:sshd:/run/sshd:/usr/sbin/nologin\n\
             nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        );
        let password = |user: &str| if self.locked && self.user == user { "!" } else { "*" };
        let (root, ci) = (password("root"), password("ci"));
        let passwords = format!("root:{root}:19000::::::\nci:{ci}:19000::::::\n");
        let files = [
            ("passwd", users.as_str()),
            ("shadow", passwords.as_str()),
            ("group", "root:x:0:\nci:x:1000:\nnogroup:x:65534:\n"),
            ("nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"),
            ("hosts", "127.0.0.1 localhost\n"),
            ("shells", SHELLS),
        ];
        for (name, text) in files {
            fs::write(etc.join(name), text).expect("a writable folder");
        }
        // Names of programs lead through it, `awk` for one.
        let alternatives = etc.join("alternatives");
        fs::create_dir_all(&alternatives).expect("a writable folder");
        for entry in fs::read_dir("/etc/alternatives").into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(entry.path()) else { continue };
            // A link that is there already leads to the same place.
            let _ = symlink(target, alternatives.join(entry.file_name()));
        }
    }

    /// The program of the container.
    fn entry(&self) -> String {
        let Self { user, host_key, before, authorized, .. } = self;
        let mut entry = format!(
            "set -eu\n\
             umask 022\n\
             mkdir -p /run/sshd /run/shells /run/home-of-root/.ssh /run/home-of-ci/.ssh\n\
             busybox --install -s /run/shells\n\
             export HOME=/run/home-of-{user}\n\
             echo \"{authorized}\" >$HOME/.ssh/authorized_keys\n\
             chmod 700 $HOME/.ssh && chmod 600 $HOME/.ssh/authorized_keys\n\
             {host_key}\n\
             {before}\
             chown -R 1000:1000 /run/home-of-ci\n"
        );
        let lines = self.lines.iter().fold(String::new(), |text, line| text + line + "\n");
        let place = "$FARGATE_RUNNER_ADDRESS:$FARGATE_RUNNER_PORT";
        let server = match self.program {
            SshdProgram::OpenSsh => "/usr/sbin/sshd -D -e -f /run/sshd_config".to_owned(),
            SshdProgram::Dropbear => {
                format!("/usr/sbin/dropbear -F -E -m -r /run/host_key -p {place}")
            }
        };
        let start = match (self.full_disk, self.passes_term_on) {
            (true, _) => without_room(&server),
            (false, true) => {
                format!("{server} &\ntrap 'kill -TERM -1' TERM\nwait || true\nsleep 1\n")
            }
            (false, false) => format!("exec {server}\n"),
        };
        let _ = write!(
            entry,
            "cat >/run/sshd_config <<END_OF_CONFIGURATION\n\
             {lines}\
             ListenAddress {place}\n\
             HostKey /run/host_key\n\
             PidFile none\n\
             UsePAM no\n\
             END_OF_CONFIGURATION\n\
             {start}"
        );
        entry
    }
}

/// Lines that start `server` where nothing more can be written.
///
/// Mounting takes a mount namespace, and that a user namespace: it is made by a process that only
/// sleeps, because whoever enters one before its ids are mapped loses its rights at the next
/// program that it becomes.
fn without_room(server: &str) -> String {
    format!(
        "cat >/run/without_room <<'END_OF_PROGRAM'\n\
         set -eu\n\
         kill $1\n\
         cp -a $HOME /run/kept\n\
         for folder in /tmp /var/tmp /dev/shm $HOME; do\n\
         mount -t tmpfs -o size=64k,nr_inodes=4 tmpfs $folder\n\
         done\n\
         cp -a /run/kept/. $HOME\n\
         for folder in /tmp /var/tmp /dev/shm $HOME; do\n\
         head -c 1000000 /dev/zero >$folder/full 2>/dev/null || true\n\
         for n in 2 3 4; do true >$folder/$n || true; done 2>/dev/null\n\
         done\n\
         exec {server}\n\
         END_OF_PROGRAM\n\
         unshare --user sleep 1000 &\n\
         own=$(readlink /proc/self/ns/user)\n\
         until [ \"$(readlink /proc/$!/ns/user)\" != \"$own\" ]; do :; done\n\
         echo 0 0 65536 >/proc/$!/uid_map\n\
         echo 0 0 65536 >/proc/$!/gid_map\n\
         exec nsenter --user --target $! \\\n\
         unshare --mount --propagation unchanged sh /run/without_room $!\n"
    )
}
