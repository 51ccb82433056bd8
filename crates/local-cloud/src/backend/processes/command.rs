//! A container's program and environment, and how it runs where there are no namespaces.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::backend::container::ContainerPlan;

/// Where programs are searched for if there is no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The home folder of containers: that of the cloud itself, if it is a folder below the root.
pub fn home(given: Option<OsString>) -> PathBuf {
    let given = given.map(PathBuf::from).filter(|path| path.is_absolute() && path.is_dir());
    given.filter(|path| path.parent().is_some()).unwrap_or_else(|| PathBuf::from("/root"))
}

/// All variables of a container, each name once. Later ones replace earlier ones: those of the cloud,
/// those of the plan, and the address to listen on.
pub fn environment(
    plan: &ContainerPlan,
    inherited: &[(OsString, OsString)],
    port: u16,
) -> Vec<(OsString, OsString)> {
    let own = plan.environment.iter().map(|(name, value)| (name.into(), value.into()));
    let listen = [
        ("FARGATE_RUNNER_ADDRESS".into(), plan.address.to_string().into()),
        ("FARGATE_RUNNER_PORT".into(), port.to_string().into()),
    ];
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    for (name, value) in inherited.iter().cloned().chain(own).chain(listen) {
        variables.retain(|(other, _)| *other != name);
        variables.push((name, value));
    }
    variables
}

/// Whether a container will find `program`. The container sees its own files in the `hidden` folders, so
/// a path there is accepted without a check, and a name is not searched for there.
pub fn is_program(program: &str, variables: &[(OsString, OsString)], hidden: &[PathBuf]) -> bool {
    let is_hidden = |path: &Path| hidden.iter().any(|folder| path.starts_with(folder));
    if program.contains('/') {
        let path = Path::new(program);
        return !path.is_absolute() || is_hidden(path) || is_executable(path);
    }
    let path =
        variables.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.as_os_str());
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    std::env::split_paths(path)
        .filter(|folder| !is_hidden(folder))
        .any(|folder| is_executable(&folder.join(program)))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// Runs the program without a sandbox, in a process group of its own. `setpriv`, where it exists, kills
/// the program when the thread that started it ends.
pub fn plain(plan: &ContainerPlan, argv: &[String]) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    let mut command = if is_executable(setpriv) {
        let mut command = Command::new(setpriv);
        command.args(["--pdeathsig", "KILL", "--"]).args(argv);
        command
    } else {
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]);
        command
    };
    command.process_group(0);
    if let Some(folder) = plan.working_directory.as_ref().filter(|f| Path::new(f).is_dir()) {
        command.current_dir(folder);
    }
    command
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn plan(environment: &[(&str, &str)]) -> ContainerPlan {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ContainerPlan {
            environment: environment.iter().map(own).collect(),
            ..ContainerPlan::bare("t", "c", IpAddr::from([127, 80, 1, 4]))
        }
    }

    #[test]
    fn later_variables_win_and_the_cloud_says_where_to_listen() {
        let inherited = [("PATH".into(), "/bin".into()), ("HOME".into(), "/root".into())];
        let plan = plan(&[("A", "1"), ("HOME", "/h"), ("A", "2"), ("FARGATE_RUNNER_PORT", "1")]);
        let variables = environment(&plan, &inherited, 4000);
        let text: Vec<_> = variables
            .iter()
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect();
        assert_eq!(
            text,
            [
                "PATH=/bin",
                "HOME=/h",
                "A=2",
                "FARGATE_RUNNER_ADDRESS=127.80.1.4",
                "FARGATE_RUNNER_PORT=4000",
            ]
        );
    }

    #[test]
    fn a_program_is_looked_for_where_the_container_sees_it() {
        let variables = [("PATH".into(), "/private:/usr/bin:/bin".into())];
        let hidden = [PathBuf::from("/private")];
        let found = |program| is_program(program, &variables, &hidden);
        assert!(found("sh") && found("/bin/sh") && found("/private/x") && found("./x"));
        assert!(!found("no-such-program") && !found("/no/such/program"));
    }
}
