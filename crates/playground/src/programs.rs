//! Finds the programs that the playground needs, and says what to type if one is missing. It installs
//! nothing.

use std::env;
use std::path::{Path, PathBuf};

/// A program that is missing. The text names the command that installs or builds it.
#[derive(Debug, thiserror::Error)]
pub enum MissingProgram {
    /// A program of the operating system.
    #[error("{program} is not installed; `apt-get install {package}` brings it")]
    Installed {
        /// Its name.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// The driver was not built.
    #[error(
        "no fargate-runner beside {}; `cargo build -p fargate-runner` builds it, --runner names another",
        beside.display()
    )]
    Runner {
        /// Where it was looked for.
        beside: PathBuf,
    },
    /// A path that the user gave and that is no file.
    #[error("{} is not a file; {from} must name the {what} program", path.display())]
    Given {
        /// What was given.
        path: PathBuf,
        /// The flag or variable.
        from: &'static str,
        /// What it should name.
        what: &'static str,
    },
    /// The agent was not built.
    #[error("no fargate-agent in {}; `make agent` builds it, FARGATE_AGENT names another", looked.join(", "))]
    Agent {
        /// Where it was looked for.
        looked: Vec<String>,
    },
}

/// Finds a program of the operating system on PATH.
///
/// # Errors
///
/// [`MissingProgram::Installed`] if no folder of PATH has it.
pub fn installed(program: &'static str, package: &'static str) -> Result<PathBuf, MissingProgram> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found =
        env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.ok_or(MissingProgram::Installed { program, package })
}

/// The `fargate-runner` that was given, else the one beside the running program.
///
/// # Errors
///
/// [`MissingProgram::Given`] if the given path is no file, and [`MissingProgram::Runner`] if none is beside
/// this program.
pub fn runner(given: Option<&Path>) -> Result<PathBuf, MissingProgram> {
    if let Some(path) = given {
        return file(path, "--runner", "fargate-runner");
    }
    let beside = beside();
    let found = candidates(&beside, "fargate-runner").into_iter().find(|file| file.is_file());
    found.ok_or(MissingProgram::Runner { beside })
}

/// The static agent: `FARGATE_AGENT`, else beside the running program, else `target/static`.
///
/// # Errors
///
/// [`MissingProgram::Given`] if `FARGATE_AGENT` names no file, and [`MissingProgram::Agent`] if none is
/// found.
pub fn agent() -> Result<PathBuf, MissingProgram> {
    if let Some(path) = env::var_os("FARGATE_AGENT").filter(|path| !path.is_empty()) {
        return file(Path::new(&path), "FARGATE_AGENT", "fargate-agent");
    }
    let mut candidates = candidates(&beside(), "fargate-agent");
    // The agent in `static` is a static binary. One beside a debug binary may not be.
    candidates.sort_by_key(|path| !path.ends_with("static/fargate-agent"));
    candidates.iter().find(|file| file.is_file()).cloned().ok_or_else(|| MissingProgram::Agent {
        looked: candidates.iter().map(|path| path.display().to_string()).collect(),
    })
}

fn file(path: &Path, from: &'static str, what: &'static str) -> Result<PathBuf, MissingProgram> {
    let missing = || MissingProgram::Given { path: path.to_owned(), from, what };
    let absolute = path.canonicalize().map_err(|_| missing())?;
    if absolute.is_file() { Ok(absolute) } else { Err(missing()) }
}

/// The folder of the running program.
fn beside() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    program.parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Where `name` may lie: beside the program, one folder up (a test runs from `deps`), and in
/// `static` beside those.
fn candidates(beside: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = vec![beside.join(name)];
    for folder in beside.ancestors().skip(1).take(2) {
        found.push(folder.join(name));
        found.push(folder.join("static").join(name));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_the_command_that_brings_it() {
        let missing = installed("no-such-program", "nothing").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "no-such-program is not installed; `apt-get install nothing` brings it"
        );
        assert!(installed("sh", "dash").is_ok());
    }

    #[test]
    fn a_test_binary_finds_what_lies_beside_its_folder_and_in_static() {
        let found = candidates(Path::new("/w/target/debug/deps"), "fargate-agent");
        assert!(found.contains(&PathBuf::from("/w/target/debug/fargate-agent")));
        assert!(found.contains(&PathBuf::from("/w/target/static/fargate-agent")));
    }
}
