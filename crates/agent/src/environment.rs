//! The environment of scripts.
//!
//! It is the container's own environment without the variables of the agent. HOME, USER, SHELL and
//! PATH are added if the image does not set them. No variable is changed, and NSS is never asked.

use std::ffi::{OsStr, OsString};

/// PATH if the image sets none. Source: Docker's default for Linux containers.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether only the agent reads this variable. Scripts do not see it.
pub fn is_ours(name: &OsStr) -> bool {
    name == "SSH_PUBLIC_KEY" || name.as_encoded_bytes().starts_with(b"FARGATE_RUNNER_")
}

/// One line of `/etc/passwd`. We parse it ourselves, because a static binary must not use NSS.
#[derive(Debug, Default, PartialEq, Eq)]
struct PasswdEntry {
    name: String,
    home: String,
    shell: String,
}

fn user(passwd: &str, uid: u32) -> Option<PasswdEntry> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, id, _, _, home, shell] = fields[..] else { return None };
        (id.parse() == Ok(uid)).then(|| PasswdEntry {
            name: name.to_owned(),
            home: home.to_owned(),
            shell: shell.to_owned(),
        })
    })
}

/// The environment of every script of this task.
#[derive(Clone, Debug)]
pub struct ScriptEnvironment {
    variables: Vec<(OsString, OsString)>,
    /// The user's shell, for plain `exec` requests. This file exists.
    pub login_shell: String,
}

impl ScriptEnvironment {
    /// Reads this process's environment and `/etc/passwd`.
    pub fn of_this_process() -> Self {
        let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
        let uid = nix::unistd::getuid().as_raw();
        Self::new(std::env::vars_os(), &String::from_utf8_lossy(&passwd), uid)
    }

    fn new(container: impl Iterator<Item = (OsString, OsString)>, passwd: &str, uid: u32) -> Self {
        let mut variables: Vec<_> = container.filter(|(name, _)| !is_ours(name)).collect();
        let user = user(passwd, uid).unwrap_or_default();
        let mut default = |name: &str, value: &str| {
            if !value.is_empty() && !variables.iter().any(|(known, _)| known == name) {
                variables.push((name.into(), value.into()));
            }
        };
        default("PATH", PATH);
        default("HOME", if user.home.is_empty() { "/" } else { &user.home });
        default("USER", &user.name);
        default("LOGNAME", &user.name);
        default("SHELL", &user.shell);
        // A service's user has a shell that refuses everybody. Who has the job's key may do what its
        // scripts may.
        let refuses = |shell: &str| shell.ends_with("/nologin") || shell.ends_with("/false");
        let usable = |shell: &str| {
            !shell.is_empty() && !refuses(shell) && std::path::Path::new(shell).exists()
        };
        let login_shell = if usable(&user.shell) { user.shell } else { "/bin/sh".to_owned() };
        Self { variables, login_shell }
    }

    /// The variables, with those of one stage added.
    pub fn with(&self, more: &[(String, String)]) -> Vec<(OsString, OsString)> {
        let mut variables = self.variables.clone();
        variables.extend(more.iter().map(|(name, value)| (name.into(), value.into())));
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nci:x:1000:1000::/home/ci:/bin/nosuch\n\
                          web:x:33:33::/srv:/bin/false\n";

    fn environment(container: &[(&str, &str)], uid: u32) -> ScriptEnvironment {
        let container = container.iter().map(|(n, v)| (n.into(), v.into()));
        ScriptEnvironment::new(container, PASSWD, uid)
    }

    fn value(environment: &ScriptEnvironment, name: &str) -> Option<String> {
        let found = environment.variables.iter().find(|(known, _)| known == name)?;
        found.1.to_str().map(str::to_owned)
    }

    #[test]
    fn scripts_see_the_image_and_the_task_role_but_not_the_agents_secrets() {
        let seen = environment(
            &[
                ("LANG", "C.UTF-8"),
                ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"),
                ("FARGATE_RUNNER_HOST_KEY_SEED", "00"),
                ("SSH_PUBLIC_KEY", "ssh-ed25519 A"),
            ],
            0,
        );
        assert_eq!(value(&seen, "LANG").as_deref(), Some("C.UTF-8"));
        let role = value(&seen, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        assert_eq!(role.as_deref(), Some("/v2/x"));
        assert_eq!(value(&seen, "FARGATE_RUNNER_HOST_KEY_SEED"), None);
        assert_eq!(value(&seen, "SSH_PUBLIC_KEY"), None);
    }

    #[test]
    fn home_and_path_come_from_the_image_first_and_from_passwd_otherwise() {
        let ci = environment(&[("PATH", "/opt/bin")], 1000);
        assert_eq!(value(&ci, "HOME").as_deref(), Some("/home/ci"));
        assert_eq!(value(&ci, "PATH").as_deref(), Some("/opt/bin"));
        assert_eq!(ci.login_shell, "/bin/sh", "a shell that is not there is not used");
        assert_eq!(environment(&[], 33).login_shell, "/bin/sh", "nor one that refuses");
        let nobody = environment(&[], 4242);
        assert_eq!(value(&nobody, "HOME").as_deref(), Some("/"));
        assert_eq!(value(&nobody, "USER"), None);
    }
}
