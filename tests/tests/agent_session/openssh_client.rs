//! OpenSSH's own client, which tests use to reach a task beside the driver. It holds no test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use fargate_tests::{CheckedHost, TestJob, TestProcess};

/// What a person needs to debug a job's task with `ssh`.
pub struct DebugLogin<'a> {
    job: &'a TestJob,
    key: PathBuf,
    known_hosts: PathBuf,
    host: String,
    port: String,
}

impl<'a> DebugLogin<'a> {
    /// With the key and the host key of the job's state file.
    pub fn to(site: &CheckedHost, job: &'a TestJob) -> Self {
        let state = job.state().expect("a state file");
        let text = |name: &str| state[name].as_str().expect("a text").to_owned();
        let address = text("address");
        let (host, port) = address.split_once(':').expect("an address with a port");
        Self::with(site, job, &text("client_key"), &text("host_key"), host, port)
    }

    /// With all that by hand.
    pub fn with(
        site: &CheckedHost,
        job: &'a TestJob,
        client_key: &str,
        host_key: &str,
        host: &str,
        port: &str,
    ) -> Self {
        // Inputs of the test lie where the secrets of a job may lie.
        let folder = site.folder().join("runner").join("ssh");
        fs::create_dir_all(&folder).expect("a writable folder");
        let (key, known_hosts) = (folder.join("key"), folder.join("known_hosts"));
        fs::write(&key, client_key).expect("a writable folder");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a file of ours");
        let host_key: Vec<_> = host_key.split(' ').take(2).collect();
        let line = format!("[{host}]:{port} {}\n", host_key.join(" "));
        fs::write(&known_hosts, line).expect("a writable folder");
        let (host, port) = (host.to_owned(), port.to_owned());
        Self { job, key, known_hosts, host, port }
    }

    /// The arguments for user `user`, without a command.
    pub fn arguments(&self, user: &str) -> Vec<String> {
        let option = |name: &str, value: String| ["-o".to_owned(), format!("{name}={value}")];
        let mut arguments = vec!["-F".to_owned(), "none".to_owned()];
        arguments.extend(option("BatchMode", "yes".to_owned()));
        arguments.extend(option("IdentitiesOnly", "yes".to_owned()));
        arguments.extend(option("IdentityFile", self.key.display().to_string()));
        arguments.extend(option("UserKnownHostsFile", self.known_hosts.display().to_string()));
        arguments.extend(option("StrictHostKeyChecking", "yes".to_owned()));
        arguments.extend(option("LogLevel", "ERROR".to_owned()));
        arguments.extend(["-p".to_owned(), self.port.clone()]);
        arguments.push(format!("{user}@{}", self.host));
        arguments
    }

    /// Runs a command, as user `root` unless `before` says otherwise. `before` are more arguments.
    pub fn start(&self, before: &[&str], command: &[&str]) -> TestProcess {
        let mut arguments: Vec<String> = before.iter().map(|&word| word.to_owned()).collect();
        arguments.extend(self.arguments("root"));
        arguments.extend(command.iter().map(|&word| word.to_owned()));
        self.job.start_other("ssh", &arguments)
    }

    /// Runs `true` as `user`.
    pub fn start_as(&self, user: &str) -> TestProcess {
        let mut arguments = self.arguments(user);
        arguments.push("true".to_owned());
        self.job.start_other("ssh", &arguments)
    }
}
